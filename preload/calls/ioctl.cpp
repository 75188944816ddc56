// The ioctls that programs send to regular files and directories, with tmpfs's answers.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "calls.h"
#include "io.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** FS_IOC_FIEMAP, whose header defines it by a struct that we do not need. */
constexpr uint32_t kFiemap = 0xc020660b;

template <typename Value>
long give(Call& call, Value value) {
  auto* to = (Value*)call.args[2];
  if (!writable(to, sizeof value, call.stack)) return -EFAULT;
  *to = value;
  return 0;
}

/** Bytes from the file offset to the end. */
long readable_bytes(Call& call, Thread& self, uint32_t id) {
  if (!S_ISREG(description_record(id)->mode)) return -ENOTTY;
  long size = file_size(self, id, call.stack);
  if (size < 0) return size;
  return give(call, (int)(size - description_state(id)->position));
}

long set_nonblocking(Call& call, uint32_t id) {
  auto* on = (const int*)call.args[2];
  if (!readable(on, sizeof *on, call.stack)) return -EFAULT;
  uint32_t* status = &description_state(id)->status_flags;
  if (*on != 0)
    __atomic_fetch_or(status, O_NONBLOCK, __ATOMIC_ACQ_REL);
  else
    __atomic_fetch_and(status, ~(uint32_t)O_NONBLOCK, __ATOMIC_ACQ_REL);
  return 0;
}

// ---- chattr -------------------------------------------------------------------------------------

struct Flag {
  uint32_t inode, flag, extended;
};
constexpr Flag kFlags[] = {
    {BT_INODE_IMMUTABLE, FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
    {BT_INODE_APPEND, FS_APPEND_FL, FS_XFLAG_APPEND},
    {BT_INODE_NODUMP, FS_NODUMP_FL, FS_XFLAG_NODUMP},
    {BT_INODE_NOATIME, FS_NOATIME_FL, FS_XFLAG_NOATIME},
};
/** A flag that tmpfs does not take: the server refuses it in the kernel's order. */
constexpr uint32_t kUnsupported = FS_UNRM_FL;
/** Bits of fsx_xflags that the kernel takes off, when the size that they speak of is 0. */
constexpr uint32_t kIgnored = FS_XFLAG_PREALLOC | FS_XFLAG_HASATTR;

/** Inode.flags, or -errno. */
long inode_flags(Call& call, Thread& self, uint32_t id) {
  Slot* slot = begin_on(call, self, id);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_GETATTR;
  long result = transact_plain(slot);
  if (result == 0) result = (long)((const Attributes*)slot->attr)->flags;
  end(self);
  return result;
}

long set_inode_flags(Call& call, Thread& self, uint32_t id, uint32_t flags) {
  Slot* slot = begin_on(call, self, id);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_SETATTR;
  slot->flags = AT_EMPTY_PATH;
  slot->valid = BT_FATTR_INODE_FLAGS;
  slot->mode = flags;
  long result = transact_plain(slot);
  end(self);
  return result;
}

long give_flags(Call& call, Thread& self, uint32_t id) {
  const long flags = inode_flags(call, self, id);
  if (flags < 0) return flags;
  uint32_t told = 0;
  for (const Flag& one : kFlags) told |= (uint32_t)flags & one.inode ? one.flag : 0;
  return give(call, (int)told);
}

long take_flags(Call& call, Thread& self, uint32_t id) {
  auto* flags = (const uint32_t*)call.args[2];
  if (!readable(flags, sizeof *flags, call.stack)) return -EFAULT;
  return set_inode_flags(call, self, id, *flags);
}

long give_fsxattr(Call& call, Thread& self, uint32_t id) {
  const long flags = inode_flags(call, self, id);
  if (flags < 0) return flags;
  auto* to = (struct fsxattr*)call.args[2];
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  memset(to, 0, sizeof *to);
  for (const Flag& one : kFlags) to->fsx_xflags |= (uint32_t)flags & one.inode ? one.extended : 0;
  return 0;
}

long take_fsxattr(Call& call, Thread& self, uint32_t id) {
  auto* from = (const struct fsxattr*)call.args[2];
  if (!readable(from, sizeof *from, call.stack)) return -EFAULT;
  const struct fsxattr wanted = *from;
  const bool regular = S_ISREG(description_record(id)->mode);
  if (wanted.fsx_xflags & (regular ? FS_XFLAG_EXTSZINHERIT : FS_XFLAG_EXTSIZE)) return -EINVAL;
  uint32_t rest = wanted.fsx_xflags & ~kIgnored;
  if (wanted.fsx_extsize == 0) rest &= ~(uint32_t)(FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT);
  if (wanted.fsx_cowextsize == 0) rest &= ~(uint32_t)FS_XFLAG_COWEXTSIZE;
  uint32_t flags = 0;
  for (const Flag& one : kFlags) {
    if (rest & one.extended) flags |= one.flag;
    rest &= ~one.extended;
  }
  if (rest | wanted.fsx_extsize | wanted.fsx_cowextsize | wanted.fsx_projid) flags |= kUnsupported;
  return set_inode_flags(call, self, id, flags);
}

long on_file(Call& call, Thread& self, uint32_t id) {
  bool regular = S_ISREG(description_record(id)->mode);
  switch ((uint32_t)call.args[1]) {
    case FIONREAD:
      return readable_bytes(call, self, id);
    case FIONBIO:
      return set_nonblocking(call, id);
    case FIOQSIZE: {
      long size = file_size(self, id, call.stack);
      return size < 0 ? size : give(call, (int64_t)size);
    }
    case FIGETBSZ:
      return give(call, (int)BT_PAGE_SIZE);
    case FIBMAP:
      return regular ? -EINVAL : -ENOTTY;
    case FS_IOC_GETFLAGS:
      return give_flags(call, self, id);
    case FS_IOC_SETFLAGS:
      return take_flags(call, self, id);
    case FS_IOC_FSGETXATTR:
      return give_fsxattr(call, self, id);
    case FS_IOC_FSSETXATTR:
      return take_fsxattr(call, self, id);
    case kFiemap:
      return -EOPNOTSUPP;
    case FICLONE:
      if (!regular) return -EISDIR;
      return file_of(self, call.args[2]) != 0 ? -EOPNOTSUPP : -EXDEV;
    case FICLONERANGE: {
      auto* range = (const struct file_clone_range*)call.args[2];
      if (!readable(range, sizeof *range, call.stack)) return -EFAULT;
      if (!regular) return -EISDIR;
      return file_of(self, range->src_fd) != 0 ? -EOPNOTSUPP : -EXDEV;
    }
    case FIDEDUPERANGE:
      return regular ? -EOPNOTSUPP : -EISDIR;
    default:
      return -ENOTTY;
  }
}

}  // namespace

Verdict sys_ioctl(Call& call, Thread& self) {
  if (is_private_fd(call.args[0])) return done(call, -EBADF);
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  if (description_record(id)->open_flags & O_PATH) return done(call, -EBADF);
  uint32_t request = (uint32_t)call.args[1];
  if (request == FIOCLEX || request == FIONCLEX)
    return Verdict::PASS;  // of the number, not the file
  return done(call, on_file(call, self, id));
}

}  // namespace btfuse
