// A full queue, many watches, many processes that change what one watches: what must hold whatever the order.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 8, FILES = 60 };
static char buffer[1 << 20];

static int limit_of(const char* name) {
  char path[100], text[32] = "";
  sprintf(path, "/proc/sys/fs/inotify/%s", name);
  int fd = open(path, O_RDONLY);
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return atoi(text);
}

/** As many events as there is room for, then IN_Q_OVERFLOW, once. */
static void overflow(void) {
  int fd = inotify_init1(IN_NONBLOCK), room = limit_of("max_queued_events");
  mkdir("o", 0755);
  inotify_add_watch(fd, "o", IN_CREATE | IN_DELETE);
  for (int i = 0; i < room / 2 + 100; i++) {
    mknod("o/f", S_IFREG | 0600, 0);
    unlink("o/f");
  }
  int events = 0, overflows = 0, wd = 0, length;
  while ((length = read(fd, buffer, sizeof buffer)) > 0)
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      events++;
      if (event->mask & IN_Q_OVERFLOW) {
        overflows++;
        wd = event->wd;
      }
      at += sizeof *event + event->len;
    }
  printf("overflow: %d too many, %d overflow, wd %d\n", events - room, overflows, wd);
  mkdir("o/after", 0755);
  length = read(fd, buffer, sizeof buffer);
  printf("and after it %d %x\n", length, ((struct inotify_event*)buffer)->mask);
  close(fd);
}

/** Processes make, fill and remove files in a watched directory: nothing is lost. */
static void crowd(void) {
  int fd = inotify_init1(0), counts[32] = {0}, ends = 0;
  mkdir("crowd", 0755);
  int wd = inotify_add_watch(fd, "crowd", IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVE);
  for (int p = 0; p < PROCESSES; p++)
    if (fork() == 0) {
      char name[64], moved[64];
      for (int i = 0; i < FILES; i++) {
        sprintf(name, "crowd/%d-%d", p, i);
        sprintf(moved, "crowd/%d-%d.done", p, i);
        int f = open(name, O_CREAT | O_WRONLY, 0600);
        if (write(f, name, 5) != 5) _exit(1);
        close(f);
        rename(name, moved);
        unlink(moved);
      }
      sprintf(name, "crowd/end-%d", p);
      mkdir(name, 0700);
      _exit(0);
    }
  while (ends < PROCESSES) {
    int length = read(fd, buffer, sizeof buffer);
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      for (int bit = 0; bit < 32; bit++) counts[bit] += event->mask >> bit & 1;
      if (event->wd != wd) printf("wd %d\n", event->wd);
      if (event->mask & IN_ISDIR) ends++;
      at += sizeof *event + event->len;
    }
  }
  while (wait(NULL) > 0) {
  }
  for (int bit = 0; bit < 32; bit++)
    if (counts[bit]) printf("bit %d: %d\n", bit, counts[bit]);
  close(fd);
}

/** Every directory of a tree watched, and what comes into it, as tools do it. */
static void recursive(void) {
  char path[300];
  int fd = inotify_init1(IN_NONBLOCK), last = 0, length, events = 0;
  for (int i = 0; i < 300; i++) {
    sprintf(path, "tree%d", i % 20);
    mkdir(path, 0755);
    sprintf(path, "tree%d/sub%d", i % 20, i);
    mkdir(path, 0755);
    last = inotify_add_watch(fd, path, IN_ALL_EVENTS | IN_ONLYDIR);
  }
  for (int i = 0; i < 300; i++) {
    sprintf(path, "tree%d/sub%d/file", i % 20, i);
    close(open(path, O_CREAT | O_WRONLY, 0600));
  }
  while ((length = read(fd, buffer, sizeof buffer)) > 0)
    for (char* at = buffer; at < buffer + length; events++) {
      struct inotify_event* event = (void*)at;
      at += sizeof *event + event->len;
    }
  printf("recursive: last watch %d, %d events\n", last, events);
  close(fd);
}

static void* add_and_remove(void* argument) {
  int fd = *(int*)argument, wrong = 0;
  for (int i = 0; i < 300; i++) {
    int wd = inotify_add_watch(fd, "threads", IN_CREATE);
    if (wd < 0) wrong++;
    mkdir("threads/x", 0700);
    rmdir("threads/x");
    rename("threads", "threads2");
    rename("threads2", "threads");
  }
  return (void*)(long)wrong;
}

/** Watches added while the directory moves: ENOENT at times, and never anything else. */
static void threads(void) {
  pthread_t others[3];
  int fd = inotify_init1(IN_NONBLOCK);
  mkdir("threads", 0755);
  for (int i = 0; i < 3; i++) pthread_create(&others[i], NULL, add_and_remove, &fd);
  for (int i = 0; i < 3; i++) pthread_join(others[i], NULL);
  int other = 0;
  for (int i = 0; i < 300; i++) {
    errno = 0;
    if (inotify_add_watch(fd, "threads", IN_CREATE) < 0 && errno != ENOENT) other = errno;
  }
  printf("threads: %d\n", other);
  close(fd);
}

/** 5,000 names there already, which may not be told of, but may go. */
static void large(void) {
  char path[64];
  int fd = inotify_init1(IN_NONBLOCK), deleted = 0, others = 0, length;
  mkdir("large", 0755);
  for (int i = 0; i < 5000; i++) {
    sprintf(path, "large/%d", i);
    mknod(path, S_IFREG | 0600, 0);
  }
  inotify_add_watch(fd, "large", IN_ALL_EVENTS);
  for (int i = 0; i < 5000; i++) {
    sprintf(path, "large/%d", i);
    unlink(path);
  }
  while ((length = read(fd, buffer, sizeof buffer)) > 0)
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      if (event->mask == IN_DELETE) deleted++;
      else others++;
      at += sizeof *event + event->len;
    }
  printf("large: %d deleted, %d others\n", deleted, others);
  close(fd);
}

int main(int argc, char** argv) {
  if (chdir(argv[1]) != 0) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  overflow();
  crowd();
  recursive();
  threads();
  large();
  return 0;
}
