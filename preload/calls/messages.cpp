// sendmsg and recvmsg: addresses of the tree, and descriptors of the tree in SCM_RIGHTS.
//
// A virtual descriptor is a duplicate of the anchor, which means nothing to its receiver. In its
// place a token travels: an open file of its own on the token file of the session, whose offset
// says which description it is, and whose lock tells the server that it still exists somewhere
// (ADR 13). Whoever receives it here puts a virtual descriptor in its place.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "../client/memory.h"
#include "io.h"
#include "nodes.h"
#include "request.h"
#include "sockets.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** SCM_MAX_FD of the kernel, and all that can stand beside so many descriptors. */
constexpr uint32_t kRightsMax = 253;
constexpr uint64_t kControlMax = 2048;
constexpr uint32_t kMessagesMax = 1024;  // UIO_MAXIOV
/** DESCRIPTIONS_MAX is 2^16: the offset of a token holds id and generation. */
constexpr int kIdBits = 16;
static_assert(BT_DESCRIPTIONS_MAX == 1u << kIdBits);

/** Runs `each(int* fd)` over the descriptors in a control buffer, which can be read. */
template <typename Each>
void each_right(unsigned char* control, uint64_t length, Each each) {
  uint64_t at = 0;
  while (length - at >= sizeof(cmsghdr)) {
    auto* header = (cmsghdr*)(control + at);
    const uint64_t size = header->cmsg_len;
    if (size < sizeof(cmsghdr) || size > length - at) return;
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      const uint64_t count = (size - sizeof(cmsghdr)) / sizeof(int);
      for (uint64_t i = 0; i < count; i++) each((int*)CMSG_DATA(header) + i);
    }
    at += (size + sizeof(long) - 1) & ~(sizeof(long) - 1);
    if (at > length) return;
  }
}

bool has_control(const msghdr& message) {
  return message.msg_control != nullptr && message.msg_controllen >= sizeof(cmsghdr);
}

// ---- sending ------------------------------------------------------------------------------------

/**
 * The control data of a message on its way. It stands in the slab, since the program's may be
 * read-only and its stack small.
 */
struct Outgoing {
  alignas(8) unsigned char control[kControlMax];
  uint32_t tokens;
  int token[kRightsMax];
};

long lock_token(long fd, uint32_t id) {
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = id;
  lock.l_len = 1;
  return kernel(SYS_fcntl, fd, F_OFD_SETLK, &lock);
}

/** The token of a description, which from now on lives for it; -errno. */
long make_token(Thread& self, Slot* slot, uint32_t id) {
  const long directory = nodes_fd(self);
  if (directory < 0) return -EBADF;
  const long fd = kernel(SYS_openat, directory, "token", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fd;
  const int64_t offset = (int64_t)description_record(id)->generation << kIdBits | id;
  long result = kernel(SYS_lseek, fd, offset, SEEK_SET);
  // The lock comes first: the server drops what has none.
  if (result >= 0) result = lock_token(fd, id);
  if (result >= 0) {
    slot->opcode = BT_OP_TOKEN;
    slot->description = id;
    result = transact(slot);
  }
  if (result >= 0) return fd;
  kernel(SYS_close, fd);
  return result;
}

void announce_rights() {
  uint32_t* special = &ring_header()->special;
  if ((__atomic_load_n(special, __ATOMIC_RELAXED) & BT_SPECIAL_RIGHTS) == 0)
    __atomic_fetch_or(special, BT_SPECIAL_RIGHTS, __ATOMIC_SEQ_CST);
}

/** Puts tokens into the copy of the control buffer. 0 or -errno. */
long replace_rights(Thread& self, Slot* slot, Outgoing& out, uint64_t length) {
  long error = 0;
  each_right(out.control, length, [&](int* fd) {
    if (error != 0) return;
    if (is_private_fd(*fd)) {
      error = -EBADF;
      return;
    }
    const uint32_t id = description_of(self, *fd);
    // What is the kernel's own travels as it is, and is known by its inode.
    if (id == 0 || is_kernel_backed(id)) return;
    if (out.tokens == kRightsMax) {
      error = -EINVAL;
      return;
    }
    const long token = make_token(self, slot, id);
    if (token < 0) {
      error = token;
      return;
    }
    out.token[out.tokens++] = *fd = (int)token;
  });
  return error;
}

/** Are there descriptors of ours in it? */
bool carries_ours(Thread& self, const msghdr& message, uint64_t stack) {
  if (!has_control(message)) return false;
  const uint64_t length = message.msg_controllen;
  if (!readable(message.msg_control, length, stack)) return false;
  bool ours = false;
  each_right((unsigned char*)message.msg_control, length,
             [&](int* fd) { ours = ours || is_private_fd(*fd) || description_of(self, *fd) != 0; });
  return ours;
}

long send_rights(Thread& self, long fd, msghdr& message, long flags, uint64_t stack) {
  if (message.msg_controllen > kControlMax) return -EINVAL;
  Slot* slot = begin_on(self, BT_OP_TOKEN, 0, stack);
  if (slot == nullptr) return -EIO;
  auto* out = (Outgoing*)slab_of(slot, sizeof(Outgoing));
  long result = out == nullptr ? -ENOMEM : 0;
  if (out != nullptr) {
    memcpy(out->control, message.msg_control, message.msg_controllen);
    out->tokens = 0;
    message.msg_control = out->control;
    announce_rights();
    result = replace_rights(self, slot, *out, message.msg_controllen);
    if (result == 0) result = kernel(SYS_sendmsg, fd, &message, flags);
    for (uint32_t i = 0; i < out->tokens; i++) kernel(SYS_close, out->token[i]);
  }
  end(self);
  return result;
}

/** One message; false: nothing in it is ours. */
bool send_message(Thread& self, long fd, msghdr message, long flags, uint64_t stack, long& result) {
  const bool rights = carries_ours(self, message, stack);
  Peer peer;
  Named named = Named::ELSEWHERE;
  if (message.msg_name != nullptr && message.msg_namelen != 0)
    named =
        find_peer(self, fd, message.msg_name, message.msg_namelen, SOCK_DGRAM, stack, peer, result);
  if (named == Named::ERROR) return true;
  if (named == Named::ELSEWHERE && !rights) return false;
  const bool addressed = named == Named::PEER;
  if (addressed) {
    message.msg_name = &peer.address;
    message.msg_namelen = peer.length;
  }
  result = rights ? send_rights(self, fd, message, flags, stack)
                  : kernel(SYS_sendmsg, fd, &message, flags);
  if (addressed) result = finish_peer(peer, result);
  return true;
}

bool is_plain(const msghdr& message) {
  return (message.msg_name == nullptr || message.msg_namelen == 0) && !has_control(message);
}

}  // namespace

