// open, creat, openat, openat2.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../client/idle.h"
#include "../client/memory.h"
#include "descriptors.h"
#include "io.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint32_t kTmpfile = O_TMPFILE & ~O_DIRECTORY;

/** As fs/open.c build_open_flags: what is no file's business goes, O_PATH silences the rest. */
uint32_t normal_flags(uint64_t flags) {
  uint32_t low = (uint32_t)flags;
  if (low & O_PATH) low &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return low;
}

bool makes_file(uint32_t flags) {
  return (flags & (O_CREAT | kTmpfile)) != 0;
}

/** 0, or the -errno that the kernel gives before it looks at the path. */
int check_flags(uint32_t flags) {
  if (flags & kTmpfile) {
    if ((flags & O_TMPFILE) != O_TMPFILE) return -EINVAL;
    if ((flags & O_ACCMODE) == O_RDONLY) return -EINVAL;
    if (flags & O_CREAT) return -EINVAL;
  }
  if ((flags & O_CREAT) && (flags & O_DIRECTORY)) return -EINVAL;
  return 0;
}

uint32_t path_flags(uint32_t flags) {
  bool nofollow = (flags & O_NOFOLLOW) != 0 || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  return nofollow ? PATH_NOFOLLOW : 0;
}

void fill(Slot& slot, uint32_t flags, uint32_t mode) {
  slot.opcode = (flags & kTmpfile) ? BT_OP_TMPFILE : (flags & O_CREAT) ? BT_OP_CREATE : BT_OP_OPEN;
  slot.flags = flags;
  slot.mode = makes_file(flags) ? mode & 07777 : 0;
}

void fill_open(Slot& slot, const Call& call) {
  fill(slot, normal_flags((uint64_t)call.args[1]), (uint32_t)call.args[2]);
}
void fill_creat(Slot& slot, const Call& call) {
  fill(slot, O_CREAT | O_WRONLY | O_TRUNC, (uint32_t)call.args[1]);
}
void fill_openat(Slot& slot, const Call& call) {
  fill(slot, normal_flags((uint64_t)call.args[2]), (uint32_t)call.args[3]);
}

/** Opens that do nothing but look at permissions: what another such open has left may serve them.
 */
bool may_revive(uint32_t flags) {
  return (flags & (O_CREAT | O_TRUNC | O_EXCL | kTmpfile | O_PATH)) == 0 &&
         (flags & O_ACCMODE) != O_ACCMODE;
}

/** src/store/operations/open.ts openInode, for the opens that succeed. */
bool permits(const Searcher& who, const Attributes& file, uint32_t flags) {
  const bool directory = S_ISDIR(file.mode);
  const uint32_t access = flags & O_ACCMODE;
  if (!directory && (!S_ISREG(file.mode) || (flags & O_DIRECTORY))) return false;
  if (directory && access != O_RDONLY) return false;
  if ((flags & O_NOATIME) && who.uid != file.uid) return false;
  const uint32_t mask = access == O_RDONLY ? R_OK : access == O_WRONLY ? W_OK : R_OK | W_OK;
  return quick_access(who, file, mask);
}

bool accept(Thread& self, const Searcher& who, QuickAnswer& quick, uint32_t flags,
            uint64_t user_stack) {
  if (!permits(who, quick.attributes, flags)) return false;
  quick.description = revive(self, quick.attributes, flags & ~(uint32_t)O_CLOEXEC, user_stack);
  return quick.description != 0;
}

bool accept_open(const Call& call, Thread& self, const Searcher& who, QuickAnswer& quick) {
  return accept(self, who, quick, normal_flags((uint64_t)call.args[1]), call.stack);
}
bool accept_openat(const Call& call, Thread& self, const Searcher& who, QuickAnswer& quick) {
  return accept(self, who, quick, normal_flags((uint64_t)call.args[2]), call.stack);
}

