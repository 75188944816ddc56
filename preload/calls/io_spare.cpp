// Writes of at most a block that most likely add one to the file (docs/adr/0010). The bytes go
// straight into the spare block of the slot, which the server then makes part of the file: they
// never cross to its CPU. Where the file has a block already, the server copies out of the spare.
//
// Nobody takes a spare from a living owner: it changes only while a request of this slot is served.
#include <fcntl.h>

#include "io.h"

namespace btfuse {

namespace {

/** Behind this a file is large and its new blocks are cold for every CPU: no gain was measured. */
constexpr int64_t kSpareEnd = 16 * BT_PAGE_SIZE;

/** Where the data block stands in our map; nullptr: not mapped, or out of it. */
unsigned char* block_at(uint64_t block) {
  if (block == 0 || block >= client.data_size / BT_PAGE_SIZE) return nullptr;
  unsigned char* data = data_segment();
  return data == nullptr ? nullptr : data + block * BT_PAGE_SIZE;
}

long send(Slot* slot, const Transfer& transfer, uint64_t size) {
  slot->request_flags = BT_REQUEST_SPARE;
  slot->offset = transfer.offset;
  slot->size = size;
  slot->payload_length = (uint32_t)size;
  // A line of its own, which the server reads: it stays in both caches while nothing changes.
  const uint64_t limit = file_size_limit();
  if (slot->file_size_limit != limit) slot->file_size_limit = limit;
  const long status = transact(slot);
  return status == 0 ? slot->result : status;
}

}  // namespace

void expect_growth(Thread& self, uint32_t description, uint64_t end) {
  self.growing = description;
  self.grown_to = end;
}

bool expects_growth(const Thread& self, uint32_t description, int64_t start) {
  return self.growing == description && self.grown_to == (uint64_t)start;
}

bool write_spare(Thread& self, const Transfer& transfer, Cursor& cursor, long& result) {
  const uint64_t size = cursor.total;
  if (size < BT_SPARE_MIN || size > BT_PAGE_SIZE) return false;
  const DescriptionState* state = description_state(transfer.description);
  const int64_t start = transfer.offset;
  if (start < 0 || start >= kSpareEnd || start % BT_PAGE_SIZE != 0) return false;
  if (__atomic_load_n(&state->status_flags, __ATOMIC_RELAXED) & O_APPEND) return false;
  if (!goes_direct(size, BT_SPARE_MIN)) return false;
  Slot* slot = begin_on(self, BT_OP_WRITE, transfer.description, transfer.user_stack);
  if (slot == nullptr) return false;
  const uint32_t spare = slot->spare;
  unsigned char* block = block_at(spare);
  const Cursor before = cursor;
  const bool copied = block != nullptr && copy_in(cursor, block, size) == 0;
  if (!copied) {
    cursor = before;
    end(self);
    return false;
  }
  result = send(slot, transfer, size);
  const bool linked = result > 0 && slot->spare != spare;
  end(self);
  // The next write behind a new block most likely adds another; one that did not says the opposite.
  expect_growth(self, linked ? transfer.description : 0, (uint64_t)start + size);
  if (result < 0) signal_file_size(result);
  return true;
}

}  // namespace btfuse
