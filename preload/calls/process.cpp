// Processes that begin and end. A child gets a record of its own before it exists, with everything
// that it will inherit held once more, so that no moment of its life or death loses a reference.
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
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

/** The words of one table: each is held before it is listed. */
void copy_words(const uint32_t* from, uint32_t* to, uint32_t limit) {
  for (uint32_t i = 0; i < limit; i++) {
    uint32_t id = __atomic_load_n(from + i, __ATOMIC_ACQUIRE) % BT_DESCRIPTIONS_MAX;
    if (id == 0) continue;
    hold(id);
    __atomic_store_n(to + i, id, __ATOMIC_RELEASE);
  }
}

void bequeath_mappings(uint32_t child) {
  Process* to = process_at(child);
  uint32_t limit = process_at(own_record())->mapping_limit;
  to->mapping_limit = limit < BT_MAPPINGS_MAX ? limit : BT_MAPPINGS_MAX;
  copy_words(mapping_table_of(own_record()), mapping_table_of(child), to->mapping_limit);
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
  if (with_mappings) bequeath_mappings(child);
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

constexpr uint64_t kMoreVforks = BT_PAGE_SIZE / sizeof(CloneFrame);

CloneFrame& frame_at(Thread& self, uint32_t index) {
  return index < kVforksNear ? self.vfork[index] : self.more_vforks[index - kVforksNear];
}

/** Room for one frame more. The page stays with the thread: who nests vforks once does it again. */
bool make_frame(Thread& self) {
  if (self.vforks < kVforksNear) return true;
  if (self.more_vforks != nullptr) return self.vforks < kVforksNear + kMoreVforks;
  const long page =
      kernel(SYS_mmap, 0, BT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page < 0 && page > -4096) return false;
  self.more_vforks = (CloneFrame*)page;
  return true;
}

bool shares_files(CloneKind kind) {
  return kind == KIND_FORK_SHARED || kind == KIND_VFORK_SHARED;
}

/** What the child's record says of its pid: does the server know it by that? */
uint32_t namespaces_of_child(uint32_t parent, uint64_t flags) {
  const uint32_t ours = process_at(parent)->namespaces;
  const bool foreign = (ours & (BT_NAMESPACE_FOREIGN | BT_NAMESPACE_FOREIGN_CHILDREN)) != 0 ||
                       (flags & CLONE_NEWPID) != 0;
  return foreign ? BT_NAMESPACE_FOREIGN : 0;
}

Verdict start_child(Call& call, Thread& self, CloneKind kind, uint64_t flags = 0) {
  if (!make_frame(self)) return done(call, -EAGAIN);
  const uint32_t parent = process_of(self);
  const FdChanges changes = fd_changes();
  const uint32_t child = claim_patiently(parent);
  if (child == 0) return done(call, -EAGAIN);
  Process* record = process_at(child);
  record->namespaces = namespaces_of_child(own_record(), flags);
  if (shares_files(kind)) {
    process_at(parent)->shared = 1;
    record->shares = parent;
    if (kind == KIND_FORK_SHARED) bequeath_mappings(child);
  } else if (!bequeath(parent, child, kind == KIND_FORK)) {
    take_back(self, child, call.stack);
    return done(call, -ENOMEM);
  }
  CloneFrame& mine = frame_at(self, self.vforks);
  mine.return_address = call.return_address;
  mine.small_stack = btfuse_small_stack;
  mine.kind = kind;
  mine.process = self.process;
  mine.child = child;
  mine.generation = record->generation;
  mine.depth = self.depth;
  mine.begun = changes.begun;
  mine.ended = changes.ended;
  mine.slabs = kind == KIND_FORK || kind == KIND_FORK_SHARED ? copy_slabs(self) : nullptr;
  self.vforks++;
  return Verdict::AROUND;
}

Verdict clone_with(Call& call, Thread& self, uint64_t flags) {
  const bool shares_memory = (flags & CLONE_VM) != 0, shares = (flags & CLONE_FILES) != 0;
  if (shares_memory) {
    // A thread, or a process that lives like one: its TLS block is new, and the record is the
    // parent's.
    if ((flags & CLONE_VFORK) == 0 || (flags & (CLONE_THREAD | CLONE_SETTLS)) != 0) {
      client.threaded = true;
      return start_thread(call);
    }
    return start_child(call, self, shares ? KIND_VFORK_SHARED : KIND_VFORK, flags);
  }
  return start_child(call, self, shares ? KIND_FORK_SHARED : KIND_FORK, flags);
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
  if (record->namespaces != 0) show_life(child);
  __atomic_store_n(&record->state, BT_PROCESS_STATE_LIVE, __ATOMIC_RELEASE);
}

/** In the child of a fork: memory is a copy, so everything that is the parent's is forgotten. */
void begin_forked(Thread& self, const CloneFrame& mine) {
  const uint32_t child = mine.child;
  const bool shares = shares_files(mine.kind);
  const FdChanges before{mine.begun, mine.ended};
  if (shares) client.process = process_of(self);
  client.life = shares ? child : 0;
  client.threaded = false;
  client.namespaced = process_at(child)->namespaces != 0;
  leave_slots(self, mine.depth, mine.slabs);
  forget_slots(self);
  self.process = 0;
  reset_mappings_lock();
  catch_bus_errors_again();
  client.pid = (uint32_t)kernel(SYS_getpid);
  enter_record(child);
  if (shares) return;
  client.process = child;
  btfuse_fd_table = fd_table_of(child);
  // Another thread changed descriptors while the table was copied: look at each.
  FdChanges now = fd_changes();
  if (now.begun != before.ended || now.ended != before.ended) drop_strangers(self, here());
}

/** In the child of a vfork: the thread's memory is the parent's and goes back to it. */
void begin_vforked(Thread& self, const CloneFrame& mine) {
  enter_record(mine.child);
  if (shares_files(mine.kind)) return;
  self.process = mine.child;
  btfuse_fd_table = fd_table_of(mine.child);
}

/** In the parent: the thread is its own again. */
void end_clone(Thread& self, uint32_t index, long result) {
  const CloneFrame& mine = frame_at(self, index);
  const uint32_t child = mine.child;
  drop_slabs(mine.slabs, mine.depth);
  self.vforks = index;
  self.process = mine.process;
  self.depth = mine.depth;
  btfuse_small_stack = mine.small_stack;
  btfuse_fd_table = fd_table_of(process_of(self));
  if (result < 0) {
    take_back(self, child, here());
  } else {
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
  const uint32_t index = self.vforks - 1;
  const CloneFrame& mine = frame_at(self, index);
  const uint64_t return_address = mine.return_address;
  if (result != 0) {
    end_clone(self, index, result);
  } else if (mine.kind == KIND_FORK || mine.kind == KIND_FORK_SHARED) {
    const CloneFrame copy = mine;
    begin_forked(self, copy);
  } else {
    begin_vforked(self, mine);
  }
  return return_address;
}

// ---- descriptors of one's own -------------------------------------------------------------------

uint32_t life_of(Thread& self) {
  if (self.vforks == 0) return client.life;
  const CloneFrame& mine = frame_at(self, self.vforks - 1);
  return shares_files(mine.kind) ? mine.child : 0;
}

namespace {

/** Does anybody else use the descriptors of this thread? */
bool are_shared(Thread& self, bool by_threads) {
  const uint32_t life = life_of(self), process = process_of(self);
  if ((life != 0 && life != process) || process_at(process)->shared != 0) return true;
  return by_threads && self.vforks == 0 && self.process == 0 && client.threaded;
}

}  // namespace

uint32_t part_descriptors(Thread& self, bool from_threads, uint64_t user_stack) {
  if (!are_shared(self, from_threads)) return 0;
  const uint32_t from = process_of(self), life = life_of(self);
  const bool becomes =
      life != 0 && life != from && !(from_threads && self.vforks == 0 && client.threaded);
  const uint32_t own = becomes ? life : claim_patiently(from);
  if (own == 0) return 0;
  Process* record = process_at(own);
  if (!bequeath(from, own, false)) {
    keep_descriptors(self, own, user_stack);
    return 0;
  }
  if (own == life) return own;
  record->namespaces = process_at(own_record())->namespaces;
  record->replaces = from;
  return own;
}

void keep_descriptors(Thread& self, uint32_t own, uint64_t user_stack) {
  if (own == 0) return;
  Process* record = process_at(own);
  const bool claimed = own != life_of(self);
  for (uint32_t fd = 0; fd < record->fd_limit; fd++) {
    const uint32_t id = exchange_fd(own, fd, 0);
    if (id != 0) drop(self, id, user_stack);
  }
  const uint32_t cwd = __atomic_exchange_n(&record->cwd, 0, __ATOMIC_ACQ_REL);
  if (cwd != 0) drop(self, cwd % BT_DESCRIPTIONS_MAX, user_stack);
  if (!claimed) return;
  record->pid = 0;
  __atomic_store_n(&record->state, BT_PROCESS_STATE_EXITED, __ATOMIC_RELEASE);
}

void take_descriptors(Thread& self, uint32_t own) {
  if (own == 0) return;
  Process* record = process_at(own);
  const bool alone = own == life_of(self);
  record->shares = 0;
  if (!alone) {
    record->replaces = 0;
    enter_record(own);
  }
  // A thread, or a vfork child, for which it ends with its memory; else the whole process.
  if (self.vforks == 0 && alone) {
    client.process = own;
    client.life = 0;
  } else {
    self.process = own;
  }
  btfuse_fd_table = fd_table_of(own);
}

Verdict sys_unshare(Call& call, Thread& self) {
  const uint64_t flags = (uint64_t)call.args[0];
  uint32_t own = 0;
  if ((flags & CLONE_FILES) != 0) {
    own = part_descriptors(self, true, call.stack);
    if (own == 0 && are_shared(self, true)) return done(call, -ENOMEM);
  }
  const long result = kernel(SYS_unshare, flags);
  if (result < 0)
    keep_descriptors(self, own, call.stack);
  else
    take_descriptors(self, own);
  if (result >= 0 && (flags & CLONE_NEWPID) != 0)
    process_at(own_record())->namespaces |= BT_NAMESPACE_FOREIGN_CHILDREN;
  return done(call, result);
}

Verdict sys_setns(Call& call, Thread&) {
  const long result = kernel(SYS_setns, call.args[0], call.args[1]);
  // Which namespaces a descriptor names is the kernel's knowledge: with a lock we are right in
  // each.
  const bool maybe = call.args[1] == 0 || (call.args[1] & CLONE_NEWPID) != 0;
  if (result >= 0 && maybe) process_at(own_record())->namespaces |= BT_NAMESPACE_FOREIGN_CHILDREN;
  return done(call, result);
}

// ---- the end ------------------------------------------------------------------------------------

namespace {

bool holds_anything(const Process* record) {
  return record->virtual_fds != 0 || record->mapping_limit != 0 || record->cwd != 0;
}

/** All that the record lists goes. */
void end_record(Thread& self, uint32_t index, uint64_t user_stack) {
  Process* record = process_at(index);
  Slot* slot = holds_anything(record) ? begin(self, user_stack) : nullptr;
  if (slot == nullptr) {
    __atomic_store_n(&record->state, BT_PROCESS_STATE_EXITED, __ATOMIC_RELEASE);
    return;
  }
  slot->opcode = BT_OP_EXIT;
  slot->process = index;
  slot->path_length = slot->path2_length = slot->payload_length = 0;
  // Whoever sees us end must find our locks gone, and our files closed where that is watched.
  if (__atomic_load_n(&ring_header()->locks, __ATOMIC_ACQUIRE) != 0 ||
      __atomic_load_n(&ring_header()->watches, __ATOMIC_ACQUIRE) != 0)
    transact(slot);
  else
    post(slot);
  end(self);
}

}  // namespace

/** One thread ends; the last one is found by the server, through the pidfd. */
Verdict sys_exit(Call& call, Thread& self) {
  // A vfork child runs on its parent's thread, which goes on.
  if (self.vforks != 0) return Verdict::PASS;
  if (self.process != 0) {
    const uint32_t own = self.process;
    self.process = 0;
    process_at(own)->pid = 0;
    end_record(self, own, call.stack);
  }
  release_slots(self);
  if (self.more_vforks != nullptr) kernel(SYS_munmap, self.more_vforks, BT_PAGE_SIZE);
  self.more_vforks = nullptr;
  return end_thread();
}

Verdict sys_exit_group(Call& call, Thread& self) {
  const uint32_t life = life_of(self);
  if (life != 0) {
    end_record(self, life, call.stack);
  } else if (self.vforks != 0 || (uint32_t)kernel(SYS_getpid) == client.pid) {
    // Descriptors that others may still use go when the server has seen them all end.
    const uint32_t process = process_of(self);
    if (process_at(process)->shared == 0) end_record(self, process, call.stack);
    if (self.vforks == 0 && process != client.process && process_at(client.process)->shared == 0)
      end_record(self, client.process, call.stack);
  }
  release_slots(self);
  return Verdict::PASS;
}

}  // namespace btfuse
