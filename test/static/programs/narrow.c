// execve from a vfork child of a thread with the smallest stack, with environments of all sizes.
// argv[1]: the program.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRIES_MAX = 1200, STEP = 50 };
static char *environment[ENTRIES_MAX + 1];
static char *arguments[2];

static void *run(void *status) {
  pid_t child = vfork();
  if (child == 0) {
    execve(arguments[0], arguments, environment);
    _exit(99);
  }
  waitpid(child, status, 0);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  arguments[0] = argv[1];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  for (int count = 0; count <= ENTRIES_MAX; count++) {
    if (count % STEP == 0) {
      pthread_t thread;
      int status = -1;
      if (pthread_create(&thread, &attributes, run, &status)) return 3;
      pthread_join(thread, NULL);
      if (status != 0) printf("%d entries: %d\n", count, status);
    }
    if (count < ENTRIES_MAX) environment[count] = "A=b";
  }
  return 0;
}
