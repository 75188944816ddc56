// The calls on a whole file: fsync and kin, fallocate, advice.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "calls.h"
#include "io.h"
#include "mappings.h"

namespace btfuse {

namespace {

/** 0, or -EBADF for an O_PATH descriptor. */
long usable(uint32_t id) {
  return description_record(id)->open_flags & O_PATH ? -EBADF : 0;
}

long request_on(Thread& self, uint32_t opcode, uint32_t id, uint64_t user_stack) {
  Slot* slot = begin_on(self, opcode, id, user_stack);
  if (slot == nullptr) return -EIO;
  long result = transact(slot);
  end(self);
  return result;
}

}  // namespace

/** fsync and fdatasync: there is nothing behind memory that could be synced, as on tmpfs. */
Verdict sys_fsync(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  return id == 0 ? Verdict::PASS : done(call, usable(id));
}

Verdict sys_syncfs(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = usable(id);
  return done(call, error != 0 ? error : request_on(self, BT_OP_SYNCFS, id, call.stack));
}

Verdict sys_sync_file_range(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = usable(id);
  if (error == 0 && (call.args[1] < 0 || call.args[2] < 0 || (call.args[3] & ~7l) != 0))
    error = -EINVAL;
  return done(call, error);
}

/** posix_fadvise and readahead: everything is in memory already. */
Verdict sys_fadvise64(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = usable(id);
  const Description* record = description_record(id);
  if (error == 0 && call.nr == SYS_readahead) {
    if ((record->open_flags & O_ACCMODE) == O_WRONLY)
      error = -EBADF;
    else if (!S_ISREG(record->mode))
      error = -EINVAL;
  }
  if (error == 0 && call.nr == SYS_fadvise64 && (call.args[2] < 0 || (uint64_t)call.args[3] > 5))
    error = -EINVAL;
  return done(call, error);
}

Verdict sys_fallocate(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = usable(id);
  if (error != 0) return done(call, error);
  Slot* slot = begin_on(self, BT_OP_FALLOCATE, id, call.stack);
  if (slot == nullptr) return done(call, -EIO);
  slot->mode = (uint32_t)call.args[1];
  slot->offset = call.args[2];
  slot->size = (uint64_t)call.args[3];
  slot->file_size_limit = file_size_limit();
  long result = transact(slot);
  end(self);
  signal_file_size(result);
  if (result == 0) extend_mappings(self, id, call.stack);
  return done(call, result);
}

}  // namespace btfuse
