#include "mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

namespace btfuse {

namespace {

Mapping table[BT_MAPPINGS_MAX];
/** Bounds of everything that was ever mapped; only ever widened. */
uint64_t lowest = ~0ull, highest;
/** Entries with covered < end. */
uint32_t uncovered;
uint32_t locked;

/** The maps belong to the address space: to client.process also while a vfork child runs in it. */
uint32_t* words() {
  return mapping_table_of(client.process);
}

void set_covered(Mapping& mapping, uint64_t covered) {
  bool was = mapping.covered < mapping.end, is = covered < mapping.end;
  mapping.covered = covered;
  if (is && !was) __atomic_fetch_add(&uncovered, 1, __ATOMIC_SEQ_CST);
  if (was && !is) __atomic_fetch_sub(&uncovered, 1, __ATOMIC_SEQ_CST);
}

/** Moves the bounds of an entry; an empty one stays claimed until it is released. */
void reshape(Mapping& mapping, uint64_t start, uint64_t end) {
  uint64_t covered = mapping.covered;
  set_covered(mapping, ~0ull);
  mapping.offset += (int64_t)(start - mapping.start);
  mapping.start = start;
  mapping.end = end;
  if (covered > end) covered = end;
  if (covered < start) covered = start;
  set_covered(mapping, covered);
}

}  // namespace

bool may_touch_mappings(uint64_t start, uint64_t size) {
  return start < __atomic_load_n(&highest, __ATOMIC_ACQUIRE) &&
         start + size > __atomic_load_n(&lowest, __ATOMIC_ACQUIRE);
}

MappingsLock::MappingsLock() {
  uint64_t all = ~0ull;
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, &all, &signals_, sizeof all);
  while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE) != 0) kernel(SYS_sched_yield);
}

MappingsLock::~MappingsLock() {
  __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, &signals_, 0, sizeof signals_);
}

void reset_mappings_lock() {
  __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

Mapping* claim_mapping(uint32_t description) {
  Process* record = process_at(client.process);
  for (uint32_t i = 0; i < BT_MAPPINGS_MAX; i++) {
    if (table[i].description != 0) continue;
    table[i] = Mapping{0, 0, 0, 0, description, 0, 0};
    hold(description);
    if (record->mapping_limit <= i)
      __atomic_store_n(&record->mapping_limit, i + 1, __ATOMIC_RELEASE);
    __atomic_store_n(words() + i, description, __ATOMIC_RELEASE);
    return &table[i];
  }
  return nullptr;
}

void place_mapping(Mapping& mapping, uint64_t start, uint64_t end, uint64_t covered) {
  set_covered(mapping, ~0ull);
  mapping.start = start;
  mapping.end = end;
  set_covered(mapping, covered);
  if (start < lowest) __atomic_store_n(&lowest, start, __ATOMIC_RELEASE);
  if (end > highest) __atomic_store_n(&highest, end, __ATOMIC_RELEASE);
}

void release_mapping(Thread& self, Mapping& mapping, uint64_t user_stack) {
  set_covered(mapping, ~0ull);
  uint32_t index = (uint32_t)(&mapping - table);
  uint32_t id = __atomic_exchange_n(words() + index, 0, __ATOMIC_ACQ_REL);
  mapping = Mapping{};
  if (id != 0) drop(self, id % BT_DESCRIPTIONS_MAX, user_stack);
}

Mapping* find_mapping(uint64_t address) {
  uint32_t limit = process_at(client.process)->mapping_limit;
  for (uint32_t i = 0; i < limit && i < BT_MAPPINGS_MAX; i++) {
    if (table[i].start <= address && address < table[i].end) return &table[i];
  }
  return nullptr;
}

namespace {

/** [start, end) lies inside the entry and touches neither of its ends: what follows gets its own.
 */
void split(Mapping& mapping, uint64_t start, uint64_t end) {
  Mapping* rest = claim_mapping(mapping.description);
  // Without an entry to spare this one goes on to span the gap: it holds the file, which is what
  // counts.
  if (rest == nullptr) return;
  rest->protection = mapping.protection;
  rest->flags = mapping.flags;
  rest->offset = mapping.offset + (int64_t)(end - mapping.start);
  uint64_t covered = mapping.covered < end ? end : mapping.covered;
  place_mapping(*rest, end, mapping.end, covered);
  reshape(mapping, mapping.start, start);
}

}  // namespace

void forget_mappings(Thread& self, uint64_t start, uint64_t end, uint64_t user_stack) {
  for (uint32_t i = 0; i < BT_MAPPINGS_MAX && i < process_at(client.process)->mapping_limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.start >= end || mapping.end <= start) continue;
    if (start <= mapping.start && mapping.end <= end) {
      release_mapping(self, mapping, user_stack);
    } else if (start <= mapping.start) {
      reshape(mapping, end, mapping.end);
    } else if (mapping.end <= end) {
      reshape(mapping, mapping.start, start);
    } else {
      split(mapping, start, end);
    }
  }
}

bool any_read_only(uint64_t start, uint64_t end) {
  for (uint32_t i = 0; i < BT_MAPPINGS_MAX && i < process_at(client.process)->mapping_limit; i++) {
    const Mapping& mapping = table[i];
    if (mapping.start >= end || mapping.end <= start) continue;
    if ((mapping.flags & MAP_TYPE) == MAP_PRIVATE) continue;
    if ((description_record(mapping.description)->open_flags & O_ACCMODE) != O_RDWR) return true;
  }
  return false;
}

void note_protection(uint64_t start, uint64_t end, int protection) {
  for (uint32_t i = 0; i < BT_MAPPINGS_MAX && i < process_at(client.process)->mapping_limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.description != 0 && start <= mapping.start && mapping.end <= end)
      mapping.protection = protection;
  }
}

void extend_mappings(Thread& self, uint32_t description, uint64_t user_stack) {
  if (__atomic_load_n(&uncovered, __ATOMIC_SEQ_CST) == 0) return;
  MappingsLock lock;
  uint32_t ino = description == 0 ? 0 : description_record(description)->ino;
  for (uint32_t i = 0; i < BT_MAPPINGS_MAX && i < process_at(client.process)->mapping_limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.description == 0 || mapping.covered >= mapping.end) continue;
    if (ino != 0 && description_record(mapping.description)->ino != ino) continue;
    uint64_t covered = mapping.covered;
    if (cover_mapping(self, mapping, user_stack) == 0 && mapping.covered != covered) {
      uint64_t reached = mapping.covered;
      mapping.covered = covered;
      set_covered(mapping, reached);
    }
  }
}

}  // namespace btfuse
