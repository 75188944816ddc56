// inotify_add_watch on a file of the tree. The program's inotify descriptor is the kernel's own: it
// watches the shadow of the inode in the nodes directory, and the server makes the kernel tell what
// happens in the tree by doing the same to the shadow (ADR 17).
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>

#include "../client/memory.h"
#include "host_walk.h"
#include "nodes.h"
#include "request.h"

namespace btfuse {

namespace {

/** Longest name of a shadow, with NUL. */
constexpr uint32_t kShadowName = 32;
constexpr int kTries = 16;

void fill_watch(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_WATCH;
  slot.mode = (uint32_t)call.args[2];
}

/** The kernel's watch on what stands in the nodes directory under this name. */
long watch_shadow(const Call& call, Thread& self, const char* name, uint32_t length) {
  long directory = nodes_fd(self);
  if (directory < 0) return directory;
  char path[32 + kShadowName + 1], proc[32];
  proc_path_of(directory, proc);
  char* at = path;
  for (const char* c = proc; *c != 0; c++) *at++ = *c;
  *at++ = '/';
  memcpy(at, name, length);
  at[length] = 0;
  return kernel(SYS_inotify_add_watch, call.args[0], path, call.args[2]);
}

}  // namespace

Verdict sys_inotify_add_watch(Call& call, Thread& self) {
  const uint32_t flags = (call.args[2] & IN_DONT_FOLLOW) ? PATH_NOFOLLOW : 0;
  for (int i = 0; i < kTries; i++) {
    Slot* slot = ask(call, self, {.first = {.path = 1, .flags = flags}}, fill_watch);
    if (slot == nullptr) return Verdict::DONE;
    char name[kShadowName];
    const int32_t status = slot->status;
    const uint32_t length = slot->reply_length < kShadowName ? slot->reply_length : 0;
    if (status == 0) memcpy(name, reply_payload(slot), length);
    end(self);
    // What is wrong with mask and descriptor the kernel says before it looks at any path.
    const long wrong = kernel(SYS_inotify_add_watch, call.args[0], "", call.args[2]);
    if (wrong != -ENOENT) return done(call, wrong);
    if (status != 0) return done(call, status);
    const long watch = watch_shadow(call, self, name, length);
    // The file was renamed meanwhile, and its shadow with it.
    if (watch != -ENOENT) return done(call, watch);
  }
  return done(call, -ENOENT);
}

}  // namespace btfuse
