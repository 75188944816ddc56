#include "show.h"

static void* map(int fd, size_t size, int protection, int flags, off_t offset) {
  return mmap(NULL, size, protection, flags, fd, offset);
}
#define MAP(...) (map(__VA_ARGS__) == MAP_FAILED ? -1 : 0)

static sigjmp_buf out;
static void on_signal(int number) { siglongjmp(out, number); }
// Value of the byte, or minus the signal that reading it gave.
static int peek(const volatile unsigned char* at) {
  int number = sigsetjmp(out, 1);
  return number != 0 ? -number : *at;
}
static int poke(volatile unsigned char* at, int value) {
  int number = sigsetjmp(out, 1);
  return number != 0 ? -number : (*at = (unsigned char)value);
}

static void refused(void) {
  int fd = make("refused", "0123456789");
  int reading = open("refused", O_RDONLY), writing = open("refused", O_WRONLY);
  int directory = open(".", O_RDONLY);
  SHOW(MAP(fd, 0, PROT_READ, MAP_SHARED, 0));
  SHOW(MAP(fd, 4096, PROT_READ, MAP_SHARED, 5));
  SHOW(MAP(fd, 4096, PROT_READ, 0, 0));
  SHOW(MAP(reading, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
  SHOW(MAP(reading, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0));
  SHOW(MAP(writing, 4096, PROT_READ, MAP_SHARED, 0));
  SHOW(MAP(writing, 4096, PROT_WRITE, MAP_SHARED, 0));
  SHOW(MAP(writing, 4096, PROT_READ, MAP_PRIVATE, 0));
  SHOW(MAP(directory, 4096, PROT_READ, MAP_PRIVATE, 0));
  SHOW(MAP(99, 4096, PROT_READ, MAP_PRIVATE, 0));
  SHOW(MAP(fd, 4096, PROT_READ, MAP_SHARED, INT64_MAX - 4095));
  SHOW(MAP(fd, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0));
  closefrom(3);
}

static void coherent(void) {
  int fd = open("coherent", O_RDWR | O_CREAT | O_TRUNC, 0644);
  ftruncate(fd, 3 * 4096 + 100);
  unsigned char* a = map(fd, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  unsigned char* b = map(fd, 4096, PROT_READ, MAP_SHARED, 4096);
  unsigned char* own = map(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 4096);
  memcpy(a + 4090, "across a page", 13);
  char text[16] = {0};
  SHOW(pread(fd, text, 13, 4090));
  SAY("%s", text);
  SAY("%.7s %.7s", b, own);
  own[0] = 'X';
  SAY("%.7s %.7s", b, own);
  SHOW(pwrite(fd, "WRITTEN", 7, 4096));
  SAY("%.7s %.7s", b, own);
  SHOW(a[3 * 4096 + 99]);
  SHOW(a[3 * 4096 + 100]);
  SHOW(peek(a + 3 * 4096 + 4095));
  SHOW(close(fd));
  a[0] = 'q';
  SHOW(msync(a, 4096, MS_SYNC));
  fd = open("coherent", O_RDWR);
  SHOW(pread(fd, text, 1, 0));
  SHOW(text[0]);
  SHOW(ftruncate(fd, 4 * 4096));
  SHOW(unlink("coherent"));
  SHOW(close(fd));
  SAY("%c %.7s", a[0], b);
  a[4096] = 'w';
  SAY("%.7s", b);
  SHOW(munmap(a, 4 * 4096));
  SAY("%.7s", b);
  SHOW(munmap(b, 4096));
  SHOW(peek(b));
  SHOW(munmap(own, 4096));
}

static void beyond(void) {
  int fd = make("beyond", "0123456789");
  unsigned char* a = map(fd, 5 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  SHOW(peek(a));
  SHOW(peek(a + 10));
  SHOW(peek(a + 4095));
  SHOW(peek(a + 4096));
  SHOW(poke(a + 4096, 1));
  SHOW(pwrite(fd, "more", 4, 2 * 4096));
  SHOW(peek(a + 4096));
  SHOW(peek(a + 2 * 4096));
  SHOW(peek(a + 3 * 4096));
  SHOW(ftruncate(fd, 5 * 4096));
  SHOW(peek(a + 4 * 4096));
  SHOW(poke(a + 4 * 4096, 77));
  char byte = 0;
  SHOW(pread(fd, &byte, 1, 4 * 4096));
  SHOW(byte);
  SHOW(munmap(a, 5 * 4096));
  a = map(fd, 4096, PROT_READ, MAP_SHARED, 100 * 4096);
  SHOW(peek(a));
  munmap(a, 4096);
  close(fd);
  int reading = open("beyond", O_RDONLY);
  a = map(reading, 4096, PROT_READ, MAP_SHARED, 0);
  SHOW(poke(a, 1));
  SHOW(peek(a));
  munmap(a, 4096);
  close(reading);
}

static void holes(void) {
  int fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644);
  ftruncate(fd, 64 * 4096);
  for (int i = 1; i < 64; i += 2) pwrite(fd, "odd", 3, i * 4096);
  unsigned char* a = map(fd, 64 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  SAY("%lx", sum(a, 64 * 4096));
  for (int i = 0; i < 64; i += 2) memcpy(a + i * 4096 + 7, "even", 4);
  SAY("%lx", sum(a, 64 * 4096));
  SAY("%lx", sum_of("holes"));
  munmap(a, 64 * 4096);
  SAY("%lx", sum_of("holes"));
  close(fd);
}

static void pieces(void) {
  int fd = open("pieces", O_RDWR | O_CREAT | O_TRUNC, 0644);
  static unsigned char bytes[16 * 4096];
  fill(bytes, sizeof bytes, 9);
  write(fd, bytes, sizeof bytes);
  unsigned char* a = map(fd, sizeof bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  SHOW(munmap(a + 4 * 4096, 4096));
  SHOW(peek(a + 4 * 4096));
  SHOW(peek(a + 3 * 4096) == bytes[3 * 4096]);
  SHOW(peek(a + 5 * 4096) == bytes[5 * 4096]);
  unsigned char* anonymous = mmap(a + 8 * 4096, 4096, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  SHOW(anonymous == a + 8 * 4096);
  SHOW(*anonymous);
  SHOW(pwrite(fd, "zzz", 3, 8 * 4096));
  SHOW(*anonymous);
  unsigned char* fixed = mmap(a + 8 * 4096, 2 * 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  SHOW(fixed == a + 8 * 4096);
  SHOW(fixed[4096] == bytes[4096]);
  SHOW(mmap(a, 4096, PROT_READ, MAP_SHARED | 0x100000, fd, 0) == MAP_FAILED ? -1 : 0);
  SHOW(munmap(a, sizeof bytes));
  SHOW(munmap(a, sizeof bytes));
  SHOW(munmap(a + 1, 4096));
  SHOW(munmap(a, 0));
  close(fd);
}

static void moved(void) {
  int fd = open("moved", O_RDWR | O_CREAT | O_TRUNC, 0644);
  static unsigned char bytes[16 * 4096];
  fill(bytes, sizeof bytes, 10);
  write(fd, bytes, sizeof bytes);
  // Neighbours of the file's blocks: growing must never reach into them.
  int other = make("neighbour", "neighbour");
  unsigned char* a = map(fd, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  unsigned char* b = mremap(a, 4 * 4096, 12 * 4096, MREMAP_MAYMOVE);
  SHOW(memcmp(b, bytes, 12 * 4096));
  b[11 * 4096] = 1;
  char byte;
  pread(fd, &byte, 1, 11 * 4096);
  SHOW(byte);
  SHOW(mremap(b, 12 * 4096, 2 * 4096, 0) == b);
  SHOW(peek(b + 2 * 4096));
  SHOW(peek(b + 4096) == bytes[4096]);
  b = mremap(b, 2 * 4096, 20 * 4096, MREMAP_MAYMOVE);
  SHOW(peek(b + 15 * 4096) == bytes[15 * 4096]);
  SHOW(peek(b + 16 * 4096));
  SHOW(munmap(b, 20 * 4096));
  unsigned char* own = map(fd, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
  own[5] = 'P';
  own = mremap(own, 4 * 4096, 40 * 4096, MREMAP_MAYMOVE);
  SHOW(own[5]);
  SHOW(memcmp(own + 6, bytes + 6, 10 * 4096));
  SHOW(mremap(own, 4096, 0, 0) == MAP_FAILED ? -1 : 0);
  SHOW(munmap(own, 40 * 4096));
  unsigned char* target = mmap(NULL, 8 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  a = map(fd, 4 * 4096, PROT_READ, MAP_SHARED, 4096);
  SHOW(mremap(a, 4 * 4096, 8 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  SHOW(memcmp(target, bytes + 4096, 8 * 4096));
  SHOW(peek(a));
  SHOW(munmap(target, 8 * 4096));
  SHOW(pread(other, bytes, 9, 0));
  SAY("%.9s", bytes);
  close(other);
  close(fd);
}

static void between_processes(void) {
  int fd = open("between", O_RDWR | O_CREAT | O_TRUNC, 0644);
  ftruncate(fd, 2 * 4096);
  volatile int* words = map(fd, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  pid_t child = fork();
  if (child == 0) {
    int own = open("between", O_RDWR);
    volatile int* mine = map(own, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    mine[0] = 1;
    while (words[1] == 0) sched_yield();
    mine[1024] = words[1] + 1;
    _exit(0);
  }
  while (words[0] == 0) sched_yield();
  words[1] = 41;
  SHOW(reap(child));
  SHOW(words[1024]);
  int value;
  SHOW(pread(fd, &value, 4, 4096));
  SHOW(value);
  child = fork();
  if (child == 0) {
    munmap((void*)words, 4096);
    words[1025] = 9;
    _exit(0);
  }
  SHOW(reap(child));
  SHOW(words[1025]);
  SHOW(words[0]);
  munmap((void*)words, 2 * 4096);
  close(fd);
}

static void* churn(void* name) {
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  ftruncate(fd, 8 * 4096);
  long bad = 0;
  for (int i = 0; i < 100; i++) {
    unsigned char* a = map(fd, 8 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    a[i * 16] = (unsigned char)i;
    unsigned char* plain = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(plain, 4096);
    munmap(a, 8 * 4096);
    unsigned char byte = 0;
    pread(fd, &byte, 1, i * 16);
    bad += byte != (unsigned char)i;
  }
  close(fd);
  return (void*)bad;
}

static void threads(void) {
  pthread_t ids[8];
  char names[8][16];
  long bad = 0;
  for (int i = 0; i < 8; i++) {
    snprintf(names[i], 16, "churn%d", i);
    pthread_create(&ids[i], NULL, churn, names[i]);
  }
  for (int i = 0; i < 8; i++) {
    void* result;
    pthread_join(ids[i], &result);
    bad += (long)result;
  }
  SHOW(bad);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  signal(SIGSEGV, on_signal);
  signal(SIGBUS, on_signal);
  refused();
  coherent();
  beyond();
  holes();
  pieces();
  moved();
  between_processes();
  threads();
  return 0;
}
