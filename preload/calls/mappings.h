// Memory maps of tree files in this address space. Each is a run of pages that stand for a run of
// the file and have one protection; it holds its description through a word of the process's
// mapping table in the ring, which it shares with the other maps of that description.
//
// A page that shows nothing (it lies beyond the end of file, or in a very large hole) is one of the
// data segment beyond its end: touching it is SIGBUS, and bus.cpp brings what the file has there by
// then (docs/adr/0016).
#pragma once
#include "descriptors.h"

namespace btfuse {

struct Mapping {
  uint64_t start, end;  ///< addresses, page-aligned; 0, 0: free
  uint64_t covered;     ///< [start, covered) shows the file, but for large holes
  int64_t offset;       ///< file offset of `start`
  uint32_t description;
  uint32_t word;          ///< index of the word that holds it
  uint32_t how;           ///< MAPPING_MORE, once it is there
  int protection, flags;  ///< PROT_* as they are now, MAP_* as given to mmap
};

/** Maps of one process at a time; the kernel's own limit is 65530. */
inline constexpr uint32_t kMappingsMax = 16384;

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
/** mprotect changed the range: entries are cut at its ends and joined again where they are alike.
 */
void note_protection(Thread& self, uint64_t start, uint64_t end, int protection);

/**
 * The file behind `description` may have grown by this process's hand: pages of its maps that lay
 * beyond its end come to show it. Takes the lock; free when no map of this process has such pages.
 */
void extend_mappings(Thread& self, uint32_t description, uint64_t user_stack);
/**
 * This process has set the size of the file (0: of some file): pages of its maps that now lie
 * beyond the end give SIGBUS again, others come. Takes the lock; free when this process has no map.
 */
void resize_mappings(Thread& self, uint32_t description, uint64_t user_stack);

/**
 * mapping.cpp: the page at `address` cannot be touched. True: it stands for something that the file
 * has by now, and was brought. Takes the lock; cheap when no map of this process has such pages.
 */
bool bring_page(Thread& self, uint64_t address, uint64_t user_stack);
/** Some map has had pages that show nothing: what bring_page asks first. */
bool any_gaps();
void note_gaps();

/** bus.cpp: SIGBUS comes to us first from now on. With the lock held. */
void catch_bus_errors();
/** In a fork child: it may have been made without our handler. */
void catch_bus_errors_again();

/** Maps what the file now has of [covered, end), and notes it. True when that was something. */
bool extend(Thread& self, Mapping& mapping, uint64_t user_stack);
/** mapping.cpp: maps what the file now has of [covered, end). 0 or -errno. */
long cover_mapping(Thread& self, Mapping& mapping, uint64_t user_stack);
/** mapping.cpp: [from, end) gives SIGBUS when it is touched. 0 or -errno. */
long uncover_mapping(const Mapping& mapping, uint64_t from);

}  // namespace btfuse
