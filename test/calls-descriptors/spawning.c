#include "show.h"

#include <dirent.h>

// posix_spawn with every file action and attribute, exec from a thread that is not the first, and
// daemons that close everything.
extern char** environ;
static const char* self;

static void say_of(const char* name) {
  char text[200] = "";
  int fd = open(name, O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  SAY("%s", text);
}

static int spawn(posix_spawn_file_actions_t* actions, posix_spawnattr_t* attributes, char* script) {
  pid_t child = -1;
  char* arguments[] = {"bash", "-c", script, NULL};
  int error = posix_spawn(&child, "/bin/bash", actions, attributes, arguments, environ);
  return error != 0 ? -error : reap(child);
}

static void actions(void) {
  int kept = make("kept", "kept text"), other = make("other", "other text");
  mkdir("sub", 0755);
  mkdir("sub/deeper", 0755);
  int directory = open("sub", O_RDONLY | O_DIRECTORY);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 60, "from-open", O_RDWR | O_CREAT, 0640);
  posix_spawn_file_actions_adddup2(&actions, 60, 1);
  posix_spawn_file_actions_adddup2(&actions, kept, 61);
  posix_spawn_file_actions_addclose(&actions, other);
  posix_spawn_file_actions_addfchdir_np(&actions, directory);
  posix_spawn_file_actions_addopen(&actions, 62, "after-fchdir", O_RDWR | O_CREAT, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, "deeper");
  posix_spawn_file_actions_addopen(&actions, 63, "after-chdir", O_RDWR | O_CREAT, 0600);
  SHOW(spawn(&actions, NULL,
             "pwd | sed 's|.*/sub/|sub/|'; cat <&61; echo in >&62; echo deeper >&63; ls"));
  say_of("from-open");
  say_of("sub/after-fchdir");
  say_of("sub/deeper/after-chdir");
  SHOW(lseek(kept, 0, SEEK_CUR));
  SHOW(lseek(other, 0, SEEK_CUR));
  SHOW(lseek(60, 0, SEEK_CUR));
  SHOW(access("from-open", F_OK));
  posix_spawn_file_actions_addclosefrom_np(&actions, 61);
  lseek(kept, 0, SEEK_SET);
  SHOW(spawn(&actions, NULL, "cat <&61 && echo still there"));
  SHOW(lseek(kept, 0, SEEK_CUR));
  posix_spawn_file_actions_destroy(&actions);
  // dup2 onto itself takes the close-on-exec flag off.
  int shut = open("kept", O_RDONLY | O_CLOEXEC);
  posix_spawn_file_actions_init(&actions);
  SHOW(dup2(shut, 40) == 40 && fcntl(40, F_SETFD, FD_CLOEXEC) == 0);
  posix_spawn_file_actions_adddup2(&actions, 40, 40);
  SHOW(spawn(&actions, NULL, "cat <&40 > twice"));
  say_of("twice");
  posix_spawn_file_actions_destroy(&actions);
  // What fails on the way fails the whole.
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 3, "missing", O_RDONLY, 0);
  SHOW(spawn(&actions, NULL, "true"));
  posix_spawn_file_actions_destroy(&actions);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, "kept");
  SHOW(spawn(&actions, NULL, "true"));
  posix_spawn_file_actions_destroy(&actions);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addfchdir_np(&actions, kept);
  SHOW(spawn(&actions, NULL, "true"));
  posix_spawn_file_actions_destroy(&actions);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, 777, 3);
  SHOW(spawn(&actions, NULL, "true"));
  posix_spawn_file_actions_destroy(&actions);
  SHOW(chdir("sub"));
  SHOW(access("deeper", F_OK));
  SHOW(chdir(".."));
  closefrom(3);
}

