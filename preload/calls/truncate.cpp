// truncate, ftruncate: SETATTR of the size, under RLIMIT_FSIZE.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "descriptors.h"
#include "mappings.h"
#include "request.h"

namespace btfuse {

namespace {

uint64_t file_size_limit() {
  struct rlimit limit;
  if (kernel(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) != 0) return ~0ull;
  return limit.rlim_cur;
}

void fill(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_SETATTR;
  slot.valid = BT_FATTR_SIZE;
  slot.size = (uint64_t)call.args[1];
  slot.file_size_limit = file_size_limit();
}

/** Over the limit the kernel also sends SIGXFSZ. */
Verdict reply_size(Call& call, Thread& self, Slot* slot) {
  int32_t status = slot->status;
  bool over = status == -EFBIG && slot->size > slot->file_size_limit;
  Verdict verdict = reply(call, self, status);
  if (over) kernel(SYS_tgkill, kernel(SYS_getpid), kernel(SYS_gettid), SIGXFSZ);
  return verdict;
}

}  // namespace

Verdict sys_truncate(Call& call, Thread& self) {
  if (call.args[1] < 0) return done(call, -EINVAL);
  Slot* slot = ask(call, self, {.first = {.path = 0}}, fill);
  if (slot == nullptr) return Verdict::DONE;
  Verdict verdict = reply_size(call, self, slot);
  if (call.result == 0) resize_mappings(self, 0, call.stack);
  return verdict;
}

Verdict sys_ftruncate(Call& call, Thread& self) {
  uint32_t description = file_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  if (call.args[1] < 0) return done(call, -EINVAL);
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return Verdict::DONE;
  fill(*slot, call);
  slot->valid |= BT_FATTR_FH;
  slot->flags = AT_EMPTY_PATH;
  transact_plain(slot);
  Verdict verdict = reply_size(call, self, slot);
  if (call.result == 0) resize_mappings(self, description, call.stack);
  return verdict;
}

}  // namespace btfuse
