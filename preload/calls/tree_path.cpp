#include "tree_path.h"

#include <errno.h>

#include "../client/memory.h"
#include "request.h"

namespace btfuse {

long tree_path(Slot* slot, const char** text, bool* deleted) {
  static constexpr char kDeleted[] = "/ (deleted)";
  unsigned char* slab = slab_of(slot, 4 * BT_PATH_MAX);
  if (slab == nullptr) return -ENOMEM;
  slot->opcode = BT_OP_PATH;
  slot->flags = 0;
  int32_t status = transact_plain(slot);
  bool gone = status == -ENOENT;
  if (deleted != nullptr) *deleted = gone;
  if (status != 0 && !gone) return status;

  const unsigned char* path = gone ? (const unsigned char*)kDeleted : reply_payload(slot);
  uint64_t length = gone ? sizeof kDeleted - 1 : slot->reply_length;
  if (length == 1) length = 0;  // "/": the prefix itself
  if (client.prefix_length + length >= BT_PATH_MAX) return -ENAMETOOLONG;
  unsigned char* at = slab + 2 * BT_PATH_MAX;
  memcpy(at, client.prefix, client.prefix_length);
  memcpy(at + client.prefix_length, path, length);
  at[client.prefix_length + length] = 0;
  *text = (const char*)at;
  return (long)(client.prefix_length + length);
}

}  // namespace btfuse
