// The time of day without a system call: a bound that is good enough to tell a fresh time stamp
// from an old one.
#pragma once
#include "client.h"

namespace btfuse {

/** CLOCK_REALTIME in nanoseconds, never less than it is and at most half a millisecond more. */
int64_t latest_now();

}  // namespace btfuse
