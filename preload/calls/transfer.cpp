// Bytes from descriptor to descriptor: sendfile, copy_file_range, splice. Between two files of the
// tree the server copies; between the tree and the host they pass through the slab of the slot.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "io.h"
#include "mappings.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Bytes that pass through at a time: what a pipe holds by default. */
constexpr uint64_t kBounce = 64 * 1024;
/** Room that poll() promises in a pipe that is not empty. */
constexpr uint64_t kPipePage = 4096;

uint32_t access_mode(uint32_t id) {
  return description_record(id)->open_flags & O_ACCMODE;
}
bool is_path(uint32_t id) {
  return (description_record(id)->open_flags & O_PATH) != 0;
}
long check_source(uint32_t id) {
  return is_path(id) || (access_mode(id) != O_RDONLY && access_mode(id) != O_RDWR) ? -EBADF : 0;
}
long check_target(uint32_t id) {
  return is_path(id) || (access_mode(id) != O_WRONLY && access_mode(id) != O_RDWR) ? -EBADF : 0;
}
bool appends(uint32_t id) {
  return (description_state(id)->status_flags & O_APPEND) != 0;
}
int64_t* position_of(uint32_t id) {
  return &description_state(id)->position;
}

/** An offset that the program keeps: null means the file's own. */
struct Offset {
  int64_t* at;
  int64_t value;  ///< kAtPosition when `at` is null
};

long load_offset(Offset& offset, long pointer, uint64_t stack) {
  offset = {(int64_t*)pointer, kAtPosition};
  if (pointer == 0) return 0;
  if (!readable(offset.at, sizeof *offset.at, stack)) return -EFAULT;
  offset.value = *offset.at;
  if (!writable(offset.at, sizeof *offset.at, stack)) return -EFAULT;
  *offset.at = offset.value;  // the probe writes
  return offset.value < 0 ? -EINVAL : 0;
}

// ---- tree to tree -------------------------------------------------------------------------------

/** One COPY_FILE_RANGE; advances whatever offsets it used. */
long copy_in_tree(Thread& self, uint32_t from, Offset& from_offset, uint32_t to, Offset& to_offset,
                  uint64_t size, uint32_t flags, uint64_t user_stack) {
  Slot* slot = begin_on(self, BT_OP_COPY_FILE_RANGE, from, user_stack);
  if (slot == nullptr) return -EIO;
  slot->flags = flags;
  slot->description2 = to;
  slot->request_flags = (from_offset.at == nullptr ? BT_REQUEST_POSITION : 0) |
                        (to_offset.at == nullptr ? BT_REQUEST_POSITION2 : 0);
  slot->offset = from_offset.at == nullptr ? 0 : from_offset.value;
  slot->offset2 = to_offset.at == nullptr ? 0 : to_offset.value;
  slot->size = size;
  slot->file_size_limit = file_size_limit();
  long result = transact(slot);
  if (result == 0) result = slot->result;
  end(self);
  signal_file_size(result);
  if (result <= 0) return result;
  if (from_offset.at != nullptr) *from_offset.at = from_offset.value += result;
  if (to_offset.at != nullptr) *to_offset.at = to_offset.value += result;
  extend_mappings(self, to, user_stack);
  return result;
}

// ---- through the slab ---------------------------------------------------------------------------

/** One READ of at most `size` bytes at an offset; then `give(bytes, count)` hands them on. */
template <typename Give>
long pass_out(Thread& self, uint32_t id, int64_t offset, uint64_t size, uint64_t user_stack,
              Give give) {
  Slot* slot = begin_on(self, BT_OP_READ, id, user_stack);
  if (slot == nullptr) return -EIO;
  if (size > BT_INLINE_SIZE && slab_of(slot, size) == nullptr) size = BT_INLINE_SIZE;
  slot->offset = offset;
  slot->size = size;
  long result = transact(slot);
  if (result == 0 && slot->result > 0) result = give(reply_payload(slot), (uint64_t)slot->result);
  end(self);
  return result;
}

