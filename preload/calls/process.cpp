// Processes that begin and end. A child gets a record of its own before it exists, with everything
// that it will inherit held once more, so that no moment of its life or death loses a reference.
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "../client/memory.h"
#include "calls.h"
#include "descriptors.h"
#include "mappings.h"
#include "user_memory.h"
#ifdef BTFUSE_STATIC
#include "../static/threads.h"
#endif

namespace btfuse {

namespace {

#ifndef BTFUSE_STATIC
// Thread-local storage is libc's business. preload/static/threads.cpp is what static programs have.
Verdict start_thread(Call&) {
  return Verdict::PASS;
}
/** The stack for small ones goes with its thread, unless this call came by it. */
Verdict end_thread() {
  if (btfuse_small_stack == 0 || on_small_stack()) return Verdict::PASS;
  kernel(SYS_munmap, btfuse_small_stack - kLevel * kLevels, kLevel * kLevels);
  btfuse_small_stack = 0;
  return Verdict::PASS;
}
#endif

/** What a clone leaves apart and together. */
enum Kind : uint32_t {
  KIND_FORK,          ///< memory copied, descriptors copied
  KIND_FORK_SHARED,   ///< memory copied, descriptors shared (CLONE_FILES)
  KIND_VFORK,         ///< memory shared while the parent waits, descriptors copied
  KIND_VFORK_SHARED,  ///< both shared
};

/** What after_clone must know beyond thread.vfork[], at the same index. */
struct Pending {
  Kind kind;
  uint32_t generation;   ///< of the child's record
  uint32_t depth;        ///< requests under way on this thread
  uint64_t small_stack;  ///< a vfork child that was killed in a handler leaves its level taken
  FdChanges changes;     ///< of the fd table, before it was copied
};

__thread Pending pending[kNesting] __attribute__((tls_model("initial-exec")));

/** The words of one table: each is held before it is listed. */
void copy_words(const uint32_t* from, uint32_t* to, uint32_t limit) {
  for (uint32_t i = 0; i < limit; i++) {
    uint32_t id = __atomic_load_n(from + i, __ATOMIC_ACQUIRE) % BT_DESCRIPTIONS_MAX;
    if (id == 0) continue;
    hold(id);
    __atomic_store_n(to + i, id, __ATOMIC_RELEASE);
  }
}

/** Gives the child all that the parent has. False: no memory for its fd table. */
bool bequeath(uint32_t parent, uint32_t child, bool with_mappings) {
  Process* from = process_at(parent);
  Process* to = process_at(child);
  uint32_t fd_limit = from->fd_limit < BT_FDS_MAX ? from->fd_limit : BT_FDS_MAX;
  if (from->virtual_fds == 0) fd_limit = 0;
  if (fd_limit > 0 && !back_fd_table(child, (uint64_t)fd_limit * sizeof(uint32_t))) return false;
  to->umask = from->umask;
  to->nodes_fd = from->nodes_fd;
  to->capabilities = from->capabilities;
  to->permitted = from->permitted;
  to->uid = from->uid;
  to->gid = from->gid;
  to->ruid = from->ruid;
  to->rgid = from->rgid;
  to->group_count = from->group_count <= BT_GROUPS_MAX ? from->group_count : BT_GROUPS_MAX;
  memcpy(to->groups, from->groups, to->group_count * sizeof(uint32_t));
  to->fd_limit = fd_limit;
  copy_words(fd_table_of(parent), fd_table_of(child), fd_limit);
  to->virtual_fds = from->virtual_fds;
  if (with_mappings) {
    uint32_t limit = process_at(client.process)->mapping_limit;
    to->mapping_limit = limit < BT_MAPPINGS_MAX ? limit : BT_MAPPINGS_MAX;
    copy_words(mapping_table_of(client.process), mapping_table_of(child), to->mapping_limit);
  }
  copy_words(&from->cwd, &to->cwd, 1);
  return true;
}

/** The server frees the records of dead processes every few milliseconds when there are many. */
uint32_t claim_patiently(uint32_t parent) {
  constexpr int kRounds = 100;
  const timespec pause = {0, 10'000'000};
  uint32_t child = claim_process(parent);
  for (int i = 0; child == 0 && i < kRounds && !server_gone(); i++) {
    kernel(SYS_nanosleep, &pause, 0);
    child = claim_process(parent);
  }
  return child;
}

/** A child that never came to be. */
void take_back(Thread& self, uint32_t child, uint64_t user_stack) {
  if (child == 0) return;
  drop_all(self, child, user_stack);
  __atomic_store_n(&process_at(child)->state, BT_PROCESS_STATE_EXITED, __ATOMIC_RELEASE);
}

Verdict start_child(Call& call, Thread& self, Kind kind) {
  uint32_t index = self.vforks;
  if (index >= kNesting) return done(call, -EAGAIN);
  uint32_t parent = process_of(self), child = 0;
  Pending& mine = pending[index];
  mine.kind = kind;
  mine.depth = self.depth;
  mine.small_stack = btfuse_small_stack;
  mine.changes = fd_changes();
  if (kind == KIND_FORK || kind == KIND_VFORK) {
    child = claim_patiently(parent);
    if (child == 0) return done(call, -EAGAIN);
    mine.generation = process_at(child)->generation;
    if (!bequeath(parent, child, kind == KIND_FORK)) {
      take_back(self, child, call.stack);
      return done(call, -ENOMEM);
    }
  }
  self.vfork[index] = {call.return_address, self.process, child};
  self.vforks = index + 1;
  return Verdict::AROUND;
}

Verdict clone_with(Call& call, Thread& self, uint64_t flags) {
  bool shares_memory = (flags & CLONE_VM) != 0, shares_files = (flags & CLONE_FILES) != 0;
  if (shares_memory) {
    // A thread, or a process that lives like one: its TLS block is new, and the record is the
    // parent's.
    if ((flags & CLONE_VFORK) == 0 || (flags & (CLONE_THREAD | CLONE_SETTLS)) != 0)
      return start_thread(call);
    return start_child(call, self, shares_files ? KIND_VFORK_SHARED : KIND_VFORK);
  }
  return start_child(call, self, shares_files ? KIND_FORK_SHARED : KIND_FORK);
}

}  // namespace

Verdict sys_fork(Call& call, Thread& self) {
  return start_child(call, self, KIND_FORK);
}
Verdict sys_vfork(Call& call, Thread& self) {
  return start_child(call, self, KIND_VFORK);
}
Verdict sys_clone(Call& call, Thread& self) {
  return clone_with(call, self, (uint64_t)call.args[0]);
}

Verdict sys_clone3(Call& call, Thread& self) {
  auto* flags = (const uint64_t*)call.args[0];
  if ((uint64_t)call.args[1] < sizeof *flags || !readable(flags, sizeof *flags, call.stack))
    return Verdict::PASS;  // the kernel has the right error
  return clone_with(call, self, *flags);
}

// ---- after the clone ----------------------------------------------------------------------------

namespace {

/** Below every frame of the program that lives on; no request is under way in a child. */
uint64_t here() {
  return (uint64_t)__builtin_frame_address(0);
}

void enter_record(uint32_t child) {
  Process* record = process_at(child);
  __atomic_store_n(&record->pid, (uint32_t)kernel(SYS_getpid), __ATOMIC_RELEASE);
  __atomic_store_n(&record->state, BT_PROCESS_STATE_LIVE, __ATOMIC_RELEASE);
}

/** In the child of a fork: memory is a copy, so everything that is the parent's is forgotten. */
void begin_forked(Thread& self, uint32_t child, const Pending& mine) {
  forget_slots(self);
  self.process = 0;
  reset_mappings_lock();
  catch_bus_errors_again();
  client.pid = (uint32_t)kernel(SYS_getpid);
  if (child == 0) return;  // CLONE_FILES: the record is shared as the descriptors are
  client.process = child;
  btfuse_fd_table = fd_table_of(child);
  enter_record(child);
  // Another thread changed descriptors while the table was copied: look at each.
  FdChanges now = fd_changes();
  if (now.begun != mine.changes.ended || now.ended != mine.changes.ended)
    drop_strangers(self, here());
}

/** In the child of a vfork: the thread's memory is the parent's and goes back to it. */
void begin_vforked(Thread& self, uint32_t child) {
  if (child == 0) return;
  self.process = child;
  btfuse_fd_table = fd_table_of(child);
  enter_record(child);
}

/** In the parent: the thread is its own again. */
void end_clone(Thread& self, uint32_t index, long result) {
  const Pending& mine = pending[index];
  uint32_t child = self.vfork[index].child;
  self.vforks = index;
  self.process = self.vfork[index].process;
  self.depth = mine.depth;
  btfuse_small_stack = mine.small_stack;
  btfuse_fd_table = fd_table_of(process_of(self));
  if (result < 0) {
    take_back(self, child, here());
  } else if (child != 0) {
    // So that a child killed before its first step is found. It may long be gone, hence the checks.
    Process* record = process_at(child);
    uint32_t nobody = 0;
    if (record->generation == mine.generation && record->state == BT_PROCESS_STATE_FORKING)
      __atomic_compare_exchange_n(&record->pid, &nobody, (uint32_t)result, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_RELAXED);
  }
}

}  // namespace

extern "C" uint64_t btfuse_after_clone(long result) {
  Thread& self = thread;
  uint32_t index = self.vforks - 1;
  uint64_t return_address = self.vfork[index].return_address;
  uint32_t child = self.vfork[index].child;
  if (result != 0)
    end_clone(self, index, result);
  else if (pending[index].kind == KIND_FORK || pending[index].kind == KIND_FORK_SHARED)
    begin_forked(self, child, pending[index]);
  else
    begin_vforked(self, child);
  return return_address;
}

// ---- the end ------------------------------------------------------------------------------------

/** One thread ends; the last one is found by the server, through the pidfd. */
Verdict sys_exit(Call&, Thread& self) {
  release_slots(self);
  // A vfork child runs on its parent's thread, which goes on.
  return self.vforks == 0 ? end_thread() : Verdict::PASS;
}

namespace {

bool holds_anything(const Process* record) {
  return record->virtual_fds != 0 || record->mapping_limit != 0 || record->cwd != 0;
}

}  // namespace

Verdict sys_exit_group(Call& call, Thread& self) {
  uint32_t process = process_of(self);
  Process* record = process_at(process);
  if (holds_anything(record)) {
    Slot* slot = begin(self, call.stack);
    if (slot != nullptr) {
      slot->opcode = BT_OP_EXIT;
      slot->path_length = slot->path2_length = slot->payload_length = 0;
      // Whoever sees us end must find our locks gone, and our files closed where that is watched.
      if (__atomic_load_n(&ring_header()->locks, __ATOMIC_ACQUIRE) != 0 ||
          __atomic_load_n(&ring_header()->watches, __ATOMIC_ACQUIRE) != 0)
        transact(slot);
      else
        post(slot);
      end(self);
    }
  } else {
    __atomic_store_n(&record->state, BT_PROCESS_STATE_EXITED, __ATOMIC_RELEASE);
  }
  release_slots(self);
  return Verdict::PASS;
}

}  // namespace btfuse
