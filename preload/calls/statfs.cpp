// statfs, fstatfs: the tree calls itself a tmpfs.
#include <errno.h>
#include <fcntl.h>
#include <asm/statfs.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr long kTmpfsMagic = 0x01021994;
/** ST_VALID, ST_RELATIME: what tmpfs reports. */
constexpr long kFlags = 0x0020 | 0x1000;

void fill(Slot& slot, const Call&) {
  slot.opcode = BT_OP_STATFS;
}

Verdict reply_statfs(Call& call, Thread& self, Slot* slot) {
  if (slot->status != 0) return reply(call, self, slot->status);
  auto* to = (struct statfs*)call.args[1];
  if (!writable(to, sizeof *to, call.stack)) return reply(call, self, -EFAULT);
  auto& from = *(const StatfsReply*)reply_payload(slot);
  memset(to, 0, sizeof *to);
  to->f_type = kTmpfsMagic;
  to->f_bsize = BT_PAGE_SIZE;
  to->f_frsize = BT_PAGE_SIZE;
  to->f_blocks = (long)from.blocks;
  to->f_bfree = to->f_bavail = (long)from.blocks_free;
  to->f_files = (long)from.files;
  to->f_ffree = (long)from.files_free;
  memcpy(&to->f_fsid, &from.fsid, sizeof to->f_fsid);
  to->f_namelen = BT_NAME_MAX;
  to->f_flags = kFlags;
  return reply(call, self, 0);
}

}  // namespace

Verdict sys_statfs(Call& call, Thread& self) {
  Slot* slot = ask(call, self, {.first = {.path = 0}}, fill);
  return slot == nullptr ? Verdict::DONE : reply_statfs(call, self, slot);
}

Verdict sys_fstatfs(Call& call, Thread& self) {
  uint32_t description = description_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return Verdict::DONE;
  slot->opcode = BT_OP_STATFS;
  slot->flags = AT_EMPTY_PATH;
  transact_plain(slot);
  return reply_statfs(call, self, slot);
}

}  // namespace btfuse
