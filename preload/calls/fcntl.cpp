// fcntl on virtual descriptors.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "calls.h"
#include "descriptors.h"
#include "locks.h"
#include "user_memory.h"

// linux/fcntl.h has them, but cannot be included beside libc's.
#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE 1024
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (F_LINUX_SPECIFIC_BASE + 3)
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY (F_LINUX_SPECIFIC_BASE + 4)
#endif

namespace btfuse {

namespace {

// What libc's O_LARGEFILE (0 on x86-64) hides: the bit that the kernel adds to every open.
constexpr uint32_t kLargeFile = 0100000;
constexpr uint32_t kStatusMask = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
constexpr uint32_t kNotKept = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

long get_flags(uint32_t id) {
  uint32_t opened = description_record(id)->open_flags;
  if (opened & O_PATH) return opened & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
  uint32_t status = __atomic_load_n(&description_state(id)->status_flags, __ATOMIC_ACQUIRE);
  return (long)((opened & ~(kNotKept | kStatusMask)) | (status & kStatusMask) | kLargeFile);
}

long set_flags(uint32_t id, uint32_t flags) {
  uint32_t* status = &description_state(id)->status_flags;
  uint32_t old = __atomic_load_n(status, __ATOMIC_RELAXED);
  uint32_t wanted;
  do {
    wanted = (old & ~kStatusMask) | (flags & kStatusMask);
  } while (!__atomic_compare_exchange_n(status, &old, wanted, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED));
  return 0;
}

// ---- the rest -----------------------------------------------------------------------------------

/** F_SETOWN's argument: a process, or minus a process group. */
long set_owner(Call& call, uint32_t* owner) {
  auto* from = (const struct f_owner_ex*)call.args[2];
  if (!readable(from, sizeof *from, call.stack)) return -EFAULT;
  if ((uint32_t)from->type > F_OWNER_PGRP) return -EINVAL;
  int value = from->type == F_OWNER_PGRP ? -from->pid : from->pid;
  __atomic_store_n(owner, (uint32_t)value, __ATOMIC_RELEASE);
  return 0;
}

long get_owner(Call& call, uint32_t owner) {
  auto* to = (struct f_owner_ex*)call.args[2];
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  int value = (int)owner;
  to->type = value < 0 ? F_OWNER_PGRP : value > 0 ? F_OWNER_PID : F_OWNER_TID;
  to->pid = value < 0 ? -value : value;
  return 0;
}

/** F_GET_RW_HINT and kin: no hint set. */
long get_hint(Call& call) {
  auto* hint = (uint64_t*)call.args[2];
  if (!writable(hint, sizeof *hint, call.stack)) return -EFAULT;
  *hint = 0;
  return 0;
}

long seals(uint32_t id, bool adding) {
  const Description* record = description_record(id);
  if (!S_ISREG(record->mode)) return -EINVAL;
  return adding ? -EPERM : F_SEAL_SEAL;
}

Verdict duplicate(Call& call, Thread& self, uint32_t id, bool cloexec) {
  hold(id);
  const bool backed = is_kernel_backed(id);
  const long source = backed ? call.args[0] : client.anchor_fd;
  return done(call, install_copy(self, id, source, cloexec, call.args[2]));
}

/** Commands that an O_PATH descriptor answers, too. PASS: not one of them. */
Verdict on_descriptor(Call& call, Thread& self, uint32_t id) {
  switch ((uint32_t)call.args[1]) {
    case F_DUPFD:
      return duplicate(call, self, id, false);
    case F_DUPFD_CLOEXEC:
      return duplicate(call, self, id, true);
    case F_GETFL:
      return done(call, get_flags(id));
    case F_DUPFD_QUERY:
      return done(call, description_of(self, call.args[2]) == id);
    default:
      return Verdict::PASS;
  }
}

long on_file(Call& call, Thread& self, uint32_t id) {
  uint32_t* owner = &description_state(id)->owner_signal;
  switch ((uint32_t)call.args[1]) {
    case F_SETFL:
      return set_flags(id, (uint32_t)call.args[2]);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return record_lock(call, self, id);
    case F_SETOWN:
      __atomic_store_n(owner, (uint32_t)call.args[2], __ATOMIC_RELEASE);
      return 0;
    case F_GETOWN:
      return (int)__atomic_load_n(owner, __ATOMIC_ACQUIRE);
    case F_SETOWN_EX:
      return set_owner(call, owner);
    case F_GETOWN_EX:
      return get_owner(call, __atomic_load_n(owner, __ATOMIC_ACQUIRE));
    case F_SETSIG:
      return (uint64_t)call.args[2] <= 64 ? 0 : -EINVAL;
    case F_GETSIG:
      return 0;
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETLEASE:
      return call.args[2] == F_UNLCK ? -EAGAIN : -EINVAL;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
      return -EBADF;
    case F_ADD_SEALS:
      return seals(id, true);
    case F_GET_SEALS:
      return seals(id, false);
    case F_GET_RW_HINT:
      return get_hint(call);
    case F_SET_RW_HINT:
      return 0;
    case F_CREATED_QUERY:
      return 0;
    default:
      return -EINVAL;
  }
}

}  // namespace

Verdict sys_fcntl(Call& call, Thread& self) {
  if (is_private_fd(call.args[0])) return done(call, -EBADF);
  uint32_t id = description_of(self, call.args[0]);
  uint32_t command = (uint32_t)call.args[1];
  if (id == 0 || command == F_GETFD || command == F_SETFD) return Verdict::PASS;
  const bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  if (!duplicates && is_kernel_backed(id)) return Verdict::PASS;
  if (on_descriptor(call, self, id) == Verdict::DONE) return Verdict::DONE;
  if (description_record(id)->open_flags & O_PATH) return done(call, -EBADF);
  return done(call, on_file(call, self, id));
}

}  // namespace btfuse
