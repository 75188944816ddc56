// Processes that take and wait for locks of every kind, killed at any moment: nobody hangs behind a dead one,
// two are never inside at once, and nothing stays locked.
#include "show.h"

#define LOCKERS 8
#define ROUNDS 250

static int lock(int fd, int command, short type, off_t start, off_t length) {
  struct flock wanted = {.l_type = type, .l_start = start, .l_len = length};
  return fcntl(fd, command, &wanted);
}

static void on_alarm(int sig) {}

// `inside` says who holds the exclusive lock of each kind: nobody else may write there until it is given back.
static void work(int number, volatile int* inside, volatile int* broken) {
  unsigned seed = (unsigned)getpid();
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = number % 2 ? SA_RESTART : 0};
  sigaction(SIGALRM, &action, NULL);
  for (;;) {
    seed = seed * 1103515245u + 12345u;
    int kind = seed >> 16 & 3, fd = open("locked", O_RDWR | O_CREAT, 0644);
    struct itimerval soon = {.it_value.tv_usec = 300 + (seed >> 20 & 1023)};
    if (seed >> 18 & 1) setitimer(ITIMER_REAL, &soon, NULL);
    int result = kind == 0   ? flock(fd, LOCK_EX)
                 : kind == 1 ? lock(fd, F_SETLKW, F_WRLCK, 10, 1)
                 : kind == 2 ? lock(fd, F_OFD_SETLKW, F_WRLCK, 20, 1)
                             : lock(fd, F_SETLKW, F_RDLCK, 5, 50);
    if (result == 0 && kind < 3) {
      inside[kind] = getpid();
      for (int i = seed >> 24 & 63; i > 0; i--) getppid();
      if (inside[kind] != getpid()) *broken += 1;
      inside[kind] = 0;
    } else if (result != 0 && errno != EINTR && errno != EDEADLK) {
      *broken += 1000;
    }
    if (seed >> 19 & 1) {
      flock(fd, LOCK_UN);
      lock(fd, F_SETLK, F_UNLCK, 0, 0);
    }
    close(fd);
  }
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  volatile int* shared =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t lockers[LOCKERS] = {0};
  unsigned seed = 7;
  for (int round = 0; round < ROUNDS; round++) {
    seed = seed * 1103515245u + 12345u;
    int number = seed >> 16 & (LOCKERS - 1);
    if (lockers[number] != 0) {
      kill(lockers[number], SIGKILL);
      reap(lockers[number]);
    }
    lockers[number] = fork();
    if (lockers[number] == 0) work(number, shared, shared + 8);
    usleep(1000 + (seed >> 20 & 2047));
  }
  for (int i = 0; i < LOCKERS; i++)
    if (lockers[i] != 0) {
      kill(lockers[i], SIGKILL);
      reap(lockers[i]);
    }
  int fd = open("locked", O_RDWR);
  if (lock(fd, F_SETLK, F_WRLCK, 0, 0) != 0) return 1;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return 2;
  if (shared[8] != 0) return 3;
  close(fd);
  unlink("locked");
  puts("done");
  return 0;
}
