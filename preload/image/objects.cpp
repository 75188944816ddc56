#include "objects.h"

#include <errno.h>
#include <fcntl.h>

#include "../calls/open_copy.h"
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

/** "/proc/PID/" and `rest`: what the server can open, whatever namespace a name is of. */
char* name_of_ours(char* out, const char* rest) {
  char digits[20];
  int count = 0;
  uint64_t number = client.pid;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  for (const char* p = "/proc/"; *p != 0; p++) *out++ = *p;
  while (count > 0) *out++ = digits[--count];
  while (*rest != 0) *out++ = *rest++;
  *out = 0;
  return out;
}

/** The path of an image that may be there; false: the file is known to need none. */
bool image_of_file(const struct stat& file, char* path) {
  if (!file_image_path(start.images, start.images_length, file, path)) {
    path[0] = 0;
    return true;
  }
  const uint64_t suffix = strlen(path) - 3;
  memcpy(path + suffix, "none", 5);
  if (kernel(SYS_access, path, F_OK) == 0) return false;
  memcpy(path + suffix, "img", 4);
  return true;
}

/** 1: it needs none. 0: mapped. Else -errno. */
int answer(const Object& object, const char* name, char* path, uint64_t euid) {
  const int status = request_image(thread, name, path, BT_IMAGE_LOADED);
  if (status == -ENOEXEC) return 1;
  return status == 0 ? map_image(object, path, euid) : status;
}

/** An image that is there already: as `answer`. `file` is what may be looked at for its identity.
 */
int find_image(const Object& object, const struct stat* file, char* path, uint64_t euid) {
  if (start.images_length == 0) return -ENOENT;
  if (object.build_id != nullptr) {
    if (!image_path(start.images, start.images_length, object, path)) return -ENAMETOOLONG;
  } else {
    if (file == nullptr) return -ENOENT;
    if (!image_of_file(*file, path)) return 1;
    if (path[0] == 0) return -ENAMETOOLONG;
  }
  return map_image(object, path, euid);
}

}  // namespace

int image_by_descriptor(const Object& object, char* path, uint64_t euid) {
  const auto stack = (uint64_t)__builtin_frame_address(0);
  const long fd = open_copy(thread, object.path, stack);
  if (fd < 0) return (int)fd;
  struct stat file;
  int status = -ENOENT;
  if (object.build_id == nullptr && kernel(SYS_fstat, fd, &file) == 0 && file.st_nlink > 0)
    status = find_image(object, &file, path, euid);
  if (status < 0) {
    char name[48], digits[20];
    int count = 0;
    for (uint64_t n = (uint64_t)fd; count == 0 || n != 0; n /= 10)
      digits[count++] = (char)('0' + n % 10);
    char* out = name_of_ours(name, "/fd/");
    while (count > 0) *out++ = digits[--count];
    *out = 0;
    status = answer(object, name, path, euid);
  }
  kernel(SYS_close, fd);
  return status;
}

void ensure_image(const Object& object, uint64_t euid) {
  if (client.ring == nullptr || is_exempt(object)) return;
  static char path[BT_PATH_MAX];
  const bool program = object.path[0] == 0;
  const bool hidden = !program && !is_on_host(object.path);
  // The server cannot open such a name; nearly always it need not.
  if (hidden && !might_call(object)) return;
  struct stat file;
  const bool looked = object.build_id == nullptr && !hidden &&
                      kernel(SYS_stat, program ? kOwnProgram : object.path, &file) == 0;
  int status = find_image(object, looked ? &file : nullptr, path, euid);
  if (status < 0 && program) {
    char own[32];
    name_of_ours(own, "/exe");
    status = answer(object, own, path, euid);
  } else if (status < 0 && !hidden) {
    status = answer(object, object.path, path, euid);
  }
  if (status >= 0 || !might_call(object)) return;
  if (!program && image_by_descriptor(object, path, euid) >= 0) return;
  die_about("the system calls of % cannot be hooked.", program ? "this program" : object.path);
}

}  // namespace btfuse
