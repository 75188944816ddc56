// bind, connect, sendto and the calls that tell an address: names of Unix sockets in the tree.
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "host_walk.h"
#include "nodes.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint32_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr uint32_t kPathMax = sizeof(sockaddr_un) - kPathOffset;
constexpr uint32_t kSocketPermissions = 0777;

/** A path of an address, made a string. */
struct SocketPath {
  char text[kPathMax + 1];
  uint32_t length;
};

/** True when the address is a Unix one with a path; whatever is wrong with it is the kernel's. */
bool take_path(const void* from, uint64_t length, uint64_t stack, SocketPath& path) {
  if (from == nullptr || length <= kPathOffset || length > sizeof(sockaddr_un)) return false;
  if (!readable(from, length, stack)) return false;
  auto* address = (const sockaddr_un*)from;
  if (address->sun_family != AF_UNIX || address->sun_path[0] == 0) return false;
  const uint32_t room = (uint32_t)length - kPathOffset;
  path.length = 0;
  while (path.length < room && address->sun_path[path.length] != 0) {
    path.text[path.length] = address->sun_path[path.length];
    path.length++;
  }
  path.text[path.length] = 0;
  return true;
}

int option_of(long fd, int option) {
  int value = -1;
  uint32_t length = sizeof value;
  const long result = kernel(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &length);
  return result == 0 ? value : -1;
}

/** The address of a node: through our descriptor of the directory, so that it tells no secret. */
long node_address(Thread& self, uint32_t ino, uint32_t generation, Peer& peer) {
  const long directory = nodes_fd(self);
  if (directory < 0) return -EADDRNOTAVAIL;
  char text[32];
  proc_path_of(directory, text);
  char* at = peer.address.sun_path;
  for (const char* c = text; *c != 0; c++) *at++ = *c;
  *at++ = '/';
  at += node_name(ino, generation, at);
  peer.address.sun_family = AF_UNIX;
  peer.length = (uint32_t)(at + 1 - (char*)&peer.address);
  peer.host_fd = -1;
  return 0;
}

/** Asks about a path as openat(AT_FDCWD, path, O_PATH) would: that is what the host is asked. */
Call as_open(const SocketPath& path, long flags, uint64_t stack) {
  Call call{};
  call.nr = SYS_openat;
  call.args[0] = AT_FDCWD;
  call.args[1] = (long)path.text;
  call.args[2] = O_PATH | O_CLOEXEC | flags;
  call.stack = stack;
  return call;
}

void fill_bind(Slot& slot, const Call&) {
  slot.opcode = BT_OP_BIND;
  slot.mode = kSocketPermissions;
}

void fill_peer(Slot& slot, const Call&) {
  slot.opcode = BT_OP_PEER;
}

bool leads_to_tree(Thread& self, const SocketPath& path, uint32_t flags, uint64_t stack) {
  Target target;
  classify(self, AT_FDCWD, path.text, flags, stack, target);
  return target.where != Where::HOST;
}

long bind_node(Thread& self, long fd, const Attributes& attributes) {
  Peer peer;
  long result = node_address(self, attributes.ino, attributes.generation, peer);
  if (result == 0) result = kernel(SYS_bind, fd, &peer.address, peer.length);
  if (result != 0) return result;
  // Who may connect is the tree's to say, and it has said so before the kernel is asked.
  char name[kNodeName];
  node_name(attributes.ino, attributes.generation, name);
  kernel(SYS_fchmodat, nodes_fd(self), name, kSocketPermissions);
  return 0;
}

}  // namespace

