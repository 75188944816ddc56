// A signal arrives while read(2) blocks: from the handler a backtrace leads through read to main.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static int found_outer, found_main;

long outer(int fd);

/** Is the address in that function? The program is linked with -rdynamic. */
static int inside(void* address, const char* function) {
  Dl_info info;
  return dladdr(address, &info) != 0 && info.dli_sname != NULL &&
         strcmp(info.dli_sname, function) == 0;
}

static void handler(int signal) {
  void* frames[64];
  (void)signal;
  int count = backtrace(frames, 64);
  for (int i = 0; i < count; i++) {
    if (inside(frames[i], "outer")) found_outer = 1;
    if (inside(frames[i], "main")) found_main = 1;
  }
}

__attribute__((noinline)) long outer(int fd) {
  char byte;
  long got = read(fd, &byte, 1);
  return got < 0 ? -1 : got + 1;
}

void* idle(void* unused) {
  pause();
  return unused;
}

__attribute__((noinline)) int round_of(int fd) {
  found_outer = found_main = 0;
  // Repeats, in case the first one comes before read(2) blocks.
  struct itimerval every = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
  long got = outer(fd);
  setitimer(ITIMER_REAL, &never, NULL);
  return got == -1 && found_outer && found_main;
}

int main(void) {
  int ends[2];
  void* warm[4];
  pthread_t thread;
  backtrace(warm, 4);  // loads libgcc_s now, not in the handler
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGALRM, &action, NULL);
  if (pipe(ends) != 0) return 1;
  if (!round_of(ends[0])) return puts("lost its way (one thread)"), 1;
  // With a second thread read(2) takes its other way, through a cancellation point.
  sigset_t alarm_only, before;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm_only, &before);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!round_of(ends[0])) return puts("lost its way (two threads)"), 1;
  puts("ok");
  return 0;
}
