// Forbids itself and what it executes to make memory executable that was writable (PR_SET_MDWE).
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

int main(int argc, char** argv) {
  if (argc < 2 || prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0) return puts("no MDWE"), 77;
  execvp(argv[1], argv + 1);
  return 1;
}
