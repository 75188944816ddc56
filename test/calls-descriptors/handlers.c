#include "show.h"

#include <ucontext.h>

// Signals that come while calls on files are under way, and what their handlers do then.
static sigjmp_buf away;
static volatile int handled, bad_in_handler;
static unsigned char bytes[50000], back[50000];

static void on_tick(int number) {
  char text[16] = {0}, name[16];
  int error = errno;
  snprintf(name, sizeof name, "tick%d", handled % 4);
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  if (write(fd, "tick", 4) != 4 || pread(fd, text, 4, 0) != 4 || memcmp(text, "tick", 4) != 0)
    bad_in_handler++;
  if (handled % 3 == 0) rename(name, "ticked");
  close(fd);
  handled++;
  errno = error;
}

static void tick(long microseconds) {
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static long work(int rounds) {
  long bad = 0;
  for (int i = 0; i < rounds; i++) {
    int fd = open("work", O_RDWR | O_CREAT, 0644);
    bad += fd < 0;
    bad += write(fd, bytes, sizeof bytes) != sizeof bytes;
    bad += pread(fd, back, sizeof back, 0) != sizeof back;
    bad += memcmp(bytes, back, sizeof back) != 0;
    bad += mkdir("made", 0755) != 0;
    bad += rmdir("made") != 0;
    struct stat status;
    bad += fstat(fd, &status) != 0 || status.st_size != sizeof bytes;
    if (i % 5 == 0) bad += ftruncate(fd, 0) != 0;
    bad += close(fd) != 0;
  }
  return bad;
}

static void ticking(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  tick(1000);
  long bad = 0;
  while (handled < 200) bad += work(20);
  tick(0);
  SHOW(bad);
  SHOW(bad_in_handler);
}

static char alternate[4 * 65536];
static void on_stack(void) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  SHOW(sigaltstack(&stack, NULL));
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigaction(SIGALRM, &action, NULL);
  handled = 0;
  tick(1000);
  long bad = 0;
  while (handled < 100) bad += work(20);
  tick(0);
  SHOW(bad);
  SHOW(bad_in_handler);
}

// Handlers that interrupt handlers, deeper than anybody nests.
static volatile int depth, deepest;
static void on_nested(int number) {
  int level = ++depth;
  if (level > deepest) deepest = level;
  char name[16], text[8] = {0};
  snprintf(name, sizeof name, "nest%d", level);
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  if (level < 12) raise(SIGRTMIN + level);
  if (pwrite(fd, name, 5, 0) != 5 || pread(fd, text, 5, 0) != 5 || memcmp(text, name, 5) != 0)
    bad_in_handler++;
  if (level < 12) raise(SIGRTMIN + level);
  close(fd);
  depth--;
}
static void nested(void) {
  for (int i = 0; i < 13; i++) signal(SIGRTMIN + i, on_nested);
  depth = 0;
  raise(SIGRTMIN);
  SHOW(deepest);
  SHOW(bad_in_handler);
}

// Many timers, whose handlers work long and interrupt each other in the middle of requests.
static void on_slow(int number) {
  char name[16];
  static unsigned char own[20000], other[20000];
  snprintf(name, sizeof name, "slow%d", number);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (write(fd, bytes, 20000) != 20000) bad_in_handler++;
  if (mkdir("slow", 0755) == 0) rmdir("slow");
  close(fd);
  handled++;
}
static void crossing(void) {
  timer_t timers[10];
  for (int i = 0; i < 10; i++) {
    struct sigaction action = {.sa_handler = on_slow, .sa_flags = SA_RESTART};
    sigaction(SIGRTMIN + i, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + i};
    timer_create(CLOCK_MONOTONIC, &event, &timers[i]);
    struct itimerspec when = {{0, 2000000 + i * 313337}, {0, 1000000 + i * 111111}};
    timer_settime(timers[i], 0, &when, NULL);
  }
  handled = 0;
  long bad = 0;
  while (handled < 400) {
    int fd = open("crossed", O_RDWR | O_CREAT, 0644);
    bad += pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes;
    bad += pread(fd, back, sizeof back, 0) != sizeof back || memcmp(bytes, back, sizeof back) != 0;
    bad += close(fd) != 0;
  }
  for (int i = 0; i < 10; i++) timer_delete(timers[i]);
  SHOW(bad);
  SHOW(bad_in_handler);
}

static void on_leave(int number) {
  int fd = open("leave", O_RDWR | O_CREAT, 0644);
  close(fd);
  siglongjmp(away, 1);
}
static void leaving(void) {
  struct sigaction action = {.sa_handler = on_leave};
  long bad = 0;
  for (int i = 0; i < 300; i++) {
    action.sa_flags = i % 2 ? SA_ONSTACK : 0;
    sigaction(SIGALRM, &action, NULL);
    if (sigsetjmp(away, 1) == 0) {
      tick(300 + i * 7);
      for (;;) {
        int fd = open("left", O_RDWR | O_CREAT, 0644);
        pwrite(fd, bytes, sizeof bytes, 0);
        pread(fd, back, sizeof back, 0);
        close(fd);
      }
    }
    tick(0);
    for (int fd = 3; fd < 30; fd++) close(fd);
    bad += work(1);
  }
  SHOW(bad);
}

