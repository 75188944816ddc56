// Calls that notify where one would not think so, and calls that do not: vectors at the end of a file, programs
// that are executed, what fails.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int queue;

static void drain(const char* what, long result) {
  char buffer[16384];
  int length;
  printf("%s = %ld:", what, result < 0 ? -errno : result);
  while ((length = read(queue, buffer, sizeof buffer)) > 0)
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      printf(" [%d %x %s]", event->wd, event->mask, event->len ? event->name : "");
      at += sizeof *event + event->len;
    }
  printf("\n");
  fflush(stdout);
}
#define DO(expression) drain(#expression, (long)(expression))

static void copy(const char* from, const char* to) {
  char buffer[1 << 16];
  int f = open(from, O_RDONLY), g = open(to, O_CREAT | O_WRONLY, 0755), length;
  while ((length = read(f, buffer, sizeof buffer)) > 0)
    if (write(g, buffer, length) != length) exit(1);
  close(f);
  close(g);
}

static void execute(const char* path) {
  if (fork() == 0) {
    execl(path, "program", NULL);
    _exit(1);
  }
  int status;
  wait(&status);
  drain(path, status);
}

int main(int argc, char** argv) {
  if (chdir(argv[1]) != 0) return 1;
  char buffer[100];
  struct iovec vector = {buffer, sizeof buffer}, empty = {"", 0};
  mkdir("d", 0755);
  copy("/bin/true", "d/program");
  int f = open("d/script", O_CREAT | O_WRONLY, 0755);
  dprintf(f, "#!/bin/sh\nexit 0\n");
  close(f);
  queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  DO(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
  f = open("d/script", O_RDONLY);
  DO(lseek(f, 0, SEEK_END));
  DO(read(f, buffer, 10));
  DO(readv(f, &vector, 1));
  DO(preadv(f, &vector, 1, 1000));
  DO(preadv2(f, &vector, 1, 1000, 0));
  DO(flock(f, LOCK_EX));
  DO(posix_fadvise(f, 0, 0, POSIX_FADV_WILLNEED));
  DO(close(f));
  execute("d/program");
  execute("d/program");
  execute("d/script");
  DO(opendir("d") != NULL);
  DO(truncate("d", 1));
  DO(access("d/x", 0));
  DO(creat("d/x/y", 0600));
  DO(open("d/program", O_RDWR | O_EXCL | O_CREAT, 0600));
  DO(rename("d/none", "d/x"));
  DO(rmdir("d/script"));
  DO(unlink("d"));
  f = open("d/append", O_CREAT | O_WRONLY | O_APPEND, 0644);
  DO(write(f, "abc", 3));
  DO(writev(f, &empty, 1));
  DO(write(f, (char*)8, 3));
  DO(close(f));
  f = open("d/append", O_RDONLY);
  DO(read(f, (char*)8, 3));
  DO(close(f));
  DO((f = open("d/append", O_CREAT | O_RDWR | O_TRUNC, 0644)) > 0);
  DO(ftruncate(f, 0));
  DO(ftruncate(f, 1 << 20));
  DO(pread(f, buffer, 100, 1000));
  DO(fallocate(f, 3, 0, 4096));
  DO(close(f));
  DO((f = open("d/append", 3)) > 0);
  DO(close(f));
  f = open("d", O_RDONLY | O_DIRECTORY);
  drain("open", 0);
  DO(mkdirat(f, "at", 0700));
  DO(openat(f, "at", O_RDONLY) > 0);
  DO(unlinkat(f, "at", AT_REMOVEDIR));
  DO(close(f));
  return 0;
}
