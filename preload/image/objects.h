// Objects other than libc that make system calls of their own: cgo programs, sanitizers, libgomp.
#pragma once
#include "object.h"

namespace btfuse {

/**
 * Sees that the system calls of a loaded object are hooked, or ends the program. What is known to
 * need nothing costs a look into the ring segment.
 */
void ensure_image(const Object& object, uint64_t euid);

}  // namespace btfuse
