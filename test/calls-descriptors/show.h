// Programs that print what the kernel answers. Each runs in an empty directory of tmpfs and in one
// of the tree; the outputs must be equal. argv[1] is the directory.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

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

static inline void fill(unsigned char* bytes, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i++) {
    seed = seed * 1103515245u + 12345u;
    bytes[i] = (unsigned char)(seed >> 16);
  }
}

static inline unsigned long sum(const unsigned char* bytes, size_t size) {
  unsigned long value = 14695981039346656037ul;
  for (size_t i = 0; i < size; i++) value = (value ^ bytes[i]) * 1099511628211ul;
  return value;
}

static inline int make(const char* name, const char* text) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) perror(name);
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static inline unsigned long sum_of(const char* name) {
  static unsigned char bytes[1 << 16];
  unsigned long value = 0;
  int fd = open(name, O_RDONLY);
  for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
    value = value * 31 + sum(bytes, got);
  close(fd);
  return value;
}

static inline int reap(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}
