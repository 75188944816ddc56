// A thread with the smallest stack that POSIX allows makes file calls.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void* work(void* unused) {
  (void)unused;
  char path[1024], byte;
  struct stat found;
  int fd = open("/etc/passwd", O_RDONLY);
  if (fd < 0 || read(fd, &byte, 1) != 1 || fstat(fd, &found) != 0 || close(fd) != 0) return "file";
  if (stat("/", &found) != 0 || access("/", R_OK) != 0) return "path";
  if (getcwd(path, sizeof path) == NULL || readlink("/proc/self/exe", path, sizeof path) < 0)
    return "link";
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  void* failed = "not run";
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, 16384) != 0) return 1;
  if (pthread_create(&thread, &attributes, work, NULL) != 0) return 1;
  pthread_join(thread, &failed);
  puts(failed == NULL ? "ok" : (char*)failed);
  return failed != NULL;
}
