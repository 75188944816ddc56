// read and write in all their forms. One path: a list of buffers, an offset or the description's
// own, and pieces in the size that suits the way they take.
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "../client/reader.h"
#include "calls.h"
#include "mappings.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint64_t kUserEnd = 1ull << 47;
constexpr uint64_t kVectorMax = 1024;
/** The part of the first buffer that is still to do, at most `size`; skips empty buffers. */
iovec head(Cursor& cursor, uint64_t size) {
  while (cursor.vector->iov_len == cursor.skipped) {
    cursor.vector++;
    cursor.skipped = 0;
  }
  uint64_t left = cursor.vector->iov_len - cursor.skipped;
  return {(char*)cursor.vector->iov_base + cursor.skipped, left < size ? left : size};
}

/** Runs `each(buffer, done)` over the next `size` bytes of the buffers. */
template <typename Each>
long advance(Cursor& cursor, uint64_t size, Each each) {
  for (uint64_t moved = 0; moved < size;) {
    iovec buffer = head(cursor, size - moved);
    if (!each(buffer, moved)) return -EFAULT;
    cursor.skipped += buffer.iov_len;
    moved += buffer.iov_len;
  }
  return 0;
}

}  // namespace

long make_cursor(Cursor& cursor, const iovec* vector, uint64_t count, uint64_t stack) {
  if (count > kVectorMax) return -EINVAL;
  if (count > 0 && !readable(vector, count * sizeof(iovec), stack)) return -EFAULT;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t base = (uint64_t)vector[i].iov_base, length = vector[i].iov_len;
    if ((int64_t)length < 0) return -EINVAL;
    if (base > kUserEnd || length > kUserEnd - base) return -EFAULT;
    total += length;
    if (total > kMaxTransfer) total = kMaxTransfer;
  }
  cursor = {vector, total, 0, stack};
  return 0;
}

long copy_out(Cursor& cursor, const void* from, uint64_t size) {
  return advance(cursor, size, [&](iovec buffer, uint64_t at) {
    if (!writable(buffer.iov_base, buffer.iov_len, cursor.stack)) return false;
    memcpy(buffer.iov_base, (const char*)from + at, buffer.iov_len);
    return true;
  });
}

long zero_out(Cursor& cursor, uint64_t size) {
  return advance(cursor, size, [&](iovec buffer, uint64_t) {
    if (!writable(buffer.iov_base, buffer.iov_len, cursor.stack)) return false;
    memset(buffer.iov_base, 0, buffer.iov_len);
    return true;
  });
}

long copy_in(Cursor& cursor, void* to, uint64_t size) {
  return advance(cursor, size, [&](iovec buffer, uint64_t at) {
    memcpy((char*)to + at, buffer.iov_base, buffer.iov_len);
    return true;
  });
}

long write_in(Cursor& cursor, uint64_t data_offset, uint64_t size) {
  return advance(cursor, size, [&](iovec buffer, uint64_t at) {
    const uint64_t to = data_offset + at;
    uint64_t done = 0;
    while (done < buffer.iov_len) {
      const long put = kernel(SYS_pwrite64, client.data_fd, (const char*)buffer.iov_base + done,
                              buffer.iov_len - done, to + done);
      if (put == -EINTR) continue;
      if (put <= 0) return false;
      done += (uint64_t)put;
    }
    return true;
  });
}

long file_size(Thread& self, uint32_t description, uint64_t user_stack) {
  Attributes quick;
  if (quick_attributes(description_record(description)->ino, quick)) return (long)quick.size;
  Slot* slot = begin_on(self, BT_OP_GETATTR, description, user_stack);
  if (slot == nullptr) return -EIO;
  long result = transact(slot);
  if (result == 0) result = (long)((const Attributes*)slot->attr)->size;
  end(self);
  return result;
}

