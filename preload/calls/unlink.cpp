// unlink, unlinkat, rmdir.
#include <errno.h>
#include <fcntl.h>

#include "request.h"

namespace btfuse {

namespace {

void fill_unlink(Slot& slot, const Call&) {
  slot.opcode = BT_OP_UNLINK;
}
void fill_rmdir(Slot& slot, const Call&) {
  slot.opcode = BT_OP_RMDIR;
}

}  // namespace

Verdict sys_unlink(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_unlink);
}

Verdict sys_rmdir(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_rmdir);
}

Verdict sys_unlinkat(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[2];
  if (flags & ~(uint32_t)AT_REMOVEDIR) return done(call, -EINVAL);
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW}},
                    (flags & AT_REMOVEDIR) ? fill_rmdir : fill_unlink);
}

}  // namespace btfuse
