// Pointers that the program hands to a system call. The kernel answers EFAULT for a bad one; code
// in the same address space would crash, so every pointer is probed before it is followed.
//
// A probe is one harmless system call per page (rt_sigprocmask with an impossible `how` reads eight
// bytes and changes nothing). Pages that passed are remembered per process, and the page of the
// program's stack pointer always passes, so that nearly no call pays for it. The calls that take
// memory away (mapping.cpp) make it forgotten.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** True when every byte of [address, address + size) can be read. `stack`: the program's rsp. */
bool readable(const void* address, uint64_t size, uint64_t stack);

/**
 * True when [address, address + size) can be written; the middle of more than two pages is taken on
 * trust. A page that was never seen before gets eight bytes of it overwritten: call this only for
 * what is about to be filled in.
 */
bool writable(void* address, uint64_t size, uint64_t stack);

/**
 * How many bytes of [address, address + size) can be touched before the first page that cannot:
 * what the kernel would have moved of them. Nothing changes, but pages come to be where they are to
 * be written, as the copy would have brought them.
 */
uint64_t readable_prefix(const void* address, uint64_t size, uint64_t stack);
uint64_t writable_prefix(void* address, uint64_t size, uint64_t stack);

/** Memory is about to be unmapped, replaced or protected: what passed before is asked again. */
void forget_memory(uint64_t start, uint64_t size);

/**
 * Length of the NUL-terminated string at `text`, at most `limit` bytes.
 * -EFAULT, or -ENAMETOOLONG when no NUL stands in the first `limit` bytes.
 */
long string_length(const char* text, uint64_t limit, uint64_t stack);

/** What one pass over a path can tell, eight bytes at a time. The two flags may be set in error. */
struct Scan {
  long length;  ///< as string_length
  bool dotdot;  ///< two dots in a row
  bool begins;  ///< a component begins with the given byte
};
Scan scan_path(const char* text, char first, uint64_t limit, uint64_t stack);

/** Copies a string with its NUL; `capacity` counts the NUL. Its length, or as string_length. */
long copy_string(char* to, const char* from, uint64_t capacity, uint64_t stack);

}  // namespace btfuse
