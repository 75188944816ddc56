// The environment of the next image: the program's own, with the variables that carry the session.
#pragma once
#include "../image/call.h"
#include "../image/identity.h"
#include "exec_static.h"

namespace btfuse {

/** What the next image is told of its name; nullptr for what is not to be told. */
struct Names {
  const char* exe;       ///< of a program in the tree
  const char* execfn;    ///< what the program called it, where the kernel is told something else
  const char* launched;  ///< of a static program
  const Launch* launch;
  const Identity* ids;  ///< that the next image shall take where they are split
  uint32_t record;      ///< of the process, handed on
};

/**
 * Bytes that build_environment() will need; -EFAULT. `envp` may be nullptr. `names_length`: of the
 * names together.
 */
long environment_size(char* const* envp, uint64_t names_length, uint64_t stack);

/**
 * Writes the new array and its new strings at `memory` and returns it. The strings of the program
 * stay where they are. `memory` holds environment_size() bytes.
 */
char** build_environment(char* const* envp, const Names& names, unsigned char* memory);

StaticPolicy static_policy(char* const* envp, uint64_t stack);

/** Number of entries before the terminating null; -EFAULT. nullptr: 0. */
long count_pointers(char* const* list, uint64_t stack);

}  // namespace btfuse
