// mremap of maps of files in the tree. The kernel moves the pages, with what a private map has made
// of them; what a map grows by is asked of the server.
#include "remap.h"

#include <errno.h>
#include <sys/mman.h>

#include "calls.h"
#include "user_memory.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace btfuse {

namespace {

constexpr uint64_t kPageMask = BT_PAGE_SIZE - 1;
constexpr int kReserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kPlaceFlags = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT;

struct Remap {
  uint64_t start, size, new_size;
  int flags;
  uint64_t target;
};

uint64_t page_up(uint64_t size) {
  return (size + kPageMask) & ~kPageMask;
}

/** What lies at `end` and was reserved comes to show what follows in the file. 0 or -errno. */
long grow(Thread& self, Mapping& mapping, uint64_t end, uint64_t user_stack) {
  Mapping grown = mapping;
  grown.end = end;
  long error = cover_mapping(self, grown, user_stack);
  if (error == 0 && grown.covered < end) error = uncover_mapping(grown, grown.covered);
  if (error == 0) place_mapping(mapping, grown.start, end, grown.covered);
  return error;
}

/** Grows at its end when the pages behind it are free. Address or -errno. */
long grow_in_place(Thread& self, Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  uint64_t end = remap.start + remap.size, more = remap.new_size - remap.size;
  if (end != mapping.end) return -ENOMEM;
  long address = kernel(SYS_mmap, end, more, PROT_NONE, kReserve | MAP_FIXED_NOREPLACE, -1, 0);
  if (!failed(address) && (uint64_t)address != end) kernel(SYS_munmap, address, more);
  if ((uint64_t)address != end) return -ENOMEM;
  long error = grow(self, mapping, end + more, user_stack);
  if (error == 0) return (long)remap.start;
  kernel(SYS_munmap, end, more);
  return error;
}

/**
 * Moves [from, from + size) to `to`, which is reserved. The kernel moves one area at a call, and
 * how far the areas reach is not known here: halves of what it refuses, down to one page.
 */
long carry(uint64_t from, uint64_t to, uint64_t size, int keep) {
  uint64_t piece = size;
  for (uint64_t at = 0; at < size;) {
    if (piece > size - at) piece = size - at;
    long result =
        kernel(SYS_mremap, from + at, piece, piece, MREMAP_MAYMOVE | MREMAP_FIXED | keep, to + at);
    if (!failed(result)) {
      at += piece;
      piece = size - at;
    } else if (result == -EFAULT && piece > BT_PAGE_SIZE) {
      piece = page_up(piece / 2);
    } else {
      return result;
    }
  }
  return 0;
}

long reserve(const Remap& remap) {
  bool fixed = (remap.flags & MREMAP_FIXED) != 0;
  bool hint = (remap.flags & MREMAP_DONTUNMAP) != 0;
  return kernel(SYS_mmap, fixed || hint ? remap.target : 0, remap.new_size, PROT_NONE,
                kReserve | (fixed ? MAP_FIXED : 0), -1, 0);
}

/** A second map of the same pages: mremap of size 0. */
long duplicate(Thread& self, const Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  bool fixed = (remap.flags & MREMAP_FIXED) != 0;
  if ((mapping.flags & MAP_TYPE) == MAP_PRIVATE) return -EINVAL;
  int flags = (mapping.flags & ~kPlaceFlags) | (fixed ? MAP_FIXED : 0);
  uint64_t offset = (uint64_t)mapping.offset + (remap.start - mapping.start);
  return map_file(self, mapping.description, fixed ? remap.target : 0, remap.new_size,
                  mapping.protection, flags, offset, user_stack);
}

long move_map(Thread& self, const Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  if (remap.size == 0) return duplicate(self, mapping, remap, user_stack);
  // A copy: entries may be cut while the new map is made.
  const Mapping old = mapping;
  Mapping* moved = claim_mapping(old.description);
  if (moved == nullptr) return -ENOMEM;
  long address = reserve(remap);
  if (failed(address)) {
    release_mapping(self, *moved, user_stack);
    return address;
  }
  const uint64_t to = (uint64_t)address, end = remap.start + remap.size;
  const uint64_t kept = remap.size < remap.new_size ? remap.size : remap.new_size;
  if (remap.flags & MREMAP_FIXED) forget_mappings(self, to, to + remap.new_size, user_stack);
  const int keep = remap.flags & MREMAP_DONTUNMAP;
  long error = carry(remap.start, to, kept, keep);
  if (error == 0 && kept < remap.size) kernel(SYS_munmap, remap.start + kept, remap.size - kept);
  if (keep == 0) forget_mappings(self, remap.start, end, user_stack);
  moved->protection = old.protection;
  moved->flags = old.flags;
  moved->offset = old.offset + (int64_t)(remap.start - old.start);
  const uint64_t covered = old.covered > end ? end : old.covered;
  const uint64_t shown = covered > remap.start ? covered - remap.start : 0;
  place_mapping(*moved, to, to + kept, to + (shown < kept ? shown : kept));
  if (error == 0 && kept < remap.new_size) {
    error = grow(self, *moved, to + remap.new_size, user_stack);
    if (error != 0) kernel(SYS_munmap, to + kept, remap.new_size - kept);
  }
  return error == 0 ? address : error;
}

long shrink(Thread& self, const Remap& remap, uint64_t user_stack) {
  uint64_t from = remap.start + remap.new_size, to = remap.start + remap.size;
  if (from == to) return (long)remap.start;
  kernel(SYS_munmap, from, to - from);
  forget_mappings(self, from, to, user_stack);
  return (long)remap.start;
}

bool overlap(const Remap& remap) {
  return remap.target < remap.start + remap.size && remap.start < remap.target + remap.new_size;
}

long remap_file(Thread& self, Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  bool fixed = (remap.flags & MREMAP_FIXED) != 0;
  bool keep = (remap.flags & MREMAP_DONTUNMAP) != 0;
  if (remap.flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
  if (keep && ((remap.flags & MREMAP_MAYMOVE) == 0 || remap.size != remap.new_size)) return -EINVAL;
  if (fixed && (remap.flags & MREMAP_MAYMOVE) == 0) return -EINVAL;
  if ((remap.start & kPageMask) || remap.new_size == 0) return -EINVAL;
  if ((fixed || keep) && ((remap.target & kPageMask) || overlap(remap))) return -EINVAL;
  if (remap.start + remap.size > mapping.end) return -EFAULT;
  if (keep) return move_map(self, mapping, remap, user_stack);
  if (!fixed && remap.new_size <= remap.size && remap.size != 0)
    return shrink(self, remap, user_stack);
  if (!fixed && remap.size > 0) {
    long address = grow_in_place(self, mapping, remap, user_stack);
    if (!failed(address)) return address;
  }
  if ((remap.flags & MREMAP_MAYMOVE) == 0) return -ENOMEM;
  return move_map(self, mapping, remap, user_stack);
}

}  // namespace

Verdict sys_mremap(Call& call, Thread& self) {
  const long* a = call.args;
  Remap remap{(uint64_t)a[0], page_up((uint64_t)a[1]), page_up((uint64_t)a[2]), (int)a[3],
              (uint64_t)a[4]};
  forget_memory(remap.start, remap.size);
  if (remap.flags & MREMAP_FIXED) forget_memory(remap.target, remap.new_size);
  bool ours = may_touch_mappings(remap.start, remap.size | 1);
  bool onto_ours = (remap.flags & MREMAP_FIXED) && may_touch_mappings(remap.target, remap.new_size);
  if (!ours && !onto_ours) return Verdict::PASS;
  MappingsLock lock;
  Mapping* mapping = find_mapping(remap.start);
  if (mapping != nullptr) return done(call, remap_file(self, *mapping, remap, call.stack));
  long address = kernel(SYS_mremap, a[0], a[1], a[2], a[3], a[4]);
  if (!failed(address) && onto_ours)
    forget_mappings(self, remap.target, remap.target + remap.new_size, call.stack);
  return done(call, address);
}

}  // namespace btfuse
