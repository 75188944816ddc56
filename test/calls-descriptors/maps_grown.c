// Maps of files that change their size while they are mapped, by whatever hand, and what a program
// sees of SIGBUS meanwhile.
#include "show.h"

static const size_t kPage = 4096;

static unsigned char* map(int fd, size_t pages, int flags) {
  return mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static sigjmp_buf out;
static void on_signal(int number) { siglongjmp(out, number); }
static int peek(const volatile unsigned char* at) {
  int number = sigsetjmp(out, 1);
  return number != 0 ? -number : *at;
}
static int poke(volatile unsigned char* at, int value) {
  int number = sigsetjmp(out, 1);
  return number != 0 ? -number : (*at = (unsigned char)value);
}

// Runs `act` in a child and waits.
static int elsewhere(void (*act)(const char*), const char* name) {
  pid_t child = fork();
  if (child == 0) {
    act(name);
    _exit(0);
  }
  return reap(child);
}
static void append_page(const char* name) {
  char page[4096];
  memset(page, 'g', sizeof page);
  int fd = open(name, O_WRONLY | O_APPEND);
  write(fd, page, sizeof page);
  close(fd);
}
static void extend_to_eight(const char* name) { truncate(name, 8 * kPage); }
static void write_far(const char* name) {
  int fd = open(name, O_WRONLY);
  pwrite(fd, "far", 3, 6 * kPage);
  close(fd);
}

static void by_another(void) {
  int fd = make("another", "0123456789");
  ftruncate(fd, kPage);
  unsigned char* shared = map(fd, 16, MAP_SHARED);
  unsigned char* own = map(fd, 16, MAP_PRIVATE);
  SHOW(peek(shared + kPage));
  SHOW(peek(own + kPage));
  SHOW(elsewhere(append_page, "another"));
  SHOW(peek(shared + kPage));
  SHOW(peek(own + kPage));
  SHOW(poke(own + kPage + 1, 'o'));
  SHOW(peek(shared + kPage + 1));
  SHOW(peek(shared + 2 * kPage));
  SHOW(elsewhere(write_far, "another"));
  SHOW(peek(shared + 6 * kPage));
  SHOW(peek(shared + 7 * kPage));
  SHOW(poke(shared + 3 * kPage, 33));
  SHOW(peek(own + 3 * kPage));
  SHOW(peek(own + kPage + 1));
  SHOW(elsewhere(extend_to_eight, "another"));
  SHOW(poke(shared + 7 * kPage, 44));
  unsigned char byte = 0;
  SHOW(pread(fd, &byte, 1, 7 * kPage));
  SHOW(byte);
  munmap(shared, 16 * kPage);
  munmap(own, 16 * kPage);
  close(fd);
}

// The pages are handed to calls, not touched by the program.
static void handed_to_calls(void) {
  int fd = make("calls", "0123456789"), to = make("calls-to", "");
  unsigned char* shared = map(fd, 16, MAP_SHARED);
  SHOW(write(to, shared + kPage, 100));
  SHOW(elsewhere(append_page, "calls"));
  SHOW(write(to, shared + kPage - 5, 10));
  SHOW(write(to, shared, 16 * kPage));
  SHOW(elsewhere(append_page, "calls"));
  SHOW(pread(to, shared + 2 * kPage, 5, 0));
  SHOW(pread(to, shared + 3 * kPage, 5, 0));
  SHOW(elsewhere(extend_to_eight, "calls"));
  SHOW(pread(to, shared + 4 * kPage, 3 * kPage, 0));
  SHOW(access((char*)shared + 7 * kPage, F_OK));
  SHOW(access((char*)shared + 8 * kPage, F_OK));
  munmap(shared, 16 * kPage);
  close(fd);
  close(to);
}

static void cut_and_grown(void) {
  int fd = make("cut", "");
  unsigned char bytes[8 * 4096];
  fill(bytes, sizeof bytes, 3);
  pwrite(fd, bytes, sizeof bytes, 0);
  unsigned char* shared = map(fd, 8, MAP_SHARED);
  unsigned char* own = map(fd, 8, MAP_PRIVATE);
  own[5 * kPage] = 'o';
  own[1] = 'o';
  SHOW(ftruncate(fd, 2 * kPage + 100));
  SHOW(peek(shared + 2 * kPage + 99) == bytes[2 * kPage + 99]);
  SHOW(peek(shared + 2 * kPage + 100));
  SHOW(peek(shared + 3 * kPage));
  SHOW(peek(own + 5 * kPage));
  SHOW(peek(own + 1));
  shared[2 * kPage + 200] = 9;
  SHOW(truncate("cut", 2 * kPage + 50));
  SHOW(peek(shared + 2 * kPage + 200));
  SHOW(truncate("cut", 6 * kPage));
  SHOW(peek(shared + 2 * kPage + 99));
  SHOW(peek(shared + 5 * kPage));
  SHOW(peek(own + 5 * kPage));
  SHOW(peek(own + 1));
  SHOW(peek(shared + 6 * kPage));
  int again = open("cut", O_RDWR | O_TRUNC);
  SHOW(peek(shared));
  SHOW(peek(own));
  SHOW(pwrite(again, "back", 4, 0));
  SHOW(peek(shared));
  SHOW(peek(own));
  SHOW(peek(own + 1));
  SHOW(peek(shared + kPage));
  munmap(shared, 8 * kPage);
  munmap(own, 8 * kPage);
  close(again);
  close(fd);
}

// What the program set for SIGBUS is what it finds, and what it gets.
static volatile int got, got_code, got_flags;
static void* volatile got_address;
static void counting(int number) { got++; siglongjmp(out, number); }
static void telling(int number, siginfo_t* info, void* context) {
  ucontext_t* where = context;
  sigset_t mask;
  stack_t stack;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigaltstack(NULL, &stack);
  got_code = info->si_code;
  got_address = info->si_addr;
  got_flags = sigismember(&mask, SIGBUS) | sigismember(&mask, SIGUSR1) << 1 |
              sigismember(&mask, SIGUSR2) << 2 | (stack.ss_flags == SS_ONSTACK) << 3 |
              sigismember(&where->uc_sigmask, SIGUSR2) << 4;
  siglongjmp(out, number);
}
static void returning(int number) { got++; }

static void handlers(void) {
  int fd = make("handlers", "0123456789");
  unsigned char* shared = map(fd, 4, MAP_SHARED);
  struct sigaction action = {0}, before;
  SHOW(sigaction(SIGBUS, NULL, &before));
  SHOW(before.sa_handler == on_signal);
  SAY("%x", before.sa_flags & ~0x04000000);
  action.sa_handler = counting;
  action.sa_flags = SA_RESETHAND;
  SHOW(sigaction(SIGBUS, &action, &before));
  SHOW(before.sa_handler == on_signal);
  SHOW(peek(shared + kPage));
  SHOW(got);
  SHOW(sigaction(SIGBUS, NULL, &before));
  SHOW(before.sa_handler == SIG_DFL);
  SAY("%x", before.sa_flags & ~0x04000000);
  static char stack[1 << 16];
  stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  SHOW(sigaltstack(&other, NULL));
  action.sa_sigaction = telling;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaddset(&action.sa_mask, SIGUSR1);
  SHOW(sigaction(SIGBUS, &action, NULL));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  SHOW(peek(shared + 2 * kPage + 7));
  SHOW(got_code);
  SHOW((unsigned char*)got_address - shared);
  SAY("%x", got_flags);
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  SHOW(sigaction(SIGBUS, &action, &before));
  SHOW(before.sa_sigaction == telling && sigismember(&before.sa_mask, SIGUSR1));
  SHOW(peek(shared + kPage));
  SAY("%x", got_flags);
  int number = sigsetjmp(out, 1);
  if (number == 0) kill(getpid(), SIGBUS);
  SHOW(number);
  SHOW(got_code);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  action.sa_handler = returning;
  action.sa_flags = 0;
  SHOW(sigaction(SIGBUS, &action, NULL));
  SHOW(raise(SIGBUS));
  SHOW(got);
  signal(SIGBUS, SIG_IGN);
  SHOW(raise(SIGBUS));
  SHOW(syscall(SYS_rt_sigaction, SIGBUS, NULL, (void*)1, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGBUS, NULL, &before, 4));
  SHOW(elsewhere(append_page, "handlers"));
  SHOW(shared[kPage]);
  pid_t child = fork();
  if (child == 0) _exit(shared[3 * kPage]);
  SHOW(reap(child) & 0x7f);
  signal(SIGBUS, SIG_DFL);
  child = fork();
  if (child == 0) _exit(shared[3 * kPage]);
  SHOW(reap(child) & 0x7f);
  child = fork();
  if (child == 0) raise(SIGBUS);
  SHOW(reap(child) & 0x7f);
  child = fork();
  if (child == 0) execlp("sh", "sh", "-c", "kill -BUS $$; exit 3", NULL);
  SHOW(reap(child) & 0x7f);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigfillset(&set);
  posix_spawnattr_setsigdefault(&attributes, &set);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  signal(SIGBUS, on_signal);
  char* arguments[] = {"true", NULL};
  SHOW(posix_spawnp(&child, "true", NULL, &attributes, arguments, arguments + 1));
  SHOW(reap(child));
  SHOW(peek(shared + 3 * kPage));
  SHOW(elsewhere(extend_to_eight, "handlers"));
  SHOW(peek(shared + 3 * kPage));
  munmap(shared, 4 * kPage);
  close(fd);
}

static void* touch(void* at) {
  volatile unsigned char* page = at;
  for (int i = 0; i < 15; i++) page[i * 4096] = (unsigned char)(i + 1);
  return NULL;
}

static void threads(void) {
  int fd = make("threads", "0123456789");
  unsigned char* shared = map(fd, 16, MAP_SHARED);
  pid_t child = fork();
  if (child == 0) {
    truncate("threads", 16 * kPage);
    _exit(0);
  }
  SHOW(reap(child));
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  pthread_t ids[8];
  for (int i = 0; i < 8; i++) pthread_create(&ids[i], &small, touch, shared + kPage);
  for (int i = 0; i < 8; i++) pthread_join(ids[i], NULL);
  SHOW(sum(shared, 16 * kPage));
  SHOW(sum_of("threads"));
  munmap(shared, 16 * kPage);
  close(fd);
}

// A 1 TiB file of holes, mapped whole.
static void sparse(void) {
  int fd = make("sparse", "begin");
  off_t size = 1l << 40;
  SHOW(ftruncate(fd, size));
  unsigned char* a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char* own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  SHOW(a == MAP_FAILED || own == MAP_FAILED);
  for (int i = 0; i < 30; i++) poke(a + (1l << i), i + 1);
  SHOW(peek(a));
  SHOW(peek(a + (1l << 20)));
  SHOW(peek(own + (1l << 20)));
  SHOW(poke(own + (1l << 35), 7));
  SHOW(peek(a + (1l << 35)));
  SHOW(peek(own + (1l << 35)));
  SHOW(peek(own + (1l << 35) + kPage));
  SHOW(poke(a + size - 1, 8));
  unsigned char byte = 0;
  SHOW(pread(fd, &byte, 1, size - 1));
  SHOW(byte);
  SHOW(pread(fd, a + (1l << 36) - 2, 5, 0));
  SAY("%.5s", a + (1l << 36) - 2);
  struct stat status;
  fstat(fd, &status);
  SHOW(status.st_blocks < 1 << 16);
  SHOW(madvise(a + (1l << 37), 4 * kPage, MADV_POPULATE_WRITE));
  SHOW(peek(a + (1l << 37)));
  SHOW(ftruncate(fd, 1l << 30));
  SHOW(peek(a + (1l << 37)));
  SHOW(peek(a + (1l << 29)));
  munmap(a, size);
  munmap(own, size);
  close(fd);
  unlink("sparse");
}

static void advice(void) {
  int fd = make("advice", ""), reading = open("advice", O_RDONLY);
  unsigned char bytes[8 * 4096];
  fill(bytes, sizeof bytes, 5);
  write(fd, bytes, sizeof bytes);
  unsigned char* shared = map(fd, 12, MAP_SHARED);
  unsigned char* own = map(fd, 8, MAP_PRIVATE);
  unsigned char* seen = mmap(NULL, 8 * kPage, PROT_READ, MAP_SHARED, reading, 0);
  own[kPage] = own[2 * kPage] = 'o';
  SHOW(madvise(own, 8 * kPage, MADV_DONTNEED));
  SHOW(own[kPage] == bytes[kPage]);
  own[kPage] = own[2 * kPage] = 'o';
  SHOW(madvise(shared + kPage, kPage, MADV_REMOVE));
  SHOW(shared[kPage]);
  SHOW(seen[kPage + 1]);
  SHOW(own[kPage]);
  SHOW(shared[2 * kPage] == bytes[2 * kPage]);
  SHOW(madvise(shared + 9 * kPage, kPage, MADV_REMOVE));
  SHOW(madvise(own, kPage, MADV_REMOVE));
  SHOW(madvise(seen, kPage, MADV_REMOVE));
  SHOW(madvise(shared + 1, kPage, MADV_REMOVE));
  SHOW(madvise(shared, 0, MADV_REMOVE));
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * kPage, kPage));
  SHOW(shared[2 * kPage]);
  SHOW(own[2 * kPage]);
  SHOW(madvise(shared, 8 * kPage, MADV_POPULATE_READ));
  SHOW(madvise(shared, 9 * kPage, MADV_POPULATE_READ));
  SHOW(madvise(shared, 9 * kPage, MADV_WILLNEED));
  SHOW(madvise(shared, 8 * kPage, MADV_DONTNEED));
  SHOW(shared[3 * kPage] == bytes[3 * kPage]);
  SHOW(madvise(shared, kPage, MADV_FREE));
  SHOW(mlock(shared, 8 * kPage));
  SHOW(mlock(shared, 9 * kPage));
  SHOW(munlock(shared, 9 * kPage));
  SHOW(msync(shared, 12 * kPage, MS_ASYNC));
  SHOW(msync(shared, 12 * kPage, MS_SYNC | MS_INVALIDATE));
  SHOW(msync(shared + 1, kPage, MS_SYNC));
  SHOW(msync(shared, kPage, MS_SYNC | MS_ASYNC));
  SHOW(munmap(shared + 4 * kPage, kPage));
  SHOW(msync(shared, 8 * kPage, MS_SYNC));
  unsigned char resident[8];
  SHOW(mincore(shared, 8 * kPage, resident));
  SHOW(mincore(shared, 4 * kPage, resident));
  SHOW(remap_file_pages(shared, kPage, 0, 5, 0));
  SHOW(shared[7] == bytes[5 * kPage + 7]);
  SHOW(remap_file_pages(shared, kPage, 0, 9, 0));
  SHOW(peek(shared));
  SHOW(remap_file_pages(shared, kPage, PROT_READ, 5, 0));
  SHOW(remap_file_pages(own, kPage, 0, 5, 0));
  SHOW(remap_file_pages(shared + 3 * kPage, 2 * kPage, 0, 5, 0));
  close(fd);
  close(reading);
}

