#include "stress.h"

#include <csetjmp>
#include <csignal>
#include <cstdio>

#include <sys/time.h>

using namespace btfuse;

namespace {

sigjmp_buf out;
bool jumping = false;
volatile bool armed = false;
long request = 0;  // static: it keeps its value over a siglongjmp
volatile long handled = 0, jumps = 0, nested = 0, wrong = 0;

void on_alarm(int) {
  handled = handled + 1;
  if (btfuse::thread.depth > 0) nested = nested + 1;
  if (!echo(btfuse::thread, -1000 - handled)) wrong = wrong + 1;
  if (jumping && armed && handled % 3 == 0) {
    armed = false;
    jumps = jumps + 1;
    siglongjmp(out, 1);
  }
}

void handle_alarms(bool alternate) {
  if (alternate) {
    static char memory[1 << 16];
    stack_t stack = {};
    stack.ss_sp = memory;
    stack.ss_size = sizeof memory;
    sigaltstack(&stack, nullptr);
  }
  struct sigaction action = {};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART | (alternate ? SA_ONSTACK : 0);
  sigaction(SIGALRM, &action, nullptr);
  const itimerval often = {{0, 100}, {0, 100}};
  setitimer(ITIMER_REAL, &often, nullptr);
}

/** Requests from frames of many depths, as programs make them. */
__attribute__((noinline)) bool from_depth(int depth, long value) {
  volatile char frame[256];
  frame[0] = (char)depth;
  const bool right = depth == 0 ? echo(btfuse::thread, value) : from_depth(depth - 1, value);
  return right && frame[0] == (char)depth;
}

}  // namespace

int run_signals(long requests, bool jump, bool alternate) {
  jumping = jump;
  handle_alarms(alternate);
  for (request = 0; request < requests; request++) {
    const long i = request;
    if (sigsetjmp(out, 1) != 0) continue;
    armed = true;
    const bool right = from_depth((int)(i * 7 % 16), i);
    armed = false;
    if (!right) wrong = wrong + 1;
  }
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  std::printf("{\"handled\": %ld, \"nested\": %ld, \"jumps\": %ld, \"wrong\": %ld}\n", handled,
              nested, jumps, wrong);
  return wrong == 0 ? 0 : 1;
}
