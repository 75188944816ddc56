// A path of the host, walked component by component in user space, because only the host's
// directories and symlinks can say whether it leads into the tree.
#pragma once
#include "paths.h"

namespace btfuse {

/**
 * Follows target.path from target.dirfd. When the way enters the prefix, the target becomes the
 * rest of the path in the tree; else it stays on the host, rewritten only if its text stood in
 * buffer.text. Returns 0, -ELOOP or -ENAMETOOLONG.
 */
int host_walk(Target& target, bool nofollow, const PathBuffer& buffer);

/**
 * Cheap question after ENOENT and before a walk: may a symlink of the host have led this path into
 * the tree? False only when none did.
 */
bool may_lead_into_tree(const Target& target, bool nofollow);

}  // namespace btfuse
