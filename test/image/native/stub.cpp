// Stands in for the client and the handlers, so that entry.S, the stubs and the prepared image can
// be tested alone: no session, no server. The name in BTFUSE_SESSION says what dispatch does:
//   pass  everything goes back to the program's own syscall
//   fast  the same, but descriptors are looked up in an empty fd table first
//   done  every call is made here and answered as handled; forks go AROUND
// On exit_group the number of calls seen is written to descriptor 9, when that is open.
#include <errno.h>
#include <sched.h>

#include "../../../preload/calls/open_copy.h"
#include "../../../preload/client/memory.h"
#include "../../../preload/image/call.h"

namespace btfuse {

__thread Thread thread __attribute__((tls_model("initial-exec"), visibility("hidden")));
__thread const uint32_t* btfuse_fd_table
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
Client client __attribute__((visibility("hidden")));

namespace {
uint32_t empty_fd_table[1024];
uint64_t calls_seen;
bool handles;
constexpr long kClone3 = 435;
constexpr int kCountFd = 9;
}  // namespace

int attach(const char* session, const Inherited*) {
  if (memcmp(session, "fast", 5) == 0) btfuse_fd_table = empty_fd_table;
  handles = memcmp(session, "done", 5) == 0;
  return 0;
}
Slot* begin(Thread&, uint64_t) {
  return nullptr;
}
void end(Thread&) {}
int32_t transact(Slot*) {
  return -5;
}

namespace {

void report() {
  char line[32];
  char* at = line + sizeof line;
  *--at = '\n';
  uint64_t n = calls_seen;
  do *--at = (char)('0' + n % 10);
  while ((n /= 10) != 0);
  kernel(SYS_write, kCountFd, at, line + sizeof line - at);
}

/** Keeps the return address; the top bit of `process` marks a child on our own memory. */
Verdict around(Call* call, bool shares_memory) {
  Thread& self = thread;
  self.vfork[self.vforks].return_address = call->return_address;
  self.vfork[self.vforks].child = shares_memory;
  self.vforks++;
  return Verdict::AROUND;
}

Verdict clone_family(Call* call, uint64_t flags) {
  if ((flags & CLONE_SETTLS) != 0) return Verdict::PASS;
  return around(call, (flags & CLONE_VM) != 0);
}

Verdict perform(Call* call) {
  switch (call->nr) {
    case SYS_exit:
    case SYS_execve:
    case SYS_execveat:
      return Verdict::PASS;
    case SYS_fork:
      return around(call, false);
    case SYS_vfork:
      return around(call, true);
    case SYS_clone:
      return clone_family(call, (uint64_t)call->args[0]);
    case kClone3:
      return clone_family(call, *(const uint64_t*)call->args[0]);
    default:
      call->result = syscall6(call->nr, call->args[0], call->args[1], call->args[2], call->args[3],
                              call->args[4], call->args[5]);
      return Verdict::DONE;
  }
}

}  // namespace

extern "C" Verdict btfuse_dispatch(Call* call) {
  __atomic_fetch_add(&calls_seen, 1, __ATOMIC_RELAXED);
  if (call->nr == SYS_exit_group) {
    report();
    return Verdict::PASS;
  }
  return handles ? perform(call) : Verdict::PASS;
}

extern "C" uint64_t btfuse_after_clone(long result) {
  Thread& self = thread;
  const uint32_t top = self.vforks - 1;
  const bool stays = result == 0 && self.vfork[top].child != 0;
  if (!stays) self.vforks = top;
  return self.vfork[top].return_address;
}

long open_copy(Thread&, const char*, uint64_t) {
  return -ENOSYS;
}

/** Nobody changes ids here. */
void adopt_ids(char**) {}

/** entry.S names it; no map here ever has a page that shows nothing. */
extern "C" uint64_t btfuse_on_bus() {
  return 0;
}

}  // namespace btfuse
