// execve, execveat, posix_spawn: programs and scripts on both sides of the boundary. The program
// runs itself again with a word in argv[1] to show what a new image was given.
#include "show.h"

static int show_arguments(int argc, char** argv) {
  for (int i = 0; i < argc; i++)
    printf(" [%s]", strncmp(argv[i], "/proc/self/fd", 13) == 0 ? "fd" : argv[i]);
  struct stat st;
  char exe[PATH_MAX] = "";
  if (strcmp(argv[argc - 1], "exe") == 0) {
    SHOW(readlink("/proc/self/exe", exe, sizeof exe - 1));
    printf(" exe %s, %s\n", exe, realpath("/proc/self/exe", NULL));
    SHOW(readlink("/proc/self/exe", exe, 3));
    SHOW(system("readlink /proc/self/exe"));
  }
  const char* probe = getenv("PROBE");
  printf(" probe %d\n", probe == NULL ? -1 : stat(probe, &st));
  return 7;
}

static int copy(const char* from, const char* to, mode_t mode) {
  char buffer[65536];
  int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700);
  if (in < 0 || out < 0) return -1;
  for (long n; (n = read(in, buffer, sizeof buffer)) > 0;) {
    if (write(out, buffer, (size_t)n) != n) return -1;
  }
  close(in);
  close(out);
  return chmod(to, mode);
}

