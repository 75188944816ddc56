// Every handler that btfuse_dispatch can reach: one per system call, named after it. A handler
// answers DONE with call.result, PASS when the kernel shall run the call as it stands, or AROUND
// for the clone family. Each line of a group names the file that holds the handler.
#pragma once
#include "../image/call.h"

namespace btfuse {

#define BTFUSE_HANDLER(name) Verdict sys_##name(Call& call, Thread& self)

// ---- paths --------------------------------------------------------------------------------------

// open.cpp
BTFUSE_HANDLER(open);
BTFUSE_HANDLER(creat);
BTFUSE_HANDLER(openat);
BTFUSE_HANDLER(openat2);
// handle.cpp
BTFUSE_HANDLER(name_to_handle_at);
BTFUSE_HANDLER(open_by_handle_at);
// stat.cpp
BTFUSE_HANDLER(stat);
BTFUSE_HANDLER(lstat);
BTFUSE_HANDLER(fstat);
BTFUSE_HANDLER(newfstatat);
BTFUSE_HANDLER(statx);
// access.cpp
BTFUSE_HANDLER(access);
BTFUSE_HANDLER(faccessat);
BTFUSE_HANDLER(faccessat2);
// attributes.cpp
BTFUSE_HANDLER(chmod);
BTFUSE_HANDLER(fchmod);
BTFUSE_HANDLER(fchmodat);
BTFUSE_HANDLER(fchmodat2);
BTFUSE_HANDLER(chown);
BTFUSE_HANDLER(lchown);
BTFUSE_HANDLER(fchown);
BTFUSE_HANDLER(fchownat);
BTFUSE_HANDLER(utime);
BTFUSE_HANDLER(utimes);
BTFUSE_HANDLER(futimesat);
BTFUSE_HANDLER(utimensat);
// truncate.cpp
BTFUSE_HANDLER(truncate);
BTFUSE_HANDLER(ftruncate);
// rename.cpp
BTFUSE_HANDLER(rename);
BTFUSE_HANDLER(renameat);
BTFUSE_HANDLER(renameat2);
// link.cpp
BTFUSE_HANDLER(link);
BTFUSE_HANDLER(linkat);
// symlink.cpp
BTFUSE_HANDLER(symlink);
BTFUSE_HANDLER(symlinkat);
// readlink.cpp
BTFUSE_HANDLER(readlink);
BTFUSE_HANDLER(readlinkat);
// mkdir.cpp
BTFUSE_HANDLER(mkdir);
BTFUSE_HANDLER(mkdirat);
BTFUSE_HANDLER(mknod);
BTFUSE_HANDLER(mknodat);
// unlink.cpp
BTFUSE_HANDLER(unlink);
BTFUSE_HANDLER(unlinkat);
BTFUSE_HANDLER(rmdir);
// directory.cpp
BTFUSE_HANDLER(getdents);
BTFUSE_HANDLER(getdents64);
// cwd.cpp
BTFUSE_HANDLER(chdir);
BTFUSE_HANDLER(fchdir);
BTFUSE_HANDLER(getcwd);
// statfs.cpp
BTFUSE_HANDLER(statfs);
BTFUSE_HANDLER(fstatfs);
// exec.cpp
BTFUSE_HANDLER(execve);
BTFUSE_HANDLER(execveat);
// inotify.cpp
BTFUSE_HANDLER(inotify_add_watch);
// xattr.cpp
BTFUSE_HANDLER(path_xattr);     // every xattr call that takes a path
BTFUSE_HANDLER(fd_xattr);       // every xattr call that takes a descriptor
BTFUSE_HANDLER(path_at_xattr);  // the *xattrat calls

// ---- descriptors --------------------------------------------------------------------------------

// descriptors.cpp
BTFUSE_HANDLER(close);
BTFUSE_HANDLER(close_range);
BTFUSE_HANDLER(dup);
BTFUSE_HANDLER(dup2);
BTFUSE_HANDLER(dup3);
// fcntl.cpp, locks.cpp
BTFUSE_HANDLER(fcntl);
BTFUSE_HANDLER(flock);
// ioctl.cpp
BTFUSE_HANDLER(ioctl);
// io.cpp
BTFUSE_HANDLER(read);
BTFUSE_HANDLER(write);
BTFUSE_HANDLER(pread64);
BTFUSE_HANDLER(pwrite64);
BTFUSE_HANDLER(readv);
BTFUSE_HANDLER(writev);
BTFUSE_HANDLER(preadv);
BTFUSE_HANDLER(pwritev);
BTFUSE_HANDLER(preadv2);
BTFUSE_HANDLER(pwritev2);
BTFUSE_HANDLER(lseek);
BTFUSE_HANDLER(prlimit64);  // setrlimit: RLIMIT_FSIZE
BTFUSE_HANDLER(fsync);      // fdatasync
BTFUSE_HANDLER(syncfs);
BTFUSE_HANDLER(sync_file_range);
BTFUSE_HANDLER(fallocate);
BTFUSE_HANDLER(fadvise64);  // readahead
BTFUSE_HANDLER(sendfile);
BTFUSE_HANDLER(copy_file_range);
BTFUSE_HANDLER(splice);  // tee, vmsplice
// aio.cpp
BTFUSE_HANDLER(io_submit);
// sockets.cpp
BTFUSE_HANDLER(bind);
BTFUSE_HANDLER(connect);
BTFUSE_HANDLER(sendto);
BTFUSE_HANDLER(accept);       // accept4
BTFUSE_HANDLER(getsockname);  // getpeername
BTFUSE_HANDLER(recvfrom);
// messages.cpp
BTFUSE_HANDLER(sendmsg);
BTFUSE_HANDLER(sendmmsg);
BTFUSE_HANDLER(recvmsg);
BTFUSE_HANDLER(recvmmsg);
// pidfd.cpp
BTFUSE_HANDLER(pidfd_getfd);
// mapping.cpp
BTFUSE_HANDLER(mmap);
BTFUSE_HANDLER(munmap);
BTFUSE_HANDLER(mprotect);
BTFUSE_HANDLER(msync);
BTFUSE_HANDLER(madvise);
BTFUSE_HANDLER(remap_file_pages);
// remap.cpp
BTFUSE_HANDLER(mremap);
// bus.cpp
BTFUSE_HANDLER(rt_sigaction);
BTFUSE_HANDLER(brk);
BTFUSE_HANDLER(shmdt);
// process.cpp
BTFUSE_HANDLER(fork);  // fork, vfork, clone, clone3
BTFUSE_HANDLER(vfork);
BTFUSE_HANDLER(clone);
BTFUSE_HANDLER(clone3);
BTFUSE_HANDLER(unshare);
BTFUSE_HANDLER(setns);
BTFUSE_HANDLER(exit);
BTFUSE_HANDLER(exit_group);
// credentials.cpp
BTFUSE_HANDLER(umask);
BTFUSE_HANDLER(setuid);  // and every other call that changes ids or groups

#undef BTFUSE_HANDLER

/** Answers with `result`. */
inline Verdict done(Call& call, long result) {
  call.result = result;
  return Verdict::DONE;
}

/** A call on the tree that we do not know: -ENOSYS, and counted where `btfuse doctor` sees it. */
Verdict unknown(Call& call);

}  // namespace btfuse
