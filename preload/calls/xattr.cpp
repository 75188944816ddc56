// Extended attributes: the tree has none yet. It answers like a file system without them, so that
// cp -a and ls -l go on: nothing to list, nothing to find, and no way to set one.
#include <errno.h>
#include <fcntl.h>

#include "descriptors.h"
#include "request.h"

namespace btfuse {

namespace {

constexpr long kListxattrAt = 465;

bool stops_at_symlink(const Call& call) {
  return call.nr == SYS_lsetxattr || call.nr == SYS_lgetxattr || call.nr == SYS_llistxattr ||
         call.nr == SYS_lremovexattr;
}

void fill(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = stops_at_symlink(call) ? AT_SYMLINK_NOFOLLOW : 0;
}

void fill_at(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = (uint32_t)call.args[2] & AT_SYMLINK_NOFOLLOW;
}

/** The answer once the file is known to exist. */
long answer(const Call& call) {
  switch (call.nr) {
    case SYS_listxattr:
    case SYS_llistxattr:
    case SYS_flistxattr:
    case kListxattrAt:
      return 0;
    default:
      return -EOPNOTSUPP;
  }
}

Verdict answer_path(Call& call, Thread& self, PathArgument name, Fill fill) {
  Slot* slot = ask(call, self, {.first = name}, fill);
  if (slot == nullptr) return Verdict::DONE;
  return reply(call, self, slot->status != 0 ? slot->status : answer(call));
}

}  // namespace

Verdict sys_path_xattr(Call& call, Thread& self) {
  uint32_t flags = stops_at_symlink(call) ? PATH_NOFOLLOW : 0;
  return answer_path(call, self, {.path = 0, .flags = flags}, fill);
}

Verdict sys_path_at_xattr(Call& call, Thread& self) {
  uint32_t flags = path_flags_of((uint32_t)call.args[2]);
  return answer_path(call, self, {.dirfd = 0, .path = 1, .flags = flags}, fill_at);
}

Verdict sys_fd_xattr(Call& call, Thread& self) {
  if (description_of(self, call.args[0]) == 0) return Verdict::PASS;
  return done(call, answer(call));
}

}  // namespace btfuse
