// stat, statx, access, chmod, chown, times, truncate, xattr, statfs.
#include "show.h"

static void tell(const char* path) {
  struct stat st;
  if (lstat(path, &st) != 0) {
    SAY("%s: %s", short_of(path), strerrorname_np(errno));
    return;
  }
  SAY("%s: mode %o links %lu uid %u gid %u rdev %lx size %ld blksize %ld blocks %ld",
      short_of(path), st.st_mode, (long)st.st_nlink, st.st_uid, st.st_gid, (long)st.st_rdev,
      (long)st.st_size, (long)st.st_blksize, (long)st.st_blocks);
}

static void times_of(const char* path) {
  struct stat st;
  if (lstat(path, &st) != 0) return;
  SAY("%s: %ld.%09ld %ld.%09ld", short_of(path), st.st_atim.tv_sec, st.st_atim.tv_nsec,
      st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void stats(void) {
  SHOW(make(h("/bt/f"), "0123456789"));
  SHOW(mkdir(h("/bt/d"), 01777));
  SHOW(symlink("f", h("/bt/l")));
  SHOW(mknod(h("/bt/p"), S_IFIFO | 0640, 0));
  SHOW(mknod(h("/bt/s"), S_IFSOCK | 0600, 0));
  SHOW(mknod(h("/bt/r"), S_IFREG | 0604, 0));
  SHOW(mknod(h("/bt/r0"), 0604, 0));
  SHOW(mknod(h("/bt/dir"), S_IFDIR | 0604, 0));
  if (geteuid() == 0) SHOW(mknod(h("/bt/c"), S_IFCHR | 0600, makedev(1, 300)));
  tell(h("/bt/f"));
  tell(h("/bt/l"));
  tell(h("/bt/p"));
  tell(h("/bt/s"));
  tell(h("/bt/r"));
  tell(h("/bt/r0"));
  tell(h("/bt/c"));
  struct stat st, top;
  stat(h("/bt/d"), &st);
  stat(h("/bt"), &top);
  SAY("one device: %d", st.st_dev == top.st_dev);
  SAY("d: %o %lu", st.st_mode, (long)st.st_nlink);
  int fd = open(h("/bt/f"), O_RDONLY);
  SHOW(fstat(fd, &st));
  SAY("size %ld", (long)st.st_size);
  struct statx sx;
  SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &sx));
  SAY("statx %x %o %llu %u %u", sx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME), sx.stx_mode,
      (long long)sx.stx_size, sx.stx_nlink, sx.stx_blksize);
  SHOW(statx(AT_FDCWD, h("/bt/l"), AT_SYMLINK_NOFOLLOW, STATX_MODE, &sx));
  SAY("link %d, born %d", S_ISLNK(sx.stx_mode), sx.stx_btime.tv_sec > 0);
  SHOW(statx(AT_FDCWD, h("/bt/c"), 0, STATX_ALL, &sx));
  SAY("rdev %u:%u", sx.stx_rdev_major, sx.stx_rdev_minor);
  SHOW(statx(AT_FDCWD, h("/bt/f"), 0x10000, STATX_ALL, &sx));
  SHOW(statx(AT_FDCWD, h("/bt/f"), 0, 0x80000000u, &sx));
  SHOW(fstatat(AT_FDCWD, h("/bt/f"), &st, 0x10000));
  close(fd);
}

