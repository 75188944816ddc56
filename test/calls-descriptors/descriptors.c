#include "show.h"

static void numbers(void) {
  int a = make("a", "0123456789");
  int b = dup(a);
  SHOW(a);
  SHOW(b);
  SHOW(dup2(a, 20));
  SHOW(dup2(a, a));
  SHOW(dup2(99, a));
  SHOW(dup2(a, -1));
  SHOW(dup2(a, 1 << 30));
  SHOW(dup3(a, 21, O_CLOEXEC));
  SHOW(dup3(a, a, 0));
  SHOW(dup3(a, 22, O_APPEND));
  SHOW(fcntl(21, F_GETFD));
  SHOW(fcntl(20, F_GETFD));
  SHOW(fcntl(20, F_SETFD, FD_CLOEXEC));
  SHOW(fcntl(20, F_GETFD));
  SHOW(fcntl(a, F_DUPFD, 30));
  SHOW(fcntl(a, F_DUPFD_CLOEXEC, 30));
  SHOW(fcntl(31, F_GETFD));
  SHOW(fcntl(a, F_DUPFD, -1));
  SHOW(fcntl(a, F_DUPFD, 1 << 30));
  SHOW(close(b));
  SHOW(close(b));
  SHOW(fcntl(b, F_GETFL));
  SHOW(open("a", O_RDONLY));
  SHOW(close(b));
  SHOW(close(a));
  SHOW(read(20, (char[4]){0}, 4));
  SHOW(lseek(30, 0, SEEK_CUR));
  SHOW(open("/dev/null", O_RDWR));
  SHOW(open("a", O_RDONLY));
  closefrom(3);
  SHOW(open("a", O_RDONLY));
  closefrom(3);
}

static void over(void) {
  char text[8] = {0};
  int host = open("/dev/zero", O_RDONLY);
  int tree = make("over", "tree");
  SHOW(dup2(tree, host));
  SHOW(read(host, text, 8));
  SAY("%s", text);
  int zero = open("/dev/zero", O_RDONLY);
  SHOW(dup2(zero, tree));
  SHOW(read(tree, text, 8));
  SHOW(text[0]);
  SHOW(lseek(host, 0, SEEK_CUR));
  SHOW(dup2(make("other", "second"), host));
  SHOW(read(host, text, 8));
  closefrom(3);
}

static void flags(void) {
  close(make("flags", "x"));
  const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_RDWR | O_NONBLOCK,
                       O_RDONLY | O_CLOEXEC, O_RDWR | O_CREAT | O_TRUNC, O_RDONLY | O_NOFOLLOW,
                       O_RDWR | O_SYNC, O_RDWR | O_DSYNC, O_PATH, O_PATH | O_NOFOLLOW,
                       O_RDONLY | O_NOATIME, O_RDONLY | O_NOCTTY};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
    int fd = open("flags", modes[i], 0600);
    SAY("open %o -> %d, F_GETFL %o", modes[i], fd, fcntl(fd, F_GETFL));
    SAY("F_SETFL %d", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    SAY("F_GETFL %o", fcntl(fd, F_GETFL));
    SAY("F_SETFL %d", fcntl(fd, F_SETFL, 0));
    SAY("F_GETFL %o", fcntl(fd, F_GETFL));
    close(fd);
  }
  int directory = open(".", O_RDONLY | O_DIRECTORY);
  SAY("directory %o", fcntl(directory, F_GETFL));
  SHOW(fcntl(directory, F_SETFL, O_APPEND));
  close(directory);
}

static void path_only(void) {
  close(make("path", "0123"));
  int fd = open("path", O_PATH);
  char text[4];
  struct stat status;
  SHOW(read(fd, text, 4));
  SHOW(write(fd, text, 4));
  SHOW(pread(fd, text, 4, 0));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(ftruncate(fd, 0));
  SHOW(fsync(fd));
  SHOW(ioctl(fd, FIONREAD, text));
  SHOW(fcntl(fd, F_SETFL, 0));
  SHOW(fcntl(fd, F_DUPFD, 10));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(fstat(fd, &status));
  SHOW(fchmod(fd, 0600));
  SHOW(flock(fd, LOCK_SH));
  SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  closefrom(3);
}

