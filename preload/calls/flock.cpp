// flock on virtual descriptors. The lock belongs to the open file description, so the server keeps
// it and drops it when the last holder of the description is gone.
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "calls.h"
#include "io.h"

namespace btfuse {

namespace {

/** Between two tries of a thread that waits: short at first, for locks that are held briefly. */
constexpr long kFirstPause = 50'000;
constexpr long kLongestPause = 5'000'000;

long try_lock(Thread& self, uint32_t id, uint32_t type, uint64_t user_stack) {
  Slot* slot = begin_on(self, BT_OP_SETLK, id, user_stack);
  if (slot == nullptr) return -EIO;
  slot->mode = type;
  long result = transact(slot);
  end(self);
  return result;
}

}  // namespace

Verdict sys_flock(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  uint32_t operation = (uint32_t)call.args[1], type = operation & ~(uint32_t)LOCK_NB;
  if (type != LOCK_SH && type != LOCK_EX && type != LOCK_UN) return done(call, -EINVAL);
  if (description_record(id)->open_flags & O_PATH) return done(call, -EBADF);
  timespec pause = {0, kFirstPause};
  for (;;) {
    long result = try_lock(self, id, type, call.stack);
    if (result != -EAGAIN || (operation & LOCK_NB)) return done(call, result);
    if (kernel(SYS_nanosleep, &pause, 0) == -EINTR) return done(call, -EINTR);
    if (pause.tv_nsec < kLongestPause) pause.tv_nsec *= 2;
  }
}

}  // namespace btfuse
