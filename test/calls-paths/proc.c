// What /proc tells of descriptors and directories of the tree, of this process and of another.
#include "show.h"

static int by_number(const void* a, const void* b) {
  return *(const int*)a - *(const int*)b;
}

static void list(const char* path) {
  int found[64], count = 0;
  DIR* dir = opendir(path);
  const struct dirent* entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL && count < 64)
    if (entry->d_name[0] != '.') found[count++] = atoi(entry->d_name);
  if (dir != NULL) closedir(dir);
  qsort(found, count, sizeof *found, by_number);
  printf("listed:");
  for (int at = 0; at < count; at++) printf(" %d", found[at]);
  puts("");
}

static const char* link_of(const char* path) {
  static char text[PATH_MAX];
  ssize_t length = readlink(path, text, sizeof text - 1);
  if (length < 0) return strerrorname_np(errno);
  text[length] = 0;
  return short_of(text);
}

static const char* of(pid_t pid, const char* rest) {
  static char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, rest);
  return path;
}

static void look_at(pid_t pid) {
  SAY("%s", link_of(of(pid, "cwd")));
  for (int fd = 10; fd < 15; fd++) {
    char rest[32];
    snprintf(rest, sizeof rest, "fd/%d", fd);
    SAY("%d %s", fd, link_of(of(pid, rest)));
  }
  list(of(pid, "fd"));
  list(of(pid, "fd/"));
}

int main(int argc, char** argv) {
  H = argv[1];
  if (access(h("/bt"), F_OK) != 0) mkdir(h("/bt"), 0755);
  for (int fd = 3; fd < 1024; fd++) close(fd);
  SHOW(make(h("/bt/file"), "text"));
  SHOW(mkdir(h("/bt/dir"), 0755));
  SHOW(chdir(h("/bt/dir")));
  SHOW(dup2(open(h("/bt/file"), O_RDWR), 10));
  SHOW(dup2(open(h("/bt/dir"), O_RDONLY), 11));
  SHOW(dup2(open(h("/bt"), O_PATH), 12));
  SHOW(dup2(open(H, O_PATH), 13));
  for (int fd = 3; fd < 10; fd++) close(fd);
  dup2(1, 9);
  look_at(getpid());
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    close(11);
    chdir(h("/bt"));
    look_at(parent);
    look_at(getpid());
    for (;;) pause();
  }
  usleep(300000);
  look_at(child);
  SHOW(kill(child, SIGKILL));
  waitpid(child, NULL, 0);
  SHOW(access(of(child, "cwd"), F_OK));
  list("/dev/fd");
  list("/proc/self/fd");
  list("/proc/thread-self/fd");
  SHOW(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  struct stat st;
  SHOW(fstatat(AT_FDCWD, "/proc/self/fd/10", &st, 0));
  SHOW(st.st_size);
  SHOW(S_ISREG(st.st_mode));
  SAY("%s", text_of("/dev/fd/10"));
  return 0;
}
