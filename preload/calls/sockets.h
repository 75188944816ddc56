// Addresses of Unix sockets whose name lies in the tree (ADR 13): the program's address on the way
// in, the one that the kernel was given instead on the way out.
#pragma once
#include <sys/un.h>

#include "calls.h"

namespace btfuse {

/** What this session has seen so far: nothing, for most, and then no call is looked at. */
inline bool session_has(uint32_t special) {
  return (__atomic_load_n(&ring_header()->special, __ATOMIC_RELAXED) & special) != 0;
}

/** The socket that an address means, as the kernel will find it. */
struct Peer {
  sockaddr_un address;
  uint32_t length;
  long host_fd;  ///< O_PATH descriptor behind the address, to be closed; -1 for none
};

enum class Named {
  ELSEWHERE,  ///< no address in the tree: the kernel takes it as it is
  PEER,       ///< `peer` is filled in
  ERROR,      ///< `error` is the answer
};

/**
 * Whom `address` (the program's) means. `type`: SOCK_* that a socket needs for its address to be
 * looked at, 0 for any.
 */
Named find_peer(Thread& self, long fd, const void* address, uint64_t length, int type,
                uint64_t stack, Peer& peer, long& error);
/** The end of a call with that address. */
long finish_peer(Peer& peer, long result);

/** Room for any address. */
struct AnyAddress {
  alignas(8) unsigned char bytes[128 + 8];
  uint32_t length;
};
/** If the kernel's answer names a node, it becomes the address that the program bound. */
void translate_address(Thread& self, AnyAddress& address, uint64_t stack);
/** move_addr_to_user(): 0, or -EFAULT. `capacity` is what the program said, `length` is told. */
long give_address(const AnyAddress& address, void* to, int capacity, uint32_t* length,
                  uint64_t stack);

}  // namespace btfuse
