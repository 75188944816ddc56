// RLIMIT_FSIZE: every write carries it, so it is kept until a call may have changed it.
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "calls.h"
#include "io.h"

namespace btfuse {

namespace {

/** Limit + 1, so that 0 can mean "not known"; no limit wraps to 0 and is kept apart. */
uint64_t known_limit;
constexpr uint64_t kNoLimit = ~0ull;

}  // namespace

uint64_t file_size_limit() {
  uint64_t known = __atomic_load_n(&known_limit, __ATOMIC_RELAXED);
  if (known != 0) return known == kNoLimit ? kNoLimit : known - 1;
  struct rlimit limit;
  if (kernel(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) != 0) return kNoLimit;
  uint64_t value = limit.rlim_cur >= kNoLimit - 1 ? kNoLimit : limit.rlim_cur;
  __atomic_store_n(&known_limit, value == kNoLimit ? kNoLimit : value + 1, __ATOMIC_RELAXED);
  return value;
}

void forget_file_size_limit() {
  __atomic_store_n(&known_limit, 0, __ATOMIC_RELAXED);
}

/** prlimit64 and setrlimit: the limit of this process may be another one now. */
Verdict sys_prlimit64(Call& call, Thread&) {
  const long* a = call.args;
  long result = kernel(call.nr, a[0], a[1], a[2], a[3]);
  forget_file_size_limit();
  return done(call, result);
}

void signal_file_size(long result) {
  if (result != -EFBIG || file_size_limit() == kNoLimit) return;
  kernel(SYS_tgkill, kernel(SYS_getpid), kernel(SYS_gettid), SIGXFSZ);
}

}  // namespace btfuse
