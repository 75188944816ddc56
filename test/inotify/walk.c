// Random operations from a seed, with random watches, each followed by all events there are.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { QUEUES = 2, OPEN = 6 };
static int queues[QUEUES], files[OPEN], cookies[256], cookie_count;
static unsigned long long state;

static unsigned pick(unsigned below) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(state >> 33) % below;
}

static const char* path(char* to) {
  static const char* directories[] = {"", "a/", "b/", "a/c/", "b/d/"};
  static const char* names[] = {"f", "g", "h", "a", "b", "c", "d"};
  sprintf(to, "%s%s", directories[pick(5)], names[pick(7)]);
  return to;
}

static int cookie_of(int cookie) {
  for (int i = 0; i < cookie_count; i++)
    if (cookies[i] == cookie) return i + 1;
  cookies[cookie_count++ % 256] = cookie;
  return cookie_count;
}

static void drain(int fd) {
  char buffer[16384];
  int length;
  while ((length = read(fd, buffer, sizeof buffer)) > 0) {
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      const char* name = event->len ? event->name : "";
      printf(" [%d %x %s", event->wd, event->mask, *name == '#' ? "#" : name);
      if (event->cookie) printf(" c%d", cookie_of(event->cookie));
      printf("]");
      at += sizeof *event + event->len;
    }
  }
}

static const char* what;
static char one[64], two[64], byte[8192];

static long open_one(void) {
  static const int flags[] = {O_RDONLY,          O_RDWR,           O_WRONLY,        O_RDWR | O_CREAT,
                              O_WRONLY | O_TRUNC, O_CREAT | O_EXCL, O_CREAT | O_RDWR | O_TRUNC,
                              O_PATH,            O_RDONLY | O_DIRECTORY};
  int at = pick(OPEN), how = flags[pick(9)];
  if (files[at] >= 0) close(files[at]);
  files[at] = open(path(one), how, 0644);
  return files[at] < 0 ? -errno : 0;
}

static long step(void) {
  static const unsigned masks[] = {IN_ALL_EVENTS, IN_ALL_EVENTS, IN_ALL_EVENTS | IN_EXCL_UNLINK,
                                   IN_CREATE | IN_DELETE | IN_MOVE, IN_OPEN | IN_CLOSE | IN_ONESHOT,
                                   IN_ATTRIB | IN_MASK_ADD, IN_ALL_EVENTS | IN_DONT_FOLLOW,
                                   IN_DELETE_SELF | IN_MOVE_SELF};
  int file = files[pick(OPEN)];
  struct timespec now[2] = {{7, 7}, {8, 8}};
  one[0] = two[0] = 0;
#define CASE(number, expression) \
  case number:                   \
    what = #expression;          \
    return expression
  switch (pick(26)) {
    CASE(0, mkdir(path(one), 0755));
    CASE(1, rmdir(path(one)));
    CASE(2, unlink(path(one)));
    CASE(3, link(path(one), path(two)));
    CASE(4, rename(path(one), path(two)));
    CASE(5, rename(path(one), path(two)));
    CASE(6, renameat2(AT_FDCWD, path(one), AT_FDCWD, path(two), RENAME_NOREPLACE));
    CASE(7, symlink("f", path(one)));
    CASE(8, chmod(path(one), 0600 + pick(64)));
    CASE(9, truncate(path(one), pick(9000)));
    CASE(10, write(file, byte, 1 + pick(8000)));
    CASE(11, pwrite(file, byte, 1 + pick(100), pick(9000)));
    CASE(12, read(file, byte, 1 + pick(8000)));
    CASE(13, pread(file, byte, 1 + pick(100), pick(100)));
    CASE(14, ftruncate(file, pick(5000)));
    CASE(15, fchmod(file, 0600 + pick(64)));
    CASE(16, futimens(file, now));
    CASE(17, inotify_add_watch(queues[pick(QUEUES)], path(one), masks[pick(8)]));
    CASE(18, inotify_add_watch(queues[pick(QUEUES)], path(one), masks[pick(8)]));
    CASE(19, inotify_rm_watch(queues[pick(QUEUES)], 1 + pick(12)));
    CASE(20, setxattr(path(one), "trusted.x", "1", 1, 0));
    CASE(21, utimensat(AT_FDCWD, path(one), now, AT_SYMLINK_NOFOLLOW));
    CASE(22, access(path(one), R_OK));
    case 23: {
      int at = pick(OPEN);
      what = "close";
      int fd = files[at];
      files[at] = -1;
      return close(fd);
    }
    default:
      what = "open";
      return open_one();
  }
}

int main(int argc, char** argv) {
  if (chdir(argv[1]) != 0) return 1;
  state = strtoull(argv[2], NULL, 10);
  int steps = atoi(argv[3]);
  for (int i = 0; i < 10; i++) pick(2);
  umask(0);
  for (int i = 0; i < QUEUES; i++) queues[i] = inotify_init1(IN_NONBLOCK);
  for (int i = 0; i < OPEN; i++) files[i] = -1;
  mkdir("a", 0755);
  mkdir("b", 0755);
  mkdir("a/c", 0755);
  mkdir("b/d", 0755);
  inotify_add_watch(queues[0], "a", IN_ALL_EVENTS);
  inotify_add_watch(queues[1], "b", IN_ALL_EVENTS);
  inotify_add_watch(queues[0], ".", IN_ALL_EVENTS);
  for (int i = 0; i < steps; i++) {
    errno = 0;
    long result = step();
    if (result < 0) result = -errno;
    printf("%d %s %s %s = %ld", i, what, one, two, result);
    for (int q = 0; q < QUEUES; q++) {
      printf(" |");
      drain(queues[q]);
    }
    printf("\n");
  }
  return 0;
}
