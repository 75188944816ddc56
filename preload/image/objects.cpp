#include "objects.h"

#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "map.h"
#include "start.h"

namespace btfuse {

namespace {

constexpr char kOwnProgram[] = "/proc/self/exe";

/** The server has looked at it before, in this session or an earlier one. */
bool is_exempt(const Object& object) {
  uint64_t key;
  if (object.build_id_length < sizeof key) return false;
  memcpy(&key, object.build_id, sizeof key);
  const uint32_t first = (uint32_t)(key >> 32);
  const auto* table = (const uint64_t*)(client.ring + BT_RING_OBJECTS_OFFSET);
  for (uint32_t probe = 0; probe < BT_OBJECTS_PROBES; probe++) {
    // As the server counts: 32 bits, then the remainder.
    const uint64_t at = ((uint64_t)first + probe) % BT_OBJECTS_MAX;
    const uint64_t entry = __atomic_load_n(table + at, __ATOMIC_RELAXED);
    if (entry == (key | 1)) return true;
    if (entry == 0) return false;
  }
  return false;
}

/** An absolute path outside the tree: to the server it means the same file. */
bool is_on_host(const char* path) {
  if (path[0] != '/') return false;
  uint32_t same = 0;
  while (same < client.prefix_length && path[same] == client.prefix[same]) same++;
  return same < client.prefix_length || (path[same] != '/' && path[same] != 0);
}

/** Has the executable part the bytes of a `syscall` at all? */
bool might_call(const Object& object) {
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const auto* at = (const unsigned char*)(object.base + segment.p_vaddr);
    for (uint64_t n = segment.p_filesz; n > 1; n--, at++) {
      if (at[0] == 0x0f && at[1] == 0x05) return true;
    }
  }
  return false;
}

/** "/proc/PID/exe": what the server can open, whatever namespace the name is of. */
void name_own_program(char* out) {
  char digits[20];
  int count = 0;
  uint64_t number = client.pid;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  for (const char* p = "/proc/"; *p != 0; p++) *out++ = *p;
  while (count > 0) *out++ = digits[--count];
  memcpy(out, "/exe", 5);
}

/** The path of an image that may be there; false: the object is known to need none. */
bool expected_image(const Object& object, const char* file, char* path) {
  path[0] = 0;
  if (start.images_length == 0) return true;
  if (object.build_id != nullptr) {
    if (!image_path(start.images, start.images_length, object, path)) path[0] = 0;
    return true;
  }
  struct stat status;
  if (kernel(SYS_stat, file, &status) != 0 ||
      !file_image_path(start.images, start.images_length, status, path)) {
    path[0] = 0;
    return true;
  }
  const uint64_t suffix = strlen(path) - 3;
  memcpy(path + suffix, "none", 5);
  if (kernel(SYS_access, path, F_OK) == 0) return false;
  memcpy(path + suffix, "img", 4);
  return true;
}

}  // namespace

void ensure_image(const Object& object, uint64_t euid) {
  if (client.ring == nullptr || is_exempt(object)) return;
  // The server cannot open such a name; nearly always it need not.
  const bool hidden = object.path[0] != 0 && !is_on_host(object.path);
  if (hidden && !might_call(object)) return;
  static char path[BT_PATH_MAX];
  const bool program = object.path[0] == 0;
  if (!expected_image(object, program ? kOwnProgram : object.path, path)) return;
  if (path[0] != 0 && map_image(object, path, euid) == 0) return;
  char own[32];
  if (program) name_own_program(own);
  int status = request_image(thread, program ? own : object.path, path);
  if (status == -ENOEXEC) return;
  if (status == 0) status = map_image(object, path, euid);
  if (status == 0 || !might_call(object)) return;
  die_about("the system calls of % cannot be hooked.", program ? "this program" : object.path);
}

}  // namespace btfuse