Slot* begin_on(Thread& self, uint32_t opcode, uint32_t description, uint64_t user_stack) {
  Slot* slot = begin(self, user_stack);
  if (slot == nullptr) return nullptr;
  slot->opcode = opcode;
  slot->description = description;
  slot->path_length = slot->path2_length = slot->payload_length = 0;
  return slot;
}

// ---- pieces -------------------------------------------------------------------------------------

namespace {

/**
 * Bytes that pass through the slot are written by one CPU and read by another: 200 ns per KiB,
 * where the straight copy costs 30. A write goes straight for the price of a second round trip.
 */
constexpr uint64_t kDirectReadMin = 512;
constexpr uint64_t kDirectWriteMin = 8192;
constexpr uint32_t kMapAfter = 8;

const Inode* inode_of(uint32_t description) {
  auto* superblock = (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
  uint32_t ino = description_record(description)->ino;
  if (ino >= superblock->inode_capacity) ino = 0;
  return (const Inode*)(client.store + superblock->inodes_offset) + ino;
}

/**
 * How much a read could bring: a hint that keeps a large buffer on a small file from a large way.
 * One byte more than the file holds, so that a short answer still means its end.
 */
uint64_t likely_size(const Transfer& transfer, uint64_t wanted) {
  uint64_t size = __atomic_load_n(&inode_of(transfer.description)->size, __ATOMIC_RELAXED);
  int64_t offset = transfer.offset;
  if (offset == kAtPosition)
    offset = __atomic_load_n(&description_state(transfer.description)->position, __ATOMIC_RELAXED);
  uint64_t left = (uint64_t)offset < size ? size - (uint64_t)offset : 0;
  if (left < kDirectReadMin) left = kDirectReadMin - 1;
  return wanted <= left ? wanted : left + 1;
}

/** Transfers so far that could have gone straight to the data segment, had it been mapped. */
uint32_t worthwhile;

void place(Slot* slot, const Transfer& transfer, uint64_t size) {
  slot->request_flags = (transfer.offset == kAtPosition ? BT_REQUEST_POSITION : 0) |
                        (transfer.vector ? BT_REQUEST_VECTOR : 0);
  slot->offset = transfer.offset == kAtPosition ? 0 : transfer.offset;
  slot->size = size;
}

/** One READ through the slot or the slab. */
long read_piece(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size) {
  Slot* slot = begin_on(self, BT_OP_READ, transfer.description, transfer.user_stack);
  if (slot == nullptr) return -EIO;
  place(slot, transfer, size);
  long result = 0;
  if (transfer.offset == kAtPosition && size > 0) {
    // The server moves the offset: not for a buffer that takes nothing of what there is.
    const uint64_t end = known_size(transfer.description);
    const uint64_t start = (uint64_t)description_state(transfer.description)->position;
    const uint64_t left = start < end ? end - start : 0;
    const iovec first = head(cursor, size < left ? size : left);
    // Without a mark in the buffer: at the end of the file it stays as it is.
    if (writable_prefix(first.iov_base, first.iov_len, cursor.stack) < first.iov_len)
      result = -EFAULT;
  }
  if (result == 0 && size > BT_INLINE_SIZE && slab_of(slot, size) == nullptr) result = -ENOMEM;
  if (result == 0) result = transact(slot);
  if (result == 0) {
    uint64_t got = slot->result > 0 ? (uint64_t)slot->result : 0;
    if (got > size) got = size;
    result = copy_out(cursor, reply_payload(slot), got);
    if (result == 0) result = (long)got;
  }
  end(self);
  return result;
}

/** One WRITE through the slot or the slab. */
long write_piece(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size) {
  Slot* slot = begin_on(self, BT_OP_WRITE, transfer.description, transfer.user_stack);
  if (slot == nullptr) return -EIO;
  place(slot, transfer, size);
  const uint64_t limit = file_size_limit();
  if (slot->file_size_limit != limit) slot->file_size_limit = limit;
  unsigned char* payload = slot->payload;
  if (size > BT_INLINE_SIZE) {
    payload = slab_of(slot, size);
    slot->request_flags |= BT_REQUEST_SLAB;
  }
  long result = payload == nullptr ? -ENOMEM : copy_in(cursor, payload, size);
  if (result == 0) {
    slot->payload_length = (uint32_t)size;
    result = transact(slot);
    if (result == 0) result = slot->result;
  }
  end(self);
  return result;
}

}  // namespace

bool goes_direct(uint64_t size, uint64_t minimum) {
  if (size < minimum) return false;
  if (size < BT_DIRECT_MIN && worthwhile < kMapAfter) {
    worthwhile++;
    return false;
  }
  return data_segment() != nullptr;
}

long read_file(Thread& self, Transfer transfer, Cursor& cursor, uint64_t size) {
  uint64_t done = 0;
  bool more = true;
  do {
    uint64_t want = likely_size(transfer, size - done);
    long got;
    if (goes_direct(want, kDirectReadMin)) {
      got = read_direct(self, transfer, cursor, want, more);
    } else {
      if (want > BT_SLAB_SIZE) want = BT_SLAB_SIZE;
      got = read_piece(self, transfer, cursor, want);
      more = false;
    }
    if (got < 0) return done > 0 ? (long)done : got;
    done += (uint64_t)got;
    if (transfer.offset != kAtPosition) transfer.offset += got;
    if ((uint64_t)got == want) more = true;
    if (got == 0) break;
  } while (done < size && more);
  return (long)done;
}

long write_file(Thread& self, Transfer transfer, Cursor& cursor, uint64_t size) {
  uint64_t done = 0;
  do {
    uint64_t want = size - done;
    long put;
    // Only where the file took all that the cursor has passed is there a next piece.
    bool more;
    if (goes_direct(want, kDirectWriteMin)) {
      put = write_direct(self, transfer, cursor, want, more);
    } else {
      if (want > BT_SLAB_SIZE) want = BT_SLAB_SIZE;
      put = write_piece(self, transfer, cursor, want);
      more = put == (long)want;
    }
    if (put < 0) {
      if (done > 0) break;
      signal_file_size(put);
      return put;
    }
    done += (uint64_t)put;
    if (transfer.offset != kAtPosition) transfer.offset += put;
    if (put == 0 || !more) break;
  } while (done < size);
  return (long)done;
}

// ---- handlers -----------------------------------------------------------------------------------

namespace {

long access_mode(uint32_t id) {
  return description_record(id)->open_flags & (O_ACCMODE | O_PATH);
}
bool may_read(uint32_t id) {
  long mode = access_mode(id);
  return mode == O_RDONLY || mode == O_RDWR;
}
bool may_write(uint32_t id) {
  long mode = access_mode(id);
  return mode == O_WRONLY || mode == O_RDWR;
}

enum Direction { READING, WRITING };

/** How many of the next `size` bytes of the buffers can be touched before the first that cannot. */
uint64_t reach(const Cursor& cursor, Direction direction, uint64_t size) {
  uint64_t reached = 0;
  for (const iovec* buffer = cursor.vector; reached < size; buffer++) {
    uint64_t length = buffer->iov_len < size - reached ? buffer->iov_len : size - reached;
    if (length == 0) continue;
    uint64_t part = direction == READING ? writable_prefix(buffer->iov_base, length, cursor.stack)
                                         : readable_prefix(buffer->iov_base, length, cursor.stack);
    reached += part;
    if (part < length) break;
  }
  return reached;
}

/**
 * Cuts the cursor where its buffers end to be good, as the kernel moves what it can → false when
 * not even the first byte is. A read is looked at as far as the file most likely has bytes.
 */
bool cut(Cursor& cursor, Direction direction, uint32_t id, int64_t start) {
  uint64_t wanted = cursor.total;
  if (direction == READING) {
    uint64_t size = __atomic_load_n(&inode_of(id)->size, __ATOMIC_RELAXED);
    uint64_t left = (uint64_t)start < size ? size - (uint64_t)start : 0;
    if (wanted > left) wanted = left;
  }
  uint64_t reached = reach(cursor, direction, wanted);
  if (reached < wanted) cursor.total = reached;
  return reached != 0 || wanted == 0;
}

/** Every form of read and write ends here. */
Verdict move(Call& call, Thread& self, Direction direction, const iovec* vector, uint64_t count,
             int64_t offset) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  if (!(direction == READING ? may_read(id) : may_write(id))) return done(call, -EBADF);
  Cursor cursor;
  long error = make_cursor(cursor, vector, count, call.stack);
  if (error != 0) return done(call, error);
  if (direction == READING && S_ISDIR(description_record(id)->mode)) {
    // A vector of nothing comes to its end before the directory is asked.
    bool plain = call.nr == SYS_read || call.nr == SYS_pread64;
    return done(call, cursor.total != 0 || plain ? -EISDIR : 0);
  }
  if (cursor.total == 0 && direction == WRITING) return done(call, 0);
  int64_t start = offset != kAtPosition ? offset : description_state(id)->position, past;
  if (__builtin_add_overflow(start, (int64_t)cursor.total, &past)) return done(call, -EINVAL);
  if (!cut(cursor, direction, id, start)) return done(call, -EFAULT);
  Transfer transfer{id, offset, call.stack, call.nr != SYS_read && call.nr != SYS_pread64};
  if (direction == READING) {
    long got;
    // A read of nothing moves atime: the server knows how.
    if (cursor.total == 0 || !read_quick(transfer, cursor, got))
      got = read_file(self, transfer, cursor, cursor.total);
    return done(call, got);
  }
  // The whole write has its place before the first byte moves, as under the kernel's lock of the
  // offset: others that write through this description at the same time get theirs behind it.
  DescriptionState* state = description_state(id);
  if (offset == kAtPosition &&
      !(__atomic_load_n(&state->status_flags, __ATOMIC_RELAXED) & O_APPEND)) {
    start = __atomic_fetch_add(&state->position, (int64_t)cursor.total, __ATOMIC_ACQ_REL);
    transfer.offset = start;
  }
  long result;
  if (!expects_growth(self, id, start) && write_quick(self, transfer, cursor, result))
    return done(call, result);
  if (!write_spare(self, transfer, cursor, result))
    result = write_file(self, transfer, cursor, cursor.total);
  if (transfer.offset != offset) settle_position(transfer, cursor.total, result);
  if (result > 0) extend_mappings(self, id, call.stack);
  return done(call, result);
}

Verdict move_buffer(Call& call, Thread& self, Direction direction, int64_t offset) {
  uint64_t size = (uint64_t)call.args[2];
  uint64_t base = (uint64_t)call.args[1];
  if (size > kMaxTransfer) {
    // More than there are addresses behind the buffer is a bad buffer; else only so much is moved.
    if (base > kUserEnd || size > kUserEnd - base) base = ~0ull;
    size = kMaxTransfer;
  }
  iovec buffer{(void*)base, size};
  return move(call, self, direction, &buffer, 1, offset);
}

/** The p forms: a negative offset is EINVAL, before the descriptor is looked at. */
Verdict move_buffer_at(Call& call, Thread& self, Direction direction) {
  if (call.args[3] < 0 && file_of(self, call.args[0]) != 0) return done(call, -EINVAL);
  return move_buffer(call, self, direction, call.args[3]);
}

}  // namespace

