#include "show.h"

#include <sys/statvfs.h>

// Writes of up to a block that add one to their file: new files, files that grow, holes.
enum { PAGE = 4096, ROUNDS = 400, FILES = 6, SPAN = 12 };

static unsigned next(unsigned* seed) {
  return (*seed = *seed * 1103515245u + 12345u) >> 8;
}

static void warm(void) {
  char bytes[PAGE];
  memset(bytes, 1, sizeof bytes);
  for (int i = 0; i < 20; i++) {
    int fd = open("warm", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(fd, bytes, sizeof bytes);
    close(fd);
  }
  unlink("warm");
}

static unsigned digest(const char* name) {
  static unsigned char bytes[(SPAN + 2) * PAGE];
  int fd = open(name, O_RDONLY);
  long got = read(fd, bytes, sizeof bytes);
  close(fd);
  return got < 0 ? 0 : (unsigned)(sum(bytes, got) * 31 + got);
}

// Any mixture of writes, with what lies in between read back each time.
static void mixture(void) {
  static char bytes[PAGE];
  const int sizes[] = {PAGE, 512, 511, 1000, PAGE - 1, 4000, 1};
  unsigned seed = 7, total = 0;
  int fds[FILES];
  char names[FILES][8];
  for (int i = 0; i < FILES; i++) {
    snprintf(names[i], sizeof names[i], "m%d", i);
    fds[i] = open(names[i], O_RDWR | O_CREAT | O_EXCL, 0644);
  }
  for (int round = 0; round < ROUNDS; round++) {
    int file = next(&seed) % FILES, size = sizes[next(&seed) % 7];
    memset(bytes, next(&seed), size);
    switch (next(&seed) % 6) {
      case 0:
        total += pwrite(fds[file], bytes, size, next(&seed) % SPAN * PAGE);
        break;
      case 1:
        lseek(fds[file], next(&seed) % SPAN * PAGE, SEEK_SET);
        // fall through
      case 2:
        if (lseek(fds[file], 0, SEEK_CUR) < SPAN * PAGE) total += write(fds[file], bytes, size);
        break;
      case 3:
        ftruncate(fds[file], next(&seed) % (SPAN * PAGE));
        break;
      case 4:
        fallocate(fds[file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  next(&seed) % SPAN * PAGE, PAGE);
        break;
      default:
        close(fds[file]);
        unlink(names[file]);
        fds[file] = open(names[file], O_RDWR | O_CREAT, 0644);
    }
    total = total * 31 + digest(names[file]) + (unsigned)lseek(fds[file], 0, SEEK_CUR);
  }
  SHOW(total);
  for (int i = 0; i < FILES; i++) {
    struct stat status;
    fstat(fds[i], &status);
    SHOW(status.st_blocks);
    SHOW(status.st_size);
    close(fds[i]);
    unlink(names[i]);
  }
}

static void rules(void) {
  char bytes[PAGE];
  memset(bytes, 'r', sizeof bytes);
  int fd = open("rules", O_RDWR | O_CREAT | O_EXCL, 0644);
  // A buffer that is not there moves nothing.
  SHOW(write(fd, (void*)8, PAGE));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(write(fd, bytes, PAGE));
  SHOW(write(fd, bytes, 600));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(fcntl(fd, F_SETFL, O_APPEND));
  SHOW(pwrite(fd, bytes, PAGE, 4 * PAGE));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(fcntl(fd, F_SETFL, 0));
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, limit;
  getrlimit(RLIMIT_FSIZE, &old);
  limit = old;
  limit.rlim_cur = 4 * PAGE + 700;
  setrlimit(RLIMIT_FSIZE, &limit);
  SHOW(lseek(fd, 4 * PAGE, SEEK_SET));
  SHOW(write(fd, bytes, PAGE));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 5 * PAGE, SEEK_SET));
  SHOW(write(fd, bytes, PAGE));
  SHOW(lseek(fd, 0, SEEK_CUR));
  setrlimit(RLIMIT_FSIZE, &old);
  close(fd);
  SHOW(digest("rules"));
  unlink("rules");
}

// A description that threads share: each write has a place of its own.
static int shared;
static void* writer(void* byte) {
  char bytes[PAGE];
  memset(bytes, (int)(long)byte, sizeof bytes);
  for (int i = 0; i < 100; i++)
    if (write(shared, bytes, PAGE) != PAGE) return (void*)1;
  return NULL;
}

static void threads(void) {
  pthread_t each[4];
  long failed = 0;
  shared = open("shared", O_RDWR | O_CREAT | O_EXCL, 0644);
  for (long i = 0; i < 4; i++) pthread_create(&each[i], NULL, writer, (void*)(i + 1));
  for (int i = 0; i < 4; i++) {
    void* result;
    pthread_join(each[i], &result);
    failed += (long)result;
  }
  SHOW(failed);
  SHOW(lseek(shared, 0, SEEK_END));
  int count[5] = {0}, mixed = 0;
  unsigned char block[PAGE];
  for (int i = 0; pread(shared, block, PAGE, (off_t)i * PAGE) == PAGE; i++) {
    for (int at = 1; at < PAGE; at++) mixed += block[at] != block[0];
    if (block[0] < 5) count[block[0]]++;
  }
  SHOW(mixed);
  for (int i = 0; i < 5; i++) SHOW(count[i]);
  close(shared);
  unlink("shared");
}

int main(int, char** argv) {
  if (chdir(argv[1]) != 0) return 1;
  struct statvfs before, after;
  warm();
  statvfs(".", &before);
  mixture();
  rules();
  threads();
  statvfs(".", &after);
  if (getenv("BTFUSE_SESSION") != NULL && before.f_bfree != after.f_bfree) SHOW(after.f_bfree);
  return 0;
}
