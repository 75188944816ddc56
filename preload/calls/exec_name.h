// The name of a program in the tree. The kernel runs a copy of it that has none, so the shim
// carries the name across exec (BTFUSE_EXE) and answers readlink of /proc/self/exe with it.
#pragma once
#include "../image/call.h"

namespace btfuse {

/** Longer names are not carried; /proc/self/exe then reads as the kernel has it. */
inline constexpr uint64_t kExecNameMax = 512;

/** Writes the absolute name of (dirfd, path), symlinks as they are. False: too long, or not to be
 * told. */
bool exec_name(Call& call, Thread& self, long dirfd, const char* path, char (&out)[kExecNameMax]);

/**
 * An O_PATH description of the running program when `path` is its /proc/self/exe and it lies in the
 * tree; 0 otherwise. One reference, the caller's.
 */
uint32_t own_program(Call& call, Thread& self, const char* path);

}  // namespace btfuse
