// spawn COUNT [NAME=VALUE…] -- PROGRAM: starts and awaits the program COUNT times bare and COUNT times
// with the variables added, in turns, and prints both medians in nanoseconds.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { WARM_UP = 20, VARIABLES_MAX = 4096 };

extern char **environ;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t run(char **program, char **environment) {
  int status;
  pid_t pid;
  uint64_t begin = now_ns();
  int error = posix_spawn(&pid, program[0], NULL, NULL, program, environment);
  if (error != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    fprintf(stderr, "spawn: %s: %s\n", program[0], error ? strerror(error) : "did not succeed");
    exit(1);
  }
  return now_ns() - begin;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t median(uint64_t *times, int count) {
  qsort(times, (size_t)count, sizeof *times, ascending);
  return times[count / 2];
}

int main(int argc, char **argv) {
  static char *extended[VARIABLES_MAX];
  int count = argc > 2 ? atoi(argv[1]) : 0, at = 2, used = 0;
  if (count < 1) return fprintf(stderr, "usage: spawn COUNT [NAME=VALUE…] -- PROGRAM…\n"), 2;
  while (at < argc && strcmp(argv[at], "--") != 0) extended[used++] = argv[at++];
  for (char **variable = environ; *variable && used < VARIABLES_MAX - 1; variable++)
    extended[used++] = *variable;
  char **program = argv + at + 1;
  if (at + 1 >= argc) return 2;
  uint64_t *bare = calloc((size_t)count, sizeof *bare), *with = calloc((size_t)count, sizeof *with);
  for (int turn = -WARM_UP; turn < count; turn++) {
    uint64_t first = run(program, environ), second = run(program, extended);
    if (turn >= 0) bare[turn] = first, with[turn] = second;
  }
  printf("%llu %llu\n", (unsigned long long)median(bare, count),
         (unsigned long long)median(with, count));
  return 0;
}
