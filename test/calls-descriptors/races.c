#include "show.h"

// Two files take each other's freed blocks all the time; whoever reads one of them must never see a
// byte of the other.
enum { SIZE = 300000, FILES = 3, ROUNDS = 400 };

static void rewrite(const char* name, int letter) {
  static unsigned char bytes[SIZE];
  memset(bytes, letter, sizeof bytes);
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  unsigned seed = (unsigned)letter;
  for (int i = 0; i < ROUNDS; i++) {
    seed = seed * 1103515245u + 12345u;
    size_t size = seed % SIZE + 1;
    if (i % 3 == 0) ftruncate(fd, 0);
    if (i % 7 == 0) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size);
    pwrite(fd, bytes, size, seed % 5000);
  }
  _exit(0);
}

static void watch(const char* name, int letter) {
  static unsigned char bytes[SIZE];
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  long bad = 0;
  for (int i = 0; i < ROUNDS * 4; i++) {
    ssize_t got = pread(fd, bytes, i % 2 ? 4096 : sizeof bytes, (i * 977) % 100000);
    for (ssize_t at = 0; at < got; at++) bad += bytes[at] != 0 && bytes[at] != letter;
  }
  _exit(bad != 0);
}

static void strangers(void) {
  pid_t children[2 * FILES];
  char name[16];
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "race%d", i);
    fflush(stdout);
    if ((children[2 * i] = fork()) == 0) rewrite(name, 'A' + i);
    if ((children[2 * i + 1] = fork()) == 0) watch(name, 'A' + i);
  }
  for (int i = 0; i < 2 * FILES; i++) SHOW(reap(children[i]));
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  strangers();
  return 0;
}
