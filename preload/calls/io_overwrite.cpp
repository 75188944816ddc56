// Writes without the server (docs/adr/0006): a write that only overwrites bytes that the file has
// changes nothing but these bytes and two time stamps. The bytes go straight into the data segment;
// for the stamps the server is asked at most once in a tick.
//
// While the slot is pinned no block that is freed meanwhile is used again. The pin comes before the
// look at the inode's sequence, and blocks are freed after that has become odd: so either this sees
// that the file changes and copies nothing, or the server sees the pin.
#include <fcntl.h>
#include <sys/stat.h>

#include "../client/reader.h"
#include "io.h"

namespace btfuse {

namespace {

constexpr int kTries = 3;

struct Overwrite {
  uint32_t description;
  uint64_t offset, size;
};

/** Is this a plain overwrite of what `view` shows, one that takes nothing from the inode? Holes are
 * found by copy_over, what fallocate gave and nobody has written yet is the server's to note. */
bool overwrites(const FileView& view, const Overwrite& write) {
  return S_ISREG(view.mode) && !(view.mode & (S_ISUID | S_ISGID)) &&
         !(view.flags & (BT_INODE_UNWRITTEN | BT_INODE_CAPABILITY | BT_INODE_WATCHED)) &&
         write.offset + write.size <= view.size;
}

void pin(Slot* slot) {
  __atomic_exchange_n(&slot->grant, BT_GRANT_PINNED, __ATOMIC_SEQ_CST);
}
void unpin(Slot* slot) {
  __atomic_store_n(&slot->grant, BT_GRANT_NONE, __ATOMIC_RELEASE);
}

enum class Copied { ALL, CHANGED, CANNOT };

/** Copies the program's bytes over the file's, run by run, none before it is known to be there. */
Copied copy_over(const FileView& view, const Overwrite& write, Cursor& cursor) {
  unsigned char* data = data_segment();
  const uint64_t end = write.offset + write.size;
  for (uint64_t at = write.offset; at < end;) {
    uint64_t count;
    const uint64_t block = find_run(view, at / BT_PAGE_SIZE, count);
    if (!still_holds(view)) return Copied::CHANGED;
    if (block == 0) return Copied::CANNOT;
    const uint64_t in_block = at % BT_PAGE_SIZE;
    uint64_t piece = end - at;
    if (count <= (in_block + piece) / BT_PAGE_SIZE) piece = count * BT_PAGE_SIZE - in_block;
    if (copy_in(cursor, data + block * BT_PAGE_SIZE + in_block, piece) != 0) return Copied::CANNOT;
    at += piece;
  }
  // A file that was cut and grown meanwhile has lost a part: all of it is written again.
  return still_holds(view) ? Copied::ALL : Copied::CHANGED;
}

/** New time stamps, where the present ones are old or known to somebody. */
bool renew_stamps(Slot* slot, const FileView& view, const Overwrite& write) {
  if (stamps_are_fresh(view)) return true;
  forget_told_stamps(view);
  slot->opcode = BT_OP_TOUCH;
  slot->description = write.description;
  slot->path_length = slot->path2_length = slot->payload_length = 0;
  return transact(slot) == 0;
}

bool write_pinned(Slot* slot, uint32_t ino, const Overwrite& write, Cursor& cursor) {
  const Cursor before = cursor;
  FileView view;
  if (!view_file(ino, view) || !overwrites(view, write) || !renew_stamps(slot, view, write)) {
    return false;
  }
  pin(slot);
  Copied copied = Copied::CHANGED;
  for (int i = 0; i < kTries && copied == Copied::CHANGED; i++) {
    cursor = before;
    if (!view_file(ino, view)) continue;
    copied = overwrites(view, write) ? copy_over(view, write, cursor) : Copied::CANNOT;
  }
  unpin(slot);
  if (copied == Copied::ALL) return true;
  cursor = before;
  return false;
}

}  // namespace

bool write_quick(Thread& self, const Transfer& transfer, Cursor& cursor, long& result) {
  const uint64_t size = cursor.total;
  // One buffer: with more, a bad one among them would make the write end in its middle.
  if (cursor.vector->iov_len < size || size > BT_SLAB_SIZE || !goes_direct(size, 1)) return false;
  const Description* record = description_record(transfer.description);
  const DescriptionState* state = description_state(transfer.description);
  if (__atomic_load_n(&state->status_flags, __ATOMIC_RELAXED) & O_APPEND) return false;
  // At the description's offset only what appends writes, and that is the server's.
  const int64_t start = transfer.offset;
  const uint64_t limit = file_size_limit();
  if (start < 0 || (uint64_t)start > limit || size > limit - (uint64_t)start) return false;
  FileView view;
  Overwrite write{transfer.description, (uint64_t)start, size};
  if (!view_file(record->ino, view) || !overwrites(view, write)) return false;
  Slot* slot = begin(self, transfer.user_stack);
  if (slot == nullptr) return false;
  const bool done = write_pinned(slot, record->ino, write, cursor);
  end(self);
  result = (long)size;
  return done;
}

void settle_position(const Transfer& transfer, uint64_t size, long written) {
  int64_t claimed = transfer.offset + (int64_t)size;
  const int64_t reached = transfer.offset + (written > 0 ? written : 0);
  if (reached == claimed) return;
  __atomic_compare_exchange_n(&description_state(transfer.description)->position, &claimed, reached,
                              false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

}  // namespace btfuse
