// The name of an open description as the program knows it: with the prefix.
#pragma once
#include "../client/client.h"

namespace btfuse {

/**
 * Asks PATH on slot->description. `text` points into the slab: prefix and path, NUL-terminated.
 * Returns its length; a name that is gone reads "/prefix/dir/name (deleted)", and -ENOENT is left
 * to getcwd, see `deleted`.
 */
long tree_path(Slot* slot, const char** text, bool* deleted = nullptr);

}  // namespace btfuse
