// Memory maps of tree files in this address space. Each is a run of pages that stand for a run of
// the file; entry i holds its description through word i of the process's mapping table in the
// ring.
#pragma once
#include "descriptors.h"

namespace btfuse {

struct Mapping {
  uint64_t start, end;  ///< addresses, page-aligned; 0, 0: free
  uint64_t covered;     ///< [start, covered) shows the file; what follows gives SIGBUS
  int64_t offset;       ///< file offset of `start`
  uint32_t description;
  int protection, flags;  ///< as given to mmap: PROT_*, MAP_*
};

/** Cheap and exact for "no map at all": what munmap and mmap of other memory pay. */
bool may_touch_mappings(uint64_t start, uint64_t size);

/**
 * Holds the table: all signals blocked, so that a handler that maps memory cannot wait for itself.
 * Requests may be made inside.
 */
class MappingsLock {
 public:
  MappingsLock();
  ~MappingsLock();
  MappingsLock(const MappingsLock&) = delete;

 private:
  uint64_t signals_;
};
/** In a fork child: the lock's holder may be a thread that is not here. */
void reset_mappings_lock();

// The rest with the lock held.

/** A free entry that holds `description` (one more reference), or nullptr. */
Mapping* claim_mapping(uint32_t description);
/** Publishes start, end and covered of a claimed entry. */
void place_mapping(Mapping& mapping, uint64_t start, uint64_t end, uint64_t covered);
void release_mapping(Thread& self, Mapping& mapping, uint64_t user_stack);
/** The entry that contains `address`, or nullptr. */
Mapping* find_mapping(uint64_t address);
/** The pages are gone or belong to something else: entries are cut, split, released. */
void forget_mappings(Thread& self, uint64_t start, uint64_t end, uint64_t user_stack);

/** Is a part of the range a shared map of a file that was opened for reading only? */
bool any_read_only(uint64_t start, uint64_t end);
/** mprotect changed the range: entries that lie wholly in it remember, for what they may grow to.
 */
void note_protection(uint64_t start, uint64_t end, int protection);

/**
 * The file behind `description` may have grown by this process's hand: pages of its maps that lay
 * beyond its end come to show it. Takes the lock; free when no map of this process has such pages.
 */
void extend_mappings(Thread& self, uint32_t description, uint64_t user_stack);

/** mapping.cpp: maps what the file now has of [covered, end). 0 or -errno. */
long cover_mapping(Thread& self, Mapping& mapping, uint64_t user_stack);

}  // namespace btfuse
