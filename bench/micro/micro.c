// micro DIRECTORY: reads lines "ROW THREADS MILLISECONDS" and answers each with the median time of one
// call in nanoseconds. It stays up between lines, so that the tree and tmpfs can be timed in turns.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rows.h"

enum { THREADS_MAX = 16, BATCHES_MAX = 65536, BATCH_NS = 200 * 1000, WARM_UP_PARTS = 4 };

struct worker {
  struct place place;
  const struct row *row;
  uint64_t duration_ns;
  double *batches;  ///< ns per call of each batch
  size_t count;
};

static struct worker workers[THREADS_MAX];
static pthread_barrier_t start_line;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t time_batch(struct worker *worker, size_t calls) {
  uint64_t begin = now_ns();
  for (size_t call = 0; call < calls; call++) worker->row->call(&worker->place);
  return now_ns() - begin;
}

/** Calls per batch so that the clock reads cost nothing beside it; warms the row up meanwhile. */
static size_t calibrate(struct worker *worker) {
  uint64_t end = now_ns() + worker->duration_ns / WARM_UP_PARTS;
  size_t calls = 1;
  while (now_ns() < end)
    if (time_batch(worker, calls) < BATCH_NS) calls *= 2;
  return calls;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  pthread_barrier_wait(&start_line);
  size_t calls = calibrate(worker);
  pthread_barrier_wait(&start_line);
  uint64_t end = now_ns() + worker->duration_ns;
  worker->count = 0;
  do {
    double spent = (double)time_batch(worker, calls);
    worker->batches[worker->count++] = spent / (double)calls / worker->row->calls;
  } while (now_ns() < end && worker->count < BATCHES_MAX);
  return NULL;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double measure(const struct row *row, int threads, int milliseconds) {
  static double all[THREADS_MAX * (size_t)BATCHES_MAX];
  pthread_t handles[THREADS_MAX];
  size_t total = 0;
  pthread_barrier_init(&start_line, NULL, (unsigned)threads);
  for (int index = 0; index < threads; index++) {
    workers[index].row = row;
    workers[index].duration_ns = (uint64_t)milliseconds * 1000000u;
    // The first one works on the main thread, as a program with one thread does.
    if (index > 0) pthread_create(&handles[index], NULL, work, &workers[index]);
  }
  work(&workers[0]);
  for (int index = 0; index < threads; index++) {
    if (index > 0) pthread_join(handles[index], NULL);
    memcpy(all + total, workers[index].batches, workers[index].count * sizeof(double));
    total += workers[index].count;
  }
  pthread_barrier_destroy(&start_line);
  qsort(all, total, sizeof(double), ascending);
  return all[total / 2];
}

int main(int argc, char **argv) {
  char line[256], name[64];
  int threads, milliseconds, planted = 0;
  if (argc != 2) return fprintf(stderr, "usage: micro DIRECTORY\n"), 2;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "%63s %d %d", name, &threads, &milliseconds) != 3) return 2;
    const struct row *row = find_row(name);
    if (row == NULL || threads < 1 || threads > THREADS_MAX) return 2;
    for (; planted < threads; planted++) {
      plant(&workers[planted].place, argv[1], planted);
      workers[planted].batches = malloc(BATCHES_MAX * sizeof(double));
    }
    printf("%.1f\n", measure(row, threads, milliseconds));
    fflush(stdout);
  }
  return 0;
}
