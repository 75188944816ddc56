// mmap of files in the tree: the pages of the data segment that hold the file, so that maps and
// read and write see the same bytes in every process.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "calls.h"
#include "io.h"
#include "mappings.h"
#include "user_memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace btfuse {

namespace {

/** No heap and no segment of System V memory is longer. */
constexpr uint64_t kHeapMax = 1ull << 40;
constexpr uint64_t kPageMask = BT_PAGE_SIZE - 1;
/** Flags that say how pages are brought in; the rest concerns the choice of the address. */
constexpr int kPageFlags = MAP_NORESERVE | MAP_LOCKED | MAP_POPULATE | MAP_NONBLOCK;
constexpr int kPlaceFlags = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT;

uint64_t page_up(uint64_t size) {
  return (size + kPageMask) & ~kPageMask;
}
bool failed(long address) {
  return address < 0 && address > -4096;
}
bool is_shared(int flags) {
  return (flags & MAP_TYPE) != MAP_PRIVATE;
}

/** do_mmap's checks of a file, in its order. */
long check_map(uint32_t id, uint64_t size, int protection, int flags, uint64_t offset) {
  const Description* record = description_record(id);
  uint32_t mode = record->open_flags & O_ACCMODE;
  if (record->open_flags & O_PATH) return -EBADF;
  if (size == 0) return -EINVAL;
  if (page_up(size) == 0) return -ENOMEM;
  uint64_t pages = page_up(size);
  if (pages > INT64_MAX || (INT64_MAX - pages) / BT_PAGE_SIZE < offset / BT_PAGE_SIZE)
    return -EOVERFLOW;
  int type = flags & MAP_TYPE;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return -EINVAL;
  if (flags & MAP_HUGETLB) return -EINVAL;
  if (type == MAP_SHARED_VALIDATE && (flags & MAP_SYNC) != 0) return -EOPNOTSUPP;
  if (is_shared(flags) && (protection & PROT_WRITE) != 0 && mode != O_RDWR) return -EACCES;
  if (mode == O_WRONLY) return -EACCES;
  if (!S_ISREG(record->mode)) return -ENODEV;
  return client.data_fd < 0 ? -ENODEV : 0;
}

/** /dev/shm may be mounted noexec: then private pages that may run are copies. */
long copy_executable(Mapping& mapping, uint64_t address, uint64_t length, uint64_t data_offset) {
  long result = kernel(SYS_mmap, address, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (failed(result)) return result;
  for (uint64_t at = 0; at < length;) {
    long got = kernel(SYS_pread64, client.data_fd, address + at, length - at, data_offset + at);
    if (got <= 0) return -EIO;
    at += (uint64_t)got;
  }
  return kernel(SYS_mprotect, address, length, mapping.protection);
}

/** `length` bytes of the data segment at an address that is reserved already. 0 or -errno. */
long place_pages(Mapping& mapping, uint64_t address, uint64_t length, uint64_t data_offset) {
  int flags = MAP_FIXED | (is_shared(mapping.flags) ? MAP_SHARED : MAP_PRIVATE) |
              (mapping.flags & kPageFlags);
  long result =
      kernel(SYS_mmap, address, length, mapping.protection, flags, client.data_fd, data_offset);
  if (result == -EPERM && (mapping.protection & PROT_EXEC) && !is_shared(mapping.flags))
    return copy_executable(mapping, address, length, data_offset);
  return failed(result) ? result : 0;
}

/** One SETUPMAPPING: pages from mapping.covered on. Sets `full` when the reply had no more room. */
long cover_once(Thread& self, Mapping& mapping, uint64_t user_stack, bool& full) {
  full = false;
  Slot* slot = begin_on(self, BT_OP_SETUPMAPPING, mapping.description, user_stack);
  if (slot == nullptr) return -EIO;
  slot->offset = mapping.offset + (int64_t)(mapping.covered - mapping.start);
  slot->size = mapping.end - mapping.covered;
  slot->mode = (uint32_t)mapping.protection;
  slot->flags = is_shared(mapping.flags) ? MAP_SHARED : MAP_PRIVATE;
  long result = transact(slot);
  if (result == 0) {
    uint32_t count = slot->reply_length / sizeof(DirectExtent);
    full = count >= BT_EXTENTS_PER_REPLY;
    auto* extents = (const DirectExtent*)reply_payload(slot);
    for (uint32_t i = 0; i < count && i < BT_EXTENTS_PER_REPLY && result == 0; i++) {
      uint64_t length = page_up(extents[i].length);
      if (length > mapping.end - mapping.covered) length = mapping.end - mapping.covered;
      if (length == 0) break;
      result = place_pages(mapping, mapping.covered, length, extents[i].data_offset);
      if (result == 0) mapping.covered += length;
    }
  }
  end(self);
  return result;
}

}  // namespace

long cover_mapping(Thread& self, Mapping& mapping, uint64_t user_stack) {
  bool more = true;
  while (more && mapping.covered < mapping.end) {
    long error = cover_once(self, mapping, user_stack, more);
    if (error != 0) return error;
  }
  return 0;
}

namespace {

/** [address, address + size) comes to show the file from `offset` on. The range is reserved. */
long fill(Thread& self, Mapping& mapping, uint64_t address, uint64_t size, uint64_t user_stack) {
  mapping.start = mapping.covered = address;
  mapping.end = address + size;
  long error = cover_mapping(self, mapping, user_stack);
  uint64_t covered = mapping.covered;
  if (error == 0 && covered < mapping.end)
    error = place_pages(mapping, covered, mapping.end - covered, beyond_data());
  mapping.start = mapping.end = mapping.covered = 0;
  if (error == 0) place_mapping(mapping, address, address + size, covered);
  return error;
}

/** Address or -errno. The lock is held; `hint`, protection, flags as mmap has them. */
long map_file(Thread& self, uint32_t id, uint64_t hint, uint64_t size, int protection, int flags,
              uint64_t offset, uint64_t user_stack) {
  Mapping* mapping = claim_mapping(id);
  if (mapping == nullptr) return -ENOMEM;
  mapping->protection = protection;
  mapping->flags = flags;
  mapping->offset = (int64_t)offset;
  long address = kernel(SYS_mmap, hint, size, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (flags & kPlaceFlags), -1, 0);
  long error = failed(address) ? address : 0;
  if (error == 0) {
    // What a MAP_FIXED replaced goes first: the new entry must not be cut by it.
    if (flags & MAP_FIXED)
      forget_mappings(self, (uint64_t)address, (uint64_t)address + size, user_stack);
    error = fill(self, *mapping, (uint64_t)address, size, user_stack);
    if (error != 0) kernel(SYS_munmap, address, size);
  }
  if (error == 0) return address;
  release_mapping(self, *mapping, user_stack);
  return error;
}

/** mmap of other memory, which may replace maps of ours. */
Verdict map_other(Call& call, Thread& self) {
  const long* a = call.args;
  uint64_t size = page_up((uint64_t)a[1]);
  if (a[3] & MAP_FIXED) forget_memory((uint64_t)a[0], size);
  if ((a[3] & MAP_FIXED) == 0 || !may_touch_mappings((uint64_t)a[0], size)) return Verdict::PASS;
  MappingsLock lock;
  long address = kernel(SYS_mmap, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (!failed(address))
    forget_mappings(self, (uint64_t)address, (uint64_t)address + size, call.stack);
  return done(call, address);
}

}  // namespace

Verdict sys_mmap(Call& call, Thread& self) {
  const long* a = call.args;
  int flags = (int)a[3];
  uint32_t id = flags & MAP_ANONYMOUS ? 0 : file_of(self, a[4]);
  if (id == 0) return map_other(call, self);
  uint64_t address = (uint64_t)a[0], offset = (uint64_t)a[5];
  if (offset & kPageMask) return done(call, -EINVAL);
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && (address & kPageMask))
    return done(call, -EINVAL);
  long error = check_map(id, (uint64_t)a[1], (int)a[2], flags, offset);
  if (error != 0) return done(call, error);
  if (flags & MAP_FIXED) forget_memory(address, page_up((uint64_t)a[1]));
  MappingsLock lock;
  return done(call, map_file(self, id, address, page_up((uint64_t)a[1]), (int)a[2], flags, offset,
                             call.stack));
}

Verdict sys_munmap(Call& call, Thread& self) {
  uint64_t start = (uint64_t)call.args[0], size = page_up((uint64_t)call.args[1]);
  forget_memory(start, size);
  if (!may_touch_mappings(start, size)) return Verdict::PASS;
  MappingsLock lock;
  long result = kernel(SYS_munmap, start, size);
  if (result == 0) forget_mappings(self, start, start + size, call.stack);
  return done(call, result);
}

/** A shared map of a file that was not opened for writing stays read-only, though its pages could
 * be written. */
Verdict sys_mprotect(Call& call, Thread&) {
  uint64_t start = (uint64_t)call.args[0], size = page_up((uint64_t)call.args[1]);
  if ((call.args[2] & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
    forget_memory(start, size);
  if (!may_touch_mappings(start, size)) return Verdict::PASS;
  int protection = (int)call.args[2];
  MappingsLock lock;
  if ((protection & PROT_WRITE) != 0 && any_read_only(start, start + size))
    return done(call, -EACCES);
  long result = kernel(SYS_mprotect, call.args[0], call.args[1], call.args[2]);
  if (result == 0) note_protection(start, start + size, protection);
  return done(call, result);
}

// ---- mremap -------------------------------------------------------------------------------------

namespace {

struct Remap {
  uint64_t start, size, new_size;
  int flags;
  uint64_t target;
};

/** Grows at its end when the pages behind it are free. Address or -errno. */
long grow_in_place(Thread& self, Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  uint64_t end = remap.start + remap.size, more = remap.new_size - remap.size;
  if (end != mapping.end) return -ENOMEM;
  long address = kernel(SYS_mmap, end, more, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (!failed(address) && (uint64_t)address != end) kernel(SYS_munmap, address, more);
  if ((uint64_t)address != end) return -ENOMEM;
  Mapping grown = mapping;
  grown.end = end + more;
  long error = cover_mapping(self, grown, user_stack);
  if (error == 0 && grown.covered < grown.end)
    error = place_pages(grown, grown.covered, grown.end - grown.covered, beyond_data());
  if (error != 0) {
    kernel(SYS_munmap, end, more);
    return error;
  }
  place_mapping(mapping, grown.start, grown.end, grown.covered);
  return (long)remap.start;
}

/** Pages that a private map has changed are its own: they go along as bytes. */
void carry_private(const Mapping& mapping, const Remap& remap, uint64_t to) {
  int both = PROT_READ | PROT_WRITE;
  if (is_shared(mapping.flags) || (mapping.protection & both) != both) return;
  uint64_t covered = mapping.covered > remap.start ? mapping.covered - remap.start : 0;
  uint64_t size = remap.size < remap.new_size ? remap.size : remap.new_size;
  memcpy((void*)to, (void*)remap.start, covered < size ? covered : size);
}

long move_map(Thread& self, const Mapping& mapping, const Remap& remap, uint64_t user_stack) {
  bool fixed = (remap.flags & MREMAP_FIXED) != 0;
  int flags = (mapping.flags & ~kPlaceFlags) | (fixed ? MAP_FIXED : 0);
  uint64_t offset = (uint64_t)mapping.offset + (remap.start - mapping.start);
  // A copy: entries may be cut while the new map is made.
  Mapping old = mapping;
  long address = map_file(self, old.description, fixed ? remap.target : 0, remap.new_size,
                          old.protection, flags, offset, user_stack);
  if (failed(address) || remap.size == 0) return address;
  carry_private(old, remap, (uint64_t)address);
  kernel(SYS_munmap, remap.start, remap.size);
  forget_mappings(self, remap.start, remap.start + remap.size, user_stack);
  return address;
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
  if (remap.flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) return -EINVAL;
  if (fixed && (remap.flags & MREMAP_MAYMOVE) == 0) return -EINVAL;
  if ((remap.start & kPageMask) || remap.new_size == 0) return -EINVAL;
  if (fixed && ((remap.target & kPageMask) || overlap(remap))) return -EINVAL;
  if (remap.start + remap.size > mapping.end) return -EFAULT;
  if (!fixed && remap.new_size <= remap.size) return shrink(self, remap, user_stack);
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

/** A heap that shrinks: everything from the new end on. Where it stands is not known here. */
Verdict sys_brk(Call& call, Thread&) {
  const uint64_t end = (uint64_t)call.args[0];
  if (end != 0) forget_memory(end, kHeapMax);
  return Verdict::PASS;
}

/** System V memory goes: how much of it is not said. */
Verdict sys_shmdt(Call& call, Thread&) {
  forget_memory((uint64_t)call.args[0], kHeapMax);
  return Verdict::PASS;
}

/** On the pages themselves the kernel's own msync is right: tmpfs changes no time for it either. */
Verdict sys_msync(Call&, Thread&) {
  return Verdict::PASS;
}

}  // namespace btfuse
