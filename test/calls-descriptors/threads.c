#include "show.h"

enum { THREADS = 50, ROUNDS = 40 };
static int shared_fd;

static void* work(void* argument) {
  long bad = 0, number = (long)argument;
  char name[32], text[64], back[64];
  for (int round = 0; round < ROUNDS; round++) {
    snprintf(name, sizeof name, "thread%ld-%d", number, round % 4);
    int length = snprintf(text, sizeof text, "thread %ld round %d", number, round);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    int copy = dup(fd);
    bad += write(fd, text, length) != length;
    bad += pread(copy, back, sizeof back, 0) != length || memcmp(text, back, length) != 0;
    bad += lseek(copy, 0, SEEK_CUR) != length;
    bad += close(fd) != 0 || close(copy) != 0;
    bad += write(shared_fd, "0123456789", 10) != 10;
    sched_yield();
  }
  return (void*)bad;
}

static void together(void) {
  pthread_t ids[THREADS];
  shared_fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0644);
  for (long i = 0; i < THREADS; i++) pthread_create(&ids[i], NULL, work, (void*)i);
  long bad = 0;
  for (int i = 0; i < THREADS; i++) {
    void* result;
    pthread_join(ids[i], &result);
    bad += (long)result;
  }
  SHOW(bad);
  SHOW(lseek(shared_fd, 0, SEEK_CUR));
  SAY("%lx", sum_of("shared"));
  close(shared_fd);
}

static volatile int stop;
static void* opener(void* unused) {
  (void)unused;
  while (!stop) close(make("opener", "x"));
  return NULL;
}

// fork and posix_spawn while other threads open and close.
static void forking(void) {
  pthread_t ids[4];
  for (int i = 0; i < 4; i++) pthread_create(&ids[i], NULL, opener, NULL);
  int bad = 0;
  for (int i = 0; i < 60; i++) {
    pid_t child = i % 2 ? fork() : vfork();
    if (child == 0) {
      if (i % 2) {
        int fd = make("forked", "in the child");
        _exit(pread(fd, (char[16]){0}, 16, 0) == 12 ? 0 : 1);
      }
      _exit(0);
    }
    bad += reap(child) != 0;
  }
  stop = 1;
  for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
  SHOW(bad);
}

static int handled;
static void on_alarm(int number) {
  (void)number;
  int fd = open("signal", O_RDWR | O_CREAT, 0644);
  if (write(fd, "s", 1) == 1) handled++;
  close(fd);
}

// Handlers that make calls of their own in the middle of calls.
static void interrupted(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &timer, NULL);
  int fd = make("interrupted", "");
  long bad = 0;
  static unsigned char bytes[100000], back[100000];
  fill(bytes, sizeof bytes, 5);
  for (int i = 0; i < 400 || handled < 5; i++) {
    bad += pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes;
    bad += pread(fd, back, sizeof back, 0) != sizeof back || memcmp(bytes, back, sizeof bytes) != 0;
  }
  timer = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &timer, NULL);
  SHOW(bad);
  SHOW(handled >= 5);
  close(fd);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  together();
  forking();
  interrupted();
  return 0;
}