Verdict sys_read(Call& call, Thread& self) {
  return move_buffer(call, self, READING, kAtPosition);
}
Verdict sys_write(Call& call, Thread& self) {
  return move_buffer(call, self, WRITING, kAtPosition);
}
Verdict sys_pread64(Call& call, Thread& self) {
  return move_buffer_at(call, self, READING);
}
Verdict sys_pwrite64(Call& call, Thread& self) {
  return move_buffer_at(call, self, WRITING);
}

namespace {

Verdict move_vector(Call& call, Thread& self, Direction direction, int64_t offset) {
  return move(call, self, direction, (const iovec*)call.args[1], (uint64_t)call.args[2], offset);
}

}  // namespace

Verdict sys_readv(Call& call, Thread& self) {
  return move_vector(call, self, READING, kAtPosition);
}
Verdict sys_writev(Call& call, Thread& self) {
  return move_vector(call, self, WRITING, kAtPosition);
}
Verdict sys_preadv(Call& call, Thread& self) {
  if (call.args[3] < 0 && file_of(self, call.args[0]) != 0) return done(call, -EINVAL);
  return move_vector(call, self, READING, call.args[3]);
}
Verdict sys_pwritev(Call& call, Thread& self) {
  if (call.args[3] < 0 && file_of(self, call.args[0]) != 0) return done(call, -EINVAL);
  return move_vector(call, self, WRITING, call.args[3]);
}

