// A thread blocked in read(2) is cancelled: its clean-up runs, and join says so.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2], cleaned;

static void clean(void* unused) {
  (void)unused;
  cleaned++;
}

static void* block(void* unused) {
  char byte;
  pthread_cleanup_push(clean, NULL);
  if (write(ends[1], "r", 1) != 1 || read(ends[0], &byte, 1) != 1) return NULL;
  if (read(ends[0], &byte, 1) != 1) return NULL;
  pthread_cleanup_pop(0);
  return unused;
}

int main(void) {
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    void* result;
    if (pipe(ends) != 0 || pthread_create(&thread, NULL, block, NULL) != 0) return 1;
    if (i % 2 == 0) usleep(2000);  // odd rounds: cancel wherever it happens to be
    pthread_cancel(thread);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return puts("not cancelled"), 1;
    close(ends[0]);
    close(ends[1]);
  }
  // Early cancellation may find the thread before the clean-up is pushed.
  return puts(cleaned >= 10 ? "ok" : "not cleaned up"), cleaned < 10;
}
