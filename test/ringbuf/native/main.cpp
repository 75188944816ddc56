// ring_stress MODE [SESSION] NUMBERS…: native clients of the ring, for test/ringbuf and bench/.
//   clients SESSION THREADS REQUESTS
//   --bench SESSION [WARM] [PACED]
//   kill SESSION STEP BEFORE
//   never SESSION                 a request that the test's server does not answer
//   signals SESSION REQUESTS JUMP ALTERNATE
//   pair THREADS REQUESTS SPINNING
#include "stress.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

using namespace btfuse;

int run_clients(int threads, long requests) {
  std::atomic<long> wrong{0};
  std::vector<std::thread> running;
  for (int t = 0; t < threads; t++) {
    running.emplace_back([=, &wrong] {
      for (long i = 0; i < requests; i++) {
        if (!echo(btfuse::thread, i * threads + t)) wrong++;
      }
      release_slots(btfuse::thread);
    });
  }
  for (auto& one : running) one.join();
  std::printf("{\"requests\": %ld, \"wrong\": %ld}\n", threads * requests, wrong.load());
  return wrong == 0 ? 0 : 1;
}

/** Must end with -EIO when the server stops or dies. */
static int run_never() {
  constexpr int64_t kNever = -10;
  Slot* slot = begin(btfuse::thread, (uint64_t)__builtin_frame_address(0));
  if (slot == nullptr) return 1;
  slot->opcode = BT_OP_NOOP;
  slot->offset = kNever;
  std::printf("waiting\n");
  std::fflush(stdout);
  const int32_t status = transact(slot);
  end(btfuse::thread);
  std::printf("{\"status\": %d}\n", status);
  return 0;
}

static long argument(int argc, char** argv, int index, long otherwise) {
  return index < argc ? std::atol(argv[index]) : otherwise;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const char* mode = argv[1];
  if (std::strcmp(mode, "pair") == 0) {
    return run_pair((int)argument(argc, argv, 2, 2), argument(argc, argv, 3, 10000),
                    argument(argc, argv, 4, 1) != 0);
  }
  if (argc < 3) return 2;
  if (const int error = attach(argv[2], nullptr); error != 0) {
    std::printf("{\"attach\": %d}\n", error);
    return 3;
  }
  if (std::strcmp(mode, "clients") == 0) {
    return run_clients((int)argument(argc, argv, 3, 1), argument(argc, argv, 4, 1000));
  }
  if (std::strcmp(mode, "--bench") == 0) {
    return run_bench(argument(argc, argv, 3, 200000), argument(argc, argv, 4, 1000));
  }
  if (std::strcmp(mode, "kill") == 0) {
    return run_kill((int)argument(argc, argv, 3, 0), argument(argc, argv, 4, 0));
  }
  if (std::strcmp(mode, "never") == 0) return run_never();
  if (std::strcmp(mode, "signals") == 0) {
    return run_signals(argument(argc, argv, 3, 1000), argument(argc, argv, 4, 0) != 0,
                       argument(argc, argv, 5, 0) != 0);
  }
  return 2;
}
