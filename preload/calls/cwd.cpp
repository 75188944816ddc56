// chdir, fchdir, getcwd. While the current directory is in the tree, Process.cwd holds its
// description, and the kernel's own current directory is the anchor: a relative path that reaches
// the kernel unhooked (ld.so loading "./lib.so") finds nothing there, instead of the host's files.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "request.h"
#include "tree_path.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Makes `description` (one reference, ours) the current directory; 0: it is on the host again. */
void move_to(Call& call, Thread& self, uint32_t description) {
  uint32_t* cwd = &process_at(process_of(self))->cwd;
  uint32_t old = __atomic_exchange_n(cwd, description, __ATOMIC_ACQ_REL);
  if (old == 0 && description != 0) kernel(SYS_fchdir, client.anchor_fd);
  if (old != 0) drop(self, old % BT_DESCRIPTIONS_MAX, call.stack);
}

/** May the caller enter this directory? 0, -ENOTDIR or -EACCES. */
int32_t may_enter(Call& call, Thread& self, uint32_t description) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_ACCESS;
  slot->flags = AT_EMPTY_PATH;
  slot->mode = X_OK;
  int32_t status = transact_plain(slot);
  end(self);
  return status;
}

int32_t is_directory(Call& call, Thread& self, uint32_t description) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_GETATTR;
  slot->flags = 0;
  int32_t status = transact_plain(slot);
  uint32_t mode = ((const Attributes*)slot->attr)->mode;
  end(self);
  if (status != 0) return status;
  return S_ISDIR(mode) ? 0 : -ENOTDIR;
}

void fill(Slot& slot, const Call&) {
  slot.opcode = BT_OP_OPEN;
  slot.flags = O_PATH | O_DIRECTORY;
  slot.mode = 0;
}

}  // namespace

Verdict sys_chdir(Call& call, Thread& self) {
  Slot* slot = ask(call, self, {.first = {.path = 0}}, fill);
  if (slot == nullptr) {
    if (call.result == 0) move_to(call, self, 0);
    return Verdict::DONE;
  }
  int32_t status = slot->status;
  uint32_t description = slot->reply_description;
  end(self);
  if (status != 0) return done(call, status);
  status = may_enter(call, self, description);
  if (status == 0) {
    move_to(call, self, description);
  } else {
    drop(self, description, call.stack);
  }
  return done(call, status);
}

Verdict sys_fchdir(Call& call, Thread& self) {
  if (is_private_fd(call.args[0])) return done(call, -EBADF);
  uint32_t description = description_of(self, call.args[0]);
  if (description == 0) {
    call.result = on_kernel(call);
    if (call.result == 0) move_to(call, self, 0);
    return Verdict::DONE;
  }
  int32_t status = is_directory(call, self, description);
  if (status == 0) status = may_enter(call, self, description);
  if (status != 0) return done(call, status);
  hold(description);
  move_to(call, self, description);
  return done(call, 0);
}

Verdict sys_getcwd(Call& call, Thread& self) {
  uint32_t cwd = process_at(process_of(self))->cwd;
  if (cwd == 0) return Verdict::PASS;
  Slot* slot = begin_on(call, self, cwd);
  if (slot == nullptr) return Verdict::DONE;
  const char* text;
  bool deleted;
  long length = tree_path(slot, &text, &deleted);
  if (length >= 0 && deleted) length = -ENOENT;
  if (length < 0) return reply(call, self, length);
  auto* to = (char*)call.args[0];
  length++;  // with the NUL, as the kernel counts
  if ((uint64_t)length > (uint64_t)call.args[1]) return reply(call, self, -ERANGE);
  if (!writable(to, (uint64_t)length, call.stack)) return reply(call, self, -EFAULT);
  memcpy(to, text, (uint64_t)length);
  return reply(call, self, length);
}

}  // namespace btfuse
