#include "identity.h"

#include <elf.h>
#include <errno.h>

#include "../client/client.h"
#include "start.h"

namespace btfuse {

namespace {

constexpr uint32_t kKeep = (uint32_t)-1;

uint64_t number_at(const char*& text) {
  uint64_t value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (uint64_t)(*text++ - '0');
  if (*text == ':') text++;
  return value;
}

}  // namespace

Identity identity() {
  Identity now;
  kernel(SYS_getresuid, &now.uid[0], &now.uid[1], &now.uid[2]);
  kernel(SYS_getresgid, &now.gid[0], &now.gid[1], &now.gid[2]);
  now.fsuid = (uint32_t)kernel(SYS_setfsuid, -1);
  now.fsgid = (uint32_t)kernel(SYS_setfsgid, -1);
  now.split = now.uid[0] != now.uid[1] || now.gid[0] != now.gid[1];
  return now;
}

long level_ids(const Identity& before) {
  if (!before.split) return 0;
  // The new image gets its ids as root, by a right that an ordinary user does not have.
  if (kernel(SYS_setresuid, 0, 0, kKeep) != 0) return -EACCES;
  if (kernel(SYS_setresgid, before.gid[1], before.gid[1], kKeep) != 0) {
    restore_ids(before);
    return -EACCES;
  }
  // Whether the file may be executed is asked of these.
  kernel(SYS_setfsgid, before.fsgid);
  kernel(SYS_setfsuid, before.fsuid);
  return 0;
}

void restore_ids(const Identity& before) {
  if (!before.split) return;
  kernel(SYS_setresgid, before.gid[0], before.gid[1], before.gid[2]);
  kernel(SYS_setfsgid, before.fsgid);
  kernel(SYS_setresuid, before.uid[0], before.uid[1], before.uid[2]);
  kernel(SYS_setfsuid, before.fsuid);
}

void adopt_ids(char** environment) {
  const char* text = variable(environment, "BTFUSE_IDS=");
  if (text == nullptr) return;
  uint64_t ids[4];
  for (uint64_t& id : ids) id = number_at(text);
  // The saved ids are what the effective ones were at the exec.
  if (kernel(SYS_setresgid, ids[2], ids[3], ids[3]) != 0 ||
      kernel(SYS_setresuid, ids[0], ids[1], ids[1]) != 0)
    die("the user ids of this program cannot be taken again.");
  while (*environment != nullptr) environment++;
  for (auto* entry = (Elf64_auxv_t*)(environment + 1); entry->a_type != AT_NULL; entry++) {
    uint64_t& value = entry->a_un.a_val;
    if (entry->a_type == AT_UID) value = ids[0];
    if (entry->a_type == AT_EUID) value = ids[1];
    if (entry->a_type == AT_GID) value = ids[2];
    if (entry->a_type == AT_EGID) value = ids[3];
    if (entry->a_type == AT_SECURE) value = 1;
  }
}

}  // namespace btfuse
