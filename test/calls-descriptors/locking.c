// Who owns a file lock, when it goes, who is woken, and what signals do to those who wait.
#include "show.h"

static int lock(int fd, int command, short type, off_t start, off_t length) {
  struct flock wanted = {.l_type = type, .l_start = start, .l_len = length};
  return fcntl(fd, command, &wanted);
}

static pid_t self_pid, parent_pid;

static const char* whom(pid_t pid) {
  return pid == -1 ? "a description" : pid == self_pid ? "me" : pid == parent_pid ? "my parent" : "another";
}

static void ask(int fd, int command, short type, off_t start, off_t length) {
  struct flock wanted = {.l_type = type, .l_start = start, .l_len = length};
  int result = fcntl(fd, command, &wanted);
  if (result < 0)
    SAY("%s", strerrorname_np(errno));
  else if (wanted.l_type == F_UNLCK)
    SAY("free, %d %ld %ld", wanted.l_whence, (long)wanted.l_start, (long)wanted.l_len);
  else
    SAY("type %d whence %d start %ld length %ld of %s", wanted.l_type, wanted.l_whence,
        (long)wanted.l_start, (long)wanted.l_len, whom(wanted.l_pid));
}

// What somebody else sees of the first 100 bytes, one letter each.
static void map(const char* name) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char line[101];
    int fd = open(name, O_RDWR);
    for (int i = 0; i < 100; i++) {
      struct flock all = {.l_type = F_WRLCK, .l_start = i, .l_len = 1};
      fcntl(fd, F_GETLK, &all);
      line[i] = all.l_type == F_UNLCK ? '.' : all.l_type == F_RDLCK ? 'r' : 'W';
    }
    line[100] = 0;
    SAY("%s", line);
    fflush(stdout);
    _exit(0);
  }
  reap(child);
}

static void ranges(void) {
  int fd = make("ranges", "0123456789");
  SHOW(lock(fd, F_SETLK, F_WRLCK, 10, 30));
  map("ranges");
  SHOW(lock(fd, F_SETLK, F_RDLCK, 20, 10));
  map("ranges");
  SHOW(lock(fd, F_SETLK, F_UNLCK, 15, 10));
  map("ranges");
  SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 70));
  map("ranges");
  SHOW(lock(fd, F_SETLK, F_RDLCK, 0, 100));
  map("ranges");
  SHOW(lock(fd, F_SETLK, F_UNLCK, 50, 0));
  map("ranges");
  unsigned seed = 5;
  for (int i = 0; i < 60; i++) {
    seed = seed * 1103515245u + 12345u;
    int start = seed >> 16 & 63, length = 1 + (seed >> 22 & 31);
    lock(fd, F_SETLK, (short)((seed >> 28) % 3), start, length);
    if (i % 4 == 0) map("ranges");
  }
  closefrom(3);
}

static void extremes(void) {
  int fd = make("extremes", "0123456789");
  off_t max = INT64_MAX;
  SHOW(lock(fd, F_SETLK, F_WRLCK, max, 1));
  SHOW(lock(fd, F_SETLK, F_WRLCK, max, 2));
  SHOW(lock(fd, F_SETLK, F_WRLCK, max - 5, 3));
  SHOW(lock(fd, F_SETLK, F_WRLCK, max, -3));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 3, -4));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 3, INT64_MIN));
  SHOW(lock(fd, F_SETLK, F_WRLCK, INT64_MIN, 0));
  SHOW(lseek(fd, 5, SEEK_SET));
  struct flock from = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = -3, .l_len = -2};
  SHOW(fcntl(fd, F_SETLK, &from));
  struct flock end = {.l_type = F_RDLCK, .l_whence = SEEK_END, .l_start = max, .l_len = 1};
  SHOW(fcntl(fd, F_SETLK, &end));
  struct flock odd = {.l_type = 9, .l_whence = 9};
  SHOW(fcntl(fd, F_SETLK, &odd));
  struct flock pid = {.l_type = F_WRLCK, .l_start = 77, .l_len = 1, .l_pid = 1};
  SHOW(fcntl(fd, F_OFD_SETLK, &pid));
  SHOW(fcntl(fd, F_OFD_GETLK, &pid));
  SHOW(fcntl(fd, F_SETLK, &pid));
  map("extremes");
  pid_t child = fork();
  if (child == 0) {
    parent_pid = getppid();
    ask(fd, F_GETLK, F_RDLCK, max, 1);
    ask(fd, F_GETLK, F_RDLCK, max - 5, 1);
    ask(fd, F_GETLK, F_RDLCK, max - 6, 0);
    ask(fd, F_OFD_GETLK, F_RDLCK, 0, 0);
    ask(fd, F_OFD_GETLK, F_UNLCK, 0, 0);
    ask(fd, F_GETLK, F_UNLCK, 0, 0);
    _exit(0);
  }
  reap(child);
  SHOW(flock(fd, 32));
  SHOW(flock(fd, LOCK_SH | LOCK_EX));
  SHOW(flock(fd, LOCK_NB));
  SHOW(flock(open("extremes", O_PATH), LOCK_SH));
  SHOW(flock(open("extremes", 3), LOCK_SH));
  SHOW(lock(open("extremes", 3), F_SETLK, F_RDLCK, 0, 1));
  SHOW(lock(open("extremes", O_PATH), F_SETLK, F_RDLCK, 0, 1));
  int directory = open(".", O_RDONLY);
  SHOW(lock(directory, F_SETLK, F_RDLCK, 0, 1));
  SHOW(lock(directory, F_SETLK, F_WRLCK, 0, 1));
  SHOW(flock(directory, LOCK_EX));
  SHOW(fcntl(fd, F_GETLEASE));
  closefrom(3);
}

