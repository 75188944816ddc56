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

/** "/proc/self/fd/<fd>", made without libc. */
void proc_path_of(long fd, char (&text)[32]);

/**
 * Does the prefix stand on the host too? Then a symlink into it succeeds there, and ENOENT tells
 * nothing: every host path has to be looked at before the kernel gets it. Looked up once per
 * process.
 */
bool prefix_on_host();

/** For such a prefix: can a symlink decide where the path leads? */
bool meets_symlink(const Target& target, bool nofollow);

}  // namespace btfuse
