// From the number of a system call to its handler. The entry stub sends only what the class table
// (ringbuf/syscalls.ts) marks; everything that it may send stands here.
#include <errno.h>

#include "calls.h"
#include "descriptors.h"
#include "dispatch_refused.h"
#include "user_memory.h"
#ifdef BTFUSE_STATIC
#include "../static/own_exe.h"
#endif

namespace btfuse {

Verdict unknown(Call& call) {
  __atomic_fetch_add(&ring_header()->unknown_calls, 1, __ATOMIC_RELAXED);
  return done(call, -ENOSYS);
}

namespace {

#define ROUTE(name) \
  case SYS_##name:  \
    return sys_##name(call, self)
#define ROUTE_TO(name, handler) \
  case SYS_##name:              \
    return handler(call, self)

Verdict dispatch_paths(Call& call, Thread& self) {
  switch (call.nr) {
    ROUTE(open);
    ROUTE(creat);
    ROUTE(openat);
    ROUTE(openat2);
    ROUTE(name_to_handle_at);
    ROUTE(open_by_handle_at);
    ROUTE(stat);
    ROUTE(lstat);
    ROUTE(fstat);
    ROUTE(newfstatat);
    ROUTE(statx);
    ROUTE(access);
    ROUTE(faccessat);
    ROUTE(faccessat2);
    ROUTE(chmod);
    ROUTE(fchmod);
    ROUTE(fchmodat);
    case kFchmodat2:
      return sys_fchmodat2(call, self);
      ROUTE(chown);
      ROUTE(lchown);
      ROUTE(fchown);
      ROUTE(fchownat);
      ROUTE(utime);
      ROUTE(utimes);
      ROUTE(futimesat);
      ROUTE(utimensat);
      ROUTE(truncate);
      ROUTE(ftruncate);
      ROUTE(rename);
      ROUTE(renameat);
      ROUTE(renameat2);
      ROUTE(link);
      ROUTE(linkat);
      ROUTE(symlink);
      ROUTE(symlinkat);
      ROUTE(readlink);
      ROUTE(readlinkat);
      ROUTE(mkdir);
      ROUTE(mkdirat);
      ROUTE(mknod);
      ROUTE(mknodat);
      ROUTE(unlink);
      ROUTE(unlinkat);
      ROUTE(rmdir);
      ROUTE(getdents);
      ROUTE(getdents64);
      ROUTE(chdir);
      ROUTE(fchdir);
      ROUTE(getcwd);
      ROUTE(statfs);
      ROUTE(fstatfs);
      ROUTE(execve);
      ROUTE(execveat);
      ROUTE(inotify_add_watch);
      ROUTE_TO(setxattr, sys_path_xattr);
      ROUTE_TO(lsetxattr, sys_path_xattr);
      ROUTE_TO(getxattr, sys_path_xattr);
      ROUTE_TO(lgetxattr, sys_path_xattr);
      ROUTE_TO(listxattr, sys_path_xattr);
      ROUTE_TO(llistxattr, sys_path_xattr);
      ROUTE_TO(removexattr, sys_path_xattr);
      ROUTE_TO(lremovexattr, sys_path_xattr);
      ROUTE_TO(fsetxattr, sys_fd_xattr);
      ROUTE_TO(fgetxattr, sys_fd_xattr);
      ROUTE_TO(flistxattr, sys_fd_xattr);
      ROUTE_TO(fremovexattr, sys_fd_xattr);
    default:
      return refuse(call, self);
  }
}

/** Numbers from BT_PRIVATE_FD_MIN on that a descriptor of ours may have where others stood before.
 */
constexpr uint32_t kOwnNumbers = 1024 - BT_PRIVATE_FD_MIN;

/** Does the first argument name one of the shim's own descriptors? To the program they are closed.
 */
__attribute__((noinline)) bool on_private_fd(const Call& call) {
  if (!is_private_fd(call.args[0])) return false;
  if (call.nr < kSyscallsMax && btfuse_call_class[call.nr] == CLASS_FD) return true;
  switch (call.nr) {
    case SYS_getdents:
    case SYS_getdents64:
    case SYS_sendfile:
    case SYS_copy_file_range:
    case SYS_splice:
      return true;
    case SYS_openat:
    case SYS_openat2:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_fchmodat:
    case kFchmodat2:
    case SYS_fchownat:
    case SYS_futimesat:
    case SYS_utimensat:
    case SYS_mkdirat:
    case SYS_mknodat:
    case SYS_unlinkat:
    case SYS_readlinkat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
    case SYS_execveat:
    case SYS_name_to_handle_at: {
      // A path that starts at the root never asks for the directory.
      auto* path = (const char*)call.args[1];
      if (path == nullptr) return true;
      return readable(path, 1, call.stack) && *path != '/';
    }
    default:
      return false;
  }
}

}  // namespace

extern "C" Verdict btfuse_dispatch(Call* at) {
  Call& call = *at;
  Thread& self = thread;
  if (client.ring == nullptr) return Verdict::PASS;
  if ((uint32_t)call.args[0] - (uint32_t)BT_PRIVATE_FD_MIN < kOwnNumbers && on_private_fd(call)) {
    return done(call, -EBADF);
  }
#ifdef BTFUSE_STATIC
  Verdict redirected;
  if (redirect_own_exe(call, redirected)) return redirected;
#endif
  switch (call.nr) {
    ROUTE(close);
    ROUTE(close_range);
    ROUTE(dup);
    ROUTE(dup2);
    ROUTE(dup3);
    ROUTE(fcntl);
    ROUTE(flock);
    ROUTE(ioctl);
    ROUTE(read);
    ROUTE(write);
    ROUTE(pread64);
    ROUTE(pwrite64);
    ROUTE(readv);
    ROUTE(writev);
    ROUTE(preadv);
    ROUTE(pwritev);
    ROUTE(preadv2);
    ROUTE(pwritev2);
    ROUTE(lseek);
    ROUTE(fsync);
    ROUTE_TO(fdatasync, sys_fsync);
    ROUTE(syncfs);
    ROUTE(sync_file_range);
    ROUTE(fallocate);
    ROUTE(fadvise64);
    ROUTE_TO(readahead, sys_fadvise64);
    ROUTE(sendfile);
    ROUTE(copy_file_range);
    ROUTE(splice);
    ROUTE_TO(tee, sys_splice);
    ROUTE_TO(vmsplice, sys_splice);
    ROUTE(io_submit);
    ROUTE(sendto);
    ROUTE(recvfrom);
    ROUTE(sendmsg);
    ROUTE(recvmsg);
    ROUTE(sendmmsg);
    ROUTE(recvmmsg);
    case kPidfdGetfd:
      return sys_pidfd_getfd(call, self);
      ROUTE(bind);
      ROUTE(connect);
      ROUTE(accept);
      ROUTE_TO(accept4, sys_accept);
      ROUTE(getsockname);
      ROUTE_TO(getpeername, sys_getsockname);
      ROUTE(mmap);
      ROUTE(munmap);
      ROUTE(mprotect);
      ROUTE(mremap);
      ROUTE(msync);
      ROUTE(madvise);
      ROUTE_TO(pkey_mprotect, sys_mprotect);
      ROUTE(remap_file_pages);
      ROUTE(rt_sigaction);
      ROUTE(brk);
      ROUTE(shmdt);
      ROUTE(fork);
      ROUTE(vfork);
      ROUTE(clone);
      ROUTE(clone3);
      ROUTE(unshare);
      ROUTE(setns);
      ROUTE(exit);
      ROUTE(exit_group);
      ROUTE(prlimit64);
      ROUTE_TO(setrlimit, sys_prlimit64);
      ROUTE(umask);
      ROUTE(setuid);
      ROUTE_TO(setgid, sys_setuid);
      ROUTE_TO(setreuid, sys_setuid);
      ROUTE_TO(setregid, sys_setuid);
      ROUTE_TO(setgroups, sys_setuid);
      ROUTE_TO(setresuid, sys_setuid);
      ROUTE_TO(setresgid, sys_setuid);
      ROUTE_TO(setfsuid, sys_setuid);
      ROUTE_TO(setfsgid, sys_setuid);
      ROUTE_TO(capset, sys_setuid);
    case SYS_sync:
      return Verdict::PASS;  // the tree has nothing that a crash of the machine could save
    default:
      return dispatch_paths(call, self);
  }
}

}  // namespace btfuse
