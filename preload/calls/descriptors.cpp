// Virtual descriptors: numbers from the kernel, meaning from the fd table of the process record.
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/stat.h>

#include "calls.h"

namespace btfuse {

namespace {

FdChanges changes;

/** Wraps a kernel call on a number together with its mirror. */
struct Change {
  Change() { __atomic_fetch_add(&changes.begun, 1, __ATOMIC_SEQ_CST); }
  ~Change() { __atomic_fetch_add(&changes.ended, 1, __ATOMIC_SEQ_CST); }
};

void raise(uint32_t* limit, uint32_t value) {
  uint32_t old = __atomic_load_n(limit, __ATOMIC_RELAXED);
  while (old < value && !__atomic_compare_exchange_n(limit, &old, value, false, __ATOMIC_ACQ_REL,
                                                     __ATOMIC_RELAXED)) {
  }
}

/** Any frame of ours lies below the program's: good enough where no request can be under way. */
uint64_t here() {
  return (uint64_t)__builtin_frame_address(0);
}

}  // namespace

FdChanges fd_changes() {
  uint32_t ended = __atomic_load_n(&changes.ended, __ATOMIC_SEQ_CST);
  return {__atomic_load_n(&changes.begun, __ATOMIC_SEQ_CST), ended};
}

uint32_t description_of(Thread& self, long fd) {
  if (client.ring == nullptr) return 0;
  uint32_t process = process_of(self);
  // A thread's first call on a descriptor comes here; entry.S looks for itself from then on.
  if (btfuse_fd_table == nullptr) btfuse_fd_table = fd_table_of(process);
  uint32_t number = (uint32_t)fd;
  uint32_t limit = __atomic_load_n(&process_at(process)->fd_limit, __ATOMIC_ACQUIRE);
  if (number >= limit || number >= BT_FDS_MAX) return 0;
  return __atomic_load_n(fd_table_of(process) + number, __ATOMIC_ACQUIRE) % BT_DESCRIPTIONS_MAX;
}

bool is_kernel_backed(uint32_t id) {
  // S_IFIFO, S_IFCHR and S_IFBLK, and S_IFLNK, which is never open but with O_PATH.
  constexpr uint32_t kSpecial = S_IFIFO | S_IFCHR;
  const Description* record = description_record(id);
  return (record->mode & kSpecial) != 0 && (record->open_flags & O_PATH) == 0;
}

uint32_t file_of(Thread& self, long fd) {
  uint32_t id = description_of(self, fd);
  return id == 0 || is_kernel_backed(id) ? 0 : id;
}

bool is_private_fd(long fd) {
  int number = (int)fd;
  return number >= 0 &&
         (number == client.ring_fd || number == client.store_fd || number == client.data_fd ||
          number == client.anchor_fd || number == client.nodes_fd);
}

const Description* description_record(uint32_t id) {
  auto* superblock = (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
  return (const Description*)(client.store + superblock->descriptions_offset) + id;
}

long back_fd(uint32_t process, uint64_t fd) {
  if (fd >= BT_FDS_MAX) return -EMFILE;
  return back_fd_table(process, (fd + 1) * sizeof(uint32_t)) ? 0 : -ENOMEM;
}

uint32_t exchange_fd(uint32_t process, uint64_t fd, uint32_t description) {
  Process* record = process_at(process);
  if (description != 0) raise(&record->fd_limit, (uint32_t)fd + 1);
  uint32_t old = __atomic_exchange_n(fd_table_of(process) + fd, description, __ATOMIC_ACQ_REL);
  if (old == 0 && description != 0) __atomic_fetch_add(&record->virtual_fds, 1, __ATOMIC_RELAXED);
  if (old != 0 && description == 0) __atomic_fetch_sub(&record->virtual_fds, 1, __ATOMIC_RELAXED);
  return old % BT_DESCRIPTIONS_MAX;
}

void hold(uint32_t description) {
  __atomic_fetch_add(&description_state(description)->references, 1, __ATOMIC_ACQ_REL);
}

void drop(Thread& self, uint32_t description, uint64_t user_stack) {
  release_reference(self, description, user_stack);
}

namespace {

/** The anchor opened anew with O_PATH, so that poll, epoll and every call that we do not see answer
 * as for such a descriptor. -errno where the anchor's process is gone. */
long open_path_anchor(bool cloexec) {
  const long flags = O_PATH | O_DIRECTORY | (cloexec ? O_CLOEXEC : 0);
  long fd = kernel(SYS_openat, client.anchor_fd, ".", flags);
  // Who has become another user may not search the anchor.
  return fd == -EACCES ? kernel(SYS_openat, AT_FDCWD, "/proc", flags) : fd;
}

}  // namespace

long install(Thread& self, uint32_t description, bool cloexec, long minimum) {
  if (minimum == 0 && (description_record(description)->open_flags & O_PATH)) {
    Change change;
    long fd = open_path_anchor(cloexec);
    if (fd >= 0 || fd == -EMFILE) return adopt(self, description, fd);
  }
  return install_copy(self, description, client.anchor_fd, cloexec, minimum);
}

bool has_own_number(uint32_t id) {
  return is_kernel_backed(id) || (description_record(id)->open_flags & O_PATH) != 0;
}

long install_copy(Thread& self, uint32_t description, long source, bool cloexec, long minimum) {
  Change change;
  return adopt(self, description,
               kernel(SYS_fcntl, source, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, (uint32_t)minimum));
}

long adopt(Thread& self, uint32_t description, long fd) {
  uint32_t process = process_of(self);
  Change change;
  if (fd >= 0) {
    long error = back_fd(process, (uint64_t)fd);
    if (error != 0) {
      kernel(SYS_close, fd);
      fd = error;
    }
  }
  if (fd < 0) {
    drop(self, description, here());
    return fd;
  }
  uint32_t old = exchange_fd(process, (uint64_t)fd, description);
  if (old != 0) drop(self, old, here());
  return fd;
}

void drop_all(Thread& self, uint32_t process, uint64_t user_stack) {
  Process* record = process_at(process);
  for (uint32_t fd = 0; fd < record->fd_limit; fd++) {
    uint32_t id = exchange_fd(process, fd, 0);
    if (id != 0) drop(self, id, user_stack);
  }
  for (uint32_t i = 0; i < record->mapping_limit; i++) {
    uint32_t id = __atomic_exchange_n(mapping_table_of(process) + i, 0, __ATOMIC_ACQ_REL);
    if (id != 0) drop(self, id % BT_DESCRIPTIONS_MAX, user_stack);
  }
  uint32_t cwd = __atomic_exchange_n(&record->cwd, 0, __ATOMIC_ACQ_REL);
  if (cwd != 0) drop(self, cwd % BT_DESCRIPTIONS_MAX, user_stack);
}

void drop_strangers(Thread& self, uint64_t user_stack) {
  uint32_t process = process_of(self);
  Process* record = process_at(process);
  struct stat anchor, other;
  if (kernel(SYS_fstat, client.anchor_fd, &anchor) != 0) return;
  for (uint32_t fd = 0; fd < record->fd_limit; fd++) {
    if (description_of(self, fd) == 0) continue;
    if (kernel(SYS_fstat, fd, &other) == 0) {
      const uint32_t id = description_of(self, fd);
      const bool same = other.st_ino == anchor.st_ino && other.st_dev == anchor.st_dev;
      // See open_path_anchor.
      const bool path = (description_record(id)->open_flags & O_PATH) != 0 &&
                        (kernel(SYS_fcntl, fd, F_GETFL) & O_PATH) != 0;
      if (is_kernel_backed(id) ? (other.st_mode & S_IFMT) == description_record(id)->mode
                               : same || path)
        continue;
    }
    uint32_t id = exchange_fd(process, fd, 0);
    if (id != 0) drop(self, id, user_stack);
  }
}

// ---- close --------------------------------------------------------------------------------------

Verdict sys_close(Call& call, Thread& self) {
  uint32_t fd = (uint32_t)call.args[0];
  if (is_private_fd(fd)) return done(call, -EBADF);
  if (description_of(self, fd) == 0) return Verdict::PASS;
  Change change;
  uint32_t id = exchange_fd(process_of(self), fd, 0);
  if (id == 0) return Verdict::PASS;
  long result = kernel(SYS_close, fd);
  forget_locks(self, id, call.stack);
  drop(self, id, call.stack);
  return done(call, result);
}

namespace {

/** The smallest private fd in [first, last], or -1. */
long next_private(uint32_t first, uint32_t last) {
  const int fds[] = {client.ring_fd, client.store_fd, client.data_fd, client.anchor_fd,
                     client.nodes_fd};
  long found = -1;
  for (int fd : fds) {
    if (fd < 0 || (uint32_t)fd < first || (uint32_t)fd > last) continue;
    if (found < 0 || fd < found) found = fd;
  }
  return found;
}

/** close_range on the numbers between our own. */
long close_around_private(uint32_t first, uint32_t last, uint32_t flags) {
  for (uint64_t next = first; next <= last;) {
    long own = next_private((uint32_t)next, last);
    uint64_t piece_end = own < 0 ? last : (uint64_t)own - 1;
    if (own < 0 || (uint64_t)own > next) {
      long result = kernel(SYS_close_range, next, piece_end, flags);
      if (result != 0) return result;
    }
    next = own < 0 ? (uint64_t)last + 1 : (uint64_t)own + 1;
  }
  return 0;
}

}  // namespace

Verdict sys_close_range(Call& call, Thread& self) {
  uint32_t first = (uint32_t)call.args[0], last = (uint32_t)call.args[1];
  uint32_t flags = (uint32_t)call.args[2];
  if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0)
    return Verdict::PASS;  // the kernel has the right error
  if (flags & CLOSE_RANGE_UNSHARE) {
    const uint32_t own = part_descriptors(self, true, call.stack);
    kernel(SYS_unshare, CLONE_FILES);
    take_descriptors(self, own);
  }
  const uint32_t process = process_of(self);
  Change change;
  if ((flags & CLOSE_RANGE_CLOEXEC) == 0) {
    uint32_t limit = process_at(process)->fd_limit;
    for (uint32_t fd = first; fd < limit && fd <= last; fd++) {
      uint32_t id = description_of(self, fd) == 0 ? 0 : exchange_fd(process, fd, 0);
      if (id == 0) continue;
      kernel(SYS_close, fd);
      forget_locks(self, id, call.stack);
      drop(self, id, call.stack);
    }
  }
  return done(call, close_around_private(first, last, flags));
}

// ---- dup ----------------------------------------------------------------------------------------

Verdict sys_dup(Call& call, Thread& self) {
  if (is_private_fd(call.args[0])) return done(call, -EBADF);
  uint32_t id = description_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  hold(id);
  if (has_own_number(id)) return done(call, install_copy(self, id, call.args[0], false, 0));
  return done(call, install(self, id, false));
}

namespace {

/** dup2 and dup3 once the trivial cases are gone. `number` and `flags` are as the kernel wants
 * them. */
Verdict duplicate_onto(Call& call, Thread& self, long number, long flags) {
  uint32_t from = (uint32_t)call.args[0], to = (uint32_t)call.args[1];
  if (is_private_fd(from) || is_private_fd(to)) return done(call, -EBADF);
  uint32_t process = process_of(self);
  uint32_t id = description_of(self, from);
  if (id == 0 && description_of(self, to) == 0) return Verdict::PASS;
  if (id != 0) {
    // A number that the table cannot hold is beyond what dup2 could give either.
    if (to >= BT_FDS_MAX) return done(call, -EBADF);
    if (back_fd(process, to) != 0) return done(call, -ENOMEM);
    hold(id);
  }
  Change change;
  long result = kernel(number, from, to, flags);
  uint32_t old = result < 0 ? id : exchange_fd(process, to, id);
  if (old != 0) {
    if (result >= 0) forget_locks(self, old, call.stack);
    drop(self, old, call.stack);
  }
  return done(call, result);
}

}  // namespace

Verdict sys_dup2(Call& call, Thread& self) {
  uint32_t from = (uint32_t)call.args[0], to = (uint32_t)call.args[1];
  if (from == to && !is_private_fd(from)) return Verdict::PASS;  // valid or EBADF, no change
  return duplicate_onto(call, self, SYS_dup2, 0);
}

Verdict sys_dup3(Call& call, Thread& self) {
  uint32_t from = (uint32_t)call.args[0], to = (uint32_t)call.args[1];
  if (from == to || (call.args[2] & ~(long)O_CLOEXEC) != 0) return done(call, -EINVAL);
  return duplicate_onto(call, self, SYS_dup3, call.args[2]);
}

}  // namespace btfuse
