#include "show.h"

#include <linux/sched.h>

// Children of every kind of clone that libc, Go and sandboxes make. Each works with a file that it
// inherited, makes one of its own and ends; afterwards the parent's descriptors must be as before.
static int inherited;

static int check(int number) {
  char name[32], text[8] = {0};
  snprintf(name, sizeof name, "child%d", number % 8);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  int bad = fd < 0;
  bad |= (write(fd, "child", 5) != 5) << 1;
  bad |= (pread(fd, text, 5, 0) != 5 || memcmp(text, "child", 5) != 0) << 2;
  bad |= (pread(inherited, text, 4, 0) != 4 || memcmp(text, "inhe", 4) != 0) << 3;
  bad |= (close(fd) != 0) << 4;
  return bad;
}

static int is_well(void) {
  char text[4];
  struct stat status;
  return pread(inherited, text, 4, 0) == 4 && memcmp(text, "inhe", 4) == 0 &&
         fstat(inherited, &status) == 0 && status.st_size == 9 && check(7) == 0;
}

static long clone_three(uint64_t flags, int signal, int* pidfd) {
  struct clone_args args = {.flags = flags, .exit_signal = (uint64_t)signal};
  args.pidfd = (uint64_t)pidfd;
  return syscall(SYS_clone3, &args, sizeof args);
}

static void copies(void) {
  static const uint64_t kinds[] = {0, CLONE_PIDFD, CLONE_FS, CLONE_FILES, CLONE_FS | CLONE_FILES,
                                   CLONE_IO, CLONE_SYSVSEM, CLONE_CLEAR_SIGHAND, CLONE_NEWUTS,
                                   CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID,
                                   CLONE_NEWPID | CLONE_NEWNS};
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    for (int round = 0; round < 6; round++) {
      int pidfd = -1;
      long child = clone_three(kinds[i], SIGCHLD, &pidfd);
      if (child == 0) {
        int bad = check(round);
        if (round % 3 == 1) kill(getpid(), SIGKILL);
        if (round % 3 == 2) execl("/bin/sh", "sh", "-c", "cat child2 && : > made", NULL);
        _exit(bad);
      }
      int status = reap(child);
      SAY("%llx: %x", (unsigned long long)kinds[i], status);
      if (pidfd >= 0) close(pidfd);
      if (!is_well()) SAY("%llx leaves a parent that is not well", (unsigned long long)kinds[i]);
    }
  }
  for (int i = 0; i < 5; i++) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(check(i));
    SHOW(reap(child));
  }
  long child = clone_three(CLONE_PARENT, 0, NULL);
  if (child == 0) _exit(check(1));
  SHOW(child > 0);
  usleep(50000);
  SHOW(is_well());
}

// With CLONE_FILES what one opens or closes the other has, for as long as either lives.
static void shared(void) {
  int pipes[2];
  pipe(pipes);
  long child = clone_three(CLONE_FILES, SIGCHLD, NULL);
  if (child == 0) {
    int fd = open("shared", O_RDWR | O_CREAT, 0644);
    dup2(fd, 60);
    close(fd);
    _exit(write(60, "by the child", 12) == 12 ? 0 : 1);
  }
  SHOW(reap(child));
  SHOW(lseek(60, 0, SEEK_CUR));
  SHOW(pread(60, (char[16]){0}, 16, 0));
  child = clone_three(CLONE_FILES, SIGCHLD, NULL);
  if (child == 0) _exit(close(60));
  SHOW(reap(child));
  SHOW(lseek(60, 0, SEEK_CUR));
  // Killed: the table is still the parent's.
  for (int i = 0; i < 10; i++) {
    child = clone_three(CLONE_FILES, SIGCHLD, NULL);
    if (child == 0)
      for (;;) check(i);
    usleep(1000);
    kill(child, SIGKILL);
    reap(child);
    if (!is_well()) SAY("not well after a kill");
  }
  // A middle process ends before the one that it shares its descriptors with.
  pid_t middle = fork();
  if (middle == 0) {
    int fd = make("middle", "middle");
    if (clone_three(CLONE_FILES, SIGCHLD, NULL) != 0) _exit(0);
    usleep(700000);
    int bad = pread(fd, (char[8]){0}, 8, 0) != 6;
    char result = bad == 0 && check(3) == 0 ? 'y' : 'n';
    write(pipes[1], &result, 1);
    _exit(0);
  }
  SHOW(reap(middle));
  char result = '?';
  SHOW(read(pipes[0], &result, 1));
  SAY("%c", result);
  // It executes: then the descriptors are its own.
  int fd = make("executed", "executed\n");
  int shut = open("executed", O_RDONLY | O_CLOEXEC);
  child = clone_three(CLONE_FILES, SIGCHLD, NULL);
  if (child == 0) {
    dup2(fd, 0);
    execl("/bin/cat", "cat", NULL);
    _exit(1);
  }
  SHOW(reap(child));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(shut, 0, SEEK_CUR));
  // The one that shared executes, and the child goes on.
  middle = fork();
  if (middle == 0) {
    int own = open("executed", O_RDONLY | O_CLOEXEC);
    if (clone_three(CLONE_FILES, SIGCHLD, NULL) == 0) {
      usleep(300000);
      result = pread(own, (char[16]){0}, 16, 0) == 9 && is_well() ? 'y' : 'n';
      write(pipes[1], &result, 1);
      _exit(0);
    }
    usleep(30000);
    execl("/bin/sh", "sh", "-c", "cat executed; cat middle", NULL);
  }
  SHOW(reap(middle));
  SHOW(read(pipes[0], &result, 1));
  SAY("%c", result);
  // Nothing to unshare, and then something.
  SHOW(unshare(CLONE_FILES));
  child = clone_three(CLONE_FILES, SIGCHLD, NULL);
  if (child == 0) {
    int bad = unshare(CLONE_FILES);
    bad |= close(inherited) << 1;
    bad |= (open("executed", O_RDONLY) != inherited) << 2;
    _exit(bad);
  }
  SHOW(reap(child));
  SHOW(is_well());
  child = clone_three(CLONE_FILES, SIGCHLD, NULL);
  if (child == 0) {
    int bad = syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE);
    _exit(bad | (fcntl(inherited, F_GETFD) != -1) << 1);
  }
  SHOW(reap(child));
  SHOW(is_well());
  SHOW(close(fd));
  SHOW(close(shut));
  close(pipes[0]);
  close(pipes[1]);
}

