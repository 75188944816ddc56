// lseek: what the description's own offset answers is done here, the rest by the server.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "io.h"

namespace btfuse {

namespace {

long seek_by_server(Thread& self, Call& call, uint32_t id) {
  Slot* slot = begin_on(self, BT_OP_LSEEK, id, call.stack);
  if (slot == nullptr) return -EIO;
  slot->offset = call.args[1];
  slot->mode = (uint32_t)call.args[2];
  long result = transact(slot);
  if (result == 0) result = slot->result;
  end(self);
  return result;
}

}  // namespace

Verdict sys_lseek(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  const Description* record = description_record(id);
  if (record->open_flags & O_PATH) return done(call, -EBADF);
  uint32_t whence = (uint32_t)call.args[2];
  if (whence > SEEK_HOLE) return done(call, -EINVAL);
  bool plain = whence == SEEK_SET || whence == SEEK_CUR;
  if (S_ISDIR(record->mode) && !plain) return done(call, -EINVAL);
  if (!plain) return done(call, seek_by_server(self, call, id));
  int64_t* position = &description_state(id)->position;
  int64_t base = whence == SEEK_SET ? 0 : __atomic_load_n(position, __ATOMIC_ACQUIRE);
  int64_t wanted;
  if (__builtin_add_overflow(base, (int64_t)call.args[1], &wanted) || wanted < 0)
    return done(call, -EINVAL);
  if (wanted != base || whence == SEEK_SET) __atomic_store_n(position, wanted, __ATOMIC_RELEASE);
  return done(call, wanted);
}

}  // namespace btfuse
