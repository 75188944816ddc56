#include "show.h"

#include <dirent.h>

// Threads that are cancelled or signalled in the middle of a call. What they held their clean-up
// handlers give back; nobody else may notice.
enum { THREADS = 8, ROUNDS = 60 };
static volatile int signals;

static void give_back(void* fd) {
  if (*(int*)fd >= 0) close(*(int*)fd);
}

static void* deferred(void* number) {
  int fd = -1;
  char name[24], text[64];
  snprintf(name, sizeof name, "deferred%ld", (long)number);
  pthread_cleanup_push(give_back, &fd);
  for (;;) {
    // open is a cancellation point, and gives its number or none.
    fd = open(name, O_RDWR | O_CREAT, 0644);
    pwrite(fd, "something", 9, 0);
    read(fd, text, sizeof text);
    fsync(fd);
    int last = fd;
    fd = -1;
    close(last);
  }
  pthread_cleanup_pop(0);
}

static void* reading(void* number) {
  int old;
  static unsigned char bytes[THREADS][50000];
  int fd = open("common", O_RDWR);
  DIR* directory = opendir(".");
  pthread_cleanup_push(give_back, &fd);
  pthread_cleanup_push((void (*)(void*))closedir, directory);
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
  for (;;) {
    // System calls of their own: those of libc are not made for asynchronous cancellation.
    syscall(SYS_pread64, fd, bytes[(long)number], sizeof bytes[0], 0);
    syscall(SYS_getdents64, dirfd(directory), bytes[(long)number], 4000);
    syscall(SYS_lseek, dirfd(directory), 0, SEEK_SET);
    syscall(SYS_access, "common", F_OK);
  }
  pthread_cleanup_pop(1);
  pthread_cleanup_pop(1);
}

static void cancelled(void* (*body)(void*)) {
  int bad = 0;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t ids[THREADS];
    for (long i = 0; i < THREADS; i++) pthread_create(&ids[i], NULL, body, (void*)i);
    usleep(round % 7 * 300 + 500);
    for (int i = 0; i < THREADS; i++) pthread_cancel(ids[i]);
    for (int i = 0; i < THREADS; i++) {
      void* result = NULL;
      pthread_join(ids[i], &result);
      bad += result != PTHREAD_CANCELED;
    }
  }
  SHOW(bad);
  int fd = open("common", O_RDWR);
  SHOW(write(fd, "goes on", 7));
  SHOW(close(fd));
}

// A thread that sleeps in the tree: for a FIFO's writer, and for a lock.
static void* opens_fifo(void* unused) {
  (void)unused;
  open("fifo", O_RDONLY);
  return NULL;
}
static void* locks(void* argument) {
  flock((int)(long)argument, LOCK_EX);
  fcntl((int)(long)argument, F_SETLKW, &(struct flock){.l_type = F_WRLCK});
  return NULL;
}

static void asleep(void) {
  pthread_t id;
  void* result = NULL;
  mkfifo("fifo", 0600);
  for (int i = 0; i < 5; i++) {
    pthread_create(&id, NULL, opens_fifo, NULL);
    usleep(i * 3000);
    pthread_cancel(id);
    pthread_join(id, &result);
    SHOW(result == PTHREAD_CANCELED);
  }
  // fcntl(F_SETLKW) is a cancellation point; the lock belongs to a child.
  int fd = open("common", O_RDWR), pipes[2];
  pipe(pipes);
  pid_t child = fork();
  if (child == 0) {
    int own = open("common", O_RDWR);
    fcntl(own, F_SETLK, &(struct flock){.l_type = F_WRLCK});
    write(pipes[1], "x", 1);
    pause();
  }
  read(pipes[0], (char[1]){0}, 1);
  for (int i = 0; i < 5; i++) {
    pthread_create(&id, NULL, locks, (void*)(long)fd);
    usleep(5000 + i * 3000);
    pthread_cancel(id);
    pthread_join(id, &result);
    SHOW(result == PTHREAD_CANCELED);
  }
  kill(child, SIGKILL);
  SHOW(WTERMSIG(reap(child)));
  SHOW(fcntl(fd, F_SETLKW, &(struct flock){.l_type = F_WRLCK}));
  SHOW(flock(fd, LOCK_EX | LOCK_NB));
  close(fd);
}

static volatile int stop;
static void on_signal(int number) {
  (void)number;
  struct stat status;
  int error = errno;
  if (stat("common", &status) == 0) signals++;
  errno = error;
}

static void* busy(void* number) {
  long bad = 0;
  char name[24], text[24], back[24];
  snprintf(name, sizeof name, "busy%ld", (long)number);
  for (int round = 0; !stop; round++) {
    int length = snprintf(text, sizeof text, "round %d", round);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    bad += write(fd, text, length) != length;
    bad += pread(fd, back, sizeof back, 0) != length || memcmp(text, back, length) != 0;
    bad += close(fd) != 0;
  }
  return (void*)bad;
}

static void storm(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t ids[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&ids[i], NULL, busy, (void*)i);
  int failed = 0;
  for (int i = 0; i < 20000; i++) {
    failed += pthread_kill(ids[i % THREADS], SIGUSR1) != 0;
    if (i % 50 == 0) sched_yield();
  }
  stop = 1;
  long bad = 0;
  for (int i = 0; i < THREADS; i++) {
    void* result;
    pthread_join(ids[i], &result);
    bad += (long)result;
  }
  SHOW(failed);
  SHOW(bad);
  SHOW(signals > THREADS);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  close(make("common", "text of all"));
  truncate("common", 60000);
  cancelled(deferred);
  cancelled(reading);
  asleep();
  storm();
  return 0;
}
