#include "show.h"

static unsigned char bytes[1 << 20];

static int filled(const char* name, size_t size) {
  fill(bytes, size, 21);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, bytes, size);
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static void* drain(void* from) {
  static unsigned char got[1 << 21];
  size_t total = 0;
  for (ssize_t now; (now = read((int)(long)from, got + total, sizeof got - total)) > 0;) total += now;
  return (void*)(sum(got, total) ^ total);
}

static void sendfiles(void) {
  int from = filled("send", 500000), to = make("sent", "");
  off_t at = 1000;
  SHOW(sendfile(to, from, NULL, 100000));
  SHOW(lseek(from, 0, SEEK_CUR));
  SHOW(lseek(to, 0, SEEK_CUR));
  SHOW(sendfile(to, from, &at, 200000));
  SHOW(at);
  SHOW(lseek(from, 0, SEEK_CUR));
  SAY("%lx", sum_of("sent"));
  at = 499990;
  SHOW(sendfile(to, from, &at, 100));
  SHOW(sendfile(to, from, &at, 100));
  at = -1;
  SHOW(sendfile(to, from, &at, 100));
  SHOW(sendfile(to, from, (off_t*)16, 100));
  int sockets[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
  pthread_t reader;
  pthread_create(&reader, NULL, drain, (void*)(long)sockets[0]);
  at = 0;
  ssize_t sent = 0;
  while (sent < 500000) {
    ssize_t now = sendfile(sockets[1], from, &at, 500000);
    if (now <= 0) break;
    sent += now;
  }
  close(sockets[1]);
  void* result;
  pthread_join(reader, &result);
  SAY("socket %zd %ld %lx", sent, (long)at, (unsigned long)result);
  int host = open("/proc/self/exe", O_RDONLY);
  ftruncate(to, 0);
  lseek(to, 0, SEEK_SET);
  struct stat status;
  fstat(host, &status);
  SHOW(sendfile(to, host, NULL, 1 << 24) == status.st_size);
  SHOW(sum_of("sent") == sum_of("/proc/self/exe"));
  SHOW(sendfile(to, sockets[0], NULL, 10));
  int appending = open("sent", O_WRONLY | O_APPEND);
  SHOW(sendfile(appending, from, &at, 10));
  SHOW(sendfile(from, appending, NULL, 10));
  SHOW(sendfile(open("sent", O_RDONLY), from, NULL, 10));
  SHOW(sendfile(to, open(".", O_RDONLY), NULL, 10));
  closefrom(3);
}

static void copy_ranges(void) {
  int from = filled("range", 300000), to = make("ranged", "");
  loff_t a = 100, b = 50;
  SHOW(copy_file_range(from, NULL, to, NULL, 100000, 0));
  SHOW(lseek(from, 0, SEEK_CUR));
  SHOW(lseek(to, 0, SEEK_CUR));
  SHOW(copy_file_range(from, &a, to, &b, 100000, 0));
  SAY("%ld %ld", (long)a, (long)b);
  SHOW(copy_file_range(from, NULL, to, NULL, 1 << 30, 0));
  SHOW(copy_file_range(from, NULL, to, NULL, 1 << 30, 0));
  SAY("%lx", sum_of("ranged"));
  SHOW(copy_file_range(from, NULL, to, NULL, 10, 1));
  a = 0, b = 10;
  SHOW(copy_file_range(from, &a, from, &b, 100, 0));
  SHOW(copy_file_range(from, &a, open("ranged", O_RDONLY), NULL, 10, 0));
  SHOW(copy_file_range(from, &a, open("ranged", O_WRONLY | O_APPEND), NULL, 10, 0));
  SHOW(copy_file_range(open(".", O_RDONLY), &a, to, NULL, 10, 0));
  int host = open("/dev/null", O_RDWR);
  SHOW(copy_file_range(host, NULL, to, NULL, 0, 0));
  closefrom(3);
}

static void splices(void) {
  int from = filled("splice", 300000), to = make("spliced", "");
  int pipe_fds[2];
  pipe(pipe_fds);
  SHOW(splice(from, NULL, pipe_fds[1], NULL, 1000, 0));
  SHOW(lseek(from, 0, SEEK_CUR));
  SHOW(splice(pipe_fds[0], NULL, to, NULL, 5000, 0));
  SHOW(lseek(to, 0, SEEK_CUR));
  loff_t at = 2000;
  SHOW(splice(from, &at, pipe_fds[1], NULL, 65536, 0));
  SHOW(at);
  loff_t back = 0;
  SHOW(splice(pipe_fds[0], NULL, to, &back, 65536, 0));
  SHOW(back);
  SHOW(lseek(to, 0, SEEK_CUR));
  SHOW(splice(pipe_fds[0], NULL, to, NULL, 10, SPLICE_F_NONBLOCK));
  SHOW(splice(from, NULL, to, NULL, 10, 0));
  SHOW(splice(from, NULL, pipe_fds[1], &at, 10, 0));
  SHOW(splice(from, NULL, pipe_fds[1], NULL, 0, 0));
  SHOW(tee(from, pipe_fds[1], 10, 0));
  SAY("%lx", sum_of("spliced"));
  size_t total = 0;
  lseek(from, 0, SEEK_SET);
  ftruncate(to, 0);
  lseek(to, 0, SEEK_SET);
  for (;;) {
    ssize_t in = splice(from, NULL, pipe_fds[1], NULL, 1 << 20, 0);
    if (in <= 0) break;
    while (in > 0) {
      ssize_t out = splice(pipe_fds[0], NULL, to, NULL, in, 0);
      if (out <= 0) break;
      in -= out, total += out;
    }
  }
  SAY("total %zu, same %d", total, sum_of("splice") == sum_of("spliced"));
  closefrom(3);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  sendfiles();
  copy_ranges();
  splices();
  return 0;
}
