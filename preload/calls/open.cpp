// open, creat, openat, openat2.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../client/idle.h"
#include "../client/memory.h"
#include "descriptors.h"
#include "mappings.h"
#include "io.h"
#include "nodes.h"
#include "proc_listing.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint32_t kTmpfile = O_TMPFILE & ~O_DIRECTORY;

constexpr uint64_t kKnownFlags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
                                 O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE |
                                 O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
                                 kTmpfile | 0100000;
static_assert(kKnownFlags < 1u << BT_RESOLVE_SHIFT);

/** As fs/open.c build_open_flags: what is no file's business goes, O_PATH silences the rest. */
uint32_t normal_flags(uint64_t flags) {
  uint32_t low = (uint32_t)(flags & kKnownFlags);
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
  if (file.flags & BT_INODE_WATCHED) return false;
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

using Accept = decltype(QuickAnswer::accept);
/** A fifo or a device: the kernel opens what stands for it, and waits for as long as it has to. */
Verdict open_special(Call& call, Thread& self, Slot* slot, uint32_t description, uint32_t flags) {
  char device[kDevicePath + 1];
  uint32_t length = slot->reply_length <= kDevicePath ? slot->reply_length : 0;
  memcpy(device, reply_payload(slot), length);
  device[length] = 0;
  end(self);
  long fd = open_node(self, description, device, flags);
  if (fd < 0) {
    drop(self, description, call.stack);
    return done(call, fd);
  }
  return done(call, adopt(self, description, fd));
}

/** A description, idle so far or from the reply, becomes a descriptor. */
Verdict open_with(Call& call, Thread& self, PathCall paths, uint32_t flags, Fill fill,
                  Accept accept) {
  QuickAnswer quick;
  quick.accept = accept;
  if (accept != nullptr && may_revive(flags)) paths.quick = &quick;
  Slot* slot = ask(call, self, paths, fill);
  if (slot == nullptr && quick.description != 0)
    return done(call, install(self, quick.description, (flags & O_CLOEXEC) != 0));
  if (slot == nullptr) {
    if (flags & O_DIRECTORY)
      note_listing(call.result, (const char*)call.args[(int)paths.first.path], call.stack);
    return Verdict::DONE;
  }
  int32_t status = slot->status;
  uint32_t description = slot->reply_description;
  if (status == 0 && is_kernel_backed(description))
    return open_special(call, self, slot, description, flags);
  end(self);
  if (status != 0) return done(call, status);
  if (flags & (O_EXCL | O_TRUNC)) expect_growth(self, description, 0);
  if (flags & O_TRUNC) resize_mappings(self, description, call.stack);
  return done(call, install(self, description, (flags & O_CLOEXEC) != 0));
}

}  // namespace

Verdict sys_open(Call& call, Thread& self) {
  uint32_t flags = normal_flags((uint64_t)call.args[1]);
  int error = check_flags(flags);
  if (error != 0) return Verdict::PASS;
  return open_with(call, self, {.first = {.path = 0, .flags = path_flags(flags)}}, flags, fill_open,
                   accept_open);
}

Verdict sys_creat(Call& call, Thread& self) {
  return open_with(call, self, {.first = {.path = 0}}, O_CREAT | O_WRONLY | O_TRUNC, fill_creat,
                   nullptr);
}

Verdict sys_openat(Call& call, Thread& self) {
  uint32_t flags = normal_flags((uint64_t)call.args[2]);
  if (check_flags(flags) != 0) return Verdict::PASS;
  return open_with(call, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags(flags)}},
                   flags, fill_openat, accept_openat);
}

