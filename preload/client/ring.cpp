// The client's half of one request (ringbuf/PROTOCOL.md): own a slot, post it, wait for the answer.
// Who writes what: the fields of the slot belong to its owner until state is REQUEST, to the server
// until it is DONE (or IDLE, when nobody waits), then to the owner again.
#include "client.h"
#include "memory.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

// A test kills the client at every step of a submit; elsewhere the marks vanish.
#ifndef BTFUSE_STEP
#define BTFUSE_STEP(step) ((void)0)
#endif

namespace btfuse {
namespace {

/** How long a client spins, in cycles of the time stamp counter: some 20 µs. */
constexpr uint64_t kSpinCycles = 60'000;
/** Loads of the state between two looks at the clock and at the CPU. */
constexpr int kSpinBurst = 32;
/** Times that the CPU is offered to others before the thread sleeps. */
constexpr int kYields = 4;
/** A yield that takes so many cycles (some 200 us) went to a stranger with work of its own. */
constexpr uint64_t kStrangerCycles = 600'000;
/** After that no yield for so many cycles, some 100 ms: each would cost a time slice. */
constexpr uint64_t kCrowdedCycles = 300'000'000;
/** Between two looks at the server's liveness, while asleep. A test that a lost wake-up shall hang
 * has more. */
#ifndef BTFUSE_SLICE_MS
#define BTFUSE_SLICE_MS 100
#endif
constexpr long kSliceMilliseconds = BTFUSE_SLICE_MS;
/** A thread that finds all slots taken tries so often, a millisecond apart. */
constexpr int kClaimRounds = 1000;

inline void compiler_barrier() {
  asm volatile("" ::: "memory");
}
inline void pause() {
  asm volatile("pause");
}
inline uint64_t cycles() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

inline uint32_t state_of(Slot* slot) {
  return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}
inline bool under_way(uint32_t state) {
  return state == BT_SLOT_STATE_REQUEST || state == BT_SLOT_STATE_SLEEPING;
}

inline uint32_t* leaf_word(uint32_t leaf) {
  return (uint32_t*)(client.ring + BT_RING_LEAVES_OFFSET + leaf * BT_RING_LEAF_STRIDE);
}

/** A parked server sleeps on the bell: the count makes its wait return even if we die before the
 * wake. */
__attribute__((noinline)) void ring_the_bell(RingHeader* header) {
  __atomic_fetch_add(&header->bell, 1, __ATOMIC_SEQ_CST);
  BTFUSE_STEP(7);
  kernel(SYS_futex, &header->bell, FUTEX_WAKE, 1);
  BTFUSE_STEP(8);
}

/**
 * The order matters and each step may be the last of this process: the leaf before the summary, so
 * that who sees the summary finds the leaf; always both, so that a bit whose owner died between
 * them hides nobody else's; both before the look at `parked`, so that no wake-up is lost.
 */
inline void submit(Slot* slot) {
  RingHeader* header = ring_header();
  const uint32_t index = index_of(slot), leaf = index / BT_SLOTS_PER_LEAF;
  slot->cpu = current_cpu();
  BTFUSE_STEP(3);
  __atomic_store_n(&slot->state, BT_SLOT_STATE_REQUEST, __ATOMIC_RELEASE);
  BTFUSE_STEP(4);
  __atomic_fetch_or(leaf_word(leaf), 1u << (index % BT_SLOTS_PER_LEAF), __ATOMIC_SEQ_CST);
  BTFUSE_STEP(5);
  __atomic_fetch_or(&header->summary, 1u << leaf, __ATOMIC_SEQ_CST);
  BTFUSE_STEP(6);
  if (__atomic_load_n(&header->parked, __ATOMIC_SEQ_CST) != 0) ring_the_bell(header);
}

/** Spins while the server works on another CPU. On ours it could not: then the spin would only
 * delay it. */
inline uint32_t spin(Slot* slot) {
  const RingHeader* header = ring_header();
  const uint64_t start = cycles();
  uint32_t state = BT_SLOT_STATE_REQUEST;
  do {
    for (int i = 0; i < kSpinBurst; i++) {
      state = state_of(slot);
      if (state != BT_SLOT_STATE_REQUEST) return state;
      pause();
    }
    if (current_cpu() == __atomic_load_n(&header->server_cpu, __ATOMIC_RELAXED)) break;
  } while (cycles() - start < kSpinCycles);
  return state;
}

/**
 * False in the child of a fork that a signal handler made in the middle of the request, and that
 * came back to it: the slot is the parent's, who goes on with it. To the child the call was
 * interrupted.
 */
inline bool began_here(const Slot* slot) {
  const uint32_t owner = __atomic_load_n(&slot->owner, __ATOMIC_RELAXED);
  return owner == thread.tid || owner == 0;
}

/** Sleeps until the server has answered. Returns the state, which is still under way when it is
 * gone, or when the fork came between transact()'s look and here: nobody answers a copy. */
uint32_t sleep(Slot* slot) {
  uint32_t expected = BT_SLOT_STATE_REQUEST;
  const bool swapped = __atomic_compare_exchange_n(&slot->state, &expected, BT_SLOT_STATE_SLEEPING,
                                                   false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
  BTFUSE_STEP(10);
  if (!swapped && expected != BT_SLOT_STATE_SLEEPING) return expected;
  const timespec slice = {kSliceMilliseconds / 1000, kSliceMilliseconds % 1000 * 1'000'000};
  for (;;) {
    if (!began_here(slot)) return BT_SLOT_STATE_REQUEST;
    const long result =
        kernel(SYS_futex, &slot->state, FUTEX_WAIT, BT_SLOT_STATE_SLEEPING, &slice, 0, 0);
    const uint32_t state = state_of(slot);
    if (!under_way(state)) return state;
    if (result == -ETIMEDOUT && server_gone()) return state_of(slot);
  }
}

/** The end of the time in which our CPU is known to be wanted by strangers. A lost update is
 * harmless. */
uint64_t crowded_until;

/** Lets the server run, if it waits for this CPU. False: strangers wait there too, sleep instead.
 */
bool offer_cpu() {
  const uint64_t before = cycles();
  if (before < __atomic_load_n(&crowded_until, __ATOMIC_RELAXED)) return false;
  kernel(SYS_sched_yield);
  const uint64_t after = cycles();
  if (after - before > kStrangerCycles) {
    __atomic_store_n(&crowded_until, after + kCrowdedCycles, __ATOMIC_RELAXED);
  }
  return true;
}

/** Waits until the slot is the owner's again. */
__attribute__((noinline)) uint32_t await(Slot* slot) {
  BTFUSE_STEP(9);
  uint32_t state = state_of(slot);
  if (state == BT_SLOT_STATE_REQUEST &&
      current_cpu() != __atomic_load_n(&ring_header()->server_cpu, __ATOMIC_RELAXED)) {
    state = spin(slot);
  }
  for (int i = 0; i < kYields && state == BT_SLOT_STATE_REQUEST && offer_cpu(); i++) {
    state = state_of(slot);
  }
  return under_way(state) ? sleep(slot) : state;
}

/**
 * The answer of a request that a longjmp left behind: nobody will take the description that it may
 * have opened, nor copy under its grant.
 */
bool discard(Slot* slot) {
  const bool opened =
      slot->opcode == BT_OP_OPEN || slot->opcode == BT_OP_CREATE || slot->opcode == BT_OP_TMPFILE;
  const uint32_t id = slot->reply_description;
  if (!opened || slot->status != 0 || id == 0 || id >= BT_DESCRIPTIONS_MAX) return true;
  if (__atomic_fetch_sub(&description_state(id)->references, 1, __ATOMIC_ACQ_REL) != 1) return true;
  slot->opcode = BT_OP_RELEASE;
  slot->description = id;
  slot->request_flags = BT_REQUEST_NO_REPLY;
  submit(slot);
  return !under_way(await(slot));
}

bool abandon_grant(Slot* slot) {
  if (slot->opcode == BT_OP_WRITE_PREPARE) {
    slot->opcode = BT_OP_WRITE_COMMIT;
    slot->size = 0;
    slot->request_flags = BT_REQUEST_NO_REPLY;
    submit(slot);
    if (under_way(await(slot))) return false;
  }
  __atomic_store_n(&slot->grant, 0, __ATOMIC_RELEASE);
  return true;
}

/** Makes a slot of ours ready for the next request. `left` : its last request was this thread's
 * own. */
__attribute__((noinline)) bool settle(Slot* slot, bool left) {
  uint32_t state = state_of(slot);
  if (under_way(state)) state = await(slot);
  if (under_way(state)) return false;
  __atomic_store_n(&slot->state, BT_SLOT_STATE_IDLE, __ATOMIC_RELEASE);
  if (state == BT_SLOT_STATE_DONE && left && !discard(slot)) return false;
  return __atomic_load_n(&slot->grant, __ATOMIC_RELAXED) == 0 || abandon_grant(slot);
}

/** How far the server has to look for pins. */
void raise_slots_high(uint32_t count) {
  uint32_t* high = &ring_header()->slots_high;
  uint32_t before = __atomic_load_n(high, __ATOMIC_RELAXED);
  while (before < count && !__atomic_compare_exchange_n(high, &before, count, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
}

/** Pages that hold one slot, and their first byte. */
constexpr uint64_t kSlotPages = (sizeof(Slot) + BT_PAGE_SIZE - 1) / BT_PAGE_SIZE * BT_PAGE_SIZE;
static_assert(BT_PAGE_SIZE % sizeof(Slot) == 0 || sizeof(Slot) % BT_PAGE_SIZE == 0);
unsigned char* pages_of(uint32_t index) {
  return (unsigned char*)((uint64_t)slot_at(index) & ~(BT_PAGE_SIZE - 1));
}

/** It is not the shared one in this process (leave_slots). */
bool is_left(uint32_t index) {
  for (uint32_t i = 0; i < client.left_count; i++) {
    if (pages_of(client.left[i]) == pages_of(index)) return true;
  }
  return false;
}

uint32_t find_free(uint32_t tid) {
  RingHeader* header = ring_header();
  const uint32_t hint = __atomic_load_n(&header->slot_hint, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < BT_SLOTS_MAX; i++) {
    const uint32_t index = (hint + i) % BT_SLOTS_MAX;
    Slot* slot = slot_at(index);
    uint32_t nobody = 0;
    if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) != 0) continue;
    if (client.left_count != 0 && is_left(index)) continue;
    BTFUSE_STEP(1);
    if (!__atomic_compare_exchange_n(&slot->owner, &nobody, tid, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
      continue;
    }
    BTFUSE_STEP(2);
    raise_slots_high(index + 1);
    __atomic_store_n(&header->slot_hint, (index + 1) % BT_SLOTS_MAX, __ATOMIC_RELAXED);
    return index + 1;
  }
  return 0;
}

__attribute__((noinline)) Slot* claim(Thread& self, uint32_t depth) {
  uint32_t found = find_free(tid_of(self));
  if (found == 0) __atomic_fetch_add(&ring_header()->slots_full, 1, __ATOMIC_RELAXED);
  for (int round = 0; found == 0 && round < kClaimRounds; round++) {
    if (server_gone()) return nullptr;
    const timespec millisecond = {0, 1'000'000};
    kernel(SYS_nanosleep, &millisecond, 0);
    found = find_free(self.tid);
  }
  if (found == 0) return nullptr;
  Slot* slot = slot_at(found - 1);
  self.generations[depth] = __atomic_load_n(&slot->generation, __ATOMIC_ACQUIRE);
  compiler_barrier();  // a signal handler between the two must not find a slot without generation
  self.slots[depth] = found;
  return slot;
}

inline bool is_ours(const Thread& self, uint32_t depth, Slot* slot) {
  return __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE) == self.tid &&
         __atomic_load_n(&slot->generation, __ATOMIC_RELAXED) == self.generations[depth];
}

/** The slot of this depth; another one when the server took ours back, thinking us dead. */
inline Slot* own_slot(Thread& self, uint32_t depth) {
  bool left = false;
  Slot* slot = nullptr;
  if (self.slots[depth] != 0) {
    slot = slot_at(self.slots[depth] - 1);
    left = is_ours(self, depth, slot);
  }
  if (!left) slot = claim(self, depth);
  if (slot == nullptr) return nullptr;
  const bool ready =
      state_of(slot) == BT_SLOT_STATE_IDLE && __atomic_load_n(&slot->grant, __ATOMIC_RELAXED) == 0;
  return ready || settle(slot, left) ? slot : nullptr;
}

/** Are both addresses on the alternate signal stack, or neither? */
bool same_stack(uint64_t a, uint64_t b) {
  stack_t alternate;
  if (kernel(SYS_sigaltstack, nullptr, &alternate) < 0) return true;
  if (alternate.ss_flags & SS_DISABLE) return true;
  const uint64_t base = (uint64_t)alternate.ss_sp, size = alternate.ss_size;
  return (a - base < size) == (b - base < size);
}

/**
 * Nobody nests so deep: some were left by longjmps to ever deeper frames, most likely the oldest.
 * Its slot becomes the newest one's.
 */
uint32_t forget_oldest(Thread& self) {
  const uint32_t slot = self.slots[0], generation = self.generations[0];
  for (uint32_t i = 1; i < kNesting; i++) {
    self.slots[i - 1] = self.slots[i];
    self.generations[i - 1] = self.generations[i];
    self.frames[i - 1] = self.frames[i];
  }
  self.slots[kNesting - 1] = slot;
  self.generations[kNesting - 1] = generation;
  self.frames[kNesting - 1] = 0;
  return self.depth = kNesting - 1;
}

/**
 * The depth without the requests that a longjmp left behind. A nested call comes from a signal
 * handler, whose frame is below the one that it interrupted; a call from above means that the
 * interrupted frame is gone. A frame of 0 is about to be written: its owner was interrupted there.
 */
__attribute__((noinline)) uint32_t unwound(Thread& self, uint64_t user_stack) {
  const uint32_t depth = self.depth < kNesting ? self.depth : kNesting;
  for (uint32_t i = 0; i < depth; i++) {
    const uint64_t frame = self.frames[i];
    if (frame == 0 || user_stack < frame || !same_stack(user_stack, frame)) continue;
    for (uint32_t gone = i; gone < depth; gone++) self.frames[gone] = 0;
    return self.depth = i;
  }
  return depth < kNesting ? depth : forget_oldest(self);
}

}  // namespace

Slot* begin(Thread& self, uint64_t user_stack) {
  uint32_t depth = self.depth;
  if (depth != 0) depth = unwound(self, user_stack);
  if (client.ring == nullptr) return nullptr;
  self.depth = depth + 1;
  compiler_barrier();  // a signal handler from here on takes the next depth
  self.frames[depth] = user_stack;
  Slot* slot = own_slot(self, depth);
  if (slot == nullptr) {
    end(self);
    return nullptr;
  }
  // The server had the leaf last: its line comes over while the request is filled in.
  __builtin_prefetch(leaf_word(index_of(slot) / BT_SLOTS_PER_LEAF), 1);
  const uint32_t index = process_of(self);
  const Process* process = process_at(index);
  slot->process = index;
  slot->opcode = 0;
  slot->request_flags = 0;
  slot->uid = process->uid;
  slot->gid = process->gid;
  slot->umask = process->umask;
  slot->flags = 0;
  if (slot->symlinks != 0) slot->symlinks = 0;  // a line that most requests leave alone
  return slot;
}

void end(Thread& self) {
  const uint32_t depth = self.depth;
  if (depth == 0) return;
  // More threads than slots: whoever is done lets the next one in.
  if (__builtin_expect(__atomic_load_n(&ring_header()->slots_full, __ATOMIC_RELAXED) != 0, 0)) {
    const uint32_t held = self.slots[depth - 1];
    if (held != 0 && is_ours(self, depth - 1, slot_at(held - 1)) &&
        state_of(slot_at(held - 1)) == BT_SLOT_STATE_IDLE && slot_at(held - 1)->grant == 0) {
      self.slots[depth - 1] = 0;
      __atomic_store_n(&ring_header()->slot_hint, held - 1, __ATOMIC_RELAXED);
      __atomic_store_n(&slot_at(held - 1)->owner, 0, __ATOMIC_RELEASE);
    }
  }
  self.frames[depth - 1] = 0;
  compiler_barrier();
  self.depth = depth - 1;
}

int32_t transact(Slot* slot) {
  if (__builtin_expect(!began_here(slot), 0)) return -EINTR;
  submit(slot);
  const uint32_t state = await(slot);
  BTFUSE_STEP(11);
  if (__builtin_expect(!began_here(slot), 0)) return -EINTR;
  if (state != BT_SLOT_STATE_DONE) return -EIO;
  const int32_t status = slot->status;
  __atomic_store_n(&slot->state, BT_SLOT_STATE_IDLE, __ATOMIC_RELEASE);
  BTFUSE_STEP(12);
  return status;
}

void post(Slot* slot) {
  if (__builtin_expect(!began_here(slot), 0)) return;
  slot->request_flags |= BT_REQUEST_NO_REPLY;
  submit(slot);
}

unsigned char* slab_of(Slot* slot, uint64_t size) {
  const uint32_t index = index_of(slot);
  if (size > BT_SLAB_SIZE) return nullptr;
  if (size <= slot->slab_backed) return slab_at(index);
  uint64_t wanted = BT_SLAB_BACKED_MIN;
  while (wanted < size) wanted *= 2;
  const uint64_t offset = BT_RING_SLABS_OFFSET + (uint64_t)index * BT_SLAB_SIZE;
  long result;
  do {
    result = kernel(SYS_fallocate, client.ring_fd, 0, offset, wanted);
  } while (result == -EINTR);
  if (result < 0) return nullptr;
  slot->slab_backed = (uint32_t)wanted;
  return slab_at(index);
}

/** A slab and the pages of its slot. */
static constexpr uint64_t kLeftSize = BT_SLAB_SIZE + kSlotPages;

unsigned char* copy_slabs(const Thread& self) {
  if (self.depth == 0 || self.depth > kNesting) return nullptr;
  const long memory = kernel(SYS_mmap, 0, self.depth * kLeftSize, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory < 0 && memory > -4096) return nullptr;
  auto* copy = (unsigned char*)memory;
  for (uint32_t depth = 0; depth < self.depth; depth++) {
    if (self.slots[depth] == 0) continue;
    const Slot* slot = slot_at(self.slots[depth] - 1);
    const uint64_t backed = slot->slab_backed < BT_SLAB_SIZE ? slot->slab_backed : BT_SLAB_SIZE;
    memcpy(copy + depth * kLeftSize, slab_at(index_of(slot)), backed);
    memcpy(copy + depth * kLeftSize + BT_SLAB_SIZE, pages_of(index_of(slot)), kSlotPages);
  }
  return copy;
}

void leave_slots(const Thread& self, uint32_t depths, unsigned char* copy) {
  if (copy == nullptr) return;
  for (uint32_t depth = 0; depth < depths && client.left_count < kNesting; depth++) {
    if (self.slots[depth] == 0) continue;
    const uint32_t index = self.slots[depth] - 1;
    client.left[client.left_count++] = index;
    unsigned char* own = copy + depth * kLeftSize;
    kernel(SYS_mremap, own, BT_SLAB_SIZE, BT_SLAB_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
           slab_at(index));
    kernel(SYS_mremap, own + BT_SLAB_SIZE, kSlotPages, kSlotPages, MREMAP_MAYMOVE | MREMAP_FIXED,
           pages_of(index));
    slot_at(index)->state = BT_SLOT_STATE_IDLE;  // nobody will answer here
  }
}

void drop_slabs(unsigned char* copy, uint32_t depths) {
  if (copy != nullptr) kernel(SYS_munmap, copy, depths * kLeftSize);
}

void release_slots(Thread& self) {
  // A vfork child runs on its parent's thread: the slots are the parent's.
  if (client.ring == nullptr || self.vforks != 0) return;
  for (uint32_t depth = 0; depth < kNesting; depth++) {
    if (self.slots[depth] == 0) continue;
    const uint32_t index = self.slots[depth] - 1;
    Slot* slot = slot_at(index);
    const uint32_t state = state_of(slot);
    const bool posted = slot->request_flags & BT_REQUEST_NO_REPLY;
    self.slots[depth] = 0;
    // An answer that nobody took is the server's to undo, when it finds the owner dead.
    if (!is_ours(self, depth, slot) || slot->grant == BT_GRANT_SERVER) continue;
    slot->grant = BT_GRANT_NONE;  // a pin that a longjmp left behind
    if (state != BT_SLOT_STATE_IDLE && !posted) continue;
    __atomic_store_n(&ring_header()->slot_hint, index, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
  }
}

bool server_gone() {
  const SegmentHeader* segment = ring_segment();
  const RingHeader* header = ring_header();
  if (__atomic_load_n(&header->stop, __ATOMIC_ACQUIRE) != 0) return true;
  if (__atomic_load_n(&segment->state, __ATOMIC_ACQUIRE) == BT_SEGMENT_STATE_STOPPED) return true;
  const uint32_t pid = segment->server_pid, tid = __atomic_load_n(&header->server_tid, 0);
  // A serving thread is gone at once when its process is killed, even while that is a zombie.
  if (tid != 0 && tid != pid && kernel(SYS_tgkill, pid, tid, 0) != -ESRCH) return false;
  if (tid == 0 && kernel(SYS_kill, pid, 0) != -ESRCH) return false;
  // Not to be seen from here: gone, or in another pid namespace. The server holds a lock on the
  // ring for as long as it lives, and that every namespace can see.
  constexpr long kLockShared = 1, kLockNonblocking = 4, kUnlock = 8;
  if (kernel(SYS_flock, client.ring_fd, kLockShared | kLockNonblocking) < 0) return false;
  kernel(SYS_flock, client.ring_fd, kUnlock);
  return true;
}

}  // namespace btfuse