// Runs in a forked child; prints how it ended.
#define RUN(call)                                       \
  do {                                                  \
    fflush(stdout);                                     \
    pid_t pid_ = fork();                                \
    if (pid_ == 0) {                                    \
      call;                                             \
      printf(" failed: %s\n", strerrorname_np(errno));  \
      fflush(stdout);                                   \
      _exit(99);                                        \
    }                                                   \
    int status_ = 0;                                    \
    waitpid(pid_, &status_, 0);                         \
    printf("%s: %s -> %x\n", __func__, #call, status_); \
    fflush(stdout);                                     \
  } while (0)

static char* probe_only[2];
static char* empty[1];
static void* volatile bad = (void*)8;

static void programs(const char* self) {
  SHOW(copy(self, h("/bt/prog"), 0755));
  SHOW(copy(self, h("/bt/noexec"), 0644));
  SHOW(mkdir(h("/bt/dir"), 0755));
  SHOW(symlink("prog", h("/bt/link")));
  SHOW(symlink(self, h("/bt/out")));
  SHOW(symlink(h("/bt/prog"), h("/in")));
  SHOW(make(h("/bt/empty"), ""));
  SHOW(chmod(h("/bt/empty"), 0755));
  SHOW(make(h("/bt/words"), "echo words $0 $1 | sed 's|.*/||'\n"));
  SHOW(chmod(h("/bt/words"), 0755));
  char* arguments[] = {"zero", "args", "one", NULL};
  RUN(execve(h("/bt/prog"), arguments, environ));
  RUN(execve(h("/bt/link"), arguments, environ));
  RUN(execve(h("/bt/out"), arguments, environ));
  RUN(execve(h("/in"), arguments, environ));
  RUN(execve(h("/bt/noexec"), arguments, environ));
  RUN(execve(h("/bt/dir"), arguments, environ));
  RUN(execve(h("/bt/none"), arguments, environ));
  RUN(execve(h("/bt/prog/"), arguments, environ));
  RUN(execve(h("/bt/empty"), arguments, environ));
  RUN(execve(h("/bt/words"), arguments, environ));
  RUN(execvp(h("/bt/words"), arguments));
  RUN(execve(self, arguments, probe_only));
  RUN(execve(h("/bt/prog"), arguments, probe_only));
  RUN(execve(h("/bt/prog"), arguments, empty));
  RUN(execve(h("/bt/prog"), arguments, NULL));
  RUN(execve(bad, arguments, environ));
  RUN(execve(h("/bt/prog"), bad, environ));
  RUN(execve(self, arguments, bad));
}

static void by_descriptor(const char* self) {
  char* arguments[] = {"zero", "args", "two", NULL};
  int prog = open(h("/bt/prog"), O_PATH | O_CLOEXEC);
  int readable = open(h("/bt/prog"), O_RDONLY | O_CLOEXEC);
  int host = open(self, O_RDONLY | O_CLOEXEC);
  int top = open(h("/bt"), O_RDONLY | O_DIRECTORY);
  RUN(fexecve(readable, arguments, environ));
  RUN(fexecve(prog, arguments, environ));
  RUN(fexecve(host, arguments, probe_only));
  RUN(syscall(SYS_execveat, top, "prog", arguments, environ, 0));
  RUN(syscall(SYS_execveat, top, "link", arguments, environ, AT_SYMLINK_NOFOLLOW));
  RUN(syscall(SYS_execveat, top, "", arguments, environ, AT_EMPTY_PATH));
  RUN(syscall(SYS_execveat, top, "none", arguments, environ, 0));
  close(prog);
  close(readable);
  close(host);
  close(top);
}

static void script(const char* path, const char* line) {
  char text[PATH_MAX];
  snprintf(text, sizeof text, "%s\necho script $0 $1 | sed 's|/[^ ]*/||g'\n", line);
  if (make(path, text) != 0 || chmod(path, 0755) != 0) perror(path);
}

static void scripts(const char* self) {
  char line[PATH_MAX];
  char* arguments[] = {"zero", "first", NULL};
  script(h("/bt/sh"), "#!/bin/sh");
  script(h("/bt/sh-e"), "#! /bin/sh -e ");
  script(h("/bt/env"), "#!/usr/bin/env sh");
  script(h("/bt/nothing"), "#!");
  script(h("/bt/missing"), "#!/nowhere/at/all");
  RUN(execve(h("/bt/sh"), arguments, environ));
  RUN(execve(h("/bt/sh-e"), arguments, environ));
  RUN(execve(h("/bt/env"), arguments, environ));
  RUN(execve(h("/bt/nothing"), arguments, environ));
  RUN(execve(h("/bt/missing"), arguments, environ));
  // An interpreter in the tree, for a script in the tree and for one on the host.
  snprintf(line, sizeof line, "#!%s/bt/prog args of it", H);
  script(h("/bt/by-tree"), line);
  script(h("/host-by-tree"), line);
  snprintf(line, sizeof line, "#!%s args", self);
  script(h("/bt/by-host"), line);
  snprintf(line, sizeof line, "#!%s/bt/by-tree next", H);
  script(h("/bt/twice"), line);
  script(h("/host-twice"), line);
  SHOW(chdir(H));
  RUN(execve("bt/by-tree", arguments, environ));
  RUN(execve("host-by-tree", arguments, environ));
  RUN(execve("bt/by-host", arguments, environ));
  RUN(execve("bt/twice", arguments, environ));
  RUN(execve("host-twice", arguments, environ));
  SHOW(chdir("bt"));
  script("rel", "#!./prog args rel");
  RUN(execve("./rel", arguments, environ));
  char* plain[] = {"zero", "args", "relative", NULL};
  RUN(execve("./prog", plain, environ));
  script("loop", "#!./loop");
  RUN(execve("./loop", arguments, environ));
  script("c1", "#!./prog args");
  script("c2", "#!./c1");
  script("c3", "#!./c2");
  script("c4", "#!./c3");
  script("c5", "#!./c4");
  script("c6", "#!./c5");
  RUN(execve("./c4", arguments, environ));
  RUN(execve("./c5", arguments, environ));
  RUN(execve("./c6", arguments, environ));
  SHOW(chmod("sh", 0644));
  RUN(execve("./sh", arguments, environ));
  SHOW(chdir("/"));
}

static void spawning(const char* self) {
  char* arguments[] = {"zero", "args", "spawned", NULL};
  pid_t pid;
  int status = 0;
  int fd = open(h("/bt/log"), O_CREAT | O_RDWR, 0644);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 1);
  SHOW(posix_spawn(&pid, h("/bt/prog"), &actions, NULL, arguments, environ));
  SHOW(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
  SHOW(posix_spawn(&pid, self, &actions, NULL, arguments, probe_only));
  SHOW(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
  SHOW(posix_spawn(&pid, h("/bt/none"), &actions, NULL, arguments, environ));
  SHOW(posix_spawn(&pid, h("/bt/noexec"), &actions, NULL, arguments, environ));
  close(fd);
  SAY("%s", text_of(h("/bt/log")));
  // After a child that failed, and one that ran, the parent is what it was.
  SHOW(access(h("/bt/prog"), X_OK));
  SHOW(system("exit 3"));
}

static void own_name(void) {
  char* arguments[] = {"zero", "args", "exe", NULL};
  RUN(execve(h("/bt/prog"), arguments, environ));
  RUN(execve(h("/bt/dir/../link"), arguments, environ));
  RUN(execve(h("/in"), arguments, environ));
  RUN(execve(h("/bt/out"), arguments, environ));
  SHOW(chdir(h("/bt/dir")));
  RUN(execve("../prog", arguments, environ));
  int fd = open("../prog", O_RDONLY | O_CLOEXEC);
  RUN(fexecve(fd, arguments, environ));
  close(fd);
  SHOW(chdir("/"));
}

static void large(const char* self) {
  static char* many[3002];
  for (int i = 0; i < 3000; i++) {
    char name[32];
    snprintf(name, sizeof name, "V%d=%d", i, i);
    many[i] = strdup(name);
  }
  many[3000] = probe_only[0];
  char* arguments[] = {"zero", "args", "large", NULL};
  RUN(execve(h("/bt/prog"), arguments, many));
  RUN(execve(self, arguments, many));
}

int main(int argc, char** argv) {
  if (argc > 1 && strncmp(argv[1], "args", 4) == 0) return show_arguments(argc, argv);
  // A child that was not given "args" by mistake must not start all over.
  if (argc < 2 || argv[1][0] != '/') return 98;
  H = argv[1];
  umask(022);
  static char probe[PATH_MAX + 16], self[PATH_MAX];
  snprintf(probe, sizeof probe, "PROBE=%s/bt/prog", H);
  putenv(probe);
  probe_only[0] = probe;
  long n = readlink("/proc/self/exe", self, sizeof self - 1);
  self[n > 0 ? n : 0] = 0;
  programs(self);
  by_descriptor(self);
  scripts(self);
  spawning(self);
  large(self);
  own_name();
}
