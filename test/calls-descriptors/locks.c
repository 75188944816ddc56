#include "show.h"

static int lock(int fd, int command, short type, short whence, off_t start, off_t length) {
  struct flock wanted = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = length};
  return fcntl(fd, command, &wanted);
}

static void ask(int fd, short type, off_t start, off_t length, pid_t expected) {
  struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  int result = fcntl(fd, F_GETLK, &wanted);
  SAY("%d: type %d start %ld length %ld whence %d by %s", result, wanted.l_type,
      (long)wanted.l_start, (long)wanted.l_len, wanted.l_whence,
      wanted.l_type == F_UNLCK ? "nobody" : wanted.l_pid == expected ? "the other" : "whom?");
}

static int in_child(int (*what)(int)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int fd = open("locked", O_RDWR);
    int result = what(fd);
    fflush(stdout);
    _exit(result);
  }
  return reap(child);
}

static int contend(int fd) {
  ask(fd, F_WRLCK, 0, 0, getppid());
  ask(fd, F_RDLCK, 5, 1, getppid());
  ask(fd, F_RDLCK, 500, 1, getppid());
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 5));
  SHOW(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 10, 5));
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 500, 5));
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_END, -1, 1));
  return 0;
}

static int expect_free(int fd) {
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
  return 0;
}

static void between(void) {
  int fd = make("locked", "0123456789");
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
  SHOW(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 10, 90));
  SHOW(in_child(contend));
  ask(fd, F_WRLCK, 0, 0, 0);
  SHOW(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  SHOW(in_child(expect_free));
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
  SHOW(close(dup(fd)));
  SHOW(in_child(expect_free));
  int ready[2];
  pipe(ready);
  pid_t holder = fork();
  if (holder == 0) {
    lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0);
    write(ready[1], "x", 1);
    usleep(30000);
    _exit(0);
  }
  read(ready[0], (char[1]){0}, 1);
  SHOW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 3, 1));
  SHOW(lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 3, 1));
  SHOW(reap(holder));
  closefrom(3);
}

static void refused(void) {
  close(make("refused", "0123456789"));
  int reading = open("refused", O_RDONLY), writing = open("refused", O_WRONLY);
  SHOW(lock(reading, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  SHOW(lock(reading, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
  SHOW(lock(writing, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
  SHOW(lock(writing, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  SHOW(lock(writing, F_SETLK, 77, SEEK_SET, 0, 1));
  SHOW(lock(writing, F_SETLK, F_WRLCK, 9, 0, 1));
  SHOW(lock(writing, F_SETLK, F_WRLCK, SEEK_SET, -1, 1));
  SHOW(lock(writing, F_SETLK, F_WRLCK, SEEK_SET, 1, -2));
  SHOW(lock(writing, F_SETLK, F_WRLCK, SEEK_SET, 2, -2));
  SHOW(lock(writing, F_GETLK, F_UNLCK, SEEK_SET, 2, 2));
  SHOW(fcntl(writing, F_SETLK, NULL));
  SHOW(flock(writing, LOCK_EX));
  SHOW(flock(writing, LOCK_UN));
  SHOW(flock(writing, 77));
  closefrom(3);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  between();
  refused();
  return 0;
}
