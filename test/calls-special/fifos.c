#include "show.h"

static void* open_late(void* name) {
  usleep(50000);
  return (void*)(long)open(name, O_WRONLY);
}

static void opening(void) {
  SHOW(mkfifo("f", 0640));
  SHOW(open("f", O_WRONLY | O_NONBLOCK));
  int reader = open("f", O_RDONLY | O_NONBLOCK);
  SHOW(reader);
  SHOW(fcntl(reader, F_GETFL));
  int writer = open("f", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0600);
  SHOW(writer);
  SHOW(fcntl(writer, F_GETFL));
  SHOW(close(reader));
  SHOW(close(writer));
  SHOW(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
  SHOW(open("f", O_RDONLY | O_DIRECTORY));
  SHOW(open("f", 3));
  SHOW(open("f/", O_RDONLY));
  int both = open("f", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  SHOW(both);
  SHOW(fcntl(both, F_GETFL));
  SHOW(fcntl(both, F_GETFD));
  SHOW(write(both, "both", 4));
  char bytes[8];
  SHOW(read(both, bytes, 8));
  SHOW(close(both));
  pthread_t late;
  pthread_create(&late, 0, open_late, "f");
  reader = open("f", O_RDONLY);
  SHOW(reader >= 0);
  void* fd;
  pthread_join(late, &fd);
  SHOW((long)fd >= 0);
  SHOW(write((long)fd, "late", 4));
  SHOW(read(reader, bytes, 8));
  close(reader);
  close((long)fd);
}

static void tick(int signal) { (void)signal; }

static void interrupted(void) {
  struct sigaction act = {.sa_handler = tick};
  sigaction(SIGALRM, &act, 0);
  struct itimerval in = {{0, 0}, {0, 30000}};
  setitimer(ITIMER_REAL, &in, 0);
  SHOW(open("f", O_RDONLY));
}

static void calls(void) {
  int r = open("f", O_RDONLY | O_NONBLOCK), w = open("f", O_WRONLY);
  char bytes[64] = "";
  SHOW(read(r, bytes, 8));
  SHOW(write(w, "abcdef", 6));
  int queued = 0;
  SHOW(ioctl(r, FIONREAD, &queued));
  SHOW(queued);
  SHOW(pread(r, bytes, 2, 0));
  SHOW(pwrite(w, bytes, 2, 0));
  SHOW(lseek(r, 0, SEEK_SET));
  SHOW(ftruncate(w, 0));
  SHOW(truncate("f", 0));
  SHOW(fsync(w));
  SHOW(fallocate(w, 0, 0, 10));
  SHOW(posix_fadvise(r, 0, 0, 0) != 0);
  SHOW(mmap(0, 4096, PROT_READ, MAP_SHARED, r, 0) == MAP_FAILED);
  SHOW(read(w, bytes, 1));
  SHOW(write(r, bytes, 1));
  SHOW(fcntl(r, F_GETPIPE_SZ));
  SHOW(fcntl(r, F_SETPIPE_SZ, 4096));
  SHOW(fcntl(w, F_SETFL, O_NONBLOCK));
  SHOW(fcntl(w, F_GETFL));
  SHOW(flock(r, LOCK_EX | LOCK_NB));
  SHOW(fchdir(r));
  SHOW(openat(r, "x", O_RDONLY));
  struct pollfd polled = {r, POLLIN, 0};
  SHOW(poll(&polled, 1, 0));
  SHOW(polled.revents);
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, r, &event));
  SHOW(epoll_wait(epoll, &event, 1, 0));
  close(epoll);
  SHOW(read(r, bytes, 64));
  SHOW(memcmp(bytes, "abcdef", 6));
  struct statfs space;
  SHOW(fstatfs(r, &space));
  SHOW(space.f_type == 0x01021994);
  SHOW(close(r));
  signal(SIGPIPE, SIG_IGN);
  SHOW(write(w, "x", 1));
  SHOW(close(w));
}

static void attributes(void) {
  int r = open("f", O_RDWR);
  struct stat named, opened;
  SHOW(fchmod(r, 0604));
  SHOW(fchown(r, 7, 8));
  struct timespec times[2] = {{1000, 1}, {2000, 2}};
  SHOW(futimens(r, times));
  stat("f", &named);
  fstat(r, &opened);
  SHOW(memcmp(&named, &opened, sizeof named));
  SAY("%o %d %d %ld %ld", opened.st_mode, opened.st_uid, opened.st_gid, opened.st_atime,
      opened.st_mtime);
  SHOW(link("f", "g"));
  SHOW(rename("f", "h"));
  fstat(r, &opened);
  SHOW(opened.st_nlink);
  int w = open("g", O_WRONLY | O_NONBLOCK);
  SHOW(write(w, "one pipe", 8));
  char bytes[16];
  SHOW(read(r, bytes, 16));
  SHOW(unlink("g"));
  SHOW(unlink("h"));
  fstat(r, &opened);
  SHOW(opened.st_nlink);
  SHOW(write(w, "still", 5));
  SHOW(read(r, bytes, 16));
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", r);
  int again = open(name, O_RDONLY | O_NONBLOCK);
  SHOW(again >= 0);
  SHOW(write(w, "again", 5));
  SHOW(read(again, bytes, 16));
  close(again);
  close(r);
  close(w);
  SHOW(mkfifo("f", 0600));
  SHOW(open("f", O_WRONLY | O_NONBLOCK));
}

