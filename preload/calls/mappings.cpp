#include "mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "io.h"
#include "user_memory.h"

namespace btfuse {

namespace {

Mapping table[kMappingsMax];
/** Entries from here on have never been used. */
uint32_t limit;
/** Entries that share a word of the process's table. */
uint16_t sharers[BT_MAPPINGS_MAX];
/** Bounds of everything that was ever mapped; only ever widened. */
uint64_t lowest = ~0ull, highest;
/** Entries with covered < end. */
uint32_t uncovered;
/** Some map has had pages that show nothing. */
bool gaps;
uint32_t locked;

/** The maps belong to the address space: to own_record() also while a vfork child runs in it. */
uint32_t* words() {
  return mapping_table_of(own_record());
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

namespace {

/** The word that holds the description, else a free one, else BT_MAPPINGS_MAX. */
uint32_t find_word(const Process* record, uint32_t description) {
  uint32_t free = BT_MAPPINGS_MAX;
  for (uint32_t i = 0; i < record->mapping_limit && i < BT_MAPPINGS_MAX; i++) {
    if (sharers[i] != 0 && words()[i] == description) return i;
    if (sharers[i] == 0 && free == BT_MAPPINGS_MAX) free = i;
  }
  if (free == BT_MAPPINGS_MAX) free = record->mapping_limit;
  return free;
}

}  // namespace

Mapping* claim_mapping(uint32_t description) {
  Process* record = process_at(own_record());
  uint32_t free = 0;
  while (free < limit && table[free].description != 0) free++;
  if (free == kMappingsMax) return nullptr;
  uint32_t word = find_word(record, description);
  if (word == BT_MAPPINGS_MAX) return nullptr;
  if (sharers[word]++ == 0) {
    hold(description);
    if (record->mapping_limit <= word)
      __atomic_store_n(&record->mapping_limit, word + 1, __ATOMIC_RELEASE);
    __atomic_store_n(words() + word, description, __ATOMIC_RELEASE);
  }
  table[free] = Mapping{0, 0, 0, 0, description, word, BT_MAPPING_MORE, 0, 0};
  if (free == limit) limit++;
  return &table[free];
}

void place_mapping(Mapping& mapping, uint64_t start, uint64_t end, uint64_t covered) {
  set_covered(mapping, ~0ull);
  mapping.start = start;
  mapping.end = end;
  set_covered(mapping, covered);
  if (start < lowest) __atomic_store_n(&lowest, start, __ATOMIC_RELEASE);
  if (end > highest) __atomic_store_n(&highest, end, __ATOMIC_RELEASE);
  if (covered < end) note_gaps();
}

void note_gaps() {
  __atomic_store_n(&gaps, true, __ATOMIC_RELEASE);
  catch_bus_errors();
}

bool any_gaps() {
  return __atomic_load_n(&gaps, __ATOMIC_ACQUIRE);
}

void release_mapping(Thread& self, Mapping& mapping, uint64_t user_stack) {
  set_covered(mapping, ~0ull);
  uint32_t word = mapping.word, id = 0;
  if (mapping.description != 0 && --sharers[word] == 0)
    id = __atomic_exchange_n(words() + word, 0, __ATOMIC_ACQ_REL);
  mapping = Mapping{};
  if (id != 0) drop(self, id % BT_DESCRIPTIONS_MAX, user_stack);
}

Mapping* find_mapping(uint64_t address) {
  for (uint32_t i = 0; i < limit; i++) {
    if (table[i].start <= address && address < table[i].end) return &table[i];
  }
  return nullptr;
}

namespace {

/** [start, end) lies inside the entry and does not reach its end: what follows gets its own. False:
 * no entry to spare, nothing has changed. */
bool split(Mapping& mapping, uint64_t start, uint64_t end) {
  Mapping* rest = claim_mapping(mapping.description);
  if (rest == nullptr) return false;
  rest->protection = mapping.protection;
  rest->flags = mapping.flags;
  rest->offset = mapping.offset + (int64_t)(end - mapping.start);
  uint64_t covered = mapping.covered < end ? end : mapping.covered;
  place_mapping(*rest, end, mapping.end, covered);
  reshape(mapping, mapping.start, start);
  return true;
}

}  // namespace

void forget_mappings(Thread& self, uint64_t start, uint64_t end, uint64_t user_stack) {
  for (uint32_t i = 0; i < limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.start >= end || mapping.end <= start) continue;
    if (start <= mapping.start && mapping.end <= end) {
      release_mapping(self, mapping, user_stack);
    } else if (start <= mapping.start) {
      reshape(mapping, end, mapping.end);
    } else if (mapping.end <= end) {
      reshape(mapping, mapping.start, start);
    } else {
      // Without an entry to spare this one goes on to span the gap: it holds the file, which is
      // what counts.
      split(mapping, start, end);
    }
  }
}

bool any_read_only(uint64_t start, uint64_t end) {
  for (uint32_t i = 0; i < limit; i++) {
    const Mapping& mapping = table[i];
    if (mapping.start >= end || mapping.end <= start) continue;
    if ((mapping.flags & MAP_TYPE) == MAP_PRIVATE) continue;
    if ((description_record(mapping.description)->open_flags & O_ACCMODE) != O_RDWR) return true;
  }
  return false;
}

namespace {

/** `at` comes to lie between two entries. */
void cut(uint64_t at) {
  Mapping* mapping = find_mapping(at);
  if (mapping != nullptr && mapping->start < at) split(*mapping, at, at);
}

bool continues(const Mapping& mapping, const Mapping& next) {
  return next.description == mapping.description && next.start == mapping.end &&
         next.protection == mapping.protection && next.flags == mapping.flags &&
         next.offset == mapping.offset + (int64_t)(mapping.end - mapping.start) &&
         (mapping.covered == mapping.end || next.covered == next.start);
}

/** Entries that lie behind this one and are like it become part of it. */
void join(Thread& self, Mapping& mapping) {
  for (uint32_t i = 0; i < limit; i++) {
    if (table[i].end == 0 || !continues(mapping, table[i])) continue;
    uint64_t end = table[i].end;
    uint64_t covered = mapping.covered == mapping.end ? table[i].covered : mapping.covered;
    release_mapping(self, table[i], 0);
    place_mapping(mapping, mapping.start, end, covered);
    i = ~0u;
  }
}

}  // namespace

void note_protection(Thread& self, uint64_t start, uint64_t end, int protection) {
  cut(start);
  cut(end);
  for (uint32_t i = 0; i < limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.description != 0 && start <= mapping.start && mapping.end <= end)
      mapping.protection = protection;
  }
  for (uint32_t i = 0; i < limit; i++) {
    if (table[i].end != 0 && table[i].start <= end && start <= table[i].end) join(self, table[i]);
  }
}

bool extend(Thread& self, Mapping& mapping, uint64_t user_stack) {
  uint64_t covered = mapping.covered;
  if (covered >= mapping.end) return false;
  cover_mapping(self, mapping, user_stack);
  uint64_t reached = mapping.covered;
  mapping.covered = covered;
  set_covered(mapping, reached);
  return reached != covered;
}

void resize_mappings(Thread& self, uint32_t description, uint64_t user_stack) {
  if (process_at(own_record())->mapping_limit == 0) return;
  MappingsLock lock;
  uint32_t ino = description == 0 ? 0 : description_record(description)->ino;
  for (uint32_t i = 0; i < limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.end == 0) continue;
    if (ino != 0 && description_record(mapping.description)->ino != ino) continue;
    long size = file_size(self, mapping.description, user_stack);
    if (size < 0) continue;
    uint64_t pages = ((uint64_t)size + BT_PAGE_SIZE - 1) & ~(uint64_t)(BT_PAGE_SIZE - 1);
    uint64_t shown = pages > (uint64_t)mapping.offset ? pages - (uint64_t)mapping.offset : 0;
    if (shown < mapping.covered - mapping.start) {
      uint64_t from = mapping.start + shown;
      if (uncover_mapping(mapping, from) != 0) continue;
      forget_memory(from, mapping.end - from);
      place_mapping(mapping, mapping.start, mapping.end, from);
    } else {
      extend(self, mapping, user_stack);
    }
  }
}

void extend_mappings(Thread& self, uint32_t description, uint64_t user_stack) {
  if (__atomic_load_n(&uncovered, __ATOMIC_SEQ_CST) == 0) return;
  MappingsLock lock;
  uint32_t ino = description == 0 ? 0 : description_record(description)->ino;
  for (uint32_t i = 0; i < limit; i++) {
    Mapping& mapping = table[i];
    if (mapping.description == 0 || mapping.covered >= mapping.end) continue;
    if (ino != 0 && description_record(mapping.description)->ino != ino) continue;
    extend(self, mapping, user_stack);
  }
}

}  // namespace btfuse
