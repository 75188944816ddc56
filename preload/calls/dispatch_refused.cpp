#include "dispatch_refused.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "descriptors.h"
#include "paths.h"
#include "user_memory.h"

namespace btfuse {

namespace {

// Younger than some kernel headers.
constexpr long kFirstXattrAt = 463, kLastXattrAt = 466;
constexpr long kOpenTreeAttr = 467, kFileGetattr = 468, kFileSetattr = 469;
constexpr long kQuotactlFd = 443, kMountSetattr = 442, kCachestat = 451;
constexpr long kLastKnown = 469;

bool in_tree(Call& call, Thread& self, long dirfd, int path) {
  Target target;
  classify(self, dirfd, (const char*)call.args[path], PATH_EMPTY, call.stack, target);
  return target.where != Where::HOST;
}

Verdict unless(bool tree, Call& call) {
  return tree ? unknown(call) : Verdict::PASS;
}

/** What a process without privileges would be told. */
Verdict deny(bool tree, Call& call) {
  return tree ? done(call, -EPERM) : Verdict::PASS;
}

/** Most file systems have a source that is a mere word ("none", "proc"), which is no relative path.
 */
bool names_source(const Call& call) {
  const uint64_t flags = (uint64_t)call.args[3];
  constexpr uint64_t kChanges = MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  if ((flags & (MS_BIND | MS_MOVE)) != 0) return true;
  const char* source = (const char*)call.args[0];
  return (flags & kChanges) == 0 && readable(source, 1, call.stack) && *source == '/';
}

}  // namespace

Verdict refuse(Call& call, Thread& self) {
  switch (call.nr) {
    case SYS_io_uring_setup:
      // Runtimes fall back to plain calls; a ring of the kernel would bypass us.
      return done(call, -ENOSYS);
    case SYS_chroot:
    case SYS_pivot_root:
      return in_tree(call, self, AT_FDCWD, 0) ? done(call, -EPERM) : Verdict::PASS;
    case SYS_mount:
      // No kernel object stands behind a path of the tree: nothing can be mounted there, or from
      // there.
      return deny((names_source(call) && in_tree(call, self, AT_FDCWD, 0)) ||
                      in_tree(call, self, AT_FDCWD, 1),
                  call);
    case SYS_umount2:
      if (!in_tree(call, self, AT_FDCWD, 0)) return Verdict::PASS;
      return done(call, process_at(process_of(self))->uid == 0 ? -EINVAL : -EPERM);
    case SYS_acct:
    case SYS_swapon:
    case SYS_swapoff:
      return deny(in_tree(call, self, AT_FDCWD, 0), call);
    case SYS_fanotify_mark:
      return deny(in_tree(call, self, call.args[3], 4), call);
    case SYS_open_tree:
    case SYS_fspick:
    case kMountSetattr:
    case kOpenTreeAttr:
      return deny(in_tree(call, self, call.args[0], 1), call);
    case kFileGetattr:
    case kFileSetattr:
      return unless(in_tree(call, self, call.args[0], 1), call);
    case SYS_move_mount:
      return deny(in_tree(call, self, call.args[0], 1) || in_tree(call, self, call.args[2], 3),
                  call);
    case kQuotactlFd:
    case kCachestat:
      return unless(file_of(self, call.args[0]) != 0, call);
    default:
      break;
  }
  if (call.nr >= kFirstXattrAt && call.nr <= kLastXattrAt) return sys_path_at_xattr(call, self);
  // Newer than this shim: nobody knows whether it names a file.
  return call.nr > kLastKnown ? unknown(call) : Verdict::PASS;
}

}  // namespace btfuse