static void accesses(void) {
  SHOW(access(h("/bt/f"), F_OK));
  SHOW(access(h("/bt/f"), R_OK | W_OK));
  SHOW(access(h("/bt/f"), X_OK));
  SHOW(access(h("/bt/f"), 8));
  SHOW(access(h("/bt/d"), X_OK));
  SHOW(access(h("/bt/none"), F_OK));
  SHOW(faccessat(AT_FDCWD, h("/bt/l"), X_OK, AT_SYMLINK_NOFOLLOW));
  SHOW(faccessat(AT_FDCWD, h("/bt/f"), R_OK, AT_EACCESS));
  int fd = open(h("/bt/f"), O_PATH);
  SHOW(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
  SHOW(syscall(SYS_faccessat2, fd, "", R_OK, 0x8000));
  close(fd);
}

static void modes(void) {
  SHOW(chmod(h("/bt/f"), 04751));
  tell(h("/bt/f"));
  SHOW(chmod(h("/bt/l"), 0640));
  tell(h("/bt/f"));
  SHOW(chmod(h("/bt/none"), 0640));
  SHOW(chmod(h("/bt/f/"), 0640));
  int fd = open(h("/bt/f"), O_RDONLY);
  SHOW(fchmod(fd, 0604));
  tell(h("/bt/f"));
  SHOW(fchmodat(AT_FDCWD, h("/bt/d"), 0700, 0));
  SHOW(syscall(452, AT_FDCWD, h("/bt/l"), 0700, AT_SYMLINK_NOFOLLOW));
  SHOW(syscall(452, fd, "", 0644, AT_EMPTY_PATH));
  tell(h("/bt/f"));
  close(fd);
  fd = open(h("/bt/f"), O_PATH);
  SHOW(fchmod(fd, 0600));
  SHOW(fchown(fd, -1, -1));
  struct stat st;
  SHOW(fstat(fd, &st));
  SHOW(ftruncate(fd, 1));
  close(fd);
}

static void owners(void) {
  SHOW(chown(h("/bt/f"), -1, -1));
  SHOW(lchown(h("/bt/l"), getuid(), getgid()));
  int fd = open(h("/bt/f"), O_RDONLY);
  SHOW(fchown(fd, getuid(), -1));
  SHOW(fchownat(fd, "", -1, getgid(), AT_EMPTY_PATH));
  SHOW(fchownat(AT_FDCWD, h("/bt/f"), -1, -1, 1));
  close(fd);
  if (geteuid() != 0) return;
  SHOW(chown(h("/bt/f"), 12, 34));
  SHOW(lchown(h("/bt/l"), 56, 78));
  tell(h("/bt/f"));
  tell(h("/bt/l"));
  SHOW(chown(h("/bt/l"), 9, -1));
  tell(h("/bt/f"));
  SHOW(chown(h("/bt/f"), 0, 0));
}

static void times(void) {
  struct timespec two[2] = {{1000000000, 123456789}, {-5, 999999999}};
  struct timeval old[2] = {{1234567890, 654321}, {77, 0}};
  struct utimbuf oldest = {111, 222};
  SHOW(utimensat(AT_FDCWD, h("/bt/f"), two, 0));
  times_of(h("/bt/f"));
  SHOW(utimensat(AT_FDCWD, h("/bt/l"), two, AT_SYMLINK_NOFOLLOW));
  times_of(h("/bt/l"));
  SHOW(utimes(h("/bt/f"), old));
  times_of(h("/bt/f"));
  SHOW(syscall(SYS_utime, h("/bt/f"), &oldest));
  times_of(h("/bt/f"));
  SHOW(syscall(SYS_utimes, h("/bt/f"), old));
  SHOW(syscall(SYS_futimesat, AT_FDCWD, h("/bt/f"), old));
  times_of(h("/bt/f"));
  old[0].tv_usec = 1000000;
  SHOW(syscall(SYS_utimes, h("/bt/f"), old));
  two[0].tv_nsec = UTIME_OMIT;
  two[1].tv_sec = 42;
  int fd = open(h("/bt/f"), O_RDONLY);
  SHOW(futimens(fd, two));
  times_of(h("/bt/f"));
  two[1].tv_nsec = UTIME_OMIT;
  SHOW(utimensat(AT_FDCWD, h("/bt/none"), two, 0));
  two[1].tv_nsec = 1000000000;
  SHOW(utimensat(AT_FDCWD, h("/bt/f"), two, 0));
  SHOW(utimensat(AT_FDCWD, h("/bt/f"), NULL, 0x400000));
  SHOW(utimensat(AT_FDCWD, h("/bt/f"), (struct timespec*)8, 0));
  SHOW(futimens(fd, NULL));
  struct stat st;
  fstat(fd, &st);
  SAY("now: %d", st.st_mtim.tv_sec > 1700000000);
  SHOW(utimensat(AT_FDCWD, h("/bt/none"), NULL, 0));
  close(fd);
}

static void truncates(void) {
  SHOW(truncate(h("/bt/f"), 4));
  SAY("%s", text_of(h("/bt/f")));
  SHOW(truncate(h("/bt/f"), 100000));
  tell(h("/bt/f"));
  SHOW(truncate(h("/bt/f"), -1));
  SHOW(truncate(h("/bt/d"), 0));
  SHOW(truncate(h("/bt/p"), 0));
  SHOW(truncate(h("/bt/none"), 0));
  int fd = open(h("/bt/f"), O_RDONLY);
  SHOW(ftruncate(fd, 0));
  close(fd);
  fd = open(h("/bt/f"), O_RDWR);
  SHOW(ftruncate(fd, 3));
  SHOW(ftruncate(fd, -3));
  close(fd);
  SAY("%s", text_of(h("/bt/f")));
}

static void others(void) {
  char list[100];
  SHOW(listxattr(h("/bt/f"), list, sizeof list));
  SHOW(listxattr(h("/bt/none"), list, sizeof list));
  SHOW(getxattr(h("/bt/none"), "user.x", list, sizeof list));
  struct statfs fs;
  SHOW(statfs(h("/bt/f"), &fs));
  SAY("%lx %ld %ld", fs.f_type, fs.f_bsize, fs.f_namelen);
  int fd = open(h("/bt/d"), O_RDONLY);
  SHOW(fstatfs(fd, &fs));
  SAY("%lx", fs.f_type);
  close(fd);
  SHOW(statfs(h("/bt/none"), &fs));
}

int main(int argc, char** argv) {
  H = argc > 1 ? argv[1] : ".";
  umask(022);
  stats();
  accesses();
  modes();
  owners();
  times();
  truncates();
  others();
}
