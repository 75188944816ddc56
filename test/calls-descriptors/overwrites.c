#include "show.h"

// Writes that change nothing but bytes go without the server: what they must still do, and what
// they must never touch.
enum { FILES = 4, BLOCKS = 128, PAGE = 4096, SIZE = BLOCKS * PAGE, ROUNDS = 600 };

static unsigned next(unsigned* seed) {
  return (*seed = *seed * 1103515245u + 12345u) >> 8;
}

// So many small reads that the data segment is worth being mapped.
static void warm(void) {
  char byte[600];
  int fd = open("warm", O_RDWR | O_CREAT, 0600);
  memset(byte, 1, sizeof byte);
  for (int i = 0; i < 20; i++) pwrite(fd, byte, sizeof byte, 0);
  close(fd);
}

static long long times_of(int fd, struct stat* status) {
  fstat(fd, status);
  return status->st_mtim.tv_sec * 1000000000ll + status->st_mtim.tv_nsec;
}

static void stamps(void) {
  char bytes[PAGE] = {0};
  struct stat status;
  int fd = open("stamps", O_RDWR | O_CREAT, 0644);
  pwrite(fd, bytes, sizeof bytes, 0);
  int later = 0, equal = 0;
  for (int i = 0; i < 200; i++) {
    long long before = times_of(fd, &status);
    pwrite(fd, bytes, 1 + i, i);
    if (i % 3 == 0) pwrite(fd, bytes, 9, i);
    later += times_of(fd, &status) > before;
    equal += status.st_mtim.tv_nsec == status.st_ctim.tv_nsec;
  }
  SHOW(later);
  SHOW(equal);
  // A path tells as much as a descriptor, and a time that was set is not kept.
  later = 0;
  for (int i = 0; i < 50; i++) {
    struct stat before, after;
    stat("stamps", &before);
    pwrite(fd, bytes, 100, i);
    stat("stamps", &after);
    later += memcmp(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim) != 0;
  }
  SHOW(later);
  struct timespec old[2] = {{5, 5}, {7, 7}};
  SHOW(futimens(fd, old));
  SHOW(pwrite(fd, bytes, 100, 0));
  SHOW(times_of(fd, &status) > 1000000000000000000ll);
  struct timespec future[2] = {{9000000000, 0}, {9000000000, 0}};
  SHOW(futimens(fd, future));
  SHOW(pwrite(fd, bytes, 100, 0));
  SHOW(times_of(fd, &status) < 8000000000000000000ll);
  SHOW(status.st_blocks);
  close(fd);
}

static void rules(void) {
  char bytes[3 * PAGE], back[3 * PAGE];
  memset(bytes, 'r', sizeof bytes);
  int fd = open("rules", O_RDWR | O_CREAT, 0644);
  SHOW(pwrite(fd, bytes, sizeof bytes, 0));
  // The offset of the description, across the end of the file.
  SHOW(lseek(fd, 2 * PAGE, SEEK_SET));
  SHOW(write(fd, "abc", 3));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(write(fd, bytes, 2 * PAGE));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_END));
  // A hole in the way.
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
  SHOW(pwrite(fd, "hole", 4, PAGE + 10));
  SHOW(pread(fd, back, PAGE, PAGE));
  SHOW(sum((unsigned char*)back, PAGE));
  // O_APPEND goes to the end whatever the offset.
  SHOW(fcntl(fd, F_SETFL, O_APPEND));
  SHOW(pwrite(fd, "end", 3, 5));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(fcntl(fd, F_SETFL, 0));
  // Bad buffers.
  SHOW(pwrite(fd, (void*)16, 10, 0));
  SHOW(pwrite(fd, bytes, 0, 0));
  SHOW(sum_of("rules"));
  int reader = open("rules", O_RDONLY);
  SHOW(pwrite(reader, bytes, 1, 0));
  int path = open("rules", O_PATH);
  SHOW(pwrite(path, bytes, 1, 0));
  close(reader);
  close(path);
  // Set-id bits go with a write of somebody who is not root.
  SHOW(fchmod(fd, 06777));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (getuid() == 0) setresuid(1000, 1000, 1000);
    _exit(pwrite(fd, "x", 1, 0) != 1);
  }
  SHOW(reap(child));
  struct stat status;
  fstat(fd, &status);
  SHOW(status.st_mode & 07777);
  // A limit holds for bytes that are there already, too.
  if ((child = fork()) == 0) {
    struct rlimit limit = {PAGE, PAGE};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    int bad = pwrite(fd, bytes, 10, PAGE - 10) != 10;
    bad |= (pwrite(fd, bytes, 20, PAGE - 10) != 10) << 1;
    bad |= (pwrite(fd, bytes, 1, PAGE) != -1 || errno != EFBIG) << 2;
    _exit(bad);
  }
  SHOW(reap(child));
  close(fd);
}