namespace {

// linux/fs.h; not every libc header knows the newer ones.
constexpr long kRwfHipri = 0x1, kRwfDsync = 0x2, kRwfSync = 0x4, kRwfAppend = 0x10,
               kRwfNoappend = 0x20;

/** preadv2 and pwritev2: offset -1 is the description's own. */
long check_flags(long flags, int64_t offset) {
  // Where a read would append makes no difference to it.
  const long known = kRwfHipri | kRwfDsync | kRwfSync | kRwfAppend | kRwfNoappend;
  if ((flags & ~known) != 0) return -EOPNOTSUPP;
  if ((flags & (kRwfAppend | kRwfNoappend)) == (kRwfAppend | kRwfNoappend)) return -EINVAL;
  return offset < kAtPosition ? -EINVAL : 0;
}

/** Flags that the file does not know are looked at last, and not at all when nothing would move. */
Verdict refuse_flags(Call& call, uint32_t id, Direction direction, long error) {
  Cursor cursor;
  long bad = call.args[3] < kAtPosition                               ? -EINVAL
             : !(direction == READING ? may_read(id) : may_write(id)) ? -EBADF
                                                                      : 0;
  if (bad == 0)
    bad = make_cursor(cursor, (const iovec*)call.args[1], (uint64_t)call.args[2], call.stack);
  return done(call, bad != 0 ? bad : cursor.total == 0 ? 0 : error);
}

}  // namespace

