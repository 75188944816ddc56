// The parts of the stress program. Each returns an exit status; what it found goes to stdout as
// JSON.
#pragma once
#include "../../../preload/client/client.h"

extern int kill_at_step;

/** A request that any server answers; false when it did not. */
inline bool noop(btfuse::Thread& self) {
  using namespace btfuse;
  Slot* slot = begin(self, (uint64_t)__builtin_frame_address(0));
  if (slot == nullptr) return false;
  slot->opcode = BT_OP_NOOP;
  slot->offset = 0;
  const int32_t status = transact(slot);
  end(self);
  return status == 0;
}

/** A no-op that proves that the answer is the one to this very request: result = offset + 1. */
inline bool echo(btfuse::Thread& self, int64_t value) {
  using namespace btfuse;
  Slot* slot = begin(self, (uint64_t)__builtin_frame_address(0));
  if (slot == nullptr) return false;
  slot->opcode = BT_OP_NOOP;
  slot->offset = value;
  const int32_t status = transact(slot);
  const int64_t result = slot->result;
  end(self);
  return status == 0 && result == value + 1;
}

/** `threads` clients of a running session, `requests` each. */
int run_clients(int threads, long requests);
/** One request after another and one per millisecond; percentiles in ns. */
int run_bench(long warm, long paced);
/** Dies at step `step` of a request, having let `before` pass. */
int run_kill(int step, long before);
/**
 * Requests from a signal handler in the middle of requests. With `jump` every third handler leaves
 * by siglongjmp, and with `alternate` it runs on a stack of its own.
 */
int run_signals(long requests, bool jump, bool alternate);
/** Server and clients in this process, the server a mirror of ringbuf/ring.ts: for ThreadSanitizer.
 */
int run_pair(int threads, long requests, bool spinning);
