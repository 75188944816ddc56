#include "tree_path.h"

#include <errno.h>

#include "../client/memory.h"
#include "request.h"

namespace btfuse {

long tree_path(Slot* slot, const char** text, bool* deleted) {
  static constexpr char kDeleted[] = " (deleted)";
  unsigned char* slab = slab_of(slot, 4 * BT_PATH_MAX);
  if (slab == nullptr) return -ENOMEM;
  slot->opcode = BT_OP_PATH;
  slot->flags = 0;
  int32_t status = transact_plain(slot);
  if (status != 0 && status != -ENOENT) return status;
  bool gone = status != 0 || slot->reply_offset != 0;
  if (deleted != nullptr) *deleted = gone;

  const unsigned char* path = status != 0 ? (const unsigned char*)"/" : reply_payload(slot);
  uint64_t length = status != 0 ? 1 : slot->reply_length;
  if (length == 1 && !gone) length = 0;  // "/": the prefix itself
  const uint64_t marked = gone ? sizeof kDeleted - 1 : 0;
  if (client.prefix_length + length + marked >= BT_PATH_MAX) return -ENAMETOOLONG;
  unsigned char* at = slab + 2 * BT_PATH_MAX;
  memcpy(at, client.prefix, client.prefix_length);
  memcpy(at + client.prefix_length, path, length);
  length += client.prefix_length;
  memcpy(at + length, kDeleted, marked);
  length += marked;
  at[length] = 0;
  *text = (const char*)at;
  return (long)length;
}

}  // namespace btfuse
