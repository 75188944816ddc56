// Listings: their order, positions, telldir and seekdir, and what holds while others change the
// directory, up to 100,000 entries.
#include "show.h"

struct entry {
  unsigned long ino;
  long off;
  unsigned short length;
  unsigned char type;
  char name[];
};

// One getdents64 of at most `size` bytes, as names in their order.
static void names(int fd, int size) {
  static char buffer[65536];
  long n = syscall(SYS_getdents64, fd, buffer, size);
  printf("%s:", n < 0 ? strerrorname_np(errno) : "names");
  for (long at = 0; at < n;) {
    const struct entry* entry = (const void*)(buffer + at);
    printf(" %s", entry->name);
    at += entry->length;
  }
  puts("");
}

static void touch(const char* name) {
  close(open(name, O_CREAT | O_WRONLY, 0600));
}

static void numbered(const char* prefix, int from, int to, void (*each)(const char*)) {
  char name[32];
  for (int at = from; at < to; at++) {
    snprintf(name, sizeof name, "%s%d", prefix, at);
    each(name);
  }
}
static void drop(const char* name) {
  unlink(name);
}

static void order(void) {
  numbered("f", 0, 6, touch);
  int fd = open(".", O_RDONLY | O_DIRECTORY);
  names(fd, 4096);
  names(fd, 4096);
  SHOW(lseek(fd, 0, SEEK_CUR));
  touch("late");
  names(fd, 4096);
  SHOW(lseek(fd, 0, SEEK_SET));
  names(fd, 4096);
  SHOW(rename("f0", "g0"));
  SHOW(rename("late", "f1"));
  SHOW(link("f2", "l2"));
  SHOW(symlink("f2", "s2"));
  SHOW(mkdir("d", 0700));
  SHOW(lseek(fd, 0, SEEK_SET));
  names(fd, 4096);
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "f3", AT_FDCWD, "d", 2));
  SHOW(lseek(fd, 0, SEEK_SET));
  names(fd, 4096);
  for (int at = 0; at < 3; at++) {
    SHOW(lseek(fd, at, SEEK_SET));
    names(fd, 72);
  }
  SHOW(lseek(fd, 0x7fffffff, SEEK_SET));
  names(fd, 4096);
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(lseek(fd, -1, SEEK_SET));
  SHOW(lseek(fd, 0, SEEK_SET));
  names(fd, 10);
  close(fd);
}

static void changes_below_a_listing(void) {
  numbered("f", 0, 10, touch);
  int fd = open(".", O_RDONLY | O_DIRECTORY);
  names(fd, 24 * 5);
  unlink("f7");
  unlink("f6");
  unlink("f3");
  touch("new");
  rename("f9", "f1");
  names(fd, 24 * 2);
  rename("f8", "f8b");
  names(fd, 4096);
  names(fd, 4096);
  close(fd);
}

// seekdir leads back to what followed telldir, whatever else happened.
static void positions(void) {
  numbered("f", 0, 200, touch);
  DIR* dir = opendir(".");
  long told[256];
  char seen[256][16];
  int n = 0;
  for (;;) {
    told[n] = telldir(dir);
    const struct dirent* entry = readdir(dir);
    if (entry == NULL) break;
    strcpy(seen[n++], entry->d_name);
  }
  SHOW(n);
  numbered("later", 0, 50, touch);
  int right = 0;
  for (int at = n - 1; at >= 0; at -= 3) {
    seekdir(dir, told[at]);
    const struct dirent* entry = readdir(dir);
    right += entry != NULL && strcmp(entry->d_name, seen[at]) == 0;
  }
  SHOW(right);
  rewinddir(dir);
  n = 0;
  while (readdir(dir) != NULL) n++;
  SHOW(n);
  closedir(dir);
}

static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = 1; }

// While a child creates and removes, what was there all the time is listed exactly once.
static void concurrent_changes(void) {
  enum { STAYING = 100000 };
  static unsigned char times[STAYING];
  numbered("stay", 0, STAYING / 2, touch);
  numbered("go", 0, 2000, touch);
  numbered("stay", STAYING / 2, STAYING, touch);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGTERM, stop);
    while (!stopped) {
      numbered("go", 0, 2000, drop);
      numbered("come", 0, 1000, touch);
      numbered("come", 0, 1000, drop);
      numbered("go", 0, 2000, touch);
    }
    _exit(0);
  }
  for (int round = 0; round < 3; round++) {
    memset(times, 0, sizeof times);
    DIR* dir = opendir(".");
    const struct dirent* entry;
    int at;
    while ((entry = readdir(dir)) != NULL)
      if (sscanf(entry->d_name, "stay%d", &at) == 1) times[at]++;
    closedir(dir);
    int once = 0;
    for (at = 0; at < STAYING; at++) once += times[at] == 1;
    SHOW(once);
  }
  kill(child, SIGTERM);
  waitpid(child, NULL, 0);
  DIR* dir = opendir(".");
  const struct dirent* entry;
  while ((entry = readdir(dir)) != NULL) unlink(entry->d_name);
  closedir(dir);
  SHOW(chdir(".."));
  SHOW(rmdir("in"));
}

static void in_a_directory(void (*scenario)(void)) {
  mkdir(h("/bt/in"), 0755);
  chdir(h("/bt/in"));
  scenario();
  chdir(H);
  DIR* dir = opendir(h("/bt/in"));
  const struct dirent* entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
      unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
  if (dir != NULL) closedir(dir);
  rmdir(h("/bt/in"));
}

int main(int argc, char** argv) {
  H = argv[1];
  if (access(h("/bt"), F_OK) != 0) mkdir(h("/bt"), 0755);
  in_a_directory(order);
  in_a_directory(changes_below_a_listing);
  in_a_directory(positions);
  in_a_directory(concurrent_changes);
  return 0;
}
