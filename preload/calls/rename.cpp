// rename, renameat, renameat2.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>

#include "request.h"

namespace btfuse {

namespace {

void fill_rename(Slot& slot, const Call&) {
  slot.opcode = BT_OP_RENAME2;
}
void fill_renameat2(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_RENAME2;
  slot.flags = (uint32_t)call.args[4];
}

constexpr PathCall kAt{.first = {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW},
                       .second = {.dirfd = 2, .path = 3, .flags = PATH_NOFOLLOW}};

}  // namespace

Verdict sys_rename(Call& call, Thread& self) {
  return ask_status(
      call, self,
      {.first = {.path = 0, .flags = PATH_NOFOLLOW}, .second = {.path = 1, .flags = PATH_NOFOLLOW}},
      fill_rename);
}

Verdict sys_renameat(Call& call, Thread& self) {
  return ask_status(call, self, kAt, fill_rename);
}

Verdict sys_renameat2(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[4];
  bool bad = (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
             ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)));
  if (bad) return done(call, -EINVAL);
  return ask_status(call, self, kAt, fill_renameat2);
}

}  // namespace btfuse
