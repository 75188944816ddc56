// A tree of processes that works with files in every way, until it is killed: a shell with children,
// workers that fork, threads. argv: the directory, how deep.
#include "show.h"

#include <sys/un.h>
#include <sys/xattr.h>

static const char* self;

static void* work(void* argument) {
  long number = (long)argument;
  char name[40], other[40];
  static __thread char bytes[30000];
  snprintf(name, sizeof name, "work%ld", number % 6);
  snprintf(other, sizeof other, "other%d-%ld", getpid() % 3, number);
  for (unsigned round = 0;; round++) {
    int fd = open(name, O_RDWR | O_CREAT, 0644);
    pwrite(fd, bytes, 1 + round * 977 % sizeof bytes, round % 5000);
    pread(fd, bytes, sizeof bytes, 0);
    struct flock lock = {.l_type = round % 2 ? F_WRLCK : F_RDLCK, .l_start = number, .l_len = 3};
    if (round % 4 == 0) fcntl(fd, F_SETLKW, &lock);
    if (round % 5 == 0) flock(fd, LOCK_EX);
    if (round % 6 == 0) fcntl(fd, F_OFD_SETLK, &lock);
    if (round % 3 == 0) rename(name, other);
    if (round % 7 == 0) fsetxattr(fd, "user.round", &round, sizeof round, 0);
    if (round % 8 == 0) ftruncate(fd, round * 131 % 60000);
    if (round % 9 == 0) {
      char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (map != MAP_FAILED) munmap(map, 4096);
    }
    if (round % 10 == 0) {
      int pair[2];
      socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
      char control[CMSG_SPACE(sizeof fd)] = "";
      struct iovec part = {"x", 1};
      struct msghdr message = {.msg_iov = &part,
                               .msg_iovlen = 1,
                               .msg_control = control,
                               .msg_controllen = sizeof control};
      *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
      memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
      sendmsg(pair[0], &message, MSG_DONTWAIT);
      if (round % 20 == 0) recvmsg(pair[1], &message, MSG_DONTWAIT);
      close(pair[0]);
      close(pair[1]);
    }
    if (round % 11 == 0) {
      mkfifo("fifo", 0644);
      int fifo = open("fifo", O_RDWR | O_NONBLOCK);
      if (fifo >= 0) write(fifo, "x", 1), close(fifo);
      unlink("fifo");
    }
    if (round % 13 == 0) {
      mkdir("directory", 0755);
      rename(other, "directory/moved");
      rmdir("directory");
    }
    if (round % 2 == 0) unlink(round % 4 ? name : other);
    struct stat status;
    stat(name, &status);
    close(fd);
    if (round % 17 == 0) {
      int pid = round % 2 ? fork() : vfork();
      if (pid == 0) {
        if (round % 3) execl("/bin/cat", "cat", name, NULL);
        _exit(0);
      }
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 3 || chdir(argv[1]) != 0) return 99;
  self = argv[0];
  freopen("/dev/null", "w", stdout);
  freopen("/dev/null", "w", stderr);
  int deep = atoi(argv[2]);
  if (deep == 2 && fork() == 0)
    execl("/bin/bash", "bash", "-c",
          "while :; do echo text >> by-bash; cat by-bash | head -c 100 > copy; mv copy by-bash;"
          " for f in *; do [ -f $f ]; done; ( echo sub > sub-$RANDOM ) & rm -f sub-1*; wait; done",
          NULL);
  if (deep > 0) {
    for (int i = 0; i < 2; i++) {
      char* next[] = {argv[0], argv[1], deep == 2 ? "1" : "0", NULL};
      if (fork() == 0) execv(self, next);
    }
  }
  for (long i = 1; i < 4; i++) {
    pthread_t id;
    pthread_create(&id, NULL, work, (void*)i);
  }
  work(0);
}
