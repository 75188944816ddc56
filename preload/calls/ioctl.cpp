// The ioctls that programs send to regular files and directories, with tmpfs's answers.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "calls.h"
#include "io.h"
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

/** FS_IOC_SETFLAGS: the flags are never set, so only "none" can be. */
long set_inode_flags(Call& call) {
  auto* flags = (const int*)call.args[2];
  if (!readable(flags, sizeof *flags, call.stack)) return -EFAULT;
  return *flags == 0 ? 0 : -EOPNOTSUPP;
}

long give_fsxattr(Call& call) {
  auto* to = (struct fsxattr*)call.args[2];
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  memset(to, 0, sizeof *to);
  return 0;
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
      return give(call, (int)0);
    case FS_IOC_SETFLAGS:
      return set_inode_flags(call);
    case FS_IOC_FSGETXATTR:
      return give_fsxattr(call);
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
