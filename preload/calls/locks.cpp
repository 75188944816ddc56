// fcntl's record locks and flock. The server keeps all locks (src/server/locks.ts); whoever has to
// wait sleeps here, in one untimed futex call: so a signal handler interrupts or resumes the sleep
// exactly as it would the kernel's own, by its SA_RESTART, and a longjmp out of it leaves nothing
// but a request that the server forgets.
#include "locks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/file.h>

#include "calls.h"
#include "io.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Linux 5.16; not in the headers of older systems. */
constexpr long kFutexWaitv = 449;
constexpr uint32_t kFutexSize32 = 2;
/** Obsolete mandatory locks: the kernel says 0 and does nothing. */
constexpr uint32_t kLockMandatory = 32;

struct WaitWord {
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

struct Wanted {
  uint32_t flags;  ///< LK_*
  uint32_t type;
  int64_t first, last;
};

/** After a wake-up because the server died: the kernel wakes one sleeper, and that the others. */
void pass_on(uint32_t* life) {
  if (__atomic_load_n(life, __ATOMIC_ACQUIRE) & FUTEX_OWNER_DIED)
    kernel(SYS_futex, life, FUTEX_WAKE, INT32_MAX);
}

/** One sleep, until the word changes, the server dies or a handler without SA_RESTART has run. */
long sleep_once(uint32_t* word) {
  uint32_t* life = &ring_header()->life;
  uint32_t owner = __atomic_load_n(life, __ATOMIC_ACQUIRE);
  if (owner & FUTEX_OWNER_DIED) return -EIO;
  if (owner != 0) {
    if (!(owner & FUTEX_WAITERS)) {
      __atomic_fetch_or(life, FUTEX_WAITERS, __ATOMIC_SEQ_CST);
      owner |= FUTEX_WAITERS;
    }
    WaitWord words[2] = {{BT_LOCK_QUEUED, (uint64_t)word, kFutexSize32, 0},
                         {owner, (uint64_t)life, kFutexSize32, 0}};
    const long result = kernel(kFutexWaitv, words, 2, 0, 0, 0);
    if (result != -ENOSYS && result != -EPERM) {
      pass_on(life);
      return result;
    }
  }
  return kernel(SYS_futex, word, FUTEX_WAIT, BT_LOCK_QUEUED, 0, 0, 0);
}

/** Sleeps until the request shall be sent again (0). -EINTR: a signal came first. */
long sleep_queued(Slot* slot) {
  uint32_t* word = &slot->lock_wake;
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == BT_LOCK_QUEUED) {
    const long result = sleep_once(word);
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != BT_LOCK_QUEUED) break;
    if (result == -EINTR || result == -EIO) return result;
  }
  return 0;
}

/** Nobody waits here any more: those behind us must know. */
void cancel(Slot* slot) {
  slot->opcode = BT_OP_LOCK_CANCEL;
  transact(slot);
}

long set_lock(Thread& self, long fd, uint32_t id, const Wanted& wanted, bool wait,
              uint64_t user_stack) {
  Slot* slot = begin_on(self, wait ? BT_OP_SETLKW : BT_OP_SETLK, id, user_stack);
  if (slot == nullptr) return -EIO;
  slot->flags = wanted.flags;
  slot->lock_type = wanted.type;
  slot->lock_start = wanted.first;
  slot->lock_end = wanted.last;
  long result = transact(slot);
  while (result == BT_LOCK_QUEUED) {
    result = sleep_queued(slot);
    // Closed by another thread meanwhile: the number may mean another description by now.
    if (result == 0 && description_of(self, fd) != id) result = -EBADF;
    if (result != 0)
      cancel(slot);
    else
      result = transact(slot);
  }
  end(self);
  return result;
}

/** As the kernel: a lock taken while another thread closed the descriptor would never be dropped.
 */
long set_record_lock(Thread& self, long fd, uint32_t id, const Wanted& wanted, bool wait,
                     uint64_t user_stack) {
  const long result = set_lock(self, fd, id, wanted, wait, user_stack);
  if (result != 0 || wanted.type == F_UNLCK || description_of(self, fd) == id) return result;
  forget_locks(self, id, user_stack);
  return -EBADF;
}

