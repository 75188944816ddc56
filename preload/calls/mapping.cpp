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
#include "remap.h"
#include "user_memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
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
long copy_executable(const Mapping& mapping, uint64_t address, uint64_t length,
                     uint64_t data_offset) {
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
long place_pages(const Mapping& mapping, uint64_t address, uint64_t length, uint64_t data_offset) {
  int flags = MAP_FIXED | (is_shared(mapping.flags) ? MAP_SHARED : MAP_PRIVATE) |
              (mapping.flags & kPageFlags);
  long result =
      kernel(SYS_mmap, address, length, mapping.protection, flags, client.data_fd, data_offset);
  if (result == -EPERM && (mapping.protection & PROT_EXEC) && !is_shared(mapping.flags))
    return copy_executable(mapping, address, length, data_offset);
  return failed(result) ? result : 0;
}

/** A run of pages that is to be mapped, from `at` on. */
struct Range {
  uint64_t at, end;
  uint32_t how;  ///< MAPPING_MORE, MAPPING_TOUCH
};

/** One SETUPMAPPING: moves range.at. Sets `full` when the reply had no more room. */
long cover_once(Thread& self, Mapping& mapping, Range& range, uint64_t user_stack, bool& full) {
  full = false;
  Slot* slot = begin_on(self, BT_OP_SETUPMAPPING, mapping.description, user_stack);
  if (slot == nullptr) return -EIO;
  slot->offset = mapping.offset + (int64_t)(range.at - mapping.start);
  slot->size = range.end - range.at;
  slot->mode = (uint32_t)mapping.protection;
  slot->flags = (is_shared(mapping.flags) ? MAP_SHARED : MAP_PRIVATE) | range.how;
  long result = transact(slot);
  if (result == 0) {
    uint32_t count = slot->reply_length / sizeof(DirectExtent);
    full = count >= BT_EXTENTS_PER_REPLY;
    auto* extents = (const DirectExtent*)reply_payload(slot);
    for (uint32_t i = 0; i < count && i < BT_EXTENTS_PER_REPLY && result == 0; i++) {
      uint64_t length = page_up(extents[i].length);
      if (length > range.end - range.at) length = range.end - range.at;
      if (length == 0) break;
      uint64_t from = extents[i].data_offset;
      if (from == 0) note_gaps();
      result = place_pages(mapping, range.at, length, from == 0 ? beyond_data() : from);
      if (result == 0) range.at += length;
    }
  }
  end(self);
  return result;
}

}  // namespace

long cover_mapping(Thread& self, Mapping& mapping, uint64_t user_stack) {
  Range range{mapping.covered, mapping.end, mapping.how};
  bool more = true;
  long error = 0;
  while (more && error == 0 && range.at < range.end)
    error = cover_once(self, mapping, range, user_stack, more);
  mapping.covered = range.at;
  return error;
}

long uncover_mapping(const Mapping& mapping, uint64_t from) {
  return place_pages(mapping, from, mapping.end - from, beyond_data());
}

namespace {

/** Pages around one that is touched in a hole come with it, where that takes nothing away. */
constexpr uint64_t kAround = 64 * BT_PAGE_SIZE;

Range around(const Mapping& mapping, uint64_t address) {
  uint64_t page = address & ~kPageMask;
  // A private map may have pages of its own all around.
  if (!is_shared(mapping.flags)) return {page, page + BT_PAGE_SIZE, BT_MAPPING_TOUCH};
  uint64_t start = page & ~(kAround - 1), end = start + kAround;
  if (start < mapping.start) start = mapping.start;
  if (end > mapping.covered) end = mapping.covered;
  return {start, end, BT_MAPPING_MORE | BT_MAPPING_TOUCH};
}

bool bring_locked(Thread& self, uint64_t address, uint64_t user_stack) {
  Mapping* mapping = find_mapping(address);
  if (mapping == nullptr) return false;
  if (address >= mapping->covered && !extend(self, *mapping, user_stack)) return false;
  // It may be there already, by another thread's hand, or with all that came just now.
  if (kernel(SYS_rt_sigprocmask, -1, address & ~7ull, 0, 8) != -EFAULT) return true;
  if (address >= mapping->covered) return false;
  Range range = around(*mapping, address);
  bool more = true;
  while (more && range.at < range.end) {
    if (cover_once(self, *mapping, range, user_stack, more) != 0) return false;
  }
  return kernel(SYS_rt_sigprocmask, -1, address & ~7ull, 0, 8) != -EFAULT;
}

}  // namespace

bool bring_page(Thread& self, uint64_t address, uint64_t user_stack) {
  if (!any_gaps() || !may_touch_mappings(address, 1)) return false;
  MappingsLock lock;
  return bring_locked(self, address, user_stack);
}

