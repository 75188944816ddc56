// The client of a session: what one process (and each of its threads) knows of the ring.
// Linked into the shim and into the kernel-FUSE gateway. No libc, no allocation, no exceptions.
//
// Trust: the client believes the server and the store segment; it believes nothing that another
// process wrote into the ring further than that a lie harms this session only.
#pragma once
#include "../../ringbuf/layout.gen.h"
#include "syscall.h"

namespace btfuse {

using namespace layout;

/** Nested calls from signal handlers use a slot of their own, at most so many deep. */
inline constexpr uint32_t kNesting = 12;
/** vfork children of vfork children that need no memory of their own to be kept apart. */
inline constexpr uint32_t kVforksNear = 2;

/** What a clone leaves apart and together. */
enum CloneKind : uint32_t {
  KIND_FORK,          ///< memory copied, descriptors copied
  KIND_FORK_SHARED,   ///< memory copied, descriptors shared (CLONE_FILES)
  KIND_VFORK,         ///< memory shared while the parent waits, descriptors copied
  KIND_VFORK_SHARED,  ///< both shared
};

/** One clone that is under way, or whose vfork child now runs on the thread's memory. */
struct CloneFrame {
  uint64_t return_address;
  uint64_t small_stack;  ///< a vfork child that was killed in a handler leaves its level taken
  CloneKind kind;
  uint32_t process;       ///< Thread.process before
  uint32_t child;         ///< the child's record
  uint32_t generation;    ///< of that record
  uint32_t depth;         ///< requests under way on this thread
  uint32_t begun, ended;  ///< changes of the fd table, before it was copied
  unsigned char* slabs;   ///< of a fork in the middle of requests: what their slabs held
};

/** One thread. Zero-initialised: the first virtual call fills it in. */
struct Thread {
  uint32_t tid;      ///< kernel tid; 0: not yet known. A fork child must forget it.
  uint32_t process;  ///< index of the process record that this thread acts for; differs from
                     ///< client.process only in a vfork child; 0: take client.process
  uint32_t depth;    ///< requests under way on this thread
  uint32_t slots[kNesting];        ///< slot index + 1 for each depth; 0: none claimed
  uint32_t generations[kNesting];  ///< Slot.generation when it was claimed
  uint64_t frames[kNesting];  ///< stack pointer of the program at each depth: a call from a frame
                              ///< above it means that a longjmp left the request behind
  uint32_t growing;   ///< description that the last write added a block to: a hint, 0 for none
  uint64_t grown_to;  ///< and where that ended
  uint32_t vforks;    ///< vfork children now running on this thread's memory
  CloneFrame vfork[kVforksNear];
  CloneFrame* more_vforks;  ///< a page of them; nullptr until it is needed
};

extern __thread Thread thread __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** One process. In bss; written at attach and by fork only. */
struct Client {
  unsigned char* ring;  ///< ring segment, read-write, BT_RING_SIZE bytes; nullptr: not attached
  const unsigned char* store;  ///< store segment, read-only (nullptr when not granted)
  int ring_fd, store_fd, data_fd, anchor_fd;  ///< all ≥ BT_PRIVATE_FD_MIN where the limit allows
  int nodes_fd;                               ///< -1 until it is needed (calls/nodes.h)
  uint32_t process;                           ///< index of our process record
  uint32_t life;  ///< record that stands for us when `process` is another one's, whose descriptors
                  ///< we share (CLONE_FILES); 0: `process` does
  uint32_t left_count;  ///< slots of the parent, in whose requests a fork came (ring.cpp)
  uint32_t left[kNesting];
  bool threaded;    ///< there are, or were, threads, which share our descriptors
  bool namespaced;  ///< our pids and tids are not those that the server sees
  uint32_t pid;
  uint32_t prefix_length;
  const char* prefix;  ///< in the ring's SegmentHeader, NUL-terminated, e.g. "/bt"
  uint64_t store_size, data_size;
};

extern Client client __attribute__((visibility("hidden")));

inline SegmentHeader* ring_segment() {
  return (SegmentHeader*)client.ring;
}
inline RingHeader* ring_header() {
  return (RingHeader*)(client.ring + BT_PAGE_SIZE);
}
inline Slot* slot_at(uint32_t index) {
  return (Slot*)(client.ring + BT_RING_SLOTS_OFFSET) + index;
}
inline unsigned char* slab_at(uint32_t index) {
  return client.ring + BT_RING_SLABS_OFFSET + (uint64_t)index * BT_SLAB_SIZE;
}
inline uint32_t index_of(const Slot* slot) {
  return (uint32_t)(slot - slot_at(0));
}
inline Process* process_at(uint32_t index) {
  return (Process*)(client.ring + BT_RING_PROCESSES_OFFSET) + index;
}
inline uint32_t* fd_table_of(uint32_t process) {
  return (uint32_t*)(client.ring + BT_RING_FD_TABLES_OFFSET +
                     (uint64_t)process * BT_RING_FD_TABLE_SIZE);
}
/** Mapping references of a process: MAPPINGS_MAX words behind its fd table. */
inline uint32_t* mapping_table_of(uint32_t process) {
  return fd_table_of(process) + BT_FDS_MAX;
}
inline DescriptionState* description_state(uint32_t id) {
  return (DescriptionState*)(client.ring + BT_RING_DESCRIPTIONS_OFFSET) + id;
}
inline uint32_t process_of(const Thread& self) {
  return self.process != 0 ? self.process : client.process;
}
/** The record of this process alone: it lists the memory maps. */
inline uint32_t own_record() {
  return client.life != 0 ? client.life : client.process;
}

// ---- attach.cpp ---------------------------------------------------------------------------------

/** Descriptors and process record that an execve handed on (environment, checked again). */
struct Inherited {
  int ring_fd, store_fd, data_fd, anchor_fd;
  uint32_t process;
};

/**
 * Maps the session's segments, checks magic, version, schema hash and state, and fills `client`.
 * With `inherited` the descriptors are used after the same checks; otherwise (or when they do not
 * hold) the segments are opened by name: /dev/shm/btfuse.<name>.{ring,store,data}, O_NOFOLLOW,
 * regular, owned by root or our euid. Our own descriptors are moved to ≥ BT_PRIVATE_FD_MIN and are
 * not CLOEXEC. Takes over the inherited process record if its pid is ours (dropping entries whose
 * kernel descriptor did not survive the exec), else claims a new one.
 * Returns 0 or -errno; -EPROTO: another version or foreign segment.
 */
int attach(const char* session, const Inherited* inherited);

/** Moves a descriptor of ours to ≥ BT_PRIVATE_FD_MIN where it can. The new number, or `fd`. */
int raise(long fd);

/** Claims a process record (state FORKING, parent = `parent`, fd table empty and backed). 0: none
 * free. */
uint32_t claim_process(uint32_t parent);
/**
 * In a pid namespace of its own a process has a number that the server cannot look up: it holds a
 * lock on the first byte of its record in the ring's file instead, which ends with it.
 */
void show_life(uint32_t process);
/** Fills ids, groups and umask of the record from the kernel. */
void load_credentials(uint32_t process);
/** Backs the first `bytes` of the record's fd table (doubling). False: -ENOSPC, the words must not
 * be touched. */
bool back_fd_table(uint32_t process, uint64_t bytes);
/** -1 reference of a description; the last one leaves it idle (idle.h) or posts RELEASE. Uses
 * begin/end. descriptors.h: drop() is this. */
void release_reference(Thread& self, uint32_t description, uint64_t user_stack);

// ---- ring.cpp -----------------------------------------------------------------------------------

/**
 * A slot, IDLE, with opcode 0, flags 0, credentials, umask and symlinks filled in; every other
 * field is as the last request left it, so set what the opcode reads. nullptr: none to be had
 * (-EIO). `user_stack` is the program's stack pointer. Each begin() that gave a slot is paired with
 * one end().
 */
Slot* begin(Thread& self, uint64_t user_stack);
void end(Thread& self);

/** Posts the request and waits. Returns Slot.status; -EIO when the server is gone or stops. */
int32_t transact(Slot* slot);
/** Posts it with REQUEST_NO_REPLY; the next begin() on this slot waits for it. */
void post(Slot* slot);

/** Room for `size` bytes of request or reply payload: the slab (backed), or nullptr (-ENOMEM). */
unsigned char* slab_of(Slot* slot, uint64_t size);
/** Where the reply payload stands. */
inline unsigned char* reply_payload(Slot* slot) {
  return (slot->reply_flags & BT_REPLY_SLAB) ? slab_at(index_of(slot)) : slot->payload;
}
/** Gives the slots of this thread back. Called when a thread exits, and before an execve. */
void release_slots(Thread& self);
/**
 * In a fork child (a copy of the parent's memory): forgets tid, depth, slots and vfork frames,
 * which are the parent's. Not in a vfork child, which runs on the parent's thread and may use its
 * slots.
 */
void forget_slots(Thread& self);
/**
 * A fork that a signal handler makes in the middle of requests: the child may come back to them,
 * and must then not touch what is the parent's. Before it slots and slabs are copied; the child
 * puts the copies in their place and never uses those slots; transact() tells it EINTR.
 */
unsigned char* copy_slabs(const Thread& self);
void leave_slots(const Thread& self, uint32_t depths, unsigned char* copy);
void drop_slabs(unsigned char* copy, uint32_t depths);
/** True when nobody will answer any more: stopped, or the server's thread is gone. */
bool server_gone();
/** Slot.owner of those whose tid means nothing to the server: so much, and their process record. */
inline constexpr uint32_t kOwnerIsProcess = 0x8000'0000;
/** Kernel tid of this thread, looked up once; or what stands for it. */
inline uint32_t tid_of(Thread& self) {
  if (self.tid == 0)
    self.tid = client.namespaced ? kOwnerIsProcess | own_record() : (uint32_t)kernel(SYS_gettid);
  return self.tid;
}
/** CPU that this thread runs on, without a system call: what the vDSO's getcpu does. */
inline uint32_t current_cpu() {
  uint32_t packed;
  asm volatile("lsl %1, %0" : "=r"(packed) : "r"(0x7b) : "cc");
  return packed & 0xfff;
}

}  // namespace btfuse