static void attributes(void) {
  posix_spawnattr_t attributes;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  static const short flags[] = {POSIX_SPAWN_RESETIDS, POSIX_SPAWN_SETPGROUP, POSIX_SPAWN_SETSIGDEF,
                                POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSCHEDPARAM,
                                POSIX_SPAWN_USEVFORK, POSIX_SPAWN_SETSID,
                                POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                    POSIX_SPAWN_SETSIGMASK};
  int fd = make("attributes", "0123456789");
  dup2(fd, 50);
  for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, flags[i]);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setsigmask(&attributes, &set);
    posix_spawnattr_setpgroup(&attributes, 0);
    lseek(fd, 2, SEEK_SET);
    int status = spawn(NULL, &attributes, "echo made > made-by-spawn; head -c 3 <&50 > part");
    SAY("%x: %d, offset %ld", flags[i], status, (long)lseek(50, 0, SEEK_CUR));
    say_of("made-by-spawn");
    say_of("part");
    posix_spawnattr_destroy(&attributes);
  }
  closefrom(3);
}

static void* executing(void* text) {
  execl(self, self, "helper", text, NULL);
  return NULL;
}

static volatile int stop;
static void* working(void* unused) {
  while (!stop) close(make("working", "x"));
  return NULL;
}

// The other threads die in it, wherever they are.
static void threads_execute(void) {
  int bad = 0;
  for (int round = 0; round < 12; round++) {
    pid_t child = fork();
    if (child == 0) {
      int fd = make("handed", "to the new program");
      dup2(fd, 44);
      pthread_t ids[5];
      for (int i = 0; i < 4; i++) pthread_create(&ids[i], NULL, working, NULL);
      usleep(round * 300);
      pthread_create(&ids[4], NULL, executing, "44");
      pthread_join(ids[4], NULL);
      _exit(77);
    }
    int status = reap(child);
    if (status != 0) SAY("round %d: %x", round, status), bad++;
  }
  SHOW(bad);
  say_of("handed");
  SHOW(unlink("working"));
}

static void close_all(int way) {
  if (way == 0) {
    close_range(3, ~0u, 0);
  } else if (way == 1) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    long last = limit.rlim_cur > 70000 ? 70000 : (long)limit.rlim_cur;
    for (long fd = 0; fd < last; fd++) close(fd);
  } else if (way == 2) {
    DIR* directory = opendir("/proc/self/fd");
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
      int fd = atoi(entry->d_name);
      if (fd > 2 && fd != dirfd(directory)) close(fd);
    }
    closedir(directory);
  } else {
    closefrom(0);
  }
}

static void daemons(void) {
  for (int way = 0; way < 4; way++) {
    char name[32];
    snprintf(name, sizeof name, "daemon%d", way);
    make("a", "x"), make("b", "x");
    mkfifo("started", 0600);
    int ready = open("started", O_RDWR);
    pid_t child = fork();
    if (child == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      close_all(way);
      umask(027);
      int fd = open(name, O_RDWR | O_CREAT | O_APPEND, 0666);
      for (int i = 0; i < 5; i++) dprintf(fd, "line %d\n", i);
      struct stat status;
      dprintf(fd, "%d\n", fstatat(AT_FDCWD, name, &status, 0));
      if (fork() == 0) execl("/bin/sh", "sh", "-c", "echo by a child >> a; cat b > c", NULL);
      wait(NULL);
      // The new FIFO is opened by its name: nothing came with the daemon.
      fd = open("started", O_WRONLY);
      write(fd, "x", 1);
      _exit(0);
    }
    SHOW(reap(child));
    SHOW(read(ready, (char[1]){0}, 1));
    say_of(name);
    say_of("a");
    say_of("c");
    struct stat status;
    stat(name, &status);
    SHOW(status.st_mode);
    closefrom(3);
    unlink("started");
  }
}

static int helper(int fd) {
  char text[32] = "";
  ssize_t got = pread(fd, text, sizeof text, 0);
  if (got != 18 || strcmp(text, "to the new program") != 0) return 1;
  int own = open("handed", O_WRONLY | O_TRUNC);
  if (write(own, "executed", 8) != 8) return 2;
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "helper") == 0) return helper(atoi(argv[2]));
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  self = argv[0];
  actions();
  attributes();
  threads_execute();
  daemons();
  return 0;
}