// Every file holds its own letter only, whoever writes, cuts, punches, removes or makes it anew.
static void overwrite(int file, unsigned seed) {
  char name[16];
  char* bytes = malloc(SIZE);
  memset(bytes, 'A' + file, SIZE);
  snprintf(name, sizeof name, "own%d", file);
  warm();
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  for (int i = 0; i < ROUNDS * 3; i++) {
    if (i % 30 == 29) {
      close(fd);
      fd = open(name, O_RDWR | O_CREAT, 0644);
    }
    // Mostly large, since it is in the middle of the copy that blocks must not change hands.
    size_t at = next(&seed) % (i % 4 == 0 ? SIZE : PAGE);
    pwrite(fd, bytes, SIZE - at, at);
  }
  free(bytes);
}

static void disturb(int file, unsigned seed) {
  char name[16];
  static char bytes[SIZE];
  memset(bytes, 'A' + file, sizeof bytes);
  snprintf(name, sizeof name, "own%d", file);
  for (int i = 0; i < ROUNDS; i++) {
    int fd = open(name, O_RDWR | O_CREAT, 0644);
    switch (next(&seed) % 4) {
      case 0:
        ftruncate(fd, next(&seed) % SIZE);
        break;
      case 1:
        unlink(name);
        break;
      case 2:
        fallocate(fd, 3, next(&seed) % SIZE, 5 * PAGE);
        break;
      case 3:
        pwrite(fd, bytes, sizeof bytes, 0);
        break;
    }
    close(fd);
  }
}

static long foreign(int file) {
  static char bytes[2 * SIZE];
  char name[16];
  long bad = 0;
  snprintf(name, sizeof name, "own%d", file);
  int fd = open(name, O_RDONLY);
  if (fd < 0) return 0;
  ssize_t got = pread(fd, bytes, sizeof bytes, 0);
  for (ssize_t i = 0; i < got; i++) bad += bytes[i] != 0 && bytes[i] != 'A' + file;
  close(fd);
  return bad;
}

static void watch(void) {
  long bad = 0;
  for (int i = 0; i < ROUNDS / 4; i++) bad += foreign(i % FILES);
  _exit(bad != 0);
}

static void* overwrite_thread(void* file) {
  overwrite((int)(intptr_t)file, 77 + (intptr_t)file);
  return NULL;
}

static void own_bytes_only(void) {
  pid_t children[2 * FILES + 2];
  int count = 0;
  fflush(stdout);
  for (int i = 0; i < FILES; i++) {
    if ((children[count++] = fork()) == 0) {
      pthread_t thread;
      pthread_create(&thread, NULL, overwrite_thread, (void*)(intptr_t)i);
      overwrite(i, i);
      pthread_join(thread, NULL);
      _exit(0);
    }
    if ((children[count++] = fork()) == 0) disturb(i, 1000 + i), _exit(0);
  }
  if ((children[count++] = fork()) == 0) watch();
  for (int i = 0; i < count; i++) SHOW(reap(children[i]));
  for (int i = 0; i < FILES; i++) SHOW(foreign(i));
}

// A writer that is stopped in the middle of its copy still owns the blocks: whoever takes them out
// of its file, no other file gets them before it has gone on.
static void stopped(void) {
  static char bytes[SIZE];
  int fd = open("victim", O_RDWR | O_CREAT, 0644), status;
  memset(bytes, 'V', sizeof bytes);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    for (;;) pwrite(fd, bytes, sizeof bytes, 0);
  }
  long bad = 0;
  for (int i = 0; i < 60; i++) {
    memset(bytes, 'V', sizeof bytes);
    pwrite(fd, bytes, sizeof bytes, 0);
    usleep(1000 + i * 7);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    ftruncate(fd, 0);
    // They stay, so that the blocks just freed are the first that are free.
    char name[16];
    snprintf(name, sizeof name, "other%d", i);
    int other = open(name, O_RDWR | O_CREAT, 0644);
    memset(bytes, 'O', sizeof bytes);
    pwrite(other, bytes, sizeof bytes, 0);
    kill(child, SIGCONT);
    usleep(1000);
    pread(other, bytes, sizeof bytes, 0);
    for (int k = 0; k < SIZE; k++) bad += bytes[k] != 'O';
    close(other);
  }
  kill(child, SIGKILL);
  SHOW(reap(child));
  SHOW(bad);
  close(fd);
  unlink("victim");
  for (int i = 0; i < 60; i++) {
    char name[16];
    snprintf(name, sizeof name, "other%d", i);
    unlink(name);
  }
}

