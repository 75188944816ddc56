// The environment of the next image: the program's own, with the variables that carry the session.
#pragma once
#include "../image/call.h"

namespace btfuse {

/**
 * Bytes that build_environment() will need; -EFAULT. `envp` may be nullptr. `exe_length`: of the
 * name of a program in the tree, 0 for one on the host.
 */
long environment_size(char* const* envp, uint64_t exe_length, uint64_t stack);

/**
 * Writes the new array and its new strings at `memory` and returns it. The strings of the program
 * stay where they are. `memory` holds environment_size() bytes.
 */
char** build_environment(Thread& self, char* const* envp, const char* exe, unsigned char* memory);

/** Does the environment hold BTFUSE_STATIC=allow? */
bool allows_static(char* const* envp, uint64_t stack);

/** Number of entries before the terminating null; -EFAULT. nullptr: 0. */
long count_pointers(char* const* list, uint64_t stack);

}  // namespace btfuse
