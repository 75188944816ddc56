#include "show.h"

// Holds files in every way there is, for ever.
static void hold(int number) {
  char name[32];
  for (int round = 0;; round++) {
    snprintf(name, sizeof name, "held%d-%d", number, round % 3);
    int fd = open(name, O_RDWR | O_CREAT, 0644);
    if (fd < 0) continue;
    ftruncate(fd, 100000);
    void* pages = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int copy = dup(fd);
    if (round % 4 == 0) unlink(name);
    char* bytes = calloc(1, 70000);
    pwrite(copy, bytes, 70000, 5);
    pread(copy, bytes, 70000, 9);
    free(bytes);
    if (round % 5 == 0) {
      pid_t child = fork();
      if (child == 0) {
        usleep(500);
        if (number % 2) kill(getpid(), SIGKILL);
        _exit(0);
      }
      waitpid(child, NULL, 0);
    }
    munmap(pages, 100000);
    close(fd);
    close(copy);
  }
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  int inherited = make("inherited", "x");
  for (int i = 0; i < 40; i++) {
    pid_t child = fork();
    if (child == 0) {
      dup2(inherited, 50 + i);
      hold(i);
    }
    usleep(3000 + i * 700);
    kill(child, SIGKILL);
    if (WTERMSIG(reap(child)) != SIGKILL) return 1;
  }
  close(inherited);
  if (system("rm -f held* inherited") != 0) return 2;
  puts("done");
  return 0;
}