/** `take(bytes, room)` brings bytes from the host; one WRITE puts them into the file. */
template <typename Take>
long pass_in(Thread& self, uint32_t id, int64_t offset, uint64_t size, uint64_t user_stack,
             Take take) {
  Slot* slot = begin_on(self, BT_OP_WRITE, id, user_stack);
  if (slot == nullptr) return -EIO;
  unsigned char* bytes = slab_of(slot, size);
  long result = bytes == nullptr ? -ENOMEM : take(bytes, size);
  if (result > 0) {
    slot->request_flags = BT_REQUEST_SLAB | (offset == kAtPosition ? BT_REQUEST_POSITION : 0);
    slot->offset = offset == kAtPosition ? 0 : offset;
    slot->size = (uint64_t)result;
    slot->payload_length = (uint32_t)result;
    slot->file_size_limit = file_size_limit();
    result = transact(slot);
    if (result == 0) result = slot->result;
  }
  end(self);
  signal_file_size(result);
  return result;
}

uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/** Where a read without an offset of its own begins, and how far it then moves the file's. */
int64_t start_of(const Offset& offset, uint32_t id) {
  if (offset.at != nullptr) return offset.value;
  return __atomic_load_n(position_of(id), __ATOMIC_ACQUIRE);
}

void moved(Offset& offset, uint32_t id, int64_t start, long count) {
  if (offset.at != nullptr)
    *offset.at = offset.value = start + count;
  else
    __atomic_store_n(position_of(id), start + count, __ATOMIC_RELEASE);
}

/** A file of the tree to a descriptor of the host, until `size`, the end, or a short write. */
template <typename Give>
long file_to_host(Thread& self, uint32_t id, Offset& offset, uint64_t size, uint64_t user_stack,
                  Give give) {
  uint64_t done = 0;
  int64_t start = start_of(offset, id);
  while (done < size) {
    uint64_t want = smaller(size - done, kBounce);
    long count = pass_out(self, id, start + (int64_t)done, want, user_stack, give);
    if (count < 0 && done == 0) return count;
    if (count <= 0) break;
    done += (uint64_t)count;
    moved(offset, id, start, (long)done);
    if ((uint64_t)count < want) break;
  }
  return (long)done;
}

/** The other way. `take` answers 0 at the end of what the host has. */
template <typename Take>
long host_to_file(Thread& self, uint32_t id, Offset& offset, uint64_t size, uint64_t user_stack,
                  Take take) {
  uint64_t done = 0;
  while (done < size) {
    uint64_t want = smaller(size - done, kBounce);
    long count = pass_in(self, id, offset.value, want, user_stack, take);
    if (count < 0 && done == 0) return count;
    if (count <= 0) break;
    done += (uint64_t)count;
    if (offset.at != nullptr) *offset.at = offset.value += count;
    if ((uint64_t)count < want) break;
  }
  if (done > 0) extend_mappings(self, id, user_stack);
  return (long)done;
}

}  // namespace

// ---- sendfile -----------------------------------------------------------------------------------

namespace {

long send_from_tree(Call& call, Thread& self, uint32_t from, Offset& offset, uint64_t size) {
  long out = call.args[0];
  return file_to_host(
      self, from, offset, size, call.stack,
      [out](unsigned char* bytes, uint64_t count) { return kernel(SYS_write, out, bytes, count); });
}

/** From a file of the host; from anything that cannot seek the kernel's sendfile does not read
 * either. */
long send_from_host(Call& call, Thread& self, uint32_t to, Offset& offset, uint64_t size) {
  long in = call.args[1];
  if (kernel(SYS_lseek, in, 0, SEEK_CUR) == -ESPIPE) return -EINVAL;
  Offset own{nullptr, kAtPosition};
  int64_t* at = offset.at;
  auto take = [in, at](unsigned char* bytes, uint64_t room) {
    if (at == nullptr) return kernel(SYS_read, in, bytes, room);
    long got = kernel(SYS_pread64, in, bytes, room, *at);
    if (got > 0) *at += got;
    return got;
  };
  return host_to_file(self, to, own, size, call.stack, take);
}

/** A descriptor of the host is open, and not in the mode that is of no use here. */
long check_host(long fd, long useless) {
  long flags = kernel(SYS_fcntl, fd, F_GETFL);
  return flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == useless ? -EBADF : 0;
}

}  // namespace

namespace {

/** Between files of the tree. What the limit cuts short the kernel tries to go on with: SIGXFSZ. */
long send_in_tree(Thread& self, uint32_t from, Offset& offset, uint32_t to, uint64_t size,
                  uint64_t stack) {
  Offset own{nullptr, kAtPosition};
  long sent = copy_in_tree(self, from, offset, to, own, size, BT_COPY_OVERLAPPING, stack);
  if (sent <= 0 || (uint64_t)sent == size) return sent;
  bool at_limit = (uint64_t)*position_of(to) == file_size_limit();
  if (at_limit && (uint64_t)start_of(offset, from) < known_size(from)) signal_file_size(-EFBIG);
  return sent;
}

}  // namespace

