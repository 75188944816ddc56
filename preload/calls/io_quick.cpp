// Reads without the server: the place of the bytes from the store segment, under the inode's
// seqlock, the bytes from the data segment.
#include <fcntl.h>
#include <sys/stat.h>

#include "../client/reader.h"
#include "io.h"

namespace btfuse {

namespace {

constexpr int kQuickTries = 3;

/** Copies [offset, offset + size) of the file as `view` shows it. False: something has changed. */
bool copy_runs(const FileView& view, uint64_t offset, uint64_t size, Cursor& cursor, long& error) {
  const unsigned char* data = data_segment();
  for (uint64_t at = offset, end = offset + size; at < end && error == 0;) {
    uint64_t count;
    const uint64_t block = find_run(view, at / BT_PAGE_SIZE, count);
    // Before the copy: a run that never was could lie beyond the end of the segment.
    if (!still_holds(view)) return false;
    const uint64_t in_block = at % BT_PAGE_SIZE;
    uint64_t piece = end - at;
    if (count <= (in_block + piece) / BT_PAGE_SIZE) piece = count * BT_PAGE_SIZE - in_block;
    error = block == 0 ? zero_out(cursor, piece)
                       : copy_out(cursor, data + block * BT_PAGE_SIZE + in_block, piece);
    at += piece;
  }
  return still_holds(view);
}

}  // namespace

bool read_quick(const Transfer& transfer, Cursor& cursor, long& result) {
  const Description* record = description_record(transfer.description);
  if (!S_ISREG(record->mode) || cursor.total > BT_SLAB_SIZE) return false;
  DescriptionState* state = description_state(transfer.description);
  const bool still_atime = __atomic_load_n(&state->status_flags, __ATOMIC_RELAXED) & O_NOATIME;
  const Cursor before = cursor;
  for (int i = 0; i < kQuickTries; i++, cursor = before) {
    FileView view;
    if (!view_file(record->ino, view)) continue;
    if (view.flags & BT_INODE_WATCHED) return false;
    if (!still_atime && wants_atime(view)) continue;
    int64_t position = transfer.offset;
    if (position == kAtPosition) position = __atomic_load_n(&state->position, __ATOMIC_RELAXED);
    if (position < 0) return false;
    const uint64_t offset = (uint64_t)position;
    uint64_t size = offset < view.size ? view.size - offset : 0;
    if (size > cursor.total) size = cursor.total;
    if (size != 0 && !goes_direct(size, 1)) return false;
    result = 0;
    if (!copy_runs(view, offset, size, cursor, result)) continue;
    if (result != 0) return true;
    result = (long)size;
    if (transfer.offset != kAtPosition || size == 0) return true;
    if (__atomic_compare_exchange_n(&state->position, &position, position + result, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      return true;
    }
  }
  return false;
}

}  // namespace btfuse
