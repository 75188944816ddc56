// The table of calls. A letter per parameter says what is filled in when it is left out:
//   .  nothing, it must be there        ?  0
//   B  room for as many bytes as the next parameter says; the answer shows what was read
//   G Y D E  the same for getcwd, names of attributes, sorted and raw directory entries
//   L  length of the parameter before   C  how many parts the parameter before has
//   T X F  struct stat, statx, statfs
#include "driver.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define CALL(name, parameters) \
  { #name, SYS_##name, parameters }
const struct call calls[] = {
    CALL(open, "..?"),
    CALL(openat, "...?"),
    CALL(openat2, "...L"),
    CALL(creat, ".."),
    CALL(close, "."),
    CALL(close_range, "..?"),
    CALL(read, ".B."),
    CALL(write, "..L"),
    CALL(pread64, ".B.."),
    CALL(pwrite64, "..L."),
    {"pread", SYS_pread64, ".B.."},
    {"pwrite", SYS_pwrite64, "..L."},
    CALL(readv, "..C"),
    CALL(writev, "..C"),
    CALL(preadv, "..C.?"),
    CALL(pwritev, "..C.?"),
    CALL(preadv2, "..C.?."),
    CALL(pwritev2, "..C.?."),
    CALL(lseek, "..."),
    CALL(truncate, ".."),
    CALL(ftruncate, ".."),
    CALL(fallocate, "...."),
    CALL(mkdir, ".."),
    CALL(mkdirat, "..."),
    CALL(rmdir, "."),
    CALL(unlink, "."),
    CALL(unlinkat, "..?"),
    CALL(rename, ".."),
    CALL(renameat, "...."),
    CALL(renameat2, "....?"),
    CALL(link, ".."),
    CALL(linkat, "....?"),
    CALL(symlink, ".."),
    CALL(symlinkat, "..."),
    CALL(readlink, ".B."),
    CALL(readlinkat, "..B."),
    CALL(mknod, "..?"),
    CALL(mknodat, "...?"),
    CALL(stat, ".T"),
    CALL(lstat, ".T"),
    CALL(fstat, ".T"),
    {"fstatat", SYS_newfstatat, "..T."},
    CALL(statx, "....X"),
    CALL(access, ".."),
    CALL(faccessat, "..."),
    CALL(faccessat2, "...?"),
    CALL(chmod, ".."),
    CALL(fchmod, ".."),
    CALL(fchmodat, "..."),
    CALL(fchmodat2, "...?"),
    CALL(chown, "..."),
    CALL(lchown, "..."),
    CALL(fchown, "..."),
    CALL(fchownat, "....?"),
    CALL(utime, ".."),
    CALL(utimes, ".."),
    CALL(futimesat, "..."),
    CALL(utimensat, "...?"),
    {"futimens", SYS_utimensat, ".?.?"},
    {"getdents", SYS_getdents64, ".D."},
    {"getdents_raw", SYS_getdents64, ".E."},
    CALL(getcwd, "G."),
    CALL(chdir, "."),
    CALL(fchdir, "."),
    CALL(chroot, "."),
    CALL(dup, "."),
    CALL(dup2, ".."),
    CALL(dup3, "..?"),
    CALL(fcntl, "..?"),
    CALL(flock, ".."),
    CALL(setxattr, "...L?"),
    CALL(lsetxattr, "...L?"),
    CALL(fsetxattr, "...L?"),
    CALL(getxattr, "..B."),
    CALL(lgetxattr, "..B."),
    CALL(fgetxattr, "..B."),
    CALL(listxattr, ".Y."),
    CALL(llistxattr, ".Y."),
    CALL(flistxattr, ".Y."),
    CALL(removexattr, ".."),
    CALL(lremovexattr, ".."),
    CALL(fremovexattr, ".."),
    CALL(statfs, ".F"),
    CALL(fstatfs, ".F"),
    CALL(sync, ""),
    CALL(fsync, "."),
    CALL(fdatasync, "."),
    CALL(syncfs, "."),
    CALL(sync_file_range, "...."),
    CALL(fadvise64, "...."),
    CALL(readahead, "..."),
    CALL(copy_file_range, ".....?"),
    CALL(splice, ".....?"),
    CALL(tee, "...?"),
    CALL(vmsplice, "..C?"),
    CALL(mmap, "?....."),
    CALL(munmap, ".."),
    CALL(msync, "..."),
    CALL(mprotect, "..."),
    CALL(madvise, "..."),
    CALL(mremap, "...??"),
    CALL(mlock, ".."),
    CALL(ioctl, "..?"),
    CALL(umask, "."),
    CALL(setfsuid, "."),
    CALL(setfsgid, "."),
    CALL(name_to_handle_at, "....?"),
    CALL(open_by_handle_at, "..."),
    CALL(socket, "..?"),
    CALL(bind, "..L"),
    CALL(connect, "..L"),
    CALL(listen, ".."),
    CALL(inotify_init1, "?"),
    CALL(inotify_add_watch, "..."),
    CALL(inotify_rm_watch, ".."),
    CALL(mount, "....?"),
    CALL(umount2, ".?"),
    CALL(pivot_root, ".."),
    CALL(swapon, ".?"),
    CALL(acct, "."),
    CALL(quotactl, "...."),
    CALL(uselib, "."),
    CALL(epoll_create1, "?"),
    CALL(eventfd2, "??"),
    CALL(fanotify_init, ".."),
    CALL(fanotify_mark, "....."),
    CALL(memfd_create, ".."),
    CALL(sched_yield, ""),
    {NULL, 0, NULL},
};

extern volatile sig_atomic_t file_size_signals, pipe_signals;

/// `extra` of the optional parameters are there.
static void fill(struct actor* self, const struct call* call, int extra) {
  struct value given[MAX_ARGS];
  memcpy(given, self->args, sizeof given);
  const int count = strlen(call->parameters);
  int next = 0;
  // From the front: B needs the size that follows it, which is given.
  for (int i = 0; i < count; i++) {
    struct value* arg = &self->args[i];
    size_t room = 0;
    switch (call->parameters[i]) {
      case '.':
        *arg = given[next++];
        continue;
      case 'B':
      case 'G':
      case 'Y':
      case 'D':
      case 'E':
        room = given[next].number;
        if (given[next].number < 0 || room > 4 << 20) room = 4 << 20;
        break;
      case 'L':
        *arg = (struct value){NUMBER, self->args[i - 1].size};
        if (self->args[i - 1].kind == LONGS) arg->number *= 8;
        continue;
      case 'C':
        *arg = (struct value){NUMBER, self->args[i - 1].size};
        continue;
      case 'T':
      case 'X':
      case 'F':
        room = 512;
        break;
      default:
        *arg = extra-- > 0 ? given[next++] : (struct value){NUMBER, 0};
        continue;
    }
    *arg = (struct value){BYTES, (long)allocate(self, room), room, false};
  }
  self->arg_count = count;
}

static bool complete(struct actor* self, const struct call* call) {
  const int count = strlen(call->parameters);
  int needed = 0, optional = 0;
  for (int i = 0; i < count; i++) {
    needed += call->parameters[i] == '.';
    optional += call->parameters[i] == '?';
  }
  if (self->arg_count == count) return true;
  if (self->arg_count >= needed && self->arg_count <= needed + optional) {
    fill(self, call, self->arg_count - needed);
    return self->error == NULL;
  }
  self->error = "not as many arguments as the call has";
  return false;
}

bool perform(struct actor* self, const char* name, long* result) {
  for (const struct custom_call* custom = custom_calls; custom->name; custom++)
    if (strcmp(custom->name, name) == 0) {
      *result = custom->perform(self);
      return true;
    }
  const struct call* call = calls;
  while (call->name && strcmp(call->name, name) != 0) call++;
  if (!call->name) return false;
  if (!complete(self, call)) return true;
  long n[6] = {0};
  for (int i = 0; i < self->arg_count && i < 6; i++) n[i] = self->args[i].number;
  file_size_signals = pipe_signals = 0;
  *result = syscall(call->number, n[0], n[1], n[2], n[3], n[4], n[5]);
  if (*result == -1) *result = -errno;
  const bool address = call->number == SYS_mmap || call->number == SYS_mremap;
  if (address && (unsigned long)*result < -4095ul)
    put(&self->out, "mapped");
  else
    put_result(self, *result);
  if (*result >= 0) put_outputs(self, call, *result);
  for (int i = 0; i < file_size_signals; i++) put(&self->out, " SIGXFSZ");
  for (int i = 0; i < pipe_signals; i++) put(&self->out, " SIGPIPE");
  return true;
}
