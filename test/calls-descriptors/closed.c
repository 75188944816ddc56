#include "show.h"

#include <dirent.h>

// Numbers that nobody opened are closed, whoever keeps something there.
enum { FIRST = 895, LAST = 915 };

static void data(int fd) {
  char bytes[8] = "";
  struct iovec part = {bytes, sizeof bytes};
  SHOW(read(fd, bytes, 8));
  SHOW(write(fd, bytes, 8));
  SHOW(pread(fd, bytes, 8, 0));
  SHOW(pwrite(fd, bytes, 8, 0));
  SHOW(readv(fd, &part, 1));
  SHOW(writev(fd, &part, 1));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0));
  SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, fd, 0) != MAP_FAILED);
  SHOW(ftruncate(fd, 0));
  SHOW(fallocate(fd, 0, 0, 8));
  SHOW(fsync(fd));
  SHOW(syncfs(fd));
  SHOW(posix_fadvise(fd, 0, 0, 0));
  SHOW(flock(fd, LOCK_EX | LOCK_NB));
  int own = open("file", O_RDWR | O_CREAT, 0600), other = open("/dev/null", O_RDWR);
  SHOW(sendfile(own, fd, 0, 8));
  SHOW(sendfile(other, fd, 0, 8));
  SHOW(sendfile(fd, own, 0, 8));
  SHOW(copy_file_range(fd, 0, own, 0, 8, 0));
  SHOW(copy_file_range(own, 0, fd, 0, 8, 0));
  close(own);
  close(other);
}

static void attributes(int fd) {
  struct stat status;
  struct statfs system;
  struct statx extended;
  char list[64];
  SHOW(fstat(fd, &status));
  SHOW(fstatat(fd, "", &status, AT_EMPTY_PATH));
  SHOW(fstatat(fd, ".", &status, 0));
  SHOW(fstatat(fd, "/", &status, 0));
  SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &extended));
  SHOW(fstatfs(fd, &system));
  SHOW(fchmod(fd, 0600));
  SHOW(fchown(fd, 0, 0));
  SHOW(futimens(fd, 0));
  SHOW(flistxattr(fd, list, sizeof list));
  SHOW(fchdir(fd));
  SHOW(openat(fd, ".", O_RDONLY));
  SHOW(openat(fd, "x", O_RDONLY | O_CREAT, 0600));
  SHOW(mkdirat(fd, "x", 0700));
  SHOW(unlinkat(fd, "x", 0));
  SHOW(faccessat(fd, "x", F_OK, 0));
  SHOW(syscall(SYS_getdents64, fd, list, sizeof list));
  SHOW(fdopendir(fd) != 0);
}

static void numbers(int fd) {
  int value;
  SHOW(fcntl(fd, F_GETFD));
  SHOW(fcntl(fd, F_GETFL));
  SHOW(fcntl(fd, F_DUPFD, 0));
  SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
  SHOW(ioctl(fd, FIONREAD, &value));
  SHOW(isatty(fd));
  SHOW(dup(fd));
  SHOW(dup2(fd, 5));
  SHOW(dup2(fd, fd));
  SHOW(dup3(fd, 6, O_CLOEXEC));
  SHOW(close(fd));
}

int main(int argc, char** argv) {
  chdir(argv[1]);
  for (int fd = FIRST; fd <= LAST; fd++) {
    data(fd);
    attributes(fd);
    numbers(fd);
  }
  puts("done");
  return 0;
}
