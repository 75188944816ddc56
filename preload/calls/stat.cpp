// stat, lstat, fstat, newfstatat, statx: Attributes in the shapes that the kernel gives them.
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint32_t kSectorsPerBlock = BT_PAGE_SIZE / 512;
constexpr uint32_t kStatFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
constexpr uint32_t kStatxSync = 0x6000;      // AT_STATX_SYNC_TYPE
constexpr uint32_t kMountIdUnique = 0x4000;  // STATX_MNT_ID_UNIQUE
constexpr uint32_t kStatxReserved = 0x80000000u;
/** What tmpfs can tell of attributes: append-only, immutable, no dump, automount, mount root, DAX.
 */
constexpr uint64_t kAttributesTold = 0x203070;

uint64_t device_number() {
  uint64_t minor = ring_segment()->device;
  return (minor & 0xff) | ((minor & ~0xffull) << 12);
}

const Attributes& attributes(const Slot* slot) {
  return *(const Attributes*)slot->attr;
}

void to_stat(const Attributes& from, struct stat& to) {
  memset(&to, 0, sizeof to);
  to.st_dev = device_number();
  to.st_ino = from.ino;
  to.st_nlink = from.nlink;
  to.st_mode = from.mode;
  to.st_uid = from.uid;
  to.st_gid = from.gid;
  to.st_rdev = from.rdev;
  to.st_size = (long)from.size;
  to.st_blksize = BT_PAGE_SIZE;
  to.st_blocks = (long)from.blocks * kSectorsPerBlock;
  to.st_atim = {from.atime, from.atimensec};
  to.st_mtim = {from.mtime, from.mtimensec};
  to.st_ctim = {from.ctime, from.ctimensec};
}

void to_time(struct statx_timestamp& to, int64_t seconds, uint32_t nanoseconds) {
  to.tv_sec = seconds;
  to.tv_nsec = nanoseconds;
}

/** chattr's flags; +A is not told. */
uint64_t told_attributes(uint32_t flags) {
  return (flags & BT_INODE_IMMUTABLE ? STATX_ATTR_IMMUTABLE : 0) |
         (flags & BT_INODE_APPEND ? STATX_ATTR_APPEND : 0) |
         (flags & BT_INODE_NODUMP ? STATX_ATTR_NODUMP : 0);
}

void to_statx(const Attributes& from, uint32_t wanted, struct statx& to) {
  memset(&to, 0, sizeof to);
  to.stx_mask = STATX_BASIC_STATS | (wanted & kMountIdUnique ? kMountIdUnique : STATX_MNT_ID) |
                (wanted & STATX_BTIME);
  // The kernel takes a time stamp only for who asks for one, and says so.
  if (!(wanted & (STATX_MTIME | STATX_CTIME)))
    to.stx_mask &= ~(uint32_t)(STATX_MTIME | STATX_CTIME);
  to.stx_attributes = told_attributes(from.flags);
  to.stx_attributes_mask = kAttributesTold;
  to.stx_blksize = BT_PAGE_SIZE;
  to.stx_nlink = from.nlink;
  to.stx_uid = from.uid;
  to.stx_gid = from.gid;
  to.stx_mode = (uint16_t)from.mode;
  to.stx_ino = from.ino;
  to.stx_size = from.size;
  to.stx_blocks = from.blocks * kSectorsPerBlock;
  to_time(to.stx_atime, from.atime, from.atimensec);
  if (wanted & STATX_BTIME) to_time(to.stx_btime, from.btime, from.btimensec);
  to_time(to.stx_ctime, from.ctime, from.ctimensec);
  to_time(to.stx_mtime, from.mtime, from.mtimensec);
  to.stx_rdev_major = (from.rdev >> 8) & 0xfff;
  to.stx_rdev_minor = (from.rdev & 0xff) | ((from.rdev >> 12) & 0xfff00);
  to.stx_dev_minor = ring_segment()->device;
  to.stx_mnt_id = kMountId;
}

long give_stat(const Call& call, const Attributes& from, long buffer) {
  auto* to = (struct stat*)buffer;
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  to_stat(from, *to);
  return 0;
}

long give_statx(const Call& call, const Attributes& from, long buffer) {
  auto* to = (struct statx*)buffer;
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  to_statx(from, (uint32_t)call.args[3], *to);
  return 0;
}

