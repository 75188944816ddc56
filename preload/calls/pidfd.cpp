// pidfd_getfd: a descriptor of the tree, taken from another process of the session.
#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "calls.h"
#include "descriptors.h"
#include "host_walk.h"
#include "other_process.h"

namespace btfuse {

namespace {

constexpr uint32_t kInfoMax = 512;

/** The process behind a pidfd, by what the kernel says of it: 0 when it is gone or none. */
uint32_t pid_behind(long pidfd) {
  char path[32], text[kInfoMax];
  proc_path_of(pidfd, path);
  // "/proc/self/fd/N" → "/proc/self/fdinfo/N"
  constexpr uint32_t kDirectory = sizeof "/proc/self/fd" - 1;
  char info[40] = "/proc/self/fdinfo";
  uint32_t at = sizeof "/proc/self/fdinfo" - 1;
  for (const char* c = path + kDirectory; *c != 0; c++) info[at++] = *c;
  info[at] = 0;
  const long fd = kernel(SYS_openat, AT_FDCWD, info, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long length = kernel(SYS_read, fd, text, sizeof text);
  kernel(SYS_close, fd);
  static constexpr char kKey[] = "\nPid:\t";
  constexpr long kKeyLength = sizeof kKey - 1;
  for (long i = 0; i + kKeyLength < length; i++) {
    if (memcmp(text + i, kKey, kKeyLength) != 0) continue;
    uint32_t pid = 0;
    for (i += kKeyLength; i < length && text[i] >= '0' && text[i] <= '9'; i++)
      pid = pid * 10 + (uint32_t)(text[i] - '0');
    return pid;
  }
  return 0;
}

/** +1 reference, if somebody else has one: it may be closed at this moment. */
bool hold_if_held(uint32_t id) {
  uint32_t* references = &description_state(id)->references;
  uint32_t old = __atomic_load_n(references, __ATOMIC_ACQUIRE);
  do {
    if (old == 0 || (old & BT_REFERENCES_FREED) != 0) return false;
  } while (!__atomic_compare_exchange_n(references, &old, old + 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE));
  return true;
}

}  // namespace

Verdict sys_pidfd_getfd(Call& call, Thread& self) {
  const uint32_t pid = pid_behind(call.args[0]);
  const Process* process = pid == 0 ? nullptr : process_with(pid);
  const uint32_t target = (uint32_t)call.args[1];
  const uint32_t id = process == nullptr ? 0 : description_in(*process, target);
  if (id == 0) return Verdict::PASS;
  const long fd = kernel(call.nr, call.args[0], call.args[1], call.args[2]);
  if (fd < 0) return done(call, fd);
  if (!hold_if_held(id)) {
    kernel(SYS_close, fd);
    return done(call, -EBADF);
  }
  // Closed, and its number taken again, between our two looks: what we got is something else.
  if (description_in(*process, target) != id) {
    kernel(SYS_close, fd);
    drop(self, id, call.stack);
    return done(call, -EBADF);
  }
  if (!is_kernel_backed(id)) kernel(SYS_dup3, client.anchor_fd, fd, O_CLOEXEC);
  return done(call, adopt(self, id, fd));
}

}  // namespace btfuse