Verdict sys_sendmsg(Call& call, Thread& self) {
  auto* message = (const msghdr*)call.args[1];
  if (!readable(message, sizeof *message, call.stack) || is_plain(*message)) return Verdict::PASS;
  const msghdr copy = *message;
  long result;
  if (!send_message(self, call.args[0], copy, call.args[2], call.stack, result))
    return Verdict::PASS;
  return done(call, result);
}

Verdict sys_sendmmsg(Call& call, Thread& self) {
  auto* messages = (mmsghdr*)call.args[1];
  uint32_t count = (uint32_t)call.args[2];
  if (count > kMessagesMax) count = kMessagesMax;
  if (!readable(messages, count * sizeof *messages, call.stack)) return Verdict::PASS;
  bool plain = true;
  for (uint32_t i = 0; i < count && plain; i++) plain = is_plain(messages[i].msg_hdr);
  if (plain) return Verdict::PASS;
  uint32_t sent = 0;
  long result = 0;
  for (; sent < count; sent++) {
    const msghdr copy = messages[sent].msg_hdr;
    if (!send_message(self, call.args[0], copy, call.args[3], call.stack, result))
      result = kernel(SYS_sendmsg, call.args[0], &copy, call.args[3]);
    if (result < 0) break;
    if (!writable(&messages[sent].msg_len, sizeof(uint32_t), call.stack)) {
      result = -EFAULT;
      break;
    }
    messages[sent].msg_len = (uint32_t)result;
  }
  return done(call, sent > 0 || count == 0 ? (long)sent : result);
}

// ---- receiving ----------------------------------------------------------------------------------