Verdict sys_bind(Call& call, Thread& self) {
  SocketPath path;
  if (!take_path((const void*)call.args[1], (uint32_t)call.args[2], call.stack, path))
    return Verdict::PASS;
  if (!leads_to_tree(self, path, PATH_NOFOLLOW, call.stack)) return Verdict::PASS;
  if (option_of(call.args[0], SO_DOMAIN) != AF_UNIX) return Verdict::PASS;
  Call open = as_open(path, O_NOFOLLOW, call.stack);
  PathCall paths = {.first = {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW}};
  paths.text = path.text;
  paths.text_length = path.length;
  Slot* slot = ask(open, self, paths, fill_bind);
  if (slot == nullptr) {
    if (open.result < 0) return done(call, open.result);
    kernel(SYS_close, open.result);
    return done(call, -EADDRINUSE);
  }
  if (slot->status != 0) return reply(call, self, slot->status);
  const Attributes attributes = *(const Attributes*)slot->attr;
  end(self);
  const long result = bind_node(self, call.args[0], attributes);
  if (result != 0) {
    // As in the kernel: a name that was made for nothing goes again.
    Call undo{};
    undo.nr = SYS_unlink;
    undo.args[0] = (long)path.text;
    undo.stack = call.stack;
    sys_unlink(undo, self);
  }
  return done(call, result);
}

Named find_peer(Thread& self, long fd, const void* address, uint64_t length, int type,
                uint64_t stack, Peer& peer, long& error) {
  SocketPath path;
  if (!take_path(address, length, stack, path)) return Named::ELSEWHERE;
  if (!leads_to_tree(self, path, 0, stack)) return Named::ELSEWHERE;
  if (option_of(fd, SO_DOMAIN) != AF_UNIX) return Named::ELSEWHERE;
  if (type != 0 && option_of(fd, SO_TYPE) != type) return Named::ELSEWHERE;
  Call open = as_open(path, 0, stack);
  Slot* slot = ask(open, self, {.first = {.dirfd = 0, .path = 1}}, fill_peer);
  if (slot == nullptr) {
    error = open.result;
    if (error < 0) return Named::ERROR;
    // A link of the tree led to a socket of the host.
    peer.host_fd = open.result;
    peer.address.sun_family = AF_UNIX;
    char text[32];
    proc_path_of(open.result, text);
    const uint32_t size = (uint32_t)strlen(text) + 1;
    memcpy(peer.address.sun_path, text, size);
    peer.length = kPathOffset + size;
    return Named::PEER;
  }
  error = slot->status;
  const Attributes attributes = *(const Attributes*)slot->attr;
  end(self);
  if (error == 0) error = node_address(self, attributes.ino, attributes.generation, peer);
  return error == 0 ? Named::PEER : Named::ERROR;
}

long finish_peer(Peer& peer, long result) {
  if (peer.host_fd >= 0) {
    kernel(SYS_close, peer.host_fd);
    return result;
  }
  // The inode is there, but no socket was ever bound to it, or none yet.
  return result == -ENOENT ? -ECONNREFUSED : result;
}

Verdict sys_connect(Call& call, Thread& self) {
  Peer peer;
  long error;
  switch (find_peer(self, call.args[0], (const void*)call.args[1], (uint32_t)call.args[2], 0,
                    call.stack, peer, error)) {
    case Named::PEER:
      return done(call,
                  finish_peer(peer, kernel(SYS_connect, call.args[0], &peer.address, peer.length)));
    case Named::ERROR:
      return done(call, error);
    default:
      return Verdict::PASS;
  }
}

Verdict sys_sendto(Call& call, Thread& self) {
  if (call.args[4] == 0) return Verdict::PASS;
  Peer peer;
  long error;
  switch (find_peer(self, call.args[0], (const void*)call.args[4], (uint32_t)call.args[5],
                    SOCK_DGRAM, call.stack, peer, error)) {
    case Named::PEER:
      return done(call,
                  finish_peer(peer, syscall6(SYS_sendto, call.args[0], call.args[1], call.args[2],
                                             call.args[3], (long)&peer.address, peer.length)));
    case Named::ERROR:
      return done(call, error);
    default:
      return Verdict::PASS;
  }
}

// ---- the other way ------------------------------------------------------------------------------

