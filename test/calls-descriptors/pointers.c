// Buffers that are bad, or end to be good in their middle, or were good once.
#include "show.h"

enum { PAGE = 4096 };

static unsigned char contents[1 << 20];

// `pages` good ones, and one behind that nobody may touch.
static unsigned char* guarded(int pages) {
  unsigned char* at =
      mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(at + pages * PAGE, PAGE, PROT_NONE);
  return at;
}

static long position(int fd) {
  return lseek(fd, 0, SEEK_CUR);
}

static void reading_up_to_the_edge(int fd) {
  const int sizes[] = {1, 100, 4095, 4096, 4097, 8192, 40000, 140000, 300000};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (int good = 0; good <= 5000; good += 1000) {
      unsigned char* at = guarded(2) + 2 * PAGE - good;
      memset(at, 0xee, good);
      SAY("%d of %d", good, sizes[s]);
      SHOW(lseek(fd, 10, SEEK_SET));
      SHOW(read(fd, at, sizes[s]));
      SHOW(position(fd));
      SHOW(pread(fd, at, sizes[s], 123));
      SAY("%lx", sum(at, good));
      munmap(at + good - 2 * PAGE, 3 * PAGE);
    }
  }
  SHOW(pread(fd, (void*)16, 10, sizeof contents));
  SHOW(pread(fd, (void*)16, 10, sizeof contents - 1));
  unsigned char* at = guarded(1);
  memset(at, 0xee, PAGE);
  SHOW(pread(fd, at, 3 * PAGE, sizeof contents - 10));
  SAY("%lx", sum(at, PAGE));
  SHOW(pread(fd, at, 3 * PAGE, sizeof contents - PAGE));
  SHOW(pread(fd, at, 3 * PAGE, sizeof contents - PAGE - 1));
}

static void writing_up_to_the_edge(const char* name) {
  const int sizes[] = {1, 100, 4096, 8192, 40000, 140000};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (int good = 0; good <= 5000; good += 2500) {
      int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
      unsigned char* at = guarded(2) + 2 * PAGE - good;
      memcpy(at, contents + good, good);
      SAY("%d of %d", good, sizes[s]);
      SHOW(write(fd, at, sizes[s]));
      SHOW(position(fd));
      // Nothing to write at all: tmpfs makes the file longer before it finds out.
      if (good > 0) SHOW(pwrite(fd, at, sizes[s], 50));
      struct stat st;
      fstat(fd, &st);
      SHOW(st.st_size);
      static unsigned char back[200000];
      long n = pread(fd, back, sizeof back, 0);
      SAY("%lx", sum(back, n));
      munmap(at + good - 2 * PAGE, 3 * PAGE);
      close(fd);
    }
  }
}

static void holes_in_large_buffers(int fd) {
  const int pages = 64;
  for (int bad = 0; bad < pages; bad += 13) {
    unsigned char* at = guarded(pages);
    mprotect(at + bad * PAGE, PAGE, PROT_NONE);
    SAY("page %d", bad);
    SHOW(pread(fd, at, pages * PAGE, 0));
    SHOW(pread(fd, at + 7, pages * PAGE - 7, 0));
    mprotect(at + bad * PAGE, PAGE, PROT_READ);
    SHOW(pread(fd, at, pages * PAGE, 0));
    int out = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0600);
    SHOW(write(out, at, pages * PAGE));
    munmap(at + bad * PAGE, PAGE);
    SHOW(write(out, at, pages * PAGE));
    SHOW(position(out));
    close(out);
    munmap(at, (pages + 1) * PAGE);
  }
}