static void commands(void) {
  int fd = make("commands", "0123456789");
  int value = 0;
  SHOW(fcntl(fd, F_GETPIPE_SZ));
  SHOW(fcntl(fd, F_SETPIPE_SZ, 4096));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(fd, F_GETLEASE));
  SHOW(fcntl(fd, F_GETSIG));
  SHOW(fcntl(fd, 9999));
  SHOW(fcntl(fd, F_GETOWN));
  lseek(fd, 3, SEEK_SET);
  SHOW(ioctl(fd, FIONREAD, &value));
  SHOW(value);
  SHOW(ioctl(fd, FIOCLEX));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(ioctl(fd, FIONCLEX));
  SHOW(fcntl(fd, F_GETFD));
  value = 1;
  SHOW(ioctl(fd, FIONBIO, &value));
  SHOW(fcntl(fd, F_GETFL) & O_NONBLOCK);
  SHOW(isatty(fd));
  SHOW(ioctl(fd, TIOCGWINSZ, (char[64]){0}));
  SHOW(ioctl(fd, _IOR('f', 1, long), &value));
  SHOW(value);
  SHOW(ioctl(fd, _IOR('v', 1, long), &value));
  SHOW(ioctl(fd, _IOW(0x94, 9, int), fd));
  SHOW(ioctl(fd, 0x12345));
  SHOW(ioctl(fd, FIONREAD, NULL));
  int directory = open(".", O_RDONLY);
  SHOW(ioctl(directory, FIONREAD, &value));
  SHOW(ioctl(directory, TCGETS, (char[64]){0}));
  SHOW(fsync(fd));
  SHOW(fdatasync(fd));
  SHOW(fsync(directory));
  SHOW(syncfs(fd));
  SHOW(sync_file_range(fd, 0, 10, SYNC_FILE_RANGE_WRITE));
  SHOW(sync_file_range(fd, -1, 10, 0));
  SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
  SHOW(posix_fadvise(fd, 0, 0, 77));
  SHOW(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL));
  SHOW(readahead(fd, 0, 10));
  SHOW(readahead(directory, 0, 10));
  closefrom(3);
}

static void ready(void) {
  int fd = make("ready", "x");
  struct pollfd item = {fd, POLLIN | POLLOUT, 0};
  SHOW(poll(&item, 1, 0));
  SHOW(item.revents);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  SHOW(select(fd + 1, &set, NULL, NULL, NULL));
  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {0}};
  SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  closefrom(3);
}

static void ranges(void) {
  for (int i = 0; i < 5; i++) make("range", "x");
  SHOW(open("/dev/null", O_RDONLY));
  SHOW(close_range(4, 5, 0));
  SHOW(fcntl(3, F_GETFL) != -1);
  SHOW(fcntl(4, F_GETFL));
  SHOW(fcntl(5, F_GETFL));
  SHOW(fcntl(6, F_GETFL) != -1);
  SHOW(close_range(3, 6, CLOSE_RANGE_CLOEXEC));
  SHOW(fcntl(3, F_GETFD));
  SHOW(fcntl(7, F_GETFD));
  SHOW(close_range(5, 4, 0));
  SHOW(close_range(3, 4, 64));
  SHOW(close_range(3, ~0u, 0));
  SHOW(fcntl(3, F_GETFD));
  SHOW(open("range", O_RDONLY));
  SHOW(close_range(0x7fffffff, ~0u, 0));
  for (int fd = 3; fd < 70000; fd++) close(fd);
  SHOW(open("range", O_RDONLY));
  SHOW(fcntl(3, F_GETFL));
  closefrom(3);
}

static void many(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 3000 ? limit.rlim_max : 3000;
  setrlimit(RLIMIT_NOFILE, &limit);
  int last = -1;
  for (int i = 0; i < 850; i++) last = make("many", "x");
  SHOW(last);
  SHOW(dup2(last, 2500));
  SHOW(read(2500, (char[4]){0}, 4));
  closefrom(3);
  SHOW(read(2500, (char[4]){0}, 4));
  SHOW(open("many", O_RDONLY));
  limit.rlim_cur = 6;
  setrlimit(RLIMIT_NOFILE, &limit);
  SHOW(open("many", O_RDONLY));
  SHOW(open("many", O_RDONLY));
  SHOW(open("many", O_RDONLY));
  SHOW(dup(3));
  SHOW(dup2(3, 6));
  SHOW(fcntl(3, F_DUPFD, 6));
  closefrom(3);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  numbers();
  over();
  flags();
  path_only();
  commands();
  ready();
  ranges();
  many();
  return 0;
}
