// The environment of the next image: the program's own, with the variables that carry the session.
#pragma once
#include "../image/call.h"
#include "exec_static.h"

namespace btfuse {

/**
 * Bytes that build_environment() will need; -EFAULT. `envp` may be nullptr. `names_length`: of
 * `exe` and `name` together.
 */
long environment_size(char* const* envp, uint64_t names_length, uint64_t stack);

/**
 * Writes the new array and its new strings at `memory` and returns it. The strings of the program
 * stay where they are. `memory` holds environment_size() bytes. `exe`: name of a program in the
 * tree, or nullptr; `launch` and `name`: of a static program, or nullptr.
 */
char** build_environment(Thread& self, char* const* envp, const char* exe, const Launch* launch,
                         const char* name, unsigned char* memory);

StaticPolicy static_policy(char* const* envp, uint64_t stack);

/** Number of entries before the terminating null; -EFAULT. nullptr: 0. */
long count_pointers(char* const* list, uint64_t stack);

}  // namespace btfuse