// Is anything of the file locked, as seen by somebody else?
static int taken(const char* name) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int fd = open(name, O_RDWR);
    int record = lock(fd, F_SETLK, F_WRLCK, 0, 0) != 0;
    int whole = flock(fd, LOCK_EX | LOCK_NB) != 0;
    _exit(record + 2 * whole);
  }
  return reap(child) >> 8;
}

static void closing(void) {
  int fd = make("closing", "0123456789");
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  SHOW(taken("closing"));
  SHOW(close(open("closing", O_RDONLY)));
  SHOW(taken("closing"));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  int other = make("other", "x");
  SHOW(dup2(other, 50));
  SHOW(taken("closing"));
  SHOW(dup2(fd, 50));
  SHOW(taken("closing"));
  SHOW(dup2(fd, 50));
  SHOW(taken("closing"));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  SHOW(dup3(other, 50, O_CLOEXEC));
  SHOW(taken("closing"));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  SHOW(dup2(fd, 60));
  SHOW(close_range(60, 60, CLOSE_RANGE_CLOEXEC));
  SHOW(taken("closing"));
  SHOW(close_range(60, 60, 0));
  SHOW(taken("closing"));
  // open file descriptions
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0));
  SHOW(close(open("closing", O_RDONLY)));
  SHOW(taken("closing"));
  SHOW(flock(fd, LOCK_EX));
  SHOW(taken("closing"));
  int copy = dup(fd);
  SHOW(close(fd));
  SHOW(taken("closing"));
  SHOW(flock(copy, LOCK_UN));
  SHOW(taken("closing"));
  SHOW(close(copy));
  SHOW(taken("closing"));
  fd = open("closing", O_RDWR);
  SHOW(flock(fd, LOCK_SH));
  void* memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  SHOW(close(fd));
  SHOW(taken("closing"));
  SHOW(munmap(memory, 4096));
  SHOW(taken("closing"));
  closefrom(3);
}

static void inheriting(void) {
  int fd = make("inheriting", "0123456789");
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 5));
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 5, 5));
  SHOW(flock(fd, LOCK_EX));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    self_pid = getpid(), parent_pid = getppid();
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 5));
    SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 5));
    SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 5, 5));
    SHOW(lock(fd, F_OFD_SETLK, F_UNLCK, 7, 1));
    SHOW(flock(fd, LOCK_SH | LOCK_NB));
    int own = open("inheriting", O_RDWR);
    ask(own, F_GETLK, F_WRLCK, 0, 0);
    ask(own, F_GETLK, F_WRLCK, 5, 0);
    ask(own, F_OFD_GETLK, F_WRLCK, 6, 0);
    ask(fd, F_OFD_GETLK, F_UNLCK, 0, 0);
    ask(own, F_OFD_GETLK, F_UNLCK, 0, 0);
    SHOW(flock(own, LOCK_EX | LOCK_NB));
    SHOW(flock(own, LOCK_SH | LOCK_NB));
    _exit(0);
  }
  reap(child);
  SHOW(taken("inheriting"));
  SHOW(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
  SHOW(taken("inheriting"));
  SHOW(flock(fd, LOCK_UN));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  SHOW(taken("inheriting"));
  // of one's own, they exclude each other
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 5));
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5));
  self_pid = getpid();
  ask(fd, F_OFD_GETLK, F_WRLCK, 0, 0);
  closefrom(3);
}

