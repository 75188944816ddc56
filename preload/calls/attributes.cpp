// chmod, chown and utimensat with their kin: SETATTR.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "descriptors.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** SETATTR on an open descriptor. */
Verdict set_on(Call& call, Thread& self, uint32_t description, Fill fill) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return Verdict::DONE;
  slot->flags = 0;
  fill(*slot, call);
  slot->flags = AT_EMPTY_PATH;
  return reply(call, self, transact_plain(slot));
}

// ---- mode ---------------------------------------------------------------------------------------

void fill_mode(Slot& slot, long mode, uint32_t flags) {
  slot.opcode = BT_OP_SETATTR;
  slot.valid = BT_FATTR_MODE;
  slot.mode = (uint32_t)mode & 07777;
  slot.flags = flags & AT_SYMLINK_NOFOLLOW;
}

void fill_chmod(Slot& slot, const Call& call) {
  fill_mode(slot, call.args[1], 0);
}
void fill_fchmodat(Slot& slot, const Call& call) {
  fill_mode(slot, call.args[2], 0);
}
void fill_fchmodat2(Slot& slot, const Call& call) {
  fill_mode(slot, call.args[2], (uint32_t)call.args[3]);
}

// ---- owner --------------------------------------------------------------------------------------

void fill_owner(Slot& slot, long uid, long gid, uint32_t flags) {
  slot.opcode = BT_OP_SETATTR;
  slot.valid = ((int)uid != -1 ? BT_FATTR_UID : 0) | ((int)gid != -1 ? BT_FATTR_GID : 0);
  slot.set_uid = (uint32_t)uid;
  slot.set_gid = (uint32_t)gid;
  slot.flags = flags & AT_SYMLINK_NOFOLLOW;
}

void fill_chown(Slot& slot, const Call& call) {
  fill_owner(slot, call.args[1], call.args[2], 0);
}
void fill_lchown(Slot& slot, const Call& call) {
  fill_owner(slot, call.args[1], call.args[2], AT_SYMLINK_NOFOLLOW);
}
void fill_fchownat(Slot& slot, const Call& call) {
  fill_owner(slot, call.args[2], call.args[3], (uint32_t)call.args[4]);
}

// ---- times --------------------------------------------------------------------------------------

struct Times {
  struct timespec atime, mtime;
};

constexpr long kNanoseconds = 1000000000;

bool valid_nanoseconds(long value) {
  return value == UTIME_NOW || value == UTIME_OMIT || (value >= 0 && value < kNanoseconds);
}

void fill_times(Slot& slot, const Times& times) {
  slot.opcode = BT_OP_SETATTR;
  slot.valid = 0;
  slot.atime = slot.mtime = 0;
  slot.atimensec = slot.mtimensec = 0;
  if (times.atime.tv_nsec == UTIME_NOW) {
    slot.valid |= BT_FATTR_ATIME | BT_FATTR_ATIME_NOW;
  } else if (times.atime.tv_nsec != UTIME_OMIT) {
    slot.valid |= BT_FATTR_ATIME;
    slot.atime = times.atime.tv_sec;
    slot.atimensec = (uint32_t)times.atime.tv_nsec;
  }
  if (times.mtime.tv_nsec == UTIME_NOW) {
    slot.valid |= BT_FATTR_MTIME | BT_FATTR_MTIME_NOW;
  } else if (times.mtime.tv_nsec != UTIME_OMIT) {
    slot.valid |= BT_FATTR_MTIME;
    slot.mtime = times.mtime.tv_sec;
    slot.mtimensec = (uint32_t)times.mtime.tv_nsec;
  }
}

const Times kNow{{0, UTIME_NOW}, {0, UTIME_NOW}};

