// Waits for locks of every kind that will never come; says so when all sleep, and what ended it.
#include "show.h"

static int wait_for(int kind) {
  int fd = open("held", O_RDWR);
  struct flock whole = {.l_type = F_WRLCK};
  errno = 0;
  int result = kind == 0 ? flock(fd, LOCK_EX)
                         : fcntl(fd, kind == 1 ? F_SETLKW : F_OFD_SETLKW, &whole);
  SAY("%d: %s", result, strerrorname_np(errno));
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  int fd = make("held", "0123456789");
  struct flock whole = {.l_type = F_WRLCK};
  flock(fd, LOCK_EX);
  fcntl(fd, F_SETLK, &whole);
  for (int i = 0; i < 6; i++)
    if (fork() == 0) _exit(wait_for(i % 3));
  usleep(300000);
  SAY("asleep");
  while (wait(NULL) > 0) continue;
  return 0;
}
