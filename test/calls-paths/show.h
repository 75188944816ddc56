// Programs that print what the kernel answers. argv[1] is a directory H of the host's tmpfs, and
// H/bt is the place under test: a plain directory in the run that serves as oracle, the tree in the
// other. Both outputs must be equal, so nothing printed may depend on inode numbers, devices or
// times.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

extern char** environ;
static const char* H;

// The expression, its value, and the error where it is -1.
#define SHOW(expression)                                                       \
  do {                                                                         \
    errno = 0;                                                                 \
    long value_ = (long)(expression);                                          \
    if (value_ == -1)                                                          \
      printf("%s: %s -> %s\n", __func__, #expression, strerrorname_np(errno)); \
    else                                                                       \
      printf("%s: %s -> %ld\n", __func__, #expression, value_);                \
    fflush(stdout);                                                            \
  } while (0)

#define SAY(...) (printf("%s: ", __func__), printf(__VA_ARGS__), puts(""), fflush(stdout))

// "H" and what follows, in one of a few static buffers.
static inline const char* h(const char* rest) {
  static char buffers[8][PATH_MAX + 512];
  static unsigned next;
  char* to = buffers[next++ % 8];
  snprintf(to, sizeof buffers[0], "%s%s", H, rest);
  return to;
}

// A path without H, so that both runs print the same even if H differs.
static inline const char* short_of(const char* path) {
  size_t length = strlen(H);
  return strncmp(path, H, length) == 0 ? path + length : path;
}

static inline int make(const char* path, const char* text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0) return -1;
  long n = write(fd, text, strlen(text));
  close(fd);
  return n == (long)strlen(text) ? 0 : -2;
}

// The first bytes of a file, or the error.
static inline const char* text_of(const char* path) {
  static char text[256];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return strerrorname_np(errno);
  long n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n < 0) return strerrorname_np(errno);
  text[n] = 0;
  return text;
}

// Type and permissions; the error when there is none.
static inline const char* kind_of(const char* path, int follow) {
  static char text[64];
  struct stat st;
  if ((follow ? stat(path, &st) : lstat(path, &st)) != 0) return strerrorname_np(errno);
  snprintf(text, sizeof text, "%o", st.st_mode);
  return text;
}

static inline int same_file(const char* a, const char* b) {
  struct stat x, y;
  if (stat(a, &x) != 0 || stat(b, &y) != 0) return -1;
  return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}
