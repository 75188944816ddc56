// SIGBUS. While this process has maps with pages that show nothing, the signal comes to us first:
// the file may have got something there by another process's hand, and then the program never hears
// of it. Every other SIGBUS goes to what the program has set, as if we were not here: our handler
// stands in the kernel with the program's own flags and mask, and jumps on with the registers and
// the stack that the kernel gave (docs/adr/0016).
//
// The handler runs at any point, also inside a handler of ours that copies from such a map: a
// request of its own is one level deeper. Not where the lock of the mappings is held: signals are
// blocked there, and nothing of the program's is touched.
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "calls.h"
#include "mappings.h"
#include "user_memory.h"

extern "C" {
/** entry.S */
void btfuse_bus_entry();
void btfuse_bus_return();
/** The linker's: the text of the shim. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));
}

namespace btfuse {

namespace {

/** As the kernel has it, not libc's. */
struct Action {
  uint64_t handler, flags, restorer, mask;
};

constexpr uint64_t kSiginfo = 4, kRestorer = 0x04000000, kOnstack = 0x08000000;
constexpr uint64_t kRestart = 0x10000000, kResethand = 0x80000000;
constexpr uint64_t kKnownFlags = 0xdc000807;
constexpr uint64_t kDefault = 0, kIgnore = 1;
constexpr uint64_t kUnblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
/** Flags of MADV and siginfo that the kernel itself gives are positive. */
constexpr int kBusAddress = 2;

/** What the program has set; holds from the moment that `caught` is true. With the lock. */
Action program;
bool caught;

Action ours() {
  Action action{(uint64_t)btfuse_bus_entry, program.flags & ~kResethand, program.restorer,
                program.mask};
  if (program.handler <= kIgnore) action.flags = kRestart | kOnstack, action.mask = 0;
  action.flags |= kSiginfo;
  if ((action.flags & kRestorer) == 0) {
    action.flags |= kRestorer;
    action.restorer = (uint64_t)btfuse_bus_return;
  }
  return action;
}

long set(const Action& action, Action* before = nullptr) {
  return kernel(SYS_rt_sigaction, SIGBUS, &action, before, sizeof action.mask);
}

/** A vfork child shares our memory but not our handlers. */
long change_in_child(const Action* wanted, Action* before) {
  Action now{};
  long result = kernel(SYS_rt_sigaction, SIGBUS, wanted, &now, sizeof now.mask);
  if (now.handler == (uint64_t)btfuse_bus_entry) now = program;
  if (result == 0 && before != nullptr) *before = now;
  return result;
}

/** The stack below which nothing is under way: the shim may be on a stack of its own. */
uint64_t stack_of(const Thread& self, const ucontext_t* context) {
  const uint64_t at = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
  const uint64_t stack = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
  const bool inside = at >= (uint64_t)__ehdr_start && at < (uint64_t)etext;
  if (!inside || self.depth == 0 || self.depth > kNesting) return stack;
  return self.frames[self.depth - 1] - sizeof(long);
}

/** By the default action. The kernel gives the signal once more, now without us. */
void die(const siginfo_t* info) {
  const Action action{kDefault, 0, 0, 0};
  set(action);
  if (info->si_code <= 0)
    kernel(SYS_rt_tgsigqueueinfo, kernel(SYS_getpid), kernel(SYS_gettid), SIGBUS, info);
}

}  // namespace

void catch_bus_errors() {
  if (__atomic_load_n(&caught, __ATOMIC_ACQUIRE)) return;
  if (kernel(SYS_rt_sigaction, SIGBUS, 0, &program, sizeof program.mask) != 0) return;
  set(ours(), &program);
  __atomic_store_n(&caught, true, __ATOMIC_RELEASE);
}

void catch_bus_errors_again() {
  if (!caught) return;
  Action now;
  if (kernel(SYS_rt_sigaction, SIGBUS, 0, &now, sizeof now.mask) != 0) return;
  if (now.handler == (uint64_t)btfuse_bus_entry) return;
  program = now;
  set(ours());
}

/** Where btfuse_bus_entry goes on: the program's handler, or 0 for back. */
extern "C" uint64_t btfuse_on_bus(int, const siginfo_t* info, const ucontext_t* context) {
  Thread& self = thread;
  if (info->si_code == kBusAddress &&
      bring_page(self, (uint64_t)info->si_addr, stack_of(self, context)))
    return 0;
  MappingsLock lock;
  const uint64_t handler = program.handler;
  if (handler == kIgnore && info->si_code <= 0) return 0;
  if (handler <= kIgnore) {
    die(info);
    return 0;
  }
  if (program.flags & kResethand) {
    program.handler = kDefault;
    set(ours());
  }
  return handler;
}

Verdict sys_rt_sigaction(Call& call, Thread& self) {
  if (call.args[0] != SIGBUS || !__atomic_load_n(&caught, __ATOMIC_ACQUIRE)) return Verdict::PASS;
  auto* wanted = (const Action*)call.args[1];
  auto* before = (Action*)call.args[2];
  if (call.args[3] != sizeof wanted->mask) return Verdict::PASS;
  if (wanted != nullptr && !readable(wanted, sizeof *wanted, call.stack))
    return done(call, -EFAULT);
  if (before != nullptr && !writable(before, sizeof *before, call.stack))
    return done(call, -EFAULT);
  if (self.vforks != 0) return done(call, change_in_child(wanted, before));
  // Both may lie in maps: nothing of the program's is touched with the lock held.
  const Action next = wanted != nullptr ? *wanted : Action{};
  Action last;
  {
    MappingsLock lock;
    last = program;
    if (wanted != nullptr) {
      program = next;
      program.flags &= kKnownFlags;
      program.mask &= ~kUnblockable;
      set(ours());
    }
  }
  if (before != nullptr) *before = last;
  return done(call, 0);
}

}  // namespace btfuse