Verdict sys_sendfile(Call& call, Thread& self) {
  uint32_t to = file_of(self, call.args[0]), from = file_of(self, call.args[1]);
  if (is_private_fd(call.args[1])) return done(call, -EBADF);
  if (to == 0 && from == 0) return Verdict::PASS;
  uint64_t size = smaller((uint64_t)call.args[3], kMaxTransfer);
  // do_sendfile's order.
  Offset offset;
  long bad_offset = load_offset(offset, call.args[2], call.stack);
  long error = bad_offset == -EFAULT ? bad_offset : 0;
  if (error == 0) error = from != 0 ? check_source(from) : check_host(call.args[1], O_WRONLY);
  if (error == 0) error = bad_offset;
  if (error == 0) error = to != 0 ? check_target(to) : check_host(call.args[0], O_RDONLY);
  if (error == 0 && to != 0 && appends(to)) error = -EINVAL;
  if (error == 0 && from != 0 && !S_ISREG(description_record(from)->mode)) {
    // Of a directory nothing can be had, and nothing is not asked for.
    bool nothing = S_ISDIR(description_record(from)->mode) && size == 0;
    return done(call, nothing ? 0 : -EINVAL);
  }
  if (error != 0) return done(call, error);
  if (to == 0) return done(call, send_from_tree(call, self, from, offset, size));
  if (from == 0) return done(call, send_from_host(call, self, to, offset, size));
  return done(call, send_in_tree(self, from, offset, to, size, call.stack));
}

// ---- copy_file_range ----------------------------------------------------------------------------

namespace {

/** Both ends are regular files, whichever side they are on. */
long check_regular(uint32_t id, long fd) {
  uint32_t mode;
  if (id != 0) {
    mode = description_record(id)->mode;
  } else {
    struct stat status;
    if (kernel(SYS_fstat, fd, &status) != 0) return -EBADF;
    mode = status.st_mode;
  }
  return S_ISREG(mode) ? 0 : S_ISDIR(mode) ? -EISDIR : -EINVAL;
}

}  // namespace

Verdict sys_copy_file_range(Call& call, Thread& self) {
  uint32_t from = file_of(self, call.args[0]), to = file_of(self, call.args[2]);
  if (is_private_fd(call.args[2])) return done(call, -EBADF);
  if (from == 0 && to == 0) return Verdict::PASS;
  uint64_t size = smaller((uint64_t)call.args[4], kMaxTransfer);
  Offset from_offset, to_offset;
  // Both are open at all, whatever for.
  bool open = (from != 0 ? !is_path(from) : kernel(SYS_fcntl, call.args[0], F_GETFD) >= 0) &&
              (to != 0 ? !is_path(to) : kernel(SYS_fcntl, call.args[2], F_GETFD) >= 0);
  long from_error = load_offset(from_offset, call.args[1], call.stack);
  long to_error = load_offset(to_offset, call.args[3], call.stack);
  long error = open ? 0 : -EBADF;
  if (error == 0 && (from_error == -EFAULT || to_error == -EFAULT)) error = -EFAULT;
  if (error == 0 && (uint32_t)call.args[5] != 0) error = -EINVAL;
  if (error == 0) error = check_regular(from, call.args[0]);
  if (error == 0) error = check_regular(to, call.args[2]);
  if (error == 0 && from != 0) error = check_source(from);
  if (error == 0 && to != 0) error = check_target(to);
  if (error == 0 && to != 0 && appends(to)) error = -EBADF;
  if (error == 0 && (from == 0 || to == 0)) error = -EXDEV;
  // Of an offset below zero generic_copy_file_checks sees a sum that wraps.
  if (error == 0 && (from_error != 0 || to_error != 0)) {
    error = size != 0 ? -EOVERFLOW : -EINVAL;
    // The limit is looked at before.
    if (size == 0 && to_error == 0) {
      Offset none{nullptr, kAtPosition};
      long limited = copy_in_tree(self, from, none, to, to_offset, 0, 0, call.stack);
      if (limited < 0) error = limited;
    }
  }
  if (error != 0) return done(call, error);
  return done(call, copy_in_tree(self, from, from_offset, to, to_offset, size, 0, call.stack));
}