/** Turns l_whence, l_start and l_len into first and last byte, as flock_to_posix_lock does. */
long range_of(Thread& self, uint32_t id, const struct flock& lock, uint64_t user_stack,
              int64_t& first, int64_t& last) {
  int64_t base = 0;
  if (lock.l_whence == SEEK_CUR) {
    base = description_state(id)->position;
  } else if (lock.l_whence == SEEK_END) {
    base = file_size(self, id, user_stack);
    if (base < 0) return base;
  } else if (lock.l_whence != SEEK_SET) {
    return -EINVAL;
  }
  if (__builtin_add_overflow(base, (int64_t)lock.l_start, &first)) return -EOVERFLOW;
  if (first < 0) return -EINVAL;
  last = INT64_MAX;
  if (lock.l_len > 0) {
    if (__builtin_add_overflow(first, (int64_t)lock.l_len - 1, &last)) return -EOVERFLOW;
  } else if (lock.l_len < 0) {
    if (first + lock.l_len < 0) return -EINVAL;
    last = first - 1;
    first += lock.l_len;
  }
  return 0;
}

long get_lock(Thread& self, uint32_t id, const Wanted& wanted, struct flock& to,
              uint64_t user_stack) {
  Slot* slot = begin_on(self, BT_OP_GETLK, id, user_stack);
  if (slot == nullptr) return -EIO;
  slot->flags = wanted.flags;
  slot->lock_type = wanted.type;
  slot->lock_start = wanted.first;
  slot->lock_end = wanted.last;
  const long result = transact(slot);
  if (result == 0) {
    to.l_type = (short)slot->lock_type;
    if (to.l_type != F_UNLCK) {
      to.l_whence = SEEK_SET;
      to.l_start = slot->lock_start;
      to.l_len = slot->lock_end == INT64_MAX ? 0 : slot->lock_end - slot->lock_start + 1;
      to.l_pid = slot->lock_pid;
    }
  }
  end(self);
  return result;
}

bool may(uint32_t type, uint32_t open_flags) {
  const uint32_t mode = open_flags & O_ACCMODE;
  if (type == F_RDLCK) return mode == O_RDONLY || mode == O_RDWR;
  return type == F_UNLCK || mode == O_WRONLY || mode == O_RDWR;
}

}  // namespace

long record_lock(Call& call, Thread& self, uint32_t id) {
  auto* user = (struct flock*)call.args[2];
  const uint32_t command = (uint32_t)call.args[1];
  if (!readable(user, sizeof *user, call.stack)) return -EFAULT;
  const bool ofd = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  const bool asking = command == F_GETLK || command == F_OFD_GETLK;
  struct flock lock = *user;
  if (command == F_GETLK && lock.l_type != F_RDLCK && lock.l_type != F_WRLCK) return -EINVAL;
  Wanted wanted = {ofd ? BT_LK_OFD : 0u, (uint32_t)lock.l_type, 0, 0};
  const long error = range_of(self, id, lock, call.stack, wanted.first, wanted.last);
  if (error != 0) return error;
  if (lock.l_type != F_RDLCK && lock.l_type != F_WRLCK && lock.l_type != F_UNLCK) return -EINVAL;
  if (!asking && !may(wanted.type, description_record(id)->open_flags)) return -EBADF;
  if (ofd && lock.l_pid != 0) return -EINVAL;
  if (!asking) {
    const bool wait = command == F_SETLKW || command == F_OFD_SETLKW;
    return set_record_lock(self, call.args[0], id, wanted, wait, call.stack);
  }
  const long result = get_lock(self, id, wanted, lock, call.stack);
  if (result != 0) return result;
  if (!writable(user, sizeof *user, call.stack)) return -EFAULT;
  *user = lock;
  return 0;
}

void forget_locks(Thread& self, uint32_t description, uint64_t user_stack) {
  const uint64_t filter =
      __atomic_load_n(&process_at(process_of(self))->lock_filter, __ATOMIC_ACQUIRE);
  if (__builtin_expect(filter == 0, 1)) return;
  if (!(filter >> (description_record(description)->ino % 64) & 1)) return;
  Slot* slot = begin_on(self, BT_OP_LOCK_CLOSE, description, user_stack);
  if (slot == nullptr) return;
  transact(slot);
  end(self);
}

Verdict sys_flock(Call& call, Thread& self) {
  const uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  const uint32_t operation = (uint32_t)call.args[1], kind = operation & ~(uint32_t)LOCK_NB;
  if (operation & kLockMandatory) return done(call, 0);
  if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return done(call, -EINVAL);
  const uint32_t flags = description_record(id)->open_flags;
  const bool opened = (flags & O_ACCMODE) != O_ACCMODE;
  if ((flags & O_PATH) || (kind != LOCK_UN && !opened)) return done(call, -EBADF);
  const uint32_t type = kind == LOCK_SH ? F_RDLCK : kind == LOCK_EX ? F_WRLCK : F_UNLCK;
  const Wanted wanted = {BT_LK_FLOCK, type, 0, INT64_MAX};
  return done(call, set_lock(self, call.args[0], id, wanted, !(operation & LOCK_NB), call.stack));
}

}  // namespace btfuse
