// Identity: the kernel changes it, the process record follows, and requests carry it.
#include "calls.h"
#include "descriptors.h"

namespace btfuse {

Verdict sys_umask(Call& call, Thread& self) {
  long old = kernel(SYS_umask, call.args[0]);
  uint32_t mask = (uint32_t)call.args[0] & 0777;
  uint32_t* kept = &process_at(process_of(self))->umask;
  __atomic_store_n(kept, mask | (*kept & BT_UMASK_CAPABILITIES), __ATOMIC_RELEASE);
  return done(call, old);
}

/**
 * setuid, setgroups, setfsuid, capset and all their kin. libc makes every thread repeat the call,
 * so that the record, which all threads share, ends with what all of them have.
 */
Verdict sys_setuid(Call& call, Thread& self) {
  const long* a = call.args;
  long result = kernel(call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result >= 0) load_credentials(process_of(self));
  return done(call, result);
}

}  // namespace btfuse
