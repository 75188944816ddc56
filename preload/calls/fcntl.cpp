// fcntl on virtual descriptors.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../client/reader.h"
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

/** CAP_FOWNER. */
bool owns_all(const Process* process) {
  if (process->umask & BT_UMASK_CAPABILITIES) return (process->capabilities & 1u << 3) != 0;
  return process->uid == 0;
}

/** O_NOATIME is the owner's to ask for. */
bool may_set_noatime(Thread& self, uint32_t id) {
  uint32_t old = __atomic_load_n(&description_state(id)->status_flags, __ATOMIC_RELAXED);
  const Process* process = process_at(process_of(self));
  Attributes attributes;
  return (old & O_NOATIME) || owns_all(process) ||
         !quick_attributes(description_record(id)->ino, attributes) ||
         attributes.uid == process->uid;
}

bool is_append_only(uint32_t id) {
  Attributes attributes;
  return quick_attributes(description_record(id)->ino, attributes) &&
         (attributes.flags & BT_INODE_APPEND);
}

long set_flags(Thread& self, uint32_t id, uint32_t flags) {
  const uint32_t had = __atomic_load_n(&description_state(id)->status_flags, __ATOMIC_RELAXED);
  if (((flags ^ had) & O_APPEND) && is_append_only(id)) return -EPERM;
  if ((flags & O_NOATIME) && !may_set_noatime(self, id)) return -EPERM;
  if ((flags & O_DIRECT) && S_ISDIR(description_record(id)->mode)) return -EINVAL;
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

constexpr uint32_t kOwnerType = 0xff;
constexpr uint32_t kSignalShift = 8;
constexpr uint64_t kSignals = 64;

bool exists(uint32_t type, uint32_t id) {
  const long target = type == F_OWNER_PGRP && id > 1 ? -(long)id : (long)id;
  if (type != F_OWNER_TID) return kernel(SYS_kill, target, 0) != -ESRCH;
  return kernel(SYS_tkill, target, 0) != -ESRCH;
}

void set_kind(uint32_t* kind, uint32_t mask, uint32_t value) {
  uint32_t old = __atomic_load_n(kind, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(kind, &old, (old & ~mask) | value, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
  }
}

/** Who would get the signals. Kept and told; a regular file never sends any. */
long set_owner(DescriptionState* state, uint32_t type, uint32_t id) {
  if (id != 0 && !exists(type, id)) return -ESRCH;
  __atomic_store_n(&state->owner_signal, id, __ATOMIC_RELEASE);
  set_kind(&state->owner_kind, kOwnerType, type);
  return 0;
}

/** F_SETOWN's argument: a process, or minus a process group. */
long set_owner_number(Call& call, DescriptionState* state) {
  const int who = (int)call.args[2];
  if (who == INT32_MIN) return -EINVAL;
  return who < 0 ? set_owner(state, F_OWNER_PGRP, (uint32_t)-who)
                 : set_owner(state, F_OWNER_PID, (uint32_t)who);
}

long set_owner_ex(Call& call, DescriptionState* state) {
  auto* from = (const struct f_owner_ex*)call.args[2];
  if (!readable(from, sizeof *from, call.stack)) return -EFAULT;
  const struct f_owner_ex wanted = *from;
  if ((uint32_t)wanted.type > F_OWNER_PGRP) return -EINVAL;
  return wanted.pid < 0 ? -ESRCH : set_owner(state, (uint32_t)wanted.type, (uint32_t)wanted.pid);
}

struct f_owner_ex owner_of(const DescriptionState* state) {
  struct f_owner_ex owner;
  owner.type = (decltype(owner.type))(state->owner_kind & kOwnerType);
  owner.pid = (int)state->owner_signal;
  if (owner.pid != 0 && !exists((uint32_t)owner.type, (uint32_t)owner.pid)) owner.pid = 0;
  return owner;
}

long get_owner_number(const DescriptionState* state) {
  const struct f_owner_ex owner = owner_of(state);
  return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

long get_owner_ex(Call& call, const DescriptionState* state) {
  auto* to = (struct f_owner_ex*)call.args[2];
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  *to = owner_of(state);
  return 0;
}

long set_signal(Call& call, DescriptionState* state) {
  if ((uint64_t)call.args[2] > kSignals) return -EINVAL;
  set_kind(&state->owner_kind, 0xffu << kSignalShift, (uint32_t)call.args[2] << kSignalShift);
  return 0;
}

/** F_GET_RW_HINT and kin: no hint set. */
long get_hint(Call& call) {
  auto* hint = (uint64_t*)call.args[2];
  if (!writable(hint, sizeof *hint, call.stack)) return -EFAULT;
  *hint = 0;
  return 0;
}

/** F_SET_RW_HINT: one of the six hints there are, which nothing here would use. */
long set_hint(Call& call) {
  auto* hint = (const uint64_t*)call.args[2];
  if (!readable(hint, sizeof *hint, call.stack)) return -EFAULT;
  return *hint <= 5 ? 0 : -EINVAL;
}

/** F_SETLEASE: there are none to be had, as for a file that somebody else has open. */
long set_lease(Call& call, uint32_t id) {
  if (!S_ISREG(description_record(id)->mode) || (uint64_t)call.args[2] > F_UNLCK) return -EINVAL;
  return -EAGAIN;
}

long seals(uint32_t id, bool adding) {
  const Description* record = description_record(id);
  const uint32_t mode = record->open_flags & O_ACCMODE;
  if (adding && mode != O_WRONLY && mode != O_RDWR) return -EPERM;
  if (!S_ISREG(record->mode)) return -EINVAL;
  return adding ? -EPERM : F_SEAL_SEAL;
}

Verdict duplicate(Call& call, Thread& self, uint32_t id, bool cloexec) {
  hold(id);
  const long source = has_own_number(id) ? call.args[0] : client.anchor_fd;
  return done(call, install_copy(self, id, source, cloexec, call.args[2]));
}

long same_description(Thread& self, long fd, uint32_t id) {
  const uint32_t other = description_of(self, fd);
  if (other == 0 && kernel(SYS_fcntl, fd, F_GETFD) < 0) return -EBADF;
  return other == id;
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
      return done(call, same_description(self, call.args[2], id));
    case F_CREATED_QUERY:  // whether its open made the file: not known later
      return done(call, 0);
    default:
      return Verdict::PASS;
  }
}

long on_file(Call& call, Thread& self, uint32_t id) {
  DescriptionState* state = description_state(id);
  switch ((uint32_t)call.args[1]) {
    case F_SETFL:
      return set_flags(self, id, (uint32_t)call.args[2]);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return record_lock(call, self, id);
    case F_SETOWN:
      return set_owner_number(call, state);
    case F_GETOWN:
      return get_owner_number(state);
    case F_SETOWN_EX:
      return set_owner_ex(call, state);
    case F_GETOWN_EX:
      return get_owner_ex(call, state);
    case F_SETSIG:
      return set_signal(call, state);
    case F_GETSIG:
      return state->owner_kind >> kSignalShift & 0xff;
    case F_NOTIFY:
      // No event is named: takes a notification away.
      if (((uint32_t)call.args[2] & ~(uint32_t)DN_MULTISHOT) == 0) return 0;
      return S_ISDIR(description_record(id)->mode) ? -EINVAL : -ENOTDIR;
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETLEASE:
      return set_lease(call, id);
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
      return set_hint(call);
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
