#include "show.h"

extern char** environ;
static const char* self;

static void offsets(void) {
  int fd = make("offsets", "abcdefghijklmnop");
  char text[8] = {0};
  pid_t child = fork();
  if (child == 0) {
    ssize_t got = read(fd, text, 4);
    close(fd);
    int own = open("offsets", O_RDONLY);
    _exit(got == 4 && memcmp(text, "abcd", 4) == 0 && own >= 0 ? 0 : 1);
  }
  SHOW(reap(child));
  SHOW(read(fd, text, 4));
  SAY("%s", text);
  child = fork();
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(read(fd, text, 2) == 2 ? 0 : 1);
    int status = reap(grandchild);
    lseek(fd, 1, SEEK_CUR);
    _exit(status);
  }
  SHOW(reap(child));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(fcntl(fd, F_GETFD));
  close(fd);
}

static int run_helper(const char* what, int fd) {
  char number[16];
  snprintf(number, sizeof number, "%d", fd);
  pid_t child = vfork();
  if (child == 0) {
    execl(self, self, "helper", what, number, NULL);
    _exit(98);
  }
  return reap(child);
}

static void vforks(void) {
  int fd = make("vforks", "0123456789");
  int shut = open("vforks", O_RDONLY | O_CLOEXEC);
  SHOW(run_helper("read", fd));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(run_helper("read", shut));
  SHOW(lseek(shut, 0, SEEK_CUR));
  pid_t child = vfork();
  if (child == 0) {
    close(fd);
    dup2(shut, 1);
    open("vforks", O_RDONLY);
    _exit(5);
  }
  SHOW(reap(child));
  SHOW(read(fd, (char[4]){0}, 2));
  child = vfork();
  if (child == 0) {
    execl("/nonexistent", "x", NULL);
    _exit(errno == ENOENT ? 7 : 8);
  }
  SHOW(reap(child));
  SHOW(read(fd, (char[4]){0}, 2));
  closefrom(3);
}

static void spawns(void) {
  int fd = make("spawns", "spawned text\n");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addclose(&actions, fd);
  char* arguments[] = {"cat", NULL};
  pid_t child = -1;
  SHOW(posix_spawnp(&child, "cat", &actions, NULL, arguments, environ));
  SHOW(reap(child));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SAY("%lx", sum_of("spawned"));
  posix_spawn_file_actions_t moving;
  posix_spawn_file_actions_init(&moving);
  mkdir("within", 0755);
  posix_spawn_file_actions_addchdir_np(&moving, "within");
  posix_spawn_file_actions_addopen(&moving, 1, "there", O_WRONLY | O_CREAT, 0644);
  char* echo[] = {"echo", "moved", NULL};
  SHOW(posix_spawnp(&child, "echo", &moving, NULL, echo, environ));
  SHOW(reap(child));
  SHOW(access("within/there", F_OK));
  SHOW(posix_spawn(&child, "/nonexistent", NULL, NULL, echo, environ));
  SHOW(system("cat spawned; echo via shell > shell; cat < shell"));
  FILE* pipe = popen("cat spawns", "r");
  char line[100] = {0};
  SHOW(fgets(line, sizeof line, pipe) != NULL);
  SHOW(pclose(pipe));
  SAY("%s", line);
  closefrom(3);
}

static void executes(void) {
  int fd = make("executes", "exec keeps offsets");
  lseek(fd, 5, SEEK_SET);
  for (int i = 0; i < 3; i++) {
    pid_t child = fork();
    if (child == 0) {
      char number[16];
      snprintf(number, sizeof number, "%d", fd);
      char* arguments[] = {(char*)self, "helper", "read", number, NULL};
      char* none[] = {NULL};
      execve(self, arguments, i == 1 ? none : environ);
      _exit(97);
    }
    SHOW(reap(child));
  }
  SHOW(lseek(fd, 0, SEEK_CUR));
  pid_t child = fork();
  if (child == 0) {
    chdir("within");
    execl("/bin/cat", "cat", "there", NULL);
    _exit(97);
  }
  SHOW(reap(child));
  close(fd);
}

static void crowds(void) {
  int fd = make("crowds", "");
  pid_t children[40];
  for (int i = 0; i < 40; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      char name[32];
      snprintf(name, sizeof name, "crowd%d", i);
      close(make(name, "x"));
      _exit(write(fd, "0123456789", 10) == 10 ? 0 : 1);
    }
  }
  int bad = 0;
  for (int i = 0; i < 40; i++) bad += reap(children[i]) != 0;
  SHOW(bad);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_END));
  close(fd);
}

static void killed(void) {
  int fd = make("killed", "still here");
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (;;) {
        int own = make("killed-own", "x");
        pread(fd, (char[4]){0}, 4, 0);
        close(own);
      }
    }
    usleep(1000 * (i % 5));
    kill(child, SIGKILL);
    SHOW(WTERMSIG(reap(child)));
  }
  SHOW(read(fd, (char[16]){0}, 16));
  SHOW(unlink("killed"));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(read(fd, (char[16]){0}, 16));
  close(fd);
}

static void masks(void) {
  SHOW(umask(027));
  close(open("masked", O_CREAT | O_WRONLY, 0666));
  struct stat status;
  stat("masked", &status);
  SHOW(status.st_mode);
  pid_t child = fork();
  if (child == 0) {
    umask(077);
    mkdir("masked-directory", 0777);
    _exit(0);
  }
  SHOW(reap(child));
  stat("masked-directory", &status);
  SHOW(status.st_mode);
  SHOW(umask(022));
}

static int helper(const char* what, int fd) {
  char text[8] = {0};
  if (strcmp(what, "read") != 0) return 96;
  ssize_t got = read(fd, text, 3);
  printf("helper: %zd %s\n", got, got < 0 ? strerrorname_np(errno) : text);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "helper") == 0) return helper(argv[2], atoi(argv[3]));
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  self = argv[0];
  offsets();
  vforks();
  spawns();
  executes();
  crowds();
  killed();
  masks();
  return 0;
}