static void protections(void) {
  int fd = make("protections", ""), reading = open("protections", O_RDONLY);
  unsigned char bytes[8 * 4096];
  fill(bytes, sizeof bytes, 6);
  write(fd, bytes, sizeof bytes);
  unsigned char* a = map(fd, 12, MAP_SHARED);
  SHOW(mprotect(a + 2 * kPage, kPage, PROT_READ));
  SHOW(poke(a + 2 * kPage, 1));
  SHOW(poke(a + 3 * kPage, 1));
  SHOW(mprotect(a + 7 * kPage, 4 * kPage, PROT_READ));
  SHOW(ftruncate(fd, kPage));
  SHOW(ftruncate(fd, 10 * kPage));
  SHOW(poke(a + 2 * kPage, 1));
  SHOW(poke(a + 3 * kPage, 1));
  SHOW(peek(a + 9 * kPage));
  SHOW(poke(a + 9 * kPage, 1));
  SHOW(mprotect(a, 12 * kPage, PROT_READ | PROT_WRITE));
  SHOW(poke(a + 9 * kPage, 1));
  SHOW(poke(a + 11 * kPage, 1));
  unsigned char* seen = mmap(NULL, 4 * kPage, PROT_READ, MAP_SHARED, reading, 0);
  SHOW(mprotect(seen + kPage, kPage, PROT_READ | PROT_WRITE));
  SHOW(pkey_mprotect(seen + kPage, kPage, PROT_READ | PROT_WRITE, -1));
  SHOW(pkey_mprotect(seen + kPage, kPage, PROT_NONE, -1));
  SHOW(peek(seen + kPage));
  for (int i = 0; i < 3000; i++) {
    if (mprotect(a + i % 8 * kPage, kPage, i % 3 == 0 ? PROT_READ : PROT_READ | PROT_WRITE) != 0)
      SHOW(i);
  }
  SHOW(mprotect(a, 12 * kPage, PROT_READ | PROT_WRITE));
  SHOW(munmap(a, 12 * kPage));
  close(fd);
  close(reading);
}

