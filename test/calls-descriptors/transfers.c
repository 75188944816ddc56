#include "show.h"

static unsigned char bytes[5 << 20], back[5 << 20];

static void sizes(void) {
  const size_t sizes[] = {1,     7,      4095,   4096,   4097,   3584,   3585,   32767,  32768,
                          32769, 65535,  131072, 131073, 262143, 524289, 999999, 1048576, 1048577,
                          2097153, 3145727};
  fill(bytes, sizeof bytes, 1);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    int fd = open("sizes", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ssize_t written = write(fd, bytes + i, sizes[i]);
    off_t at = lseek(fd, 0, SEEK_CUR);
    memset(back, 0xee, sizeof back);
    ssize_t got = pread(fd, back, sizeof back, 0);
    SAY("%zu: wrote %zd, at %ld, read %zd, sum %lx", sizes[i], written, (long)at, got,
        sum(back, sizes[i] + 10));
    SAY("same %d", memcmp(back, bytes + i, sizes[i]));
    written = pwrite(fd, bytes, sizes[i], 333);
    got = pread(fd, back, sizes[i], 111);
    SAY("%zu: wrote %zd, read %zd, sum %lx, size %ld", sizes[i], written, got, sum(back, got),
        (long)lseek(fd, 0, SEEK_END));
    close(fd);
  }
}

static void sequence(void) {
  int fd = open("sequence", O_RDWR | O_CREAT | O_TRUNC, 0644);
  fill(bytes, 1 << 20, 2);
  size_t at = 0;
  for (size_t step = 1; at < 1000000; step = step * 3 + 1, step %= 70001)
    at += (size_t)write(fd, bytes + at, step + at > (1 << 20) ? 1 : step);
  SAY("wrote %zu", at);
  lseek(fd, 0, SEEK_SET);
  size_t got = 0;
  for (size_t step = 5; got < at; step = (step * 7 + 3) % 90001) {
    ssize_t now = read(fd, back + got, step);
    if (now <= 0 && step > 0) break;
    got += (size_t)now;
  }
  SAY("read %zu, %d", got, memcmp(bytes, back, at));
  SHOW(read(fd, back, 100));
  SHOW(read(fd, back, 100000));
  close(fd);
}

static void sparse(void) {
  int fd = open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0644);
  SHOW(pwrite(fd, "end", 3, 1000000));
  memset(back, 0xaa, sizeof back);
  SHOW(pread(fd, back, sizeof back, 0));
  SAY("%lx", sum(back, 1000003));
  memset(back, 0xaa, 100000);
  SHOW(pread(fd, back, 100000, 500));
  SAY("%lx", sum(back, 100000));
  SHOW(lseek(fd, 0, SEEK_DATA));
  SHOW(lseek(fd, 0, SEEK_HOLE));
  SHOW(lseek(fd, 999999, SEEK_HOLE));
  SHOW(lseek(fd, 1000003, SEEK_DATA));
  SHOW(pwrite(fd, "far", 3, 1l << 40));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(pread(fd, back, 10, (1l << 40) - 3));
  SAY("%lx", sum(back, 6));
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 999424, 8192));
  SHOW(pread(fd, back, 10, 1000000));
  SAY("%lx", sum(back, 10));
  SHOW(ftruncate(fd, 10));
  SHOW(fallocate(fd, 0, 0, 100000));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(fallocate(fd, 0, -1, 10));
  SHOW(fallocate(fd, 0, 0, 0));
  close(fd);
}

static void vectors(void) {
  int fd = make("vectors", "");
  char a[] = "one", b[] = "", c[] = "three";
  struct iovec out[] = {{a, 3}, {b, 0}, {c, 5}, {bytes, 50000}, {NULL, 0}};
  fill(bytes, 50000, 3);
  SHOW(writev(fd, out, 5));
  SHOW(writev(fd, out, 0));
  SHOW(writev(fd, out, -1));
  SHOW(writev(fd, out, 1025));
  SHOW(pwritev(fd, out, 3, 4));
  SHOW(pwritev(fd, out, 3, -4));
  SHOW(lseek(fd, 0, SEEK_CUR));
  char head[5];
  memset(back, 0, sizeof back);
  struct iovec in[] = {{head, 5}, {NULL, 0}, {back, 33333}, {back + 40000, 40000}};
  SHOW(preadv(fd, in, 4, 0));
  SAY("%.5s %lx", head, sum(back, 80000));
  SHOW(lseek(fd, 2, SEEK_SET));
  SHOW(readv(fd, in, 2));
  SAY("%.5s", head);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(preadv2(fd, in, 1, -1, 0));
  SHOW(preadv2(fd, in, 1, -2, 0));
  SHOW(preadv2(fd, in, 1, 0, 0x4000));
  SHOW(pwritev2(fd, out, 1, 0, RWF_APPEND));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(pwritev2(fd, out, 1, -1, RWF_DSYNC));
  struct iovec bad[] = {{a, 3}, {(void*)1, (size_t)-1}};
  SHOW(writev(fd, bad, 2));
  SHOW(readv(fd, (struct iovec*)16, 2));
  close(fd);
}