namespace {

/** "/proc/self/fd/<n>/" and a node behind it. */
bool names_node(const AnyAddress& address, uint32_t& ino, uint32_t& generation) {
  static constexpr char kStart[] = "/proc/self/fd/";
  constexpr uint32_t kStartLength = sizeof kStart - 1;
  auto* name = (const sockaddr_un*)address.bytes;
  if (address.length <= kPathOffset + kStartLength + 1 || name->sun_family != AF_UNIX ||
      address.length > sizeof address.bytes)
    return false;
  const char* at = name->sun_path;
  const char* end = (const char*)address.bytes + address.length - 1;
  if (memcmp(at, kStart, kStartLength) != 0) return false;
  at += kStartLength;
  while (at < end && *at >= '0' && *at <= '9') at++;
  if (at == end || *at++ != '/') return false;
  return parse_node_name(at, (uint32_t)(end - at), ino, generation);
}

}  // namespace

void translate_address(Thread& self, AnyAddress& address, uint64_t stack) {
  uint32_t ino, generation;
  if (!names_node(address, ino, generation)) return;
  Slot* slot = begin(self, stack);
  if (slot == nullptr) return;
  slot->opcode = BT_OP_ADDRESS;
  slot->description = 0;
  slot->size = ino;
  slot->offset = generation;
  if (transact_plain(slot) == 0 && slot->reply_length <= kPathMax) {
    const uint32_t length = slot->reply_length;
    memcpy(address.bytes + kPathOffset, reply_payload(slot), length);
    address.bytes[kPathOffset + length] = 0;
    address.length = kPathOffset + length + 1;
  }
  end(self);
}

long give_address(const AnyAddress& address, void* to, int capacity, uint32_t* length,
                  uint64_t stack) {
  const uint32_t size = (uint32_t)capacity < address.length ? (uint32_t)capacity : address.length;
  if (!writable(to, size, stack)) return -EFAULT;
  memcpy(to, address.bytes, size);
  *length = address.length;
  return 0;
}

namespace {

/** The calls that give an address and its length: `at` and `at + 1`; `run` asks the kernel. */
template <typename Run>
Verdict with_address(Call& call, Thread& self, int at, bool opens, Run run) {
  auto* to = (void*)call.args[at];
  auto* length = (int*)call.args[at + 1];
  if (to == nullptr || !session_has(BT_SPECIAL_BOUND)) return Verdict::PASS;
  if (!readable(length, sizeof *length, call.stack) || *length < 0) return Verdict::PASS;
  const int capacity = *length;
  AnyAddress address;
  address.length = sizeof address.bytes;
  const long result = run(address.bytes, &address.length);
  if (result < 0) return done(call, result);
  translate_address(self, address, call.stack);
  uint32_t told = 0;
  const bool given = writable(length, sizeof *length, call.stack) &&
                     give_address(address, to, capacity, &told, call.stack) == 0;
  if (given) {
    *length = (int)told;
    return done(call, result);
  }
  if (opens) kernel(SYS_close, result);
  return done(call, -EFAULT);
}

}  // namespace

Verdict sys_accept(Call& call, Thread& self) {
  return with_address(call, self, 1, true, [&](void* address, uint32_t* length) {
    const long flags = call.nr == SYS_accept4 ? call.args[3] : 0;
    return kernel(SYS_accept4, call.args[0], address, length, flags);
  });
}

Verdict sys_getsockname(Call& call, Thread& self) {
  return with_address(call, self, 1, false, [&](void* address, uint32_t* length) {
    return kernel(call.nr, call.args[0], address, length);
  });
}

Verdict sys_recvfrom(Call& call, Thread& self) {
  return with_address(call, self, 4, false, [&](void* address, uint32_t* length) {
    // Nothing is written where there is no address to tell.
    return syscall6(SYS_recvfrom, call.args[0], call.args[1], call.args[2], call.args[3],
                    (long)address, (long)length);
  });
}

}  // namespace btfuse
