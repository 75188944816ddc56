// Round trips of a no-op, as one thread sees them.
#include "stress.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

namespace {

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000l + time.tv_nsec;
}

void pause_until(int64_t deadline) {
  const timespec until = {deadline / 1'000'000'000, deadline % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

/** Nothing between requests when `interval` is 0. The clock itself is taken off. */
std::vector<int64_t> measure(long count, int64_t interval, int64_t clock_cost) {
  std::vector<int64_t> times;
  times.reserve(count);
  int64_t next = now();
  for (long i = 0; i < count; i++) {
    if (interval != 0) pause_until(next += interval);
    const int64_t start = now();
    if (!noop(btfuse::thread)) break;
    times.push_back(now() - start - clock_cost);
  }
  std::sort(times.begin(), times.end());
  return times;
}

int64_t cost_of_clock() {
  std::vector<int64_t> times(1001);
  for (auto& time : times) {
    const int64_t start = now();
    time = now() - start;
  }
  std::sort(times.begin(), times.end());
  return times[500];
}

void print(const char* name, const std::vector<int64_t>& times, const char* end) {
  const auto at = [&](double part) { return times[(std::size_t)(part * (times.size() - 1))]; };
  std::printf("\"%s\": {\"count\": %zu, \"p50\": %ld, \"p90\": %ld, \"p99\": %ld, \"max\": %ld}%s",
              name, times.size(), at(0.5), at(0.9), at(0.99), times.back(), end);
}

}  // namespace

int run_bench(long warm, long paced) {
  const int64_t clock_cost = cost_of_clock();
  measure(warm / 10 + 1, 0, clock_cost);
  const auto warm_times = measure(warm, 0, clock_cost);
  const auto paced_times = measure(paced, 1'000'000, clock_cost);
  if (warm_times.empty() || paced_times.empty()) return 1;
  std::printf("{");
  print("warm", warm_times, ", ");
  print("paced", paced_times, "}\n");
  return 0;
}
