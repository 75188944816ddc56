#define _GNU_SOURCE
#include "show.h"
#include <sys/syscall.h>

// Names come and go, are replaced and exchanged, while others look: a name that is always there is
// never missed, one that never was is never found, and what is replaced in one step is there all
// the time.
enum { NAMES = 64, CHURNS = 6000, REPLACEMENTS = 3000, LOOKS = 60000 };

static void touch(const char* name) {
  int fd = open(name, O_CREAT | O_WRONLY, 0644);
  if (fd < 0) _exit(9);
  close(fd);
}

static void churn(int seed) {
  char name[32], other[32];
  unsigned random = (unsigned)seed;
  for (int i = 0; i < CHURNS; i++) {
    random = random * 1103515245u + 12345u;
    snprintf(name, sizeof name, "churn%d/%u", seed, (random >> 8) % NAMES);
    snprintf(other, sizeof other, "churn%d/%u", seed, (random >> 16) % NAMES);
    if (random >> 31) {
      touch(name);
    } else if ((random >> 30) & 1) {
      rename(name, other);
    } else {
      unlink(name);
    }
  }
  _exit(0);
}

static void replace(void) {
  for (int i = 0; i < REPLACEMENTS; i++) {
    touch("still/new");
    if (rename("still/new", "still/replaced") != 0) _exit(1);
    if (syscall(SYS_renameat2, AT_FDCWD, "still/x", AT_FDCWD, "deep/y", 2) != 0) _exit(2);
  }
  _exit(0);
}

/** Looks `LOOKS` times; 0: every look was right, else the number of the first kind that was not. */
static void look(void) {
  static const char* const there[] = {"still/here", "still/replaced",  "still/x",
                                      "deep/y",     "deep/a/b/c/here", "deep/a/../a/b/./c"};
  struct stat status;
  for (int i = 0; i < LOOKS; i++) {
    int kind = i % 6;
    if (stat(there[kind], &status) != 0) _exit(10 + kind);
    // A freed inode, or one in its next life, would be no such file.
    if (kind == 1 && (!S_ISREG(status.st_mode) || (status.st_mode & 07777) != 0644)) _exit(30);
    if (kind == 1 && access(there[kind], R_OK) != 0) _exit(20);
    if (kind == 2) {
      int fd = open("still/replaced", O_RDONLY);
      if (fd < 0) _exit(21);
      close(fd);
    }
    if (stat("still/absent", &status) == 0 || errno != ENOENT) _exit(22);
    if (stat("deep/a/absent/here", &status) == 0 || errno != ENOENT) _exit(23);
  }
  _exit(0);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 1;
  mkdir("churn1", 0755), mkdir("churn2", 0755), mkdir("still", 0755), mkdir("deep", 0755);
  mkdir("deep/a", 0755), mkdir("deep/a/b", 0755), mkdir("deep/a/b/c", 0755);
  touch("still/here"), touch("still/replaced"), touch("still/x"), touch("deep/y");
  touch("deep/a/b/c/here");
  const char* const roles[] = {"churner", "churner", "replacer", "looker", "looker"};
  pid_t children[5];
  fflush(stdout);
  for (int i = 0; i < 5; i++) {
    if ((children[i] = fork()) != 0) continue;
    if (i < 2) churn(i + 1);
    if (i == 2) replace();
    look();
  }
  for (int i = 0; i < 5; i++) {
    int status;
    waitpid(children[i], &status, 0);
    printf("%s ended with %d\n", roles[i], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }
  return 0;
}
