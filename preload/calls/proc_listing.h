// Listings of /proc/PID/fd: our own descriptors are not in them.
#pragma once
#include "../image/call.h"

namespace btfuse {

/** A directory of the host was opened: is it one of those? Cheap for all others. */
void note_listing(long fd, const char* path, uint64_t user_stack);
/** getdents64 on a descriptor of the host, once the process has opened such a directory. */
bool may_list_descriptors();
/** The kernel's answer to getdents64 without our own descriptors, when fd is such a directory. */
long list_without_ours(long fd, void* entries, long length);

}  // namespace btfuse