static void upgrading(void) {
  int a = make("upgrading", "0123456789"), b = open("upgrading", O_RDWR), c = open("upgrading", O_RDWR);
  SHOW(flock(a, LOCK_SH));
  SHOW(flock(b, LOCK_SH));
  SHOW(flock(a, LOCK_EX | LOCK_NB));
  SHOW(flock(b, LOCK_EX | LOCK_NB));  // a's is gone since it was refused
  SHOW(flock(a, LOCK_SH | LOCK_NB));
  SHOW(flock(b, LOCK_SH));
  SHOW(flock(a, LOCK_SH | LOCK_NB));
  SHOW(flock(c, LOCK_EX | LOCK_NB));
  SHOW(lock(a, F_OFD_SETLK, F_RDLCK, 0, 10));
  SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 0, 10));
  SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
  SHOW(lock(c, F_OFD_SETLK, F_RDLCK, 0, 10));
  SHOW(lock(b, F_OFD_SETLK, F_UNLCK, 0, 10));
  SHOW(lock(c, F_OFD_SETLK, F_UNLCK, 0, 10));
  SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
  SHOW(lock(a, F_OFD_SETLK, F_RDLCK, 0, 5));
  SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 0, 5));
  SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 0, 6));
  closefrom(3);
}

static const char* program;

static int run_self(const char* what) {
  fflush(stdout);
  execl(program, program, "", what, NULL);
  return 99;
}

static int child_of_exec(const char* what) {
  fflush(stdout);
  pid_t child = fork();
  if (child != 0) return reap(child) >> 8;
  int fd = make("exec", "0123456789");
  if (strcmp(what, "kept") == 0) {
    lock(fd, F_SETLK, F_WRLCK, 0, 0);
  } else if (strcmp(what, "cloexec") == 0) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    lock(fd, F_SETLK, F_WRLCK, 0, 0);
  } else if (strcmp(what, "other") == 0) {
    lock(fd, F_SETLK, F_WRLCK, 0, 0);
    open("exec", O_RDONLY | O_CLOEXEC);
  } else {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0);
    flock(fd, LOCK_EX);
  }
  _exit(run_self("taken"));
}

static void executing(void) {
  SHOW(child_of_exec("kept"));
  SHOW(child_of_exec("cloexec"));
  SHOW(child_of_exec("other"));
  SHOW(child_of_exec("ofd"));
  int fd = make("exec", "0123456789");
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  SHOW(flock(fd, LOCK_EX));
  SHOW(child_of_exec("kept"));
  // After an exec any close still drops them.
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int again = open("exec", O_RDWR);
    lock(again, F_SETLK, F_WRLCK, 0, 0);
    _exit(run_self("close"));
  }
  SHOW(reap(child) >> 8);
  closefrom(3);
}

// ---- those who wait -----------------------------------------------------------------------------

static int to_child[2], to_parent[2];

static void pipes(void) {
  pipe(to_child);
  pipe(to_parent);
}
static void tell(int fd, char c) {
  write(fd, &c, 1);
}
static char hear(int fd) {
  char c = 0;
  read(fd, &c, 1);
  return c;
}

// Time for somebody to fall asleep.
static void settle(void) {
  usleep(40000);
}

// A child that has said that it is about to wait does so now, however busy the machine is.
static void asleep(pid_t pid) {
  char name[32], text[256];
  sprintf(name, "/proc/%d/stat", (int)pid);
  hear(to_parent[0]);
  for (int seen = 0; seen < 4;) {
    usleep(10000);
    int fd = open(name, O_RDONLY);
    text[read(fd, text, sizeof text - 1)] = 0;
    close(fd);
    seen = strstr(text, ") S") ? seen + 1 : 0;
  }
}