static int newer(struct timespec a, struct timespec b) {
  return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void times(void) {
  int r = open("f", O_RDWR);
  char bytes[8];
  struct stat before, after;
  fstat(r, &before);
  usleep(20000);
  write(r, "w", 1);
  stat("f", &after);
  SHOW(newer(after.st_mtim, before.st_mtim));
  SHOW(newer(after.st_ctim, before.st_ctim));
  SHOW(newer(after.st_atim, before.st_atim));
  usleep(20000);
  SHOW(read(r, bytes, 1));
  fstat(r, &before);
  SHOW(newer(before.st_mtim, after.st_mtim));
  SHOW(newer(before.st_atim, after.st_atim));
  write(r, "w", 1);
  struct timespec set[2] = {{1000, 1}, {2000, 2}};
  SHOW(futimens(r, set));
  stat("f", &after);
  SHOW(after.st_mtime);
  write(r, "w", 1);
  stat("f", &after);
  SHOW(after.st_mtime == 2000);
  SHOW(after.st_atime);
  close(r);
}

static void copies(void) {
  int r = open("f", O_RDONLY | O_NONBLOCK), w = open("f", O_WRONLY);
  char bytes[64];
  int d = dup(w), e = fcntl(w, F_DUPFD_CLOEXEC, 20), t = dup2(w, 30), u = dup3(w, 31, O_CLOEXEC);
  SHOW(e);
  SHOW(t);
  SHOW(u);
  SHOW(fcntl(e, F_GETFD));
  close(w);
  write(d, "d", 1), write(e, "e", 1), write(t, "t", 1), write(u, "u", 1);
  SHOW(read(r, bytes, 64));
  struct stat named, opened;
  stat("f", &named);
  fstat(e, &opened);
  SHOW(named.st_ino == opened.st_ino);
  close(d), close(e), close(u);
  if (fork() == 0) {
    write(t, "child", 5);
    fstat(t, &opened);
    _exit(opened.st_ino == named.st_ino ? 3 : 4);
  }
  SHOW(reap(-1));
  SHOW(read(r, bytes, 64));
  if (fork() == 0) {
    dup2(t, 1);
    execlp("sh", "sh", "-c", "echo out; stat -L -c %i /proc/self/fd/1", (char*)0);
  }
  SHOW(reap(-1));
  ssize_t got = read(r, bytes, 63);
  bytes[got < 0 ? 0 : got] = 0;
  unsigned long ino = 0;
  sscanf(bytes, "out\n%lu", &ino);
  SHOW(ino == named.st_ino);
  SHOW(close_range(t, t, 0));
  SHOW(fstat(t, &opened));
  SHOW(read(r, bytes, 64));
  close(r);
}

static void splices(void) {
  int r = open("f", O_RDONLY | O_NONBLOCK), w = open("f", O_WRONLY);
  int file = make("file", "some bytes of a file"), out = make("out", "");
  SHOW(sendfile(w, file, 0, 10));
  SHOW(splice(file, 0, w, 0, 100, 0));
  SHOW(splice(r, 0, out, 0, 100, 0));
  SHOW(lseek(out, 0, SEEK_CUR));
  char bytes[64];
  SHOW(pread(out, bytes, 64, 0));
  SHOW(memcmp(bytes, "some bytes of a file", 20));
  SHOW(tee(file, w, 10, 0));
  SHOW(splice(file, 0, out, 0, 10, 0));
  struct iovec vector = {"vmspliced", 9};
  SHOW(vmsplice(w, &vector, 1, 0));
  int pipe_[2];
  pipe(pipe_);
  SHOW(tee(r, pipe_[1], 64, 0));
  SHOW(read(pipe_[0], bytes, 64));
  SHOW(read(r, bytes, 64));
  SHOW(copy_file_range(file, 0, w, 0, 10, 0));
  SHOW(copy_file_range(r, 0, out, 0, 10, 0));
  close(r), close(w), close(file), close(out), close(pipe_[0]), close(pipe_[1]);
}

static void others(void) {
  chmod("f", 0400);
  chown("f", 1000, 1000);
  if (fork() == 0) {
    setgid(1000);
    setuid(1000);
    SHOW(open("f", O_WRONLY | O_NONBLOCK));
    SHOW(open("f", O_RDONLY | O_NONBLOCK) >= 0);
    _exit(0);
  }
  SHOW(reap(-1));
  if (fork() == 0) {
    setgid(1001);
    setuid(1001);
    SHOW(open("f", O_RDONLY | O_NONBLOCK));
    _exit(0);
  }
  SHOW(reap(-1));
}

int main(int count, char** arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 1;
  umask(022);
  opening();
  interrupted();
  calls();
  attributes();
  times();
  copies();
  splices();
  if (getuid() == 0) chmod(".", 0755), others();
  return 0;
}