using Give = long (*)(const Call& call, const Attributes& from, long buffer);

/** The answer of the server (`slot`), of the store segment (`quick`), or of the kernel
 * (call.result). */
Verdict reply_with(Call& call, Thread& self, Slot* slot, const QuickAnswer& quick, long buffer,
                   Give give) {
  if (slot != nullptr) {
    if (slot->status != 0) return reply(call, self, slot->status);
    return reply(call, self, give(call, attributes(slot), buffer));
  }
  return quick.answered ? done(call, give(call, quick.attributes, buffer)) : Verdict::DONE;
}

Verdict stat_path(Call& call, Thread& self, PathCall paths, Fill fill, long buffer, Give give) {
  QuickAnswer quick;
  paths.quick = &quick;
  Slot* slot = ask(call, self, paths, fill);
  return reply_with(call, self, slot, quick, buffer, give);
}

void fill_stat(Slot& slot, const Call&) {
  slot.opcode = BT_OP_LOOKUP;
}
void fill_lstat(Slot& slot, const Call&) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = AT_SYMLINK_NOFOLLOW;
}
void fill_fstatat(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = (uint32_t)call.args[3] & AT_SYMLINK_NOFOLLOW;
}
void fill_statx(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = (uint32_t)call.args[2] & AT_SYMLINK_NOFOLLOW;
}

/** fstat: from the store segment, or GETATTR. */
Verdict stat_descriptor(Call& call, Thread& self, uint32_t description, long buffer, Give give) {
  QuickAnswer quick;
  quick.answered = quick_attributes(description_record(description)->ino, quick.attributes);
  Slot* slot = nullptr;
  if (!quick.answered) {
    slot = begin_on(call, self, description);
    if (slot == nullptr) return Verdict::DONE;
    slot->opcode = BT_OP_GETATTR;
    transact_plain(slot);
  }
  return reply_with(call, self, slot, quick, buffer, give);
}

/** No path at all says the same as "" here. */
uint32_t stat_flags_of(uint32_t at_flags) {
  return path_flags_of(at_flags) | (at_flags & AT_EMPTY_PATH ? PATH_NULL : 0);
}

/** True when (dirfd, path) is a virtual descriptor itself, the way glibc spells fstat. */
uint32_t descriptor_itself(Thread& self, long dirfd, long path, uint32_t at_flags, uint64_t stack) {
  if (!(at_flags & AT_EMPTY_PATH)) return 0;
  auto* text = (const char*)path;
  if (text != nullptr && (!readable(text, 1, stack) || *text != 0)) return 0;
  return description_of(self, dirfd);
}

}  // namespace

Verdict sys_stat(Call& call, Thread& self) {
  return stat_path(call, self, {.first = {.path = 0}}, fill_stat, call.args[1], give_stat);
}

Verdict sys_lstat(Call& call, Thread& self) {
  return stat_path(call, self, {.first = {.path = 0, .flags = PATH_NOFOLLOW}}, fill_lstat,
                   call.args[1], give_stat);
}

Verdict sys_fstat(Call& call, Thread& self) {
  uint32_t description = description_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  return stat_descriptor(call, self, description, call.args[1], give_stat);
}

Verdict sys_newfstatat(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[3];
  if (flags & ~kStatFlags) return Verdict::PASS;
  uint32_t description = descriptor_itself(self, call.args[0], call.args[1], flags, call.stack);
  if (description != 0) return stat_descriptor(call, self, description, call.args[2], give_stat);
  return stat_path(call, self, {.first = {.dirfd = 0, .path = 1, .flags = stat_flags_of(flags)}},
                   fill_fstatat, call.args[2], give_stat);
}

Verdict sys_statx(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[2];
  uint32_t mask = (uint32_t)call.args[3];
  bool refused = (flags & ~(kStatFlags | kStatxSync)) != 0 || (flags & kStatxSync) == kStatxSync ||
                 (mask & kStatxReserved) != 0;
  if (refused) return Verdict::PASS;
  uint32_t description = descriptor_itself(self, call.args[0], call.args[1], flags, call.stack);
  if (description != 0) return stat_descriptor(call, self, description, call.args[4], give_statx);
  return stat_path(call, self, {.first = {.dirfd = 0, .path = 1, .flags = stat_flags_of(flags)}},
                   fill_statx, call.args[4], give_statx);
}

}  // namespace btfuse