// Threads that write through one description have each a place of their own, at the end as before
// it.
enum { RECORD = 64, WRITERS = 4, RECORDS = 500 };

static void* write_records(void* fd) {
  char record[RECORD];
  for (int i = 0; i < RECORDS; i++) {
    memset(record, 'a' + i % 26, sizeof record);
    if (write((int)(intptr_t)fd, record, sizeof record) != sizeof record) return (void*)1;
  }
  return NULL;
}

static void shared_offset(void) {
  enum { TOTAL = WRITERS * RECORDS * RECORD };
  static char bytes[TOTAL];
  int fd = open("shared", O_RDWR | O_CREAT, 0644);
  // Half of it is there already.
  SHOW(pwrite(fd, bytes, TOTAL / 2, 0));
  pthread_t threads[WRITERS];
  for (int i = 0; i < WRITERS; i++)
    pthread_create(&threads[i], NULL, write_records, (void*)(intptr_t)fd);
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_END));
  SHOW(pread(fd, bytes, TOTAL, 0));
  long counts[26] = {0}, torn = 0;
  for (int i = 0; i < TOTAL; i += RECORD) {
    for (int k = 1; k < RECORD; k++) torn += bytes[i + k] != bytes[i];
    if (bytes[i] >= 'a') counts[bytes[i] - 'a']++;
  }
  SHOW(torn);
  for (int i = 0; i < 26; i += 5) SHOW(counts[i]);
  close(fd);
}

// The same with records that go to new blocks directly, from processes that share the description.
enum { LARGE = 20000, LARGE_RECORDS = 40 };

static void shared_large(void) {
  static char record[LARGE];
  int fd = open("large", O_RDWR | O_CREAT, 0644);
  pid_t children[WRITERS];
  fflush(stdout);
  for (int i = 0; i < WRITERS; i++) {
    if ((children[i] = fork()) != 0) continue;
    memset(record, 'a' + i, sizeof record);
    for (int k = 0; k < LARGE_RECORDS; k++) {
      if (write(fd, record, sizeof record) != sizeof record) _exit(1);
    }
    _exit(0);
  }
  for (int i = 0; i < WRITERS; i++) SHOW(reap(children[i]));
  SHOW(lseek(fd, 0, SEEK_CUR));
  long counts[WRITERS] = {0}, torn = 0;
  for (int i = 0; i < WRITERS * LARGE_RECORDS; i++) {
    pread(fd, record, sizeof record, (off_t)i * LARGE);
    for (int k = 1; k < LARGE; k++) torn += record[k] != record[0];
    if (record[0] >= 'a' && record[0] < 'a' + WRITERS) counts[record[0] - 'a']++;
  }
  SHOW(torn);
  for (int i = 0; i < WRITERS; i++) SHOW(counts[i]);
  close(fd);
}

// Of the tree; the kernel's tmpfs has other users.
static long blocks_in_use(void) {
  char path[64];
  struct statfs space;
  if (strcmp(getcwd(path, sizeof path), "/bt") != 0 || statfs(".", &space) != 0) return 0;
  return (long)(space.f_blocks - space.f_bfree);
}

// Writers that are killed in the middle of a write leave nothing pinned.
static void killed(void) {
  static char bytes[64 * PAGE];
  long before = blocks_in_use(), after = before + 1;
  fflush(stdout);
  for (int i = 0; i < 30; i++) {
    int fd = open("killed", O_RDWR | O_CREAT, 0644);
    pwrite(fd, bytes, sizeof bytes, 0);
    pid_t child = fork();
    if (child == 0) {
      for (;;) pwrite(fd, bytes, sizeof bytes, 0);
    }
    usleep(3000 + i * 137);
    kill(child, SIGKILL);
    reap(child);
    unlink("killed");
    close(fd);
  }
  // What the dead held is taken back within a second.
  for (int i = 0; i < 50 && after > before; i++) usleep(100000), after = blocks_in_use();
  SHOW(after > before);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  warm();
  stamps();
  rules();
  shared_offset();
  shared_large();
  stopped();
  own_bytes_only();
  for (int i = 0; i < FILES; i++) {
    char name[16];
    snprintf(name, sizeof name, "own%d", i);
    unlink(name);
  }
  killed();
  return 0;
}
