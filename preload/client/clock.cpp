#include "clock.h"

#include <time.h>

namespace btfuse {

namespace {

/** How long a reading serves. A cycle is at most a nanosecond, so this is at most half a
 * millisecond. */
constexpr uint64_t kReadingCycles = 500'000;
constexpr int64_t kSecond = 1'000'000'000;

struct Reading {
  int64_t nanoseconds;
  uint64_t cycles;
};

/** Per thread: two words that belong together. */
__thread Reading reading __attribute__((tls_model("initial-exec")));

uint64_t cycles() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

}  // namespace

int64_t latest_now() {
  // A counter that went back, on another CPU, makes the difference huge: the clock is read again.
  const uint64_t passed = cycles() - reading.cycles;
  if (passed < kReadingCycles && reading.cycles != 0) return reading.nanoseconds + (int64_t)passed;
  timespec time = {};
  kernel(SYS_clock_gettime, CLOCK_REALTIME, &time);
  reading.cycles = cycles();
  reading.nanoseconds = time.tv_sec * kSecond + time.tv_nsec;
  return reading.nanoseconds;
}

}  // namespace btfuse