static char stack[64][65536] __attribute__((aligned(16)));
static int on_stack(void* argument) {
  return check((int)(long)argument);
}
static int on_stack_exec(void* argument) {
  execl("/bin/cat", "cat", "child2", NULL);
  return 9;
}
static int on_stack_close(void* argument) {
  return syscall(SYS_close_range, 3, ~0u, 0);
}

// Memory that is shared while the parent waits.
static void vforked(void) {
  static const int kinds[] = {CLONE_VM | CLONE_VFORK, CLONE_VM | CLONE_VFORK | CLONE_FILES,
                              CLONE_VM | CLONE_VFORK | CLONE_FS, CLONE_VFORK,
                              CLONE_VFORK | CLONE_FILES, CLONE_VM | CLONE_VFORK | CLONE_NEWPID,
                              CLONE_VM | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWUTS};
  SHOW(check(2));
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int child = clone(on_stack, stack[1], kinds[i] | SIGCHLD, (void*)1L);
    SAY("%x: %x", kinds[i], reap(child));
    child = clone(on_stack_exec, stack[1], kinds[i] | SIGCHLD, (void*)1L);
    SAY("%x: %x", kinds[i], reap(child));
    SHOW(is_well());
    if ((kinds[i] & CLONE_FILES) != 0) continue;
    child = clone(on_stack_close, stack[1], kinds[i] | SIGCHLD, (void*)1L);
    SAY("%x: %x", kinds[i], reap(child));
    SHOW(is_well());
  }
}

static void deep(int levels) {
  pid_t child = vfork();
  if (child == 0) {
    int bad = check(levels);
    if (levels > 0) deep(levels - 1);
    _exit(bad);
  }
  int status = child < 0 ? -1 : reap(child);
  if (status != 0) SAY("level %d: %d %s", levels, status, strerror(errno));
}

static void* vforker(void* argument) {
  long bad = 0;
  for (int i = 0; i < 60; i++) {
    int own = open("child2", O_RDONLY);
    pid_t child = vfork();
    if (child == 0) {
      char text[8];
      if (pread(own, text, 5, 0) != 5) _exit(3);
      close(own);
      if (i % 3 == 0) execl("/bin/true", "true", NULL);
      _exit(0);
    }
    bad += reap(child) != 0;
    bad += pread(own, (char[8]){0}, 5, 0) != 5;
    bad += close(own) != 0;
  }
  return (void*)bad;
}

static void together(void) {
  pthread_t ids[8];
  long bad = 0;
  for (int i = 0; i < 8; i++) pthread_create(&ids[i], NULL, vforker, NULL);
  for (int i = 0; i < 8; i++) {
    void* result;
    pthread_join(ids[i], &result);
    bad += (long)result;
  }
  SHOW(bad);
  SHOW(is_well());
}

static void* unsharing(void* argument) {
  long bad = unshare(CLONE_FILES);
  bad |= close(inherited) << 1;
  int fd = open("executed", O_RDWR);
  bad |= (fd != inherited) << 2;
  bad |= check(9) << 8;
  sleep(0);
  pid_t child = fork();
  if (child == 0) _exit(pread(fd, (char[16]){0}, 16, 0) == 9 ? 0 : 1);
  bad |= (long)reap(child) << 16;
  child = vfork();
  if (child == 0) {
    if (dup2(fd, 0) != 0) _exit(1);
    execl("/bin/grep", "grep", "-q", "executed", NULL);
    _exit(2);
  }
  bad |= (long)reap(child) << 24;
  return (void*)bad;
}
static void* ranging(void* argument) {
  long bad = syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE);
  bad |= (read(inherited, (char[4]){0}, 1) != -1 || errno != EBADF) << 1;
  int fd = open("executed", O_RDONLY);
  return (void*)(bad | (fd != 3) << 2);
}
static void threads(void) {
  for (int i = 0; i < 6; i++) {
    pthread_t id;
    void* result;
    pthread_create(&id, NULL, i % 2 ? ranging : unsharing, NULL);
    pthread_join(id, &result);
    SHOW((long)result);
    SHOW(is_well());
  }
  pid_t child = fork();
  if (child == 0) {
    pthread_t id;
    pthread_create(&id, NULL, unsharing, NULL);
    pthread_join(id, NULL);
    unshare(CLONE_FILES);
    lseek(inherited, 2, SEEK_SET);
    dup2(inherited, 0);
    execl("/bin/cat", "cat", NULL);
  }
  SHOW(reap(child));
  lseek(inherited, 0, SEEK_SET);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  inherited = make("inherited", "inherited");
  dup2(inherited, 40);
  close(inherited);
  inherited = 40;
  copies();
  shared();
  vforked();
  deep(3);
  deep(20);
  together();
  threads();
  return 0;
}