/** The times of a call in the shape that it has. */
int read_times(const Call& call, Times& times) {
  int index = call.nr == SYS_utimensat || call.nr == SYS_futimesat ? 2 : 1;
  auto* user = (const long*)call.args[index];
  times = kNow;
  if (user == nullptr) return 0;
  uint64_t words = call.nr == SYS_utime ? 2 : 4;
  if (!readable(user, words * sizeof(long), call.stack)) return -EFAULT;
  if (call.nr == SYS_utime) {
    times = {{user[0], 0}, {user[1], 0}};
    return 0;
  }
  times = {{user[0], user[1]}, {user[2], user[3]}};
  if (call.nr == SYS_utimensat) {
    // The server refuses it, once it has found the file.
    if (!valid_nanoseconds(user[1])) times.atime.tv_nsec = kNanoseconds;
    if (!valid_nanoseconds(user[3])) times.mtime.tv_nsec = kNanoseconds;
    return 0;
  }
  if (user[1] < 0 || user[1] >= 1000000 || user[3] < 0 || user[3] >= 1000000) return -EINVAL;
  times.atime.tv_nsec *= 1000;
  times.mtime.tv_nsec *= 1000;
  return 0;
}

void fill_utimes(Slot& slot, const Call& call) {
  Times times;
  // Checked by the handler; a program that takes the pointer away meanwhile gets "now".
  if (read_times(call, times) != 0) times = kNow;
  fill_times(slot, times);
  if (call.nr == SYS_utimensat) slot.flags = (uint32_t)call.args[3] & AT_SYMLINK_NOFOLLOW;
}

bool omits_both(const Times& times) {
  return times.atime.tv_nsec == UTIME_OMIT && times.mtime.tv_nsec == UTIME_OMIT;
}

/** futimens and futimes: not on what was opened with O_PATH. */
Verdict set_times_on(Call& call, Thread& self, uint32_t description) {
  if (description_record(description)->open_flags & O_PATH) return done(call, -EBADF);
  return set_on(call, self, description, fill_utimes);
}

}  // namespace

Verdict sys_chmod(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0}}, fill_chmod);
}

Verdict sys_fchmod(Call& call, Thread& self) {
  uint32_t description = description_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  if (description_record(description)->open_flags & O_PATH) return done(call, -EBADF);
  return set_on(call, self, description, fill_chmod);
}

Verdict sys_fchmodat(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1}}, fill_fchmodat);
}

Verdict sys_fchmodat2(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[3];
  if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Verdict::PASS;
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags_of(flags)}},
                    fill_fchmodat2);
}

Verdict sys_chown(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0}}, fill_chown);
}

Verdict sys_lchown(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_lchown);
}

Verdict sys_fchown(Call& call, Thread& self) {
  uint32_t description = description_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  if (description_record(description)->open_flags & O_PATH) return done(call, -EBADF);
  return set_on(call, self, description, fill_chown);
}

Verdict sys_fchownat(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[4];
  if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Verdict::PASS;
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags_of(flags)}},
                    fill_fchownat);
}

Verdict sys_utime(Call& call, Thread& self) {
  Times times;
  int error = read_times(call, times);
  if (error != 0) return done(call, error);
  return ask_status(call, self, {.first = {.path = 0}}, fill_utimes);
}

Verdict sys_utimes(Call& call, Thread& self) {
  return sys_utime(call, self);
}

Verdict sys_futimesat(Call& call, Thread& self) {
  Times times;
  int error = read_times(call, times);
  if (error != 0) return done(call, error);
  if (call.args[1] == 0) {
    uint32_t description = description_of(self, call.args[0]);
    return description == 0 ? Verdict::PASS : set_times_on(call, self, description);
  }
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1}}, fill_utimes);
}

Verdict sys_utimensat(Call& call, Thread& self) {
  Times times;
  uint32_t flags = (uint32_t)call.args[3];
  int error = read_times(call, times);
  if (error != 0) return done(call, error);
  // Nothing to change: the kernel answers before it looks at anything else.
  if (omits_both(times)) return done(call, 0);
  if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return done(call, -EINVAL);
  if (call.args[1] == 0 && (int)call.args[0] != AT_FDCWD) {
    uint32_t description = description_of(self, call.args[0]);
    if (description == 0) return Verdict::PASS;
    if (flags != 0) return done(call, -EINVAL);
    return set_times_on(call, self, description);
  }
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags_of(flags)}},
                    fill_utimes);
}

}  // namespace btfuse
