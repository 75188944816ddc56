// getdents64, getdents.
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "directory_entry.h"
#include "proc_listing.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr uint64_t kEntry64Name = 19;
/** The shortest entry there is, of a name of one byte. */
constexpr uint64_t kEntryMin = 24;

/** The server moves the position: not for a buffer that takes nothing. */
bool takes_entry(const Call& call, uint32_t description) {
  return (uint32_t)call.args[2] < kEntryMin || !S_ISDIR(description_record(description)->mode) ||
         writable((void*)call.args[1], kEntryMin, call.stack);
}

/** READDIR of at most `size` bytes; nullptr: call.result is set. */
Slot* read_entries(Call& call, Thread& self, uint32_t description, uint64_t size) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return nullptr;
  // The kernel counts what is left in an int: from 2 GiB on no entry has room.
  if ((int32_t)size < 0) size = 0;
  if (size > BT_SLAB_SIZE) size = BT_SLAB_SIZE;
  if (slab_of(slot, size) == nullptr) {
    end(self);
    call.result = -ENOMEM;
    return nullptr;
  }
  slot->opcode = BT_OP_READDIR;
  slot->flags = 0;
  slot->size = size;
  transact_plain(slot);
  return slot;
}

struct Entry {
  uint64_t ino;
  int64_t off;
  uint16_t length;
  char name[];
};
constexpr uint64_t kEntryName = 18;
static_assert(kEntryName < kEntry64Name);

/** One record in the old shape, in which the type is the last byte. It is never longer. */
uint64_t to_old_entry(const DirectoryEntry& from, unsigned char* at) {
  uint64_t name_length = strlen(from.name);
  uint64_t length = (kEntryName + name_length + 2 + 7) & ~7ull;
  auto* to = (Entry*)at;
  unsigned char type = from.type;
  to->ino = from.ino;
  to->off = from.off;
  to->length = (uint16_t)length;
  memmove(at + kEntryName, from.name, name_length + 1);
  at[length - 1] = type;
  return length;
}

/** The host's directories; of /proc/PID/fd without what is ours. */
Verdict list_host(Call& call) {
  if (!may_list_descriptors()) return Verdict::PASS;
  for (;;) {
    long length = on_kernel(call);
    long shown = list_without_ours((int)call.args[0], (void*)call.args[1], length);
    // Nothing would mean the end.
    if (shown != 0 || length <= 0) return done(call, shown);
  }
}

}  // namespace

Verdict sys_getdents64(Call& call, Thread& self) {
  uint32_t description = file_of(self, call.args[0]);
  if (description == 0) return list_host(call);
  if (!takes_entry(call, description)) return done(call, -EFAULT);
  Slot* slot = read_entries(call, self, description, (uint32_t)call.args[2]);
  if (slot == nullptr) return Verdict::DONE;
  if (slot->status != 0) return reply(call, self, slot->status);
  auto* to = (void*)call.args[1];
  if (!writable(to, slot->reply_length, call.stack)) return reply(call, self, -EFAULT);
  memcpy(to, reply_payload(slot), slot->reply_length);
  return reply(call, self, slot->reply_length);
}

Verdict sys_getdents(Call& call, Thread& self) {
  uint32_t description = file_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  if (!takes_entry(call, description)) return done(call, -EFAULT);
  Slot* slot = read_entries(call, self, description, (uint32_t)call.args[2]);
  if (slot == nullptr) return Verdict::DONE;
  if (slot->status != 0) return reply(call, self, slot->status);
  auto* to = (unsigned char*)call.args[1];
  if (!writable(to, slot->reply_length, call.stack)) return reply(call, self, -EFAULT);
  const unsigned char* from = reply_payload(slot);
  uint64_t written = 0;
  for (uint64_t at = 0; at < slot->reply_length;) {
    auto& entry = *(const DirectoryEntry*)(from + at);
    at += entry.length;
    written += to_old_entry(entry, to + written);
  }
  return reply(call, self, (long)written);
}

}  // namespace btfuse