namespace {

/** [address, address + size) comes to show the file from `offset` on. The range is reserved. */
long fill(Thread& self, Mapping& mapping, uint64_t address, uint64_t size, uint64_t user_stack) {
  mapping.start = mapping.covered = address;
  mapping.end = address + size;
  mapping.how = 0;
  long error = cover_mapping(self, mapping, user_stack);
  mapping.how = BT_MAPPING_MORE;
  uint64_t covered = mapping.covered;
  if (error == 0 && covered < mapping.end) error = uncover_mapping(mapping, covered);
  mapping.start = mapping.end = mapping.covered = 0;
  if (error == 0) place_mapping(mapping, address, address + size, covered);
  return error;
}

}  // namespace

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

namespace {

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
  if (id == 0) {
    if ((flags & MAP_ANONYMOUS) == 0 && is_private_fd(a[4])) return done(call, -EBADF);
    return map_other(call, self);
  }
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
Verdict sys_mprotect(Call& call, Thread& self) {
  uint64_t start = (uint64_t)call.args[0], size = page_up((uint64_t)call.args[1]);
  if ((call.args[2] & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
    forget_memory(start, size);
  if (!may_touch_mappings(start, size)) return Verdict::PASS;
  int protection = (int)call.args[2];
  MappingsLock lock;
  if ((protection & PROT_WRITE) != 0 && any_read_only(start, start + size))
    return done(call, -EACCES);
  // args[3]: the key of pkey_mprotect.
  long result = kernel(call.nr, call.args[0], call.args[1], call.args[2], call.args[3]);
  if (result == 0) note_protection(self, start, start + size, protection);
  return done(call, result);
}

// ---- memory that goes
// ----------------------------------------------------------------------------

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

// ---- advice -------------------------------------------------------------------------------------

namespace {

/** MADV_REMOVE: a hole in the file, not in the data segment. Goes through the maps in their order.
 */
long punch(Thread& self, uint64_t start, uint64_t end, uint64_t user_stack) {
  for (uint64_t at = start; at < end;) {
    const Mapping* mapping = find_mapping(at);
    if (mapping == nullptr) return -EINVAL;
    const uint32_t id = mapping->description;
    const bool writes = (description_record(id)->open_flags & O_ACCMODE) == O_RDWR;
    if (!is_shared(mapping->flags) || !writes) return -EACCES;
    const uint64_t piece = (mapping->end < end ? mapping->end : end) - at;
    Slot* slot = begin_on(self, BT_OP_FALLOCATE, id, user_stack);
    if (slot == nullptr) return -EIO;
    slot->mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    slot->offset = mapping->offset + (int64_t)(at - mapping->start);
    slot->size = piece;
    slot->file_size_limit = ~0ull;
    long result = transact(slot);
    btfuse::end(self);
    if (result != 0) return result;
    at += piece;
  }
  return 0;
}

/** Pages that the kernel is about to touch for the program. */
void bring_range(Thread& self, uint64_t start, uint64_t end, uint64_t user_stack) {
  if (!any_gaps()) return;
  for (uint64_t at = start; at < end; at += BT_PAGE_SIZE) {
    if (kernel(SYS_rt_sigprocmask, -1, at, 0, 8) == -EFAULT && !bring_locked(self, at, user_stack))
      return;
  }
}

}  // namespace

Verdict sys_madvise(Call& call, Thread& self) {
  uint64_t start = (uint64_t)call.args[0], size = page_up((uint64_t)call.args[1]);
  long advice = call.args[2];
  bool ours =
      advice == MADV_REMOVE || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
  if (!ours || size == 0 || (start & kPageMask) || !may_touch_mappings(start, size))
    return Verdict::PASS;
  MappingsLock lock;
  if (find_mapping(start) == nullptr) return Verdict::PASS;
  if (advice == MADV_REMOVE) return done(call, punch(self, start, start + size, call.stack));
  bring_range(self, start, start + size, call.stack);
  return Verdict::PASS;
}

/** A map of the same file at another place of it, as the kernel does it since 4.0. */
Verdict sys_remap_file_pages(Call& call, Thread& self) {
  uint64_t start = (uint64_t)call.args[0] & ~kPageMask;
  uint64_t size = (uint64_t)call.args[1] & ~kPageMask, page = (uint64_t)call.args[3];
  if (!may_touch_mappings(start, size | 1)) return Verdict::PASS;
  MappingsLock lock;
  const Mapping* mapping = find_mapping(start);
  if (mapping == nullptr) return Verdict::PASS;
  if (call.args[2] != 0 || size == 0 || start + size > mapping->end || !is_shared(mapping->flags) ||
      page > (uint64_t)INT64_MAX / BT_PAGE_SIZE)
    return done(call, -EINVAL);
  forget_memory(start, size);
  int flags = (mapping->flags & ~kPlaceFlags) | MAP_FIXED;
  long address = map_file(self, mapping->description, start, size, mapping->protection, flags,
                          page * BT_PAGE_SIZE, call.stack);
  return done(call, failed(address) ? address : 0);
}

/** On the pages themselves the kernel's own msync is right: tmpfs changes no time for it either. */
Verdict sys_msync(Call&, Thread&) {
  return Verdict::PASS;
}

}  // namespace btfuse