static void appending(void) {
  int fd = open("append", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0644);
  fill(bytes, 3 << 20, 4);
  SHOW(write(fd, bytes, 10));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(write(fd, bytes, 100000));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(pwrite(fd, bytes, 3 << 20, 5));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(fcntl(fd, F_SETFL, 0));
  SHOW(pwrite(fd, "xyz", 3, 5));
  SHOW(lseek(fd, 0, SEEK_END));
  close(fd);
  SAY("%lx", sum_of("append"));
  pid_t children[4];
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    int own = open("together", O_WRONLY | O_CREAT | O_APPEND, 0644);
    char line[101];
    memset(line, 'a' + i, 99);
    line[99] = '\n';
    for (int n = 0; n < 200; n++)
      if (write(own, line, 100) != 100) _exit(1);
    _exit(0);
  }
  for (int i = 0; i < 4; i++) SHOW(reap(children[i]));
  FILE* file = fopen("together", "r");
  char line[200];
  int counts[4] = {0}, torn = 0;
  while (fgets(line, sizeof line, file)) {
    counts[(line[0] - 'a') & 3]++;
    for (int i = 1; i < 99; i++) torn += line[i] != line[0];
  }
  fclose(file);
  SAY("%d %d %d %d, torn %d", counts[0], counts[1], counts[2], counts[3], torn);
}

static void errors(void) {
  int fd = make("errors", "0123456789");
  int reading = open("errors", O_RDONLY), writing = open("errors", O_WRONLY);
  int directory = open(".", O_RDONLY);
  SHOW(write(reading, "x", 1));
  SHOW(write(reading, "x", 0));
  SHOW(read(writing, back, 1));
  SHOW(read(writing, back, 0));
  SHOW(read(directory, back, 1));
  SHOW(pread(directory, back, 1, 0));
  SHOW(write(directory, back, 1));
  SHOW(lseek(directory, 0, SEEK_END));
  SHOW(ftruncate(directory, 0));
  SHOW(pread(fd, back, 1, -1));
  SHOW(pwrite(fd, back, 1, -1));
  SHOW(pread(fd, back, 10, 5));
  SHOW(pread(fd, back, 10, 10));
  SHOW(pread(fd, back, 10, INT64_MAX - 5));
  SHOW(pwrite(fd, back, 10, INT64_MAX - 5));
  SHOW(read(fd, NULL, 5));
  SHOW(write(fd, NULL, 5));
  SHOW(read(fd, (void*)~0xffful, 5));
  SHOW(write(fd, (void*)~0xffful, 5));
  SHOW(read(fd, NULL, 0));
  void* none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(write(fd, none, 5));
  SHOW(pread(fd, none, 5, 0));
  SHOW(lseek(fd, -1, SEEK_SET));
  SHOW(lseek(fd, -100, SEEK_CUR));
  SHOW(lseek(fd, 0, 9));
  SHOW(lseek(fd, INT64_MAX, SEEK_SET));
  SHOW(lseek(fd, 1, SEEK_CUR));
  SHOW(lseek(fd, 5, SEEK_END));
  SHOW(write(fd, "z", 1));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, -3, SEEK_END));
  SHOW(ftruncate(reading, 3));
  closefrom(3);
}

static void limited(void) {
  int fd = make("limited", "");
  struct rlimit limit = {100000, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  SHOW(write(fd, bytes, 60000));
  SHOW(write(fd, bytes, 60000));
  SHOW(write(fd, bytes, 60000));
  SHOW(pwrite(fd, bytes, 1, 100000));
  SHOW(ftruncate(fd, 100001));
  SHOW(ftruncate(fd, 100000));
  SHOW(fallocate(fd, 0, 0, 200000));
  SHOW(lseek(fd, 0, SEEK_END));
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_DFL);
    _exit(write(fd, bytes, 1) == -1);
  }
  SHOW(WTERMSIG(reap(child)));
  limit.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_FSIZE, &limit);
  SHOW(write(fd, bytes, 1));
  close(fd);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  sizes();
  sequence();
  sparse();
  vectors();
  appending();
  errors();
  limited();
  return 0;
}
