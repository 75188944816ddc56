// A descriptor of the kernel for a file that may lie in the tree.
#pragma once
#include "../client/client.h"

namespace btfuse {

/**
 * Opens the file for reading: one of the host itself, one of the tree as a copy (exec_file.h). A
 * descriptor that an exec closes, or -errno.
 */
long open_copy(Thread& self, const char* path, uint64_t user_stack);

}  // namespace btfuse