static void deadlocks(void) {
  int fd = make("deadlocks", "0123456789");
  pipes();
  lock(fd, F_SETLK, F_WRLCK, 0, 1);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    lock(fd, F_SETLK, F_WRLCK, 1, 1);
    tell(to_parent[1], 'x');
    _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
  }
  asleep(child);
  SHOW(lock(fd, F_SETLK, F_WRLCK, 1, 1));
  SHOW(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
  SHOW(lock(fd, F_SETLKW, F_RDLCK, 0, 2));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 1));
  SHOW(reap(child));
  // a ring of three
  lock(fd, F_SETLK, F_WRLCK, 0, 1);
  pid_t one = fork();
  if (one == 0) {
    lock(fd, F_SETLK, F_WRLCK, 1, 1);
    tell(to_parent[1], '1');
    hear(to_child[0]);
    tell(to_parent[1], '1');
    _exit(lock(fd, F_SETLKW, F_WRLCK, 2, 1));
  }
  hear(to_parent[0]);
  pid_t two = fork();
  if (two == 0) {
    lock(fd, F_SETLK, F_WRLCK, 2, 1);
    tell(to_parent[1], '2');
    _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
  }
  asleep(two);
  tell(to_child[1], 'x');
  asleep(one);
  SHOW(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 1));
  SHOW(reap(two));
  SHOW(reap(one));
  closefrom(3);
}

static volatile sig_atomic_t rang;
static sigjmp_buf out;
static void ring(int sig) {
  rang++;
}
static void leave(int sig) {
  siglongjmp(out, 1);
}

static void on_alarm(void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
  rang = 0;
  struct itimerval soon = {.it_value.tv_usec = 30000};
  setitimer(ITIMER_REAL, &soon, NULL);
}

typedef int Take(int fd, int waiting);
static int take_posix(int fd, int waiting) {
  return lock(fd, waiting ? F_SETLKW : F_SETLK, F_WRLCK, 0, 0);
}
static int take_ofd(int fd, int waiting) {
  return lock(fd, waiting ? F_OFD_SETLKW : F_OFD_SETLK, F_WRLCK, 0, 0);
}
static int take_flock(int fd, int waiting) {
  return flock(fd, LOCK_EX | (waiting ? 0 : LOCK_NB));
}

// Somebody who holds the lock until told, or until killed.
static pid_t holder(Take* take) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int fd = open("waiting", O_RDWR);
    take(fd, 1);
    tell(to_parent[1], 'x');
    if (hear(to_child[0]) == 'l') {
      usleep(100000);
      _exit(0);
    }
    _exit(0);
  }
  hear(to_parent[0]);
  return child;
}

static void signals(const char* kind, Take* take) {
  SAY("%s", kind);
  int fd = make("waiting", "0123456789");
  pipes();
  pid_t child = holder(take);
  SHOW(take(fd, 0));
  on_alarm(ring, 0);
  SHOW(take(fd, 1));
  SHOW(rang);
  on_alarm(leave, 0);
  if (sigsetjmp(out, 1) == 0) SHOW(take(fd, 1));
  on_alarm(leave, SA_RESTART);
  if (sigsetjmp(out, 1) == 0) SHOW(take(fd, 1));
  tell(to_child[1], 'l');
  on_alarm(ring, SA_RESTART);
  SHOW(take(fd, 1));
  SHOW(rang);
  SHOW(reap(child));
  SHOW(taken("waiting"));
  closefrom(3);
}

static void* kill_later(void* pid) {
  usleep(30000);
  kill((pid_t)(long)pid, SIGKILL);
  return NULL;
}

static void killing(const char* kind, Take* take) {
  SAY("%s", kind);
  int fd = make("waiting", "0123456789");
  pipes();
  pid_t child = holder(take);
  pthread_t killer;
  pthread_create(&killer, NULL, kill_later, (void*)(long)child);
  SHOW(take(fd, 1));
  pthread_join(killer, NULL);
  SHOW(reap(child));
  close(fd);
  // Who has seen a process end never meets its locks.
  for (int i = 0; i < 20; i++) {
    child = holder(take);
    kill(child, SIGKILL);
    reap(child);
    fd = open("waiting", O_RDWR);
    if (take(fd, 0) != 0) SAY("still locked in round %d", i);
    close(fd);
    child = holder(take);
    tell(to_child[1], 'x');
    reap(child);
    fd = open("waiting", O_RDWR);
    if (take(fd, 0) != 0) SAY("still locked after exit in round %d", i);
    close(fd);
  }
  // One that waits is killed: those behind it come next.
  fd = open("waiting", O_RDWR);
  take(fd, 0);
  pid_t waiters[3];
  for (int i = 0; i < 3; i++) {
    waiters[i] = fork();
    if (waiters[i] == 0) {
      close(fd);
      int own = open("waiting", O_RDWR);
      tell(to_parent[1], 'w');
      _exit(take(own, 1) == 0 ? i : 9);
    }
    asleep(waiters[i]);
  }
  kill(waiters[0], SIGKILL);
  close(fd);
  for (int i = 0; i < 3; i++) SHOW(reap(waiters[i]));
  closefrom(3);
}