Verdict sys_preadv2(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = check_flags(call.args[5], call.args[3]);
  return error != 0 ? refuse_flags(call, id, READING, error)
                    : move_vector(call, self, READING, call.args[3]);
}

Verdict sys_pwritev2(Call& call, Thread& self) {
  uint32_t id = file_of(self, call.args[0]);
  if (id == 0) return Verdict::PASS;
  long error = check_flags(call.args[5], call.args[3]);
  if (error != 0) return refuse_flags(call, id, WRITING, error);
  uint32_t* status = &description_state(id)->status_flags;
  uint32_t before = __atomic_load_n(status, __ATOMIC_RELAXED);
  // The ring has no per-call append: the description's own flag is turned for the one call.
  uint32_t wanted = (call.args[5] & kRwfAppend)     ? before | O_APPEND
                    : (call.args[5] & kRwfNoappend) ? before & ~(uint32_t)O_APPEND
                                                    : before;
  if (wanted != before) __atomic_store_n(status, wanted, __ATOMIC_RELEASE);
  Verdict verdict = move_vector(call, self, WRITING, call.args[3]);
  if (wanted != before) __atomic_store_n(status, before, __ATOMIC_RELEASE);
  return verdict;
}

uint64_t known_size(uint32_t description) {
  return __atomic_load_n(&inode_of(description)->size, __ATOMIC_RELAXED);
}

}  // namespace btfuse
