// symlink, symlinkat. The target is text, not a path: it is stored as the program gave it.
#include <errno.h>

#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

void fill(Slot& slot, const Call&) {
  slot.opcode = BT_OP_SYMLINK;
}

Verdict make(Call& call, Thread& self, PathArgument name) {
  auto* text = (const char*)call.args[0];
  long length = string_length(text, BT_PATH_MAX, call.stack);
  if (length < 0) return done(call, length);
  if (length == 0) return done(call, -ENOENT);
  return ask_status(call, self, {.first = name, .text = text, .text_length = (uint32_t)length},
                    fill);
}

}  // namespace

Verdict sys_symlink(Call& call, Thread& self) {
  return make(call, self, {.path = 1, .flags = PATH_NOFOLLOW});
}

Verdict sys_symlinkat(Call& call, Thread& self) {
  return make(call, self, {.dirfd = 1, .path = 2, .flags = PATH_NOFOLLOW});
}

}  // namespace btfuse
