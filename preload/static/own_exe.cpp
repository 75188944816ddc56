#include "own_exe.h"

#include <errno.h>
#include <fcntl.h>

#include "../calls/paths.h"
#include "../calls/user_memory.h"
#include "../client/memory.h"
#include "../image/start.h"

namespace btfuse {

namespace {

/** Which argument is a path that is followed, -1 for none. */
int path_argument(const Call& call) {
  switch (call.nr) {
    case SYS_open:
    case SYS_stat:
    case SYS_access:
    case SYS_execve:
      return 0;
    case SYS_openat:
    case SYS_openat2:
    case SYS_faccessat:
    case SYS_faccessat2:
      return 1;
    case SYS_newfstatat:
      return (call.args[3] & AT_SYMLINK_NOFOLLOW) ? -1 : 1;
    case SYS_execveat:
      return (call.args[4] & AT_SYMLINK_NOFOLLOW) ? -1 : 1;
    case SYS_statx:
      return (call.args[2] & AT_SYMLINK_NOFOLLOW) ? -1 : 1;
    default:
      return -1;
  }
}

long read_link(const Call& call, int at) {
  auto* to = (char*)call.args[at + 1];
  const long size = (int)call.args[at + 2];
  const long length = (long)strlen(start.exe);
  const long given = length < size ? length : size;
  if (size <= 0) return -EINVAL;
  if (!writable(to, (uint64_t)given, call.stack)) return -EFAULT;
  memcpy(to, start.exe, (uint64_t)given);
  return given;
}

bool names_us(const Call& call, int at) {
  return start.exe != nullptr && names_own_program((const char*)call.args[at], call.stack);
}

}  // namespace

bool redirect_own_exe(Call& call, Verdict& verdict) {
  const bool link = call.nr == SYS_readlink || call.nr == SYS_readlinkat;
  const int at = link ? call.nr == SYS_readlinkat : path_argument(call);
  if (at < 0 || !names_us(call, at)) return false;
  if (link) {
    call.result = read_link(call, at);
    verdict = Verdict::DONE;
    return true;
  }
  const long given = call.args[at];
  call.args[at] = (long)start.exe;
  verdict = btfuse_dispatch(&call);
  // The program's registers must come back as they were, so the call is not handed back to it.
  if (verdict == Verdict::PASS) {
    call.result = kernel(call.nr, call.args[0], call.args[1], call.args[2], call.args[3],
                         call.args[4], call.args[5]);
    verdict = Verdict::DONE;
  }
  call.args[at] = given;
  return true;
}

}  // namespace btfuse