// ---- splice -------------------------------------------------------------------------------------

namespace {

bool is_pipe(long fd) {
  struct stat status;
  return kernel(SYS_fstat, fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/**
 * Bytes that a write to the pipe takes without waiting for its reader: splice answers with less
 * rather than wait for all. An empty pipe takes its capacity; any other one page, once poll says
 * so.
 */
uint64_t pipe_room(long pipe, bool nonblocking) {
  int queued = 0;
  kernel(SYS_ioctl, pipe, FIONREAD, &queued);
  if (queued == 0) {
    long capacity = kernel(SYS_fcntl, pipe, F_GETPIPE_SZ);
    return capacity > 0 ? (uint64_t)capacity : kPipePage;
  }
  struct pollfd ready = {(int)pipe, POLLOUT, 0};
  kernel(SYS_poll, &ready, 1, nonblocking ? 0 : -1);
  return kPipePage;
}

bool is_nonblocking(long fd, long flags) {
  constexpr long kSpliceNonblock = 2;
  return (flags & kSpliceNonblock) != 0 || (kernel(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) != 0;
}

long splice_to_pipe(Call& call, Thread& self, uint32_t from, Offset& offset) {
  long pipe = call.args[2];
  bool nonblocking = is_nonblocking(pipe, call.args[5]);
  // The kernel moves whole pages of the file: a first page cut short takes a place of its own.
  uint64_t cut = (uint64_t)start_of(offset, from) % kPipePage;
  uint64_t room = pipe_room(pipe, nonblocking);
  uint64_t size = smaller((uint64_t)call.args[4], room > kPipePage ? room - cut : room);
  struct pollfd ready = {(int)pipe, POLLOUT, 0};
  if (nonblocking && kernel(SYS_poll, &ready, 1, 0) == 0) return -EAGAIN;
  return file_to_host(self, from, offset, smaller(size, kBounce), call.stack,
                      [pipe](unsigned char* bytes, uint64_t count) {
                        return kernel(SYS_write, pipe, bytes, count);
                      });
}

long splice_from_pipe(Call& call, Thread& self, uint32_t to, Offset& offset) {
  long pipe = call.args[0];
  struct pollfd ready = {(int)pipe, POLLIN, 0};
  if (is_nonblocking(pipe, call.args[5]) && kernel(SYS_poll, &ready, 1, 0) == 0) return -EAGAIN;
  // One read: splice does not wait for more once it has some.
  uint64_t size = smaller((uint64_t)call.args[4], kBounce);
  return host_to_file(
      self, to, offset, size, call.stack,
      [pipe](unsigned char* bytes, uint64_t room) { return kernel(SYS_read, pipe, bytes, room); });
}

}  // namespace

Verdict sys_splice(Call& call, Thread& self) {
  uint32_t from = file_of(self, call.args[0]);
  // tee and vmsplice work on pipes alone: whatever is ours is not one.
  if (call.nr != SYS_splice) {
    bool ours = from != 0 || (call.nr == SYS_tee && file_of(self, call.args[1]) != 0);
    return ours ? done(call, call.nr == SYS_vmsplice ? -EBADF : -EINVAL) : Verdict::PASS;
  }
  uint32_t to = file_of(self, call.args[2]);
  if (is_private_fd(call.args[2])) return done(call, -EBADF);
  if (from == 0 && to == 0) return Verdict::PASS;
  if (call.args[4] == 0) return done(call, 0);
  long error = from != 0 ? check_source(from) : check_target(to);
  long pipe = from != 0 ? call.args[2] : call.args[0];
  if (error == 0 && ((from != 0 && to != 0) || !is_pipe(pipe))) error = -EINVAL;
  if (error == 0 && (from != 0 ? call.args[3] : call.args[1]) != 0) error = -ESPIPE;
  Offset offset;
  if (error == 0) error = load_offset(offset, from != 0 ? call.args[1] : call.args[3], call.stack);
  if (error == 0 && to != 0 && appends(to)) error = -EINVAL;
  if (error == 0 && from != 0 && !S_ISREG(description_record(from)->mode)) error = -EINVAL;
  if (error != 0) return done(call, error);
  return done(call, from != 0 ? splice_to_pipe(call, self, from, offset)
                              : splice_from_pipe(call, self, to, offset));
}

}  // namespace btfuse