static void remapped(void) {
  int fd = make("remapped", "");
  unsigned char bytes[8 * 4096];
  fill(bytes, sizeof bytes, 7);
  write(fd, bytes, sizeof bytes);
  unsigned char* own = map(fd, 16, MAP_PRIVATE);
  own[kPage] = 'o';
  unsigned char* blocker = mmap(own + 16 * kPage, kPage, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  own = mremap(own, 16 * kPage, 32 * kPage, MREMAP_MAYMOVE);
  SHOW(own != MAP_FAILED);
  SHOW(own[kPage]);
  SHOW(own[2 * kPage] == bytes[2 * kPage]);
  SHOW(pwrite(fd, "new", 3, 2 * kPage));
  SHOW(own[2 * kPage]);
  SHOW(own[kPage]);
  SHOW(peek(own + 9 * kPage));
  SHOW(ftruncate(fd, 20 * kPage));
  SHOW(peek(own + 9 * kPage));
  SHOW(peek(own + 19 * kPage));
  SHOW(peek(own + 20 * kPage));
  SHOW(mremap(own, 0, kPage, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
  unsigned char* shared = map(fd, 4, MAP_SHARED);
  unsigned char* twin = mremap(shared, 0, 4 * kPage, MREMAP_MAYMOVE);
  SHOW(twin != MAP_FAILED);
  twin[3] = 'T';
  SHOW(shared[3]);
  unsigned char* kept = mremap(shared, kPage, kPage, MREMAP_MAYMOVE | 4, NULL);
  SHOW(kept == MAP_FAILED ? -1 : kept != shared);
  SHOW(kept[3] == shared[3]);
  own[kPage + 1] = 'm';
  kept = mremap(own + kPage, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | 4, NULL);
  SHOW(kept[1]);
  SHOW(own[kPage + 1] == bytes[kPage + 1]);
  SHOW(mremap(shared, kPage, 2 * kPage, MREMAP_MAYMOVE | 4, NULL) == MAP_FAILED ? -1 : 0);
  unsigned char* middle = mremap(shared + kPage, kPage, 3 * kPage, MREMAP_MAYMOVE);
  SHOW(middle != MAP_FAILED);
  SHOW(middle[kPage + 5] == bytes[2 * kPage + 5]);
  SHOW(peek(shared + kPage));
  SHOW(peek(shared + 2 * kPage + 5) == bytes[2 * kPage + 5]);
  close(fd);
}

// A log that one process writes, and others follow through their maps without a call.
static void* follow(void* at) {
  volatile unsigned char* log = at;
  volatile int* written = (volatile int*)log;
  long total = 0;
  for (int seen = 0; seen < 2000;) {
    while (*written == seen) sched_yield();
    for (; seen < *written; seen++) total += log[(seen + 1) * 2048 + 2047];
  }
  return (void*)total;
}

static void followed(void) {
  int fd = make("log", "");
  ftruncate(fd, 2048);
  unsigned char* log = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  pid_t child = fork();
  if (child == 0) {
    char line[2048];
    int own = open("log", O_WRONLY | O_APPEND);
    for (int i = 0; i < 2000; i++) {
      memset(line, i, sizeof line);
      write(own, line, sizeof line);
      *(volatile int*)log = i + 1;
    }
    _exit(0);
  }
  pthread_t ids[3];
  for (int i = 0; i < 3; i++) pthread_create(&ids[i], NULL, follow, log);
  for (int i = 0; i < 3; i++) {
    void* total;
    pthread_join(ids[i], &total);
    SHOW(total);
  }
  SHOW(reap(child));
  munmap(log, 16 << 20);
  close(fd);
}

// What a file gives back once nobody maps it, though the descriptor stays open.
static void given_back(void) {
  int fd = make("back", "");
  unsigned char bytes[16 * 4096];
  fill(bytes, sizeof bytes, 8);
  write(fd, bytes, sizeof bytes);
  unsigned char* a = map(fd, 16, MAP_SHARED);
  unsigned char* b = map(fd, 16, MAP_SHARED);
  munmap(a, 16 * kPage);
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage));
  SHOW(b[0]);
  munmap(b, 16 * kPage);
  struct stat status;
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * kPage));
  SHOW(ftruncate(fd, 8 * kPage));
  fstat(fd, &status);
  SHOW(status.st_blocks);
  SHOW(ftruncate(fd, 0));
  fstat(fd, &status);
  SHOW(status.st_blocks);
  a = map(fd, 16, MAP_SHARED);
  SHOW(ftruncate(fd, 2 * kPage));
  SHOW(poke(a + kPage, 5));
  SHOW(peek(a + 2 * kPage));
  munmap(a, 16 * kPage);
  close(fd);
}

static void many(void) {
  int fd = make("many", "");
  ftruncate(fd, 4 * kPage);
  static unsigned char* maps[5000];
  long bad = 0;
  for (int i = 0; i < 5000; i++) {
    maps[i] = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, i % 4 * kPage);
    bad += maps[i] == MAP_FAILED;
  }
  SHOW(bad);
  for (int i = 0; i < 5000; i++) maps[i][i % 4096] = 1;
  unsigned long total = 0;
  static unsigned char bytes[4 * 4096];
  pread(fd, bytes, sizeof bytes, 0);
  for (size_t i = 0; i < sizeof bytes; i++) total += bytes[i];
  SHOW(total);
  for (int i = 0; i < 5000; i++) munmap(maps[i], kPage);
  close(fd);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  signal(SIGSEGV, on_signal);
  signal(SIGBUS, on_signal);
  by_another();
  handed_to_calls();
  cut_and_grown();
  handlers();
  threads();
  signal(SIGBUS, on_signal);
  sparse();
  advice();
  protections();
  remapped();
  followed();
  given_back();
  many();
  return 0;
}
