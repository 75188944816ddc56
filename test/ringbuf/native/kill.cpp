#include "stress.h"

#include <cstdio>
#include <ctime>

/** The test's server takes milliseconds for this one. */
constexpr int64_t kSlowly = -20;

int run_kill(int step, long before) {
  for (long i = 0; i < before; i++) {
    if (!echo(btfuse::thread, i)) return 1;
  }
  kill_at_step = step;
  // Every step is met in time: a parked server for the bell, a slow one for the sleep.
  for (int i = 0; i < 2000; i++) {
    if (!echo(btfuse::thread, i % 50 == 25 ? kSlowly : i)) return 1;
    if (i % 2 == 1) btfuse::release_slots(btfuse::thread);
    if (i % 50 == 49) {
      const timespec millisecond = {0, 1'000'000};
      btfuse::kernel(SYS_nanosleep, &millisecond, 0);
    }
  }
  std::printf("{\"survived\": %d}\n", step);
  return 4;
}
