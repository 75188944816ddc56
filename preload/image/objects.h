// Objects other than libc that make system calls of their own: cgo programs, sanitizers, libgomp.
#pragma once
#include "object.h"

namespace btfuse {

/**
 * Sees that the system calls of a loaded object are hooked, or ends the program. What is known to
 * need nothing costs a look into the ring segment.
 */
void ensure_image(const Object& object, uint64_t euid);

/**
 * The same by a descriptor: for a file of the tree, or one whose name means nothing to the server.
 * 1: it needs none. 0: mapped. Else -errno. `path`: BT_PATH_MAX bytes to work in.
 */
int image_by_descriptor(const Object& object, char* path, uint64_t euid);

}  // namespace btfuse
