// name_to_handle_at, open_by_handle_at. A handle is the one of tmpfs (mm/shmem.c shmem_encode_fh):
// the generation of the inode and its number.
#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint32_t kHandleUniqueMount = 0x1;   // AT_HANDLE_MNT_ID_UNIQUE
constexpr uint32_t kHandleConnectable = 0x2;   // AT_HANDLE_CONNECTABLE
constexpr uint32_t kHandleIdentifies = 0x200;  // AT_HANDLE_FID
constexpr uint32_t kHandleFlags =
    AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | kHandleUniqueMount | kHandleConnectable | kHandleIdentifies;

/** FILEID_INO32_GEN */
constexpr int32_t kType = 1;
constexpr uint32_t kHandleMax = 128;  // MAX_HANDLE_SZ

struct Handle {
  uint32_t bytes;
  int32_t type;
  uint32_t generation;
  uint32_t ino;
  uint32_t ino_high;
};
constexpr uint32_t kHeader = 8;
constexpr uint32_t kBytes = sizeof(Handle) - kHeader;

void fill_lookup(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_LOOKUP;
  slot.flags = (uint32_t)call.args[4] & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
}

long give_handle(const Call& call, const Attributes& file) {
  auto* to = (Handle*)call.args[2];
  if (!writable(to, kHeader, call.stack)) return -EFAULT;
  const uint32_t room = to->bytes;
  if (room > kHandleMax) return -EINVAL;
  auto* mount = (void*)call.args[3];
  const bool unique = ((uint32_t)call.args[4] & kHandleUniqueMount) != 0;
  if (!writable(mount, unique ? sizeof(uint64_t) : sizeof(int), call.stack)) return -EFAULT;
  if (unique)
    *(uint64_t*)mount = kMountId;
  else
    *(int*)mount = (int)kMountId;
  if (room < kBytes) {
    to->bytes = kBytes;
    return -EOVERFLOW;
  }
  if (!writable(to, sizeof *to, call.stack)) return -EFAULT;
  *to = {kBytes, kType, file.generation, file.ino, 0};
  return 0;
}

/** Copies what a handle of the program begins with, which is looked at before rights → 0 or -errno.
 */
int take_header(const Call& call, Handle& handle) {
  constexpr uint32_t kTypes = 0x3ffff;
  auto* from = (const Handle*)call.args[1];
  if (!readable(from, kHeader, call.stack)) return -EFAULT;
  handle.bytes = from->bytes;
  handle.type = from->type;
  if (handle.bytes == 0 || handle.bytes > kHandleMax) return -EINVAL;
  return ((uint32_t)handle.type & ~kTypes) != 0 ? -EINVAL : 0;
}

/** And the rest of it. */
int take_handle(const Call& call, Handle& handle) {
  auto* from = (const Handle*)call.args[1];
  if (!readable(from, kHeader + handle.bytes, call.stack)) return -EFAULT;
  if (handle.type != kType || handle.bytes < kBytes) return -ESTALE;
  handle = *from;
  return handle.ino_high == 0 ? 0 : -ESTALE;
}

}  // namespace

Verdict sys_name_to_handle_at(Call& call, Thread& self) {
  uint32_t flags = (uint32_t)call.args[4];
  if (flags & ~kHandleFlags) return Verdict::PASS;
  uint32_t how = flags & AT_EMPTY_PATH ? PATH_EMPTY : 0;
  if (!(flags & AT_SYMLINK_FOLLOW)) how |= PATH_NOFOLLOW;
  Slot* slot = ask(call, self, {.first = {.dirfd = 0, .path = 1, .flags = how}}, fill_lookup);
  if (slot == nullptr) return Verdict::DONE;
  if (slot->status != 0) return reply(call, self, slot->status);
  return reply(call, self, give_handle(call, *(const Attributes*)slot->attr));
}

Verdict sys_open_by_handle_at(Call& call, Thread& self) {
  long fd = (int)call.args[0];
  uint32_t at = fd == AT_FDCWD ? process_at(process_of(self))->cwd : description_of(self, fd);
  if (at == 0) return Verdict::PASS;
  Handle handle;
  int error = take_header(call, handle);
  if (error == 0 && fd != AT_FDCWD && (description_record(at)->open_flags & O_PATH)) error = -EBADF;
  if (error != 0) return done(call, error);
  const Process* process = process_at(process_of(self));
  const bool odd = (process->umask & BT_UMASK_CAPABILITIES) != 0;
  constexpr uint32_t kReadSearch = 1u << 2;  // CAP_DAC_READ_SEARCH
  if (odd ? !(process->capabilities & kReadSearch) : process->uid != 0) return done(call, -EPERM);
  error = take_handle(call, handle);
  if (error != 0) return done(call, error);
  const uint32_t flags = (uint32_t)call.args[2];
  Slot* slot = begin_on(call, self, at);
  if (slot == nullptr) return Verdict::DONE;
  slot->opcode = BT_OP_OPEN_HANDLE;
  slot->flags = flags & ~(uint32_t)O_CLOEXEC;
  slot->offset = handle.ino;
  slot->size = handle.generation;
  int32_t status = transact_plain(slot);
  uint32_t description = slot->reply_description;
  end(self);
  if (status != 0) return done(call, status);
  return done(call, install(self, description, (flags & O_CLOEXEC) != 0));
}

}  // namespace btfuse
