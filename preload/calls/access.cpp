// access, faccessat, faccessat2: with the real ids unless AT_EACCESS asks for the effective ones.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "request.h"

namespace btfuse {

namespace {

constexpr uint32_t kFlags = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

void fill(Slot& slot, uint32_t mode, uint32_t flags) {
  slot.opcode = BT_OP_ACCESS;
  slot.mode = mode;
  slot.flags = flags & AT_SYMLINK_NOFOLLOW;
  if (flags & AT_EACCESS) return;
  const Process* process = process_at(slot.process);
  slot.uid = process->ruid;
  if (slot.umask & BT_UMASK_CAPABILITIES) slot.umask |= BT_UMASK_REAL;
  slot.gid = process->rgid;
}

void fill_access(Slot& slot, const Call& call) {
  fill(slot, (uint32_t)call.args[1], 0);
}
void fill_faccessat(Slot& slot, const Call& call) {
  fill(slot, (uint32_t)call.args[2], 0);
}
void fill_faccessat2(Slot& slot, const Call& call) {
  fill(slot, (uint32_t)call.args[2], (uint32_t)call.args[3]);
}

bool bad_mode(long mode) {
  return (mode & ~(long)(R_OK | W_OK | X_OK) & 0xffffffff) != 0;
}

Verdict check(Call& call, Thread& self, PathCall paths, Fill fill, uint32_t mode, uint32_t flags) {
  QuickAnswer quick;
  quick.real_ids = !(flags & AT_EACCESS);
  paths.quick = &quick;
  Slot* slot = ask(call, self, paths, fill);
  if (slot == nullptr && quick.answered &&
      !quick_access(searcher_of(self, quick.real_ids), quick.attributes, mode)) {
    // A refusal is the server's to say.
    paths.quick = nullptr;
    slot = ask(call, self, paths, fill);
  }
  return slot == nullptr ? Verdict::DONE : reply(call, self, slot->status);
}

}  // namespace

Verdict sys_access(Call& call, Thread& self) {
  if (bad_mode(call.args[1])) return done(call, -EINVAL);
  return check(call, self, {.first = {.path = 0}}, fill_access, (uint32_t)call.args[1], 0);
}

Verdict sys_faccessat(Call& call, Thread& self) {
  if (bad_mode(call.args[2])) return done(call, -EINVAL);
  return check(call, self, {.first = {.dirfd = 0, .path = 1}}, fill_faccessat,
               (uint32_t)call.args[2], 0);
}

Verdict sys_faccessat2(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[3];
  if (bad_mode(call.args[2]) || (flags & ~kFlags)) return done(call, -EINVAL);
  return check(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags_of(flags)}},
               fill_faccessat2, (uint32_t)call.args[2], flags);
}

}  // namespace btfuse
