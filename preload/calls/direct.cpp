// Large transfers: the server says where the bytes are, and the client copies them itself, once.
// The grant in the slot keeps the blocks from being handed out again until the copy is done.
#include <errno.h>
#include <sys/mman.h>

#include "../client/memory.h"
#include "io.h"

namespace btfuse {

namespace {

/** Set once. A loser of the race unmaps its own copy. */
unsigned char* mapped;
unsigned char refused;
unsigned char* const kNotGranted = &refused;

unsigned char* map_data() {
  if (client.data_fd < 0 || client.data_size == 0) return nullptr;
  long address = kernel(SYS_mmap, 0, client.data_size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE, client.data_fd, 0);
  if (address < 0 && address > -4096) return nullptr;
  kernel(SYS_madvise, address, client.data_size, MADV_DONTDUMP);
  return (unsigned char*)address;
}

void release_grant(Slot* slot) {
  __atomic_store_n(&slot->grant, 0, __ATOMIC_RELEASE);
}

/** The extents of a reply, each checked against the data segment before it is followed. */
struct Extents {
  const DirectExtent* record;
  uint32_t count;
};

Extents extents_of(Slot* slot) {
  uint32_t count = slot->reply_length / sizeof(DirectExtent);
  if (count > BT_EXTENTS_PER_REPLY) count = BT_EXTENTS_PER_REPLY;
  return {(const DirectExtent*)reply_payload(slot), count};
}

bool within_data(const DirectExtent& extent) {
  return extent.data_offset <= client.data_size &&
         extent.length <= client.data_size - extent.data_offset;
}

/**
 * New blocks of a large file are most likely fresh memory, and bringing a page of that into our map
 * costs more than copying it: a write(2) does both at once (docs/adr/0016). Blocks of small files
 * have most likely been used before, and are there. Not under a limit, which it would meet.
 */
constexpr uint64_t kByKernelMin = 64 * 1024;
constexpr uint64_t kLargeFile = 16ull << 20;

bool by_kernel(uint64_t size, uint64_t end) {
  return size >= kByKernelMin && end > kLargeFile && file_size_limit() == ~0ull;
}

/** Copies `size` bytes; the place of each run is `side` of the cursor. */
long copy_extents(Slot* slot, Cursor& cursor, uint64_t size, bool writing) {
  Extents extents = extents_of(slot);
  unsigned char* data = data_segment();
  uint64_t copied = 0;
  for (uint32_t i = 0; i < extents.count && copied < size; i++) {
    DirectExtent extent = extents.record[i];
    if (extent.length > size - copied) extent.length = size - copied;
    long error = 0;
    if (extent.data_offset == 0) {
      error = writing ? -EIO : zero_out(cursor, extent.length);
    } else if (!within_data(extent)) {
      error = -EIO;
    } else if (writing && by_kernel(extent.length, slot->reply_offset + copied + extent.length)) {
      error = write_in(cursor, extent.data_offset, extent.length);
    } else if (writing) {
      error = copy_in(cursor, data + extent.data_offset, extent.length);
    } else {
      error = copy_out(cursor, data + extent.data_offset, extent.length);
    }
    if (error != 0) return copied > 0 ? (long)copied : error;
    copied += extent.length;
  }
  return (long)copied;
}

void place(Slot* slot, const Transfer& transfer, uint64_t size) {
  slot->request_flags = transfer.offset == kAtPosition ? BT_REQUEST_POSITION : 0;
  slot->offset = transfer.offset == kAtPosition ? 0 : transfer.offset;
  slot->size = size;
}

}  // namespace

unsigned char* data_segment() {
  unsigned char* have = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE);
  if (have == nullptr) {
    unsigned char* fresh = map_data();
    if (fresh == nullptr) fresh = kNotGranted;
    if (!__atomic_compare_exchange_n(&mapped, &have, fresh, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
      if (fresh != kNotGranted) kernel(SYS_munmap, fresh, client.data_size);
      fresh = have;
    }
    have = fresh;
  }
  return have == kNotGranted ? nullptr : have;
}

uint64_t beyond_data() {
  return (client.data_size + BT_PAGE_SIZE - 1) & ~(uint64_t)(BT_PAGE_SIZE - 1);
}

long read_direct(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size,
                 bool& more) {
  more = false;
  Slot* slot = begin_on(self, BT_OP_READ_DIRECT, transfer.description, transfer.user_stack);
  if (slot == nullptr) return -EIO;
  place(slot, transfer, size);
  long result = transact(slot);
  if (result == 0) {
    more = slot->result > 0 && extents_of(slot).count == BT_EXTENTS_PER_REPLY;
    result = copy_extents(slot, cursor, slot->result > 0 ? (uint64_t)slot->result : 0, false);
    release_grant(slot);
  }
  end(self);
  return result;
}

long write_direct(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size,
                  bool& more) {
  more = false;
  Slot* slot = begin_on(self, BT_OP_WRITE_PREPARE, transfer.description, transfer.user_stack);
  if (slot == nullptr) return -EIO;
  place(slot, transfer, size);
  slot->file_size_limit = file_size_limit();
  long result = transact(slot);
  if (result == 0) {
    uint64_t granted = slot->result > 0 ? (uint64_t)slot->result : 0;
    long copied = copy_extents(slot, cursor, granted < size ? granted : size, true);
    slot->opcode = BT_OP_WRITE_COMMIT;
    slot->offset = slot->reply_offset;
    slot->size = copied > 0 ? (uint64_t)copied : 0;
    result = transact(slot);
    release_grant(slot);
    if (result == 0) result = copied < 0 ? copied : slot->result;
    more = result == copied;
  }
  end(self);
  return result;
}

}  // namespace btfuse
