// mkdir, mkdirat, mknod, mknodat. The server applies the umask.
#include "request.h"

namespace btfuse {

namespace {

void fill_mkdir(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_MKDIR;
  slot.mode = (uint32_t)call.args[1] & 07777;
}
void fill_mkdirat(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_MKDIR;
  slot.mode = (uint32_t)call.args[2] & 07777;
}
void fill_mknod(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_MKNOD;
  slot.mode = (uint32_t)call.args[1] & 0177777;
  slot.rdev = (uint32_t)call.args[2];
}
void fill_mknodat(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_MKNOD;
  slot.mode = (uint32_t)call.args[2] & 0177777;
  slot.rdev = (uint32_t)call.args[3];
}

}  // namespace

Verdict sys_mkdir(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_mkdir);
}

Verdict sys_mkdirat(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW}},
                    fill_mkdirat);
}

Verdict sys_mknod(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_mknod);
}

Verdict sys_mknodat(Call& call, Thread& self) {
  return ask_status(call, self, {.first = {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW}},
                    fill_mknodat);
}

}  // namespace btfuse