static void order(const char* kind, Take* take) {
  SAY("%s", kind);
  int fd = make("waiting", "0123456789");
  pipes();
  take(fd, 0);
  pid_t waiters[8];
  for (int i = 0; i < 8; i++) {
    waiters[i] = fork();
    if (waiters[i] == 0) {
      close(fd);
      int own = open("waiting", O_RDWR);
      tell(to_parent[1], 'w');
      take(own, 1);
      tell(to_parent[1], (char)('0' + i));
      usleep(20000);
      _exit(0);
    }
    asleep(waiters[i]);
  }
  close(fd);
  char came[9] = "";
  for (int i = 0; i < 8; i++) came[i] = hear(to_parent[0]);
  SAY("%s", came);
  for (int i = 0; i < 8; i++) reap(waiters[i]);
  closefrom(3);
}

static int shared_fds[2];
static long counter;
static void* add(void* at) {
  int fd = open("threads", O_RDWR);
  for (int i = 0; i < 300; i++) {
    lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 1);
    long seen = *(volatile long*)&counter;
    if (i % 50 == 0) usleep(100);
    *(volatile long*)&counter = seen + 1;
    lock(fd, F_OFD_SETLK, F_UNLCK, 0, 1);
  }
  close(fd);
  return NULL;
}
static void threads(void) {
  close(make("threads", "0"));
  pthread_t all[6];
  for (int i = 0; i < 6; i++) pthread_create(&all[i], NULL, add, NULL);
  for (int i = 0; i < 6; i++) pthread_join(all[i], NULL);
  SHOW(counter);
}

static void* wait_forever(void* at) {
  lock(*(int*)at, F_OFD_SETLKW, F_WRLCK, 0, 0);
  return NULL;
}
static void cancelling(void) {
  int fd = make("cancelling", "0"), other = open("cancelling", O_RDWR);
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0));
  pthread_t waiter;
  void* result;
  pthread_create(&waiter, NULL, wait_forever, &other);
  settle();
  SHOW(pthread_cancel(waiter));
  SHOW(pthread_join(waiter, &result));
  SHOW(result == PTHREAD_CANCELED);
  SHOW(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0));
  closefrom(3);
}

// Processes that add to a number in a file, under every kind of lock.
static void exclusion(const char* kind, Take* take) {
  close(make("number", "0"));
  close(make("waiting", ""));
  fflush(stdout);
  pid_t all[6];
  for (int p = 0; p < 6; p++) {
    all[p] = fork();
    if (all[p] == 0) {
      for (int i = 0; i < 100; i++) {
        int fd = open("waiting", O_RDWR), number = open("number", O_RDWR);
        char text[32] = "";
        if (take(fd, 1) != 0) _exit(1);
        pread(number, text, 31, 0);
        int length = sprintf(text, "%d", atoi(text) + 1);
        pwrite(number, text, length, 0);
        close(number);
        close(fd);
      }
      _exit(0);
    }
  }
  int status = 0;
  for (int p = 0; p < 6; p++) status |= reap(all[p]);
  char text[32] = "";
  int number = open("number", O_RDONLY);
  read(number, text, 31);
  SAY("%s: %s %d", kind, text, status);
  close(number);
}