/** A description, idle so far or from the reply, becomes a descriptor. */
Verdict open_with(Call& call, Thread& self, PathCall paths, uint32_t flags, Fill fill) {
  QuickAnswer quick;
  quick.accept = fill == fill_open ? accept_open : accept_openat;
  if (may_revive(flags)) paths.quick = &quick;
  Slot* slot = ask(call, self, paths, fill);
  if (slot == nullptr && quick.description != 0)
    return done(call, install(self, quick.description, (flags & O_CLOEXEC) != 0));
  if (slot == nullptr) return Verdict::DONE;
  int32_t status = slot->status;
  uint32_t description = slot->reply_description;
  end(self);
  if (status != 0) return done(call, status);
  if (flags & (O_EXCL | O_TRUNC)) expect_growth(self, description, 0);
  return done(call, install(self, description, (flags & O_CLOEXEC) != 0));
}

}  // namespace

Verdict sys_open(Call& call, Thread& self) {
  uint32_t flags = normal_flags((uint64_t)call.args[1]);
  int error = check_flags(flags);
  if (error != 0) return Verdict::PASS;
  return open_with(call, self, {.first = {.path = 0, .flags = path_flags(flags)}}, flags,
                   fill_open);
}

Verdict sys_creat(Call& call, Thread& self) {
  return open_with(call, self, {.first = {.path = 0}}, O_CREAT | O_WRONLY | O_TRUNC, fill_creat);
}

Verdict sys_openat(Call& call, Thread& self) {
  uint32_t flags = normal_flags((uint64_t)call.args[2]);
  if (check_flags(flags) != 0) return Verdict::PASS;
  return open_with(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags(flags)}},
                   flags, fill_openat);
}

namespace {

constexpr uint64_t kKnownFlags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
                                 O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE |
                                 O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
                                 kTmpfile | 0100000;
constexpr uint64_t kPathFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** The stricter checks of openat2: nothing is silently dropped. */
int check_how(const open_how& how) {
  if (how.flags & ~kKnownFlags) return -EINVAL;
  if ((how.flags & O_PATH) && (how.flags & ~kPathFlags)) return -EINVAL;
  if (how.mode != 0 && !makes_file((uint32_t)how.flags)) return -EINVAL;
  if (how.mode & ~07777ull) return -EINVAL;
  return check_flags((uint32_t)how.flags);
}

/**
 * RESOLVE_* on a path of the tree. What only forbids leaving it is kept by sending a walk that
 * stops at a crossing: NO_XDEV and NO_MAGICLINKS cannot be violated inside. The rest the server
 * does not know.
 */
bool serves_resolve(uint64_t resolve) {
  return (resolve & ~(uint64_t)(RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)) == 0;
}

}  // namespace

Verdict sys_openat2(Call& call, Thread& self) {
  auto* user = (const open_how*)call.args[2];
  uint64_t size = (uint64_t)call.args[3];
  Target target;
  classify(self, call.args[0], (const char*)call.args[1], 0, call.stack, target);
  if (target.where == Where::HOST) return Verdict::PASS;
  if (size < sizeof(open_how)) return done(call, -EINVAL);
  if (size > BT_PAGE_SIZE) return done(call, -E2BIG);
  if (!readable(user, size, call.stack)) return done(call, -EFAULT);
  for (uint64_t i = sizeof(open_how); i < size; i++) {
    if (((const unsigned char*)user)[i] != 0) return done(call, -E2BIG);
  }
  open_how how = *user;
  int error = check_how(how);
  if (error != 0) return done(call, error);
  if (!serves_resolve(how.resolve)) return unknown(call);
  // From here on it is openat, on the host too if a symlink leads out.
  Call plain = call;
  plain.nr = SYS_openat;
  plain.args[2] = (long)how.flags;
  plain.args[3] = (long)how.mode;
  Verdict verdict = sys_openat(plain, self);
  call.result = plain.result;
  return verdict;
}

}  // namespace btfuse
