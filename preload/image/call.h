// One intercepted system call, between entry.S and the handlers in preload/calls.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** What the program's registers held at the syscall site. Lives on the program's stack. */
struct Call {
  long nr;
  long args[6];             ///< rdi rsi rdx r10 r8 r9
  uint64_t return_address;  ///< the instruction after the syscall
  uint64_t stack;           ///< rsp at the site
  long result;              ///< set by the handler for Verdict::DONE
};

enum class Verdict : long {
  PASS = 0,  ///< not ours: entry.S runs the original syscall instruction, registers untouched
  DONE = 1,  ///< handled: rax = call.result
  AROUND =
      2,  ///< entry.S runs the syscall itself with the program's registers, then calls
          ///< btfuse_after_clone() in parent and child. For clones that share or copy the TLS
          ///< block: fork, vfork, posix_spawn. Thread creation (CLONE_SETTLS) must be PASS. Before
          ///< it answers AROUND the handler keeps call->return_address where after_clone finds it
          ///< (thread.vfork[]): nothing on the stack survives a child with a stack of its own
  THREAD = 3,  ///< static programs only: a new thread, whose frame the handler has laid
  EXIT = 4,    ///< static programs only: PASS, and the thread's block is free
};

/** preload/calls/dispatch.cpp: one exhaustive switch over the file calls. */
extern "C" Verdict btfuse_dispatch(Call* call);
/**
 * preload/calls/process.cpp: after a clone that entry.S ran, on the stack of whoever runs (the
 * child's may be new). result: as the kernel gave it. Returns where to go on: the return_address
 * that the handler kept. The program gets `result` in rax.
 */
extern "C" uint64_t btfuse_after_clone(long result);

/** What entry.S does with a number before any C++ runs; table in preload/calls/classes.cpp. */
enum CallClass : unsigned char {
  CLASS_PASS = 0,  ///< never ours
  CLASS_FD = 1,    ///< ours only if the fd in rdi has an entry in the fd table
  CLASS_ASK = 2,   ///< btfuse_dispatch decides
};
inline constexpr long kSyscallsMax = 512;
extern "C" const unsigned char btfuse_call_class[kSyscallsMax];

/**
 * Fast look-up for CLASS_FD, kept current by attach, fork and vfork: the fd table of the process
 * that runs now. In a vfork child the parent's other threads must not use it, so it is per thread;
 * a thread whose pointer is still 0 goes to btfuse_dispatch.
 */
extern __thread const uint32_t* btfuse_fd_table
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** Highest free level of this thread's stack for btfuse_entry_small; 0: none made yet. */
extern __thread uint64_t btfuse_small_stack
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
/** LEVEL and LEVELS of entry.S. */
inline constexpr uint64_t kLevel = 32 * 1024, kLevels = 8;

/** Does this very code run on a level of that stack? */
inline bool on_small_stack() {
  return (uint64_t)__builtin_frame_address(0) - btfuse_small_stack < kLevel;
}

}  // namespace btfuse