static void good_once(int fd) {
  for (int size = 10; size <= 400000; size *= 20) {
    unsigned char* at =
        mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct stat* st = (struct stat*)at;
    int out = open("once", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < 3; i++) {
      SHOW(pread(fd, at, size, 0));
      SHOW(pwrite(out, at, size, 0));
      SHOW(fstat(fd, st));
      strcpy((char*)at, "once");
      SHOW(access((char*)at, F_OK));
    }
    mprotect(at, 1 << 20, PROT_READ);
    SHOW(pread(fd, at, size, 0));
    SHOW(fstat(fd, st));
    SHOW(pwrite(out, at, size, 0));
    mprotect(at, 1 << 20, PROT_NONE);
    SHOW(pwrite(out, at, size, 0));
    SHOW(access((char*)at, F_OK));
    mprotect(at, 1 << 20, PROT_READ | PROT_WRITE);
    SHOW(pread(fd, at, size, 0));
    mmap(at, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(pread(fd, at, size, 0));
    mmap(at, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(pread(fd, at, size, 0));
    unsigned char* moved =
        mremap(at, 1 << 20, 2 << 20, MREMAP_MAYMOVE | MREMAP_FIXED, at + (64 << 20));
    SHOW(moved == at + (64 << 20));
    SHOW(pread(fd, at, size, 0));
    SHOW(pread(fd, moved, size, 0));
    munmap(moved, 2 << 20);
    SHOW(pread(fd, moved, size, 0));
    SHOW(pwrite(out, moved, size, 0));
    SHOW(fstat(fd, (struct stat*)moved));
    SHOW(stat("once", (struct stat*)moved));
    SHOW(open((char*)moved, O_RDONLY));
    SHOW(readlink("once", (char*)moved, 10));
    SHOW(getcwd((char*)moved, 100));
    SHOW(syscall(SYS_getcwd, moved, 100));
    close(out);
  }
  unsigned char* end = sbrk(16 * PAGE);
  SHOW(pread(fd, end, 16 * PAGE, 0));
  sbrk(-16 * PAGE);
  SHOW(pread(fd, end + 8 * PAGE, PAGE, 0));
}

static void vectors(int fd) {
  unsigned char* at = guarded(4);
  struct iovec parts[4] = {{at, 100}, {NULL, 0}, {at + 4 * PAGE - 10, 50}, {at + PAGE, 100}};
  SHOW(preadv(fd, parts, 4, 0));
  SHOW(readv(fd, parts, 4));
  parts[0].iov_base = (void*)1;
  SHOW(preadv(fd, parts, 4, 0));
  parts[0].iov_base = (void*)~0xfffful;
  SHOW(preadv(fd, parts, 4, 0));
  SHOW(preadv(fd, (void*)8, 2, 0));
  memset(at + 4 * PAGE - 16, 0, 16);
  SHOW(preadv(fd, (void*)(at + 4 * PAGE - 16), 2, 0));
  int out = open("vectors", O_RDWR | O_CREAT | O_TRUNC, 0600);
  parts[0] = (struct iovec){at, 100};
  SHOW(writev(out, parts, 4));
  SHOW(position(out));
  parts[0].iov_base = (void*)1;
  SHOW(writev(out, parts, 4));
  SHOW(position(out));
  close(out);
}

// A buffer below everything that the stack has been so far.
static long __attribute__((noinline)) deep(int fd) {
  unsigned char buffer[600000];
  return pread(fd, buffer, sizeof buffer, 0);
}

// Bytes behind what was read stay as they were.
static void nothing_else_changes(int fd) {
  unsigned char* at =
      mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(at, 0xaa, 64 * PAGE);
  SHOW(pread(fd, at + 10, 60 * PAGE, sizeof contents - 3000));
  int same = 1;
  for (int i = 3010; i < 64 * PAGE; i++) same &= at[i] == 0xaa;
  SHOW(same);
  SHOW(at[9]);
}

int main(int argc, char** argv) {
  SHOW(chdir(argv[1]));
  fill(contents, sizeof contents, 7);
  int fd = open("file", O_RDWR | O_CREAT, 0600);
  SHOW(write(fd, contents, sizeof contents));
  reading_up_to_the_edge(fd);
  writing_up_to_the_edge("written");
  holes_in_large_buffers(fd);
  good_once(fd);
  vectors(fd);
  SHOW(deep(fd));
  nothing_else_changes(fd);
  return 0;
}