// O_APPEND by several processes, some of them under a lock: every line is whole and there.
static void appending(void) {
  close(make("log", ""));
  fflush(stdout);
  pid_t all[6];
  for (int p = 0; p < 6; p++) {
    all[p] = fork();
    if (all[p] == 0) {
      int fd = open("log", O_WRONLY | O_APPEND);
      for (int i = 0; i < 300; i++) {
        char line[700];
        int length = 20 + (p * 131 + i * 17) % 600;
        memset(line, 'a' + p, length);
        line[length - 1] = '\n';
        if (p % 2) lock(fd, F_SETLKW, F_WRLCK, 0, 0);
        if (write(fd, line, length) != length) _exit(1);
        if (p % 2) lock(fd, F_SETLK, F_UNLCK, 0, 0);
      }
      _exit(0);
    }
  }
  int status = 0;
  for (int p = 0; p < 6; p++) status |= reap(all[p]);
  FILE* file = fopen("log", "r");
  static char line[2000];
  int lines = 0, torn = 0, next[6] = {0};
  while (fgets(line, sizeof line, file)) {
    int p = line[0] - 'a', length = (int)strlen(line);
    lines++;
    if (p < 0 || p > 5 || length != 20 + (p * 131 + next[p]++ * 17) % 600) torn++;
    for (int i = 0; i < length - 1; i++)
      if (line[i] != line[0]) {
        torn++;
        break;
      }
  }
  fclose(file);
  SAY("%d lines, %d torn, %d", lines, torn, status);
}

// Who would be signalled: kept with the description, and told.
static void owners(void) {
  int fd = make("owned", "x"), copy = dup(fd), directory = open(".", O_RDONLY);
  struct f_owner_ex owner = {9, 9};
  SHOW(fcntl(fd, F_GETOWN));
  SHOW(fcntl(fd, F_GETOWN_EX, &owner));
  SAY("%d %d", owner.type, owner.pid);
  SHOW(fcntl(fd, F_SETOWN, getpid()));
  SHOW(fcntl(fd, F_GETOWN) == getpid());
  SHOW(fcntl(fd, F_SETOWN, 4999999));
  SHOW(fcntl(fd, F_SETOWN, -4999999));
  SHOW(fcntl(fd, F_SETOWN, INT32_MIN));
  SHOW(fcntl(copy, F_GETOWN) == getpid());
  SHOW(fcntl(fd, F_SETSIG, SIGUSR1));
  SHOW(fcntl(copy, F_GETSIG));
  SHOW(fcntl(fd, F_SETSIG, 65));
  SHOW(fcntl(fd, F_SETSIG, -1));
  owner = (struct f_owner_ex){F_OWNER_TID, getpid()};
  SHOW(fcntl(fd, F_SETOWN_EX, &owner));
  SHOW(fcntl(fd, F_GETOWN) == getpid());
  owner = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
  SHOW(fcntl(fd, F_SETOWN_EX, &owner));
  SHOW(fcntl(fd, F_GETOWN) == -getpgrp());
  owner = (struct f_owner_ex){F_OWNER_PID, 4999999};
  SHOW(fcntl(fd, F_SETOWN_EX, &owner));
  owner.type = 3;
  SHOW(fcntl(fd, F_SETOWN_EX, &owner));
  SHOW(fcntl(fd, F_GETOWN_EX, &owner));
  SAY("%d %d", owner.type, owner.pid == getpgrp());
  SHOW(fcntl(fd, F_SETOWN, 0));
  SHOW(fcntl(fd, F_GETOWN_EX, &owner));
  SAY("%d %d", owner.type, owner.pid);
  pid_t child = fork();
  if (child == 0) pause();
  SHOW(fcntl(fd, F_SETOWN, child));
  kill(child, SIGKILL);
  reap(child);
  SHOW(fcntl(fd, F_GETOWN));
  SHOW(fcntl(open("owned", O_RDWR), F_GETSIG));
  SHOW(fcntl(directory, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(directory, F_SETLEASE, F_UNLCK));
  SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
  SHOW(fcntl(fd, F_NOTIFY, DN_CREATE));
  SHOW(fcntl(fd, F_NOTIFY, DN_MULTISHOT));
  closefrom(3);
}

int main(int argc, char** argv) {
  if (argc > 2) {
    if (strcmp(argv[2], "close") == 0) {
      int before = taken("exec");
      close(open("exec", O_RDONLY));
      return before * 16 + taken("exec");
    }
    return taken("exec");
  }
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  program = argv[0];
  self_pid = getpid();
  ranges();
  extremes();
  closing();
  inheriting();
  upgrading();
  executing();
  owners();
  deadlocks();
  signals("posix", take_posix);
  signals("ofd", take_ofd);
  signals("flock", take_flock);
  killing("posix", take_posix);
  killing("ofd", take_ofd);
  killing("flock", take_flock);
  order("posix", take_posix);
  order("ofd", take_ofd);
  order("flock", take_flock);
  threads();
  cancelling();
  exclusion("posix", take_posix);
  exclusion("ofd", take_ofd);
  exclusion("flock", take_flock);
  appending();
  return 0;
}
