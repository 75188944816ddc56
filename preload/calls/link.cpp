// link, linkat.
#include <errno.h>
#include <fcntl.h>

#include "request.h"

namespace btfuse {

namespace {

void fill_link(Slot& slot, const Call&) {
  slot.opcode = BT_OP_LINK;
}
void fill_linkat(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LINK;
  slot.flags = (uint32_t)call.args[4] & AT_SYMLINK_FOLLOW;
}

}  // namespace

Verdict sys_link(Call& call, Thread& self) {
  return ask_status(
      call, self,
      {.first = {.path = 0, .flags = PATH_NOFOLLOW}, .second = {.path = 1, .flags = PATH_NOFOLLOW}},
      fill_link);
}

Verdict sys_linkat(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[4];
  if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return done(call, -EINVAL);
  uint32_t first = path_flags_of(flags & AT_EMPTY_PATH);
  if (!(flags & AT_SYMLINK_FOLLOW)) first |= PATH_NOFOLLOW;
  return ask_status(call, self,
                    {.first = {.dirfd = 0, .path = 1, .flags = first},
                     .second = {.dirfd = 2, .path = 3, .flags = PATH_NOFOLLOW}},
                    fill_linkat);
}

}  // namespace btfuse