namespace {

/** A token becomes the descriptor that it stands for, under the same number. */
void take_token(Thread& self, int fd, bool cloexec, uint64_t stack) {
  const long offset = kernel(SYS_lseek, fd, 0, SEEK_CUR);
  const uint32_t id = (uint32_t)offset % BT_DESCRIPTIONS_MAX;
  Slot* slot = begin_on(self, BT_OP_TAKE, id, stack);
  if (slot == nullptr) return;
  slot->size = (uint64_t)offset >> kIdBits;
  const long status = transact(slot);
  end(self);
  // A stale or forged one stays what it is: an empty file.
  if (status != 0) return;
  kernel(SYS_dup3, client.anchor_fd, fd, cloexec ? O_CLOEXEC : 0);
  adopt(self, id, fd);
}

/** A fifo of ours gets a description again. */
void take_fifo(Thread& self, int fd, uint64_t node, uint64_t stack) {
  const long flags = kernel(SYS_fcntl, fd, F_GETFL);
  Slot* slot = begin_on(self, BT_OP_ADOPT, 0, stack);
  if (slot == nullptr) return;
  slot->size = node;
  slot->flags = (uint32_t)flags;
  const long status = transact(slot);
  const uint32_t id = slot->reply_description;
  end(self);
  if (status == 0) adopt(self, id, fd);
}

void take_right(Thread& self, int fd, bool cloexec, uint64_t stack) {
  const SegmentHeader* header = ring_segment();
  struct stat status;
  if (kernel(SYS_fstat, fd, &status) != 0 || status.st_dev != header->nodes_device) return;
  if (S_ISREG(status.st_mode) && status.st_ino == header->token_inode)
    take_token(self, fd, cloexec, stack);
  else if (S_ISFIFO(status.st_mode))
    take_fifo(self, fd, status.st_ino, stack);
}

struct Receiving {
  bool named;     ///< the address may be one of the tree
  bool adopting;  ///< descriptors may come with it
};

Receiving looks_at(const msghdr& message) {
  return {
      session_has(BT_SPECIAL_BOUND) && message.msg_name != nullptr && (int)message.msg_namelen > 0,
      session_has(BT_SPECIAL_RIGHTS) && has_control(message)};
}

/** recvmsg with everything of the tree put right. `message` can be read. */
long receive_message(Thread& self, long fd, msghdr* message, long flags, uint64_t stack) {
  const msghdr asked = *message;
  const Receiving wanted = looks_at(asked);
  msghdr own = asked;
  AnyAddress address;
  if (wanted.named) {
    own.msg_name = address.bytes;
    own.msg_namelen = sizeof address.bytes;
  }
  const long result = kernel(SYS_recvmsg, fd, &own, flags);
  if (result < 0) return result;
  if (wanted.adopting) {
    const bool cloexec = (flags & MSG_CMSG_CLOEXEC) != 0;
    each_right((unsigned char*)own.msg_control, own.msg_controllen,
               [&](int* right) { take_right(self, *right, cloexec, stack); });
  }
  if (!writable(message, sizeof *message, stack)) return -EFAULT;
  uint32_t length = own.msg_namelen;
  // The probe may have written over it.
  *message = asked;
  message->msg_controllen = own.msg_controllen;
  message->msg_flags = own.msg_flags;
  if (wanted.named) {
    address.length = length;
    translate_address(self, address, stack);
    if (give_address(address, asked.msg_name, (int)asked.msg_namelen, &length, stack) != 0)
      return -EFAULT;
  }
  message->msg_namelen = length;
  return result;
}

}  // namespace

Verdict sys_recvmsg(Call& call, Thread& self) {
  if (!session_has(BT_SPECIAL_BOUND | BT_SPECIAL_RIGHTS)) return Verdict::PASS;
  auto* message = (msghdr*)call.args[1];
  if (!readable(message, sizeof *message, call.stack)) return Verdict::PASS;
  const Receiving wanted = looks_at(*message);
  if (!wanted.named && !wanted.adopting) return Verdict::PASS;
  return done(call, receive_message(self, call.args[0], message, call.args[2], call.stack));
}

namespace {

int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000ll + time.tv_nsec;
}

int64_t now() {
  timespec time;
  kernel(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
  return nanoseconds(time);
}

/** do_recvmmsg() of the kernel: the time-out is looked at after each message. */
long receive_messages(Thread& self, Call& call, mmsghdr* messages, uint32_t count,
                      timespec* timeout) {
  long flags = call.args[3], result = 0;
  const int64_t end = timeout == nullptr ? 0 : now() + nanoseconds(*timeout);
  uint32_t received = 0;
  while (received < count) {
    mmsghdr& message = messages[received];
    result =
        receive_message(self, call.args[0], &message.msg_hdr, flags & ~MSG_WAITFORONE, call.stack);
    if (result < 0) break;
    message.msg_len = (uint32_t)result;
    received++;
    if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
    if (timeout != nullptr && now() >= end) break;
    if (message.msg_hdr.msg_flags & MSG_OOB) break;
  }
  if (received == 0) return count == 0 ? 0 : result;
  if (timeout != nullptr) {
    const int64_t left = end - now();
    timeout->tv_sec = left > 0 ? left / 1'000'000'000 : 0;
    timeout->tv_nsec = left > 0 ? left % 1'000'000'000 : 0;
  }
  return received;
}

}  // namespace

Verdict sys_recvmmsg(Call& call, Thread& self) {
  if (!session_has(BT_SPECIAL_BOUND | BT_SPECIAL_RIGHTS)) return Verdict::PASS;
  auto* messages = (mmsghdr*)call.args[1];
  auto* timeout = (timespec*)call.args[4];
  uint32_t count = (uint32_t)call.args[2];
  if (count > kMessagesMax) count = kMessagesMax;
  if (!readable(messages, count * sizeof *messages, call.stack)) return Verdict::PASS;
  bool any = false;
  for (uint32_t i = 0; i < count && !any; i++) {
    const Receiving wanted = looks_at(messages[i].msg_hdr);
    any = wanted.named || wanted.adopting;
  }
  if (!any) return Verdict::PASS;
  if (timeout != nullptr && (!readable(timeout, sizeof *timeout, call.stack) ||
                             timeout->tv_sec < 0 || (uint64_t)timeout->tv_nsec >= 1'000'000'000))
    return Verdict::PASS;  // the kernel has the right error
  return done(call, receive_messages(self, call, messages, count, timeout));
}

}  // namespace btfuse