namespace {

constexpr uint64_t kPathFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** The stricter checks of openat2: nothing is silently dropped. */
int check_how(const open_how& how) {
  if (how.flags & ~kKnownFlags) return -EINVAL;
  if ((how.flags & O_PATH) && (how.flags & ~kPathFlags)) return -EINVAL;
  if (how.mode != 0 && !makes_file((uint32_t)how.flags)) return -EINVAL;
  if (how.mode & ~07777ull) return -EINVAL;
  return check_flags((uint32_t)how.flags);
}

constexpr uint64_t kKnownResolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                                   RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
constexpr uint64_t kScoped = RESOLVE_BENEATH | RESOLVE_IN_ROOT;

int check_resolve(const open_how& how) {
  if (how.resolve & ~kKnownResolve) return -EINVAL;
  if ((how.resolve & kScoped) == kScoped) return -EINVAL;
  if ((how.resolve & RESOLVE_CACHED) && (how.flags & (O_TRUNC | O_CREAT | kTmpfile)))
    return -EAGAIN;
  return 0;
}

/**
 * What RESOLVE_* forbids of the way to where the walk in the tree begins; the walk itself minds the
 * rest. A way that begins on the host enters the tree as it would enter a mount.
 */
int check_entry(const Target& target, bool from_tree, bool absolute, uint64_t resolve) {
  if (target.magic && (resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))) return -ELOOP;
  if (absolute && (resolve & RESOLVE_BENEATH)) return -EXDEV;
  return !from_tree && (resolve & RESOLVE_NO_XDEV) ? -EXDEV : 0;
}

void fill_openat2(Slot& slot, const Call& call) {
  auto& how = *(const open_how*)call.args[2];
  fill(slot, normal_flags(how.flags) | (uint32_t)(how.resolve << BT_RESOLVE_SHIFT),
       (uint32_t)how.mode);
}

bool accept_openat2(const Call& call, Thread& self, const Searcher& who, QuickAnswer& quick) {
  auto& how = *(const open_how*)call.args[2];
  return accept(self, who, quick, normal_flags(how.flags), call.stack);
}

/** Copies what the program wants of openat2 → 0 or -errno. */
int take_how(const Call& call, open_how& how) {
  auto* user = (const open_how*)call.args[2];
  uint64_t size = (uint64_t)call.args[3];
  if (size < sizeof(open_how)) return -EINVAL;
  if (size > BT_PAGE_SIZE) return -E2BIG;
  if (!readable(user, size, call.stack)) return -EFAULT;
  for (uint64_t i = sizeof(open_how); i < size; i++) {
    if (((const unsigned char*)user)[i] != 0) return -E2BIG;
  }
  how = *user;
  return 0;
}

}  // namespace

Verdict sys_openat2(Call& call, Thread& self) {
  open_how how;
  int taken = take_how(call, how);
  auto* path = (const char*)call.args[1];
  bool absolute = readable(path, 1, call.stack) && *path == '/';
  bool rooted = taken == 0 && absolute && (how.resolve & RESOLVE_IN_ROOT);
  // The root of that walk is the descriptor: "/a" is "a" there, and "/" is ".".
  while (rooted && readable(path, 1, call.stack) && *path == '/') path++;
  if (rooted && readable(path, 1, call.stack) && *path == 0) path = ".";

  Target target;
  classify(self, call.args[0], path, 0, call.stack, target);
  if (target.where == Where::HOST) return Verdict::PASS;
  if (taken != 0) return done(call, taken);
  int error = check_how(how);
  if (error == 0) error = check_resolve(how);
  bool from_tree = target.where == Where::TREE && (!absolute || rooted);
  if (error == 0) error = check_entry(target, from_tree, absolute && !rooted, how.resolve);
  if (error != 0) return done(call, error);
  // Where a walk comes from outside, only this can still be broken inside.
  bool cached = (how.resolve & RESOLVE_CACHED) != 0 && target.length != 0;
  if (!from_tree) how.resolve &= RESOLVE_NO_SYMLINKS;

  Call plain = call;
  plain.args[1] = (long)path;
  plain.args[2] = (long)&how;
  plain.args[3] = sizeof how;
  uint32_t flags = normal_flags(how.flags);
  Verdict verdict =
      open_with(plain, self, {.first = {.dirfd = 0, .path = 1, .flags = path_flags(flags)}}, flags,
                fill_openat2, how.resolve == 0 ? accept_openat2 : nullptr);
  // tmpfs keeps no record of names that are not there.
  call.result = cached && plain.result == -ENOENT ? -EAGAIN : plain.result;
  return verdict;
}

}  // namespace btfuse