static void on_fault(int number, siginfo_t* info, void* context) {
  int fd = open("fault", O_RDWR | O_CREAT | O_APPEND, 0644);
  if (write(fd, "fault\n", 6) != 6) bad_in_handler++;
  close(fd);
  siglongjmp(away, 1);
}
static void faults(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  for (int i = 0; i < 50; i++) {
    if (sigsetjmp(away, 1) == 0) *(volatile int*)(long)(i % 2 ? 8 : -4096l) = 1;
  }
  int fd = make("map", "x");
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (sigsetjmp(away, 1) == 0) map[5000] = 1;
  SHOW(read(fd, (void*)8, 1));
  munmap(map, 8192);
  close(fd);
  struct stat status;
  stat("fault", &status);
  SHOW(status.st_size);
  signal(SIGSEGV, SIG_DFL);
  signal(SIGBUS, SIG_DFL);
}

// A handler that forks; its child returns into what was interrupted, and so does the parent.
static pid_t children[64];
static volatile int forked, is_child;
static void on_fork(int number) {
  if (is_child || forked >= 40) return;
  pid_t child = fork();
  if (child == 0) {
    is_child = 1;
    struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &none, NULL);
    int fd = open("forked", O_RDWR | O_CREAT, 0644);
    if (pwrite(fd, "f", 1, 0) != 1) _exit(7);
    close(fd);
    if (forked % 2) _exit(0);
    return;
  }
  children[forked++] = child;
}
static void forking(void) {
  struct sigaction action = {.sa_handler = on_fork, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  long bad = 0;
  int fd = open("interrupted", O_RDWR | O_CREAT, 0644);
  tick(2000);
  while (forked < 40 && !is_child) {
    bad += pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes && !is_child;
    pread(fd, back, sizeof back, 0);
    bad += memcmp(bytes, back, sizeof back) != 0 && !is_child;
    bad += access("interrupted", F_OK) != 0 && !is_child;
    bad += access("interrupted", F_OK) != 0 && !is_child;
  }
  if (is_child) {
    // Whatever became of the interrupted call, the ones after it are whole.
    char name[32];
    snprintf(name, sizeof name, "is-child-%d", getpid());
    fd = open(name, O_RDWR | O_CREAT, 0644);
    bad = fd < 0 || write(fd, bytes, 9000) != 9000 || pread(fd, back, 9000, 0) != 9000 ||
          memcmp(bytes, back, 9000) != 0 || close(fd) != 0 || unlink(name) != 0;
    _exit(bad);
  }
  tick(0);
  SHOW(bad);
  int failed = 0;
  for (int i = 0; i < 40; i++) {
    int status = reap(children[i]);
    if (status != 0) failed++, SAY("child %d: %x", i, status);
  }
  SHOW(failed);
}

static volatile int interrupted;
static void on_interrupt(int number) {
  interrupted++;
}
static void slow_calls(void) {
  mkfifo("fifo", 0644);
  int locked = make("locked", "x");
  for (int restart = 0; restart < 2; restart++) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = restart ? SA_RESTART : 0};
    sigaction(SIGALRM, &action, NULL);
    interrupted = 0;
    pid_t child = fork();
    if (child == 0) {
      flock(locked, LOCK_UN);
      int own = open("locked", O_RDWR);
      flock(own, LOCK_EX);
      struct flock lock = {.l_type = F_WRLCK};
      fcntl(own, F_SETLK, &lock);
      usleep(300000);
      _exit(0);
    }
    usleep(100000);
    struct flock lock = {.l_type = F_WRLCK};
    ualarm(30000, 0);
    SHOW(flock(locked, LOCK_EX));
    SHOW(interrupted);
    flock(locked, LOCK_UN);
    if (restart == 0) {
      ualarm(30000, 0);
      SHOW(fcntl(locked, F_SETLKW, &lock));
      ualarm(30000, 0);
      SHOW(open("fifo", O_RDONLY));
      SHOW(interrupted);
      int fd = open("fifo", O_RDWR);
      ualarm(30000, 0);
      SHOW(read(fd, (char[4]){0}, 4));
      close(fd);
    }
    reap(child);
  }
  close(locked);
}

// Coroutines on small stacks, each in the middle of its work when another goes on.
enum { COROUTINES = 16, STACK = 16384 };
static ucontext_t contexts[COROUTINES], scheduler;
static char stacks[COROUTINES][STACK] __attribute__((aligned(16)));
static int broken, alive;
static void coroutine(int number) {
  char name[16], text[16];
  snprintf(name, sizeof name, "co%d", number);
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  for (int i = 0; i < 50; i++) {
    broken += pwrite(fd, name, 4, i * 4) != 4;
    swapcontext(&contexts[number], &scheduler);
    broken += pread(fd, text, 4, i * 4) != 4 || memcmp(text, name, 4) != 0;
  }
  broken += close(fd) != 0;
  alive--;
}
static void coroutines(void) {
  alive = COROUTINES;
  for (int i = 0; i < COROUTINES; i++) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = stacks[i];
    contexts[i].uc_stack.ss_size = STACK;
    contexts[i].uc_link = &scheduler;
    makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
  }
  handled = 0;
  signal(SIGALRM, on_tick);
  while (alive > 0)
    for (int i = 0; i < COROUTINES; i++)
      if (contexts[i].uc_link != NULL && alive > 0) {
        int before = alive;
        swapcontext(&scheduler, &contexts[i]);
        if (alive < before) contexts[i].uc_link = NULL;
      }
  SHOW(broken);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  fill(bytes, sizeof bytes, 7);
  ticking();
  on_stack();
  nested();
  crossing();
  leaving();
  faults();
  coroutines();
  slow_calls();
  forking();
  return 0;
}
