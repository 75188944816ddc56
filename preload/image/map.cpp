// Opens, checks and maps a prepared image. The file is trusted for what its owner is: root, or the
// user who runs this program anyway. The checks against the object keep an honest mistake from
// becoming a jump into nowhere.
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../client/memory.h"

extern "C" __attribute__((visibility("hidden"))) void btfuse_entry();

namespace btfuse {

namespace {

constexpr uint64_t page_down(uint64_t n) {
  return n & ~(BT_PAGE_SIZE - 1);
}
constexpr uint64_t page_up(uint64_t n) {
  return page_down(n + BT_PAGE_SIZE - 1);
}

char* put_hex(char* out, const unsigned char* bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    *out++ = "0123456789abcdef"[bytes[i] >> 4];
    *out++ = "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

char* put_decimal(char* out, uint64_t number) {
  if (number >= 10) out = put_decimal(out, number / 10);
  *out++ = (char)('0' + number % 10);
  return out;
}

/** The pages belong to the executable segment and reach no other. */
bool text_fits(const Object& object, const ImageTrailer& image) {
  const uint64_t end = image.text_vaddr + image.text_length;
  bool found = false;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD) continue;
    const uint64_t from = page_down(segment.p_vaddr);
    const uint64_t to = page_up(segment.p_vaddr + segment.p_memsz);
    if ((segment.p_flags & PF_X) != 0 && from == image.text_vaddr) {
      found = end >= to;
    } else if (from < end && to > image.text_vaddr) {
      return false;
    }
  }
  return found;
}

/** The handler word lies behind the last byte of a writable segment, in the segment's last page. */
bool slot_fits(const Object& object, uint64_t slot) {
  if (slot % sizeof(uint64_t) != 0) return false;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
    const uint64_t end = segment.p_vaddr + segment.p_memsz;
    if (slot >= end && slot < page_up(end)) return true;
  }
  return false;
}

bool is_for(const Object& object, const ImageTrailer& image) {
  return image.annex_length == 0 && object.build_id != nullptr &&
         image.build_id_length == object.build_id_length &&
         image.build_id_length <= sizeof image.build_id &&
         memcmp(image.build_id, object.build_id, object.build_id_length) == 0 &&
         text_fits(object, image) && slot_fits(object, image.slot_vaddr);
}

}  // namespace

int check_image(long fd, uint64_t euid, ImageTrailer& image) {
  struct stat found;
  const long status = kernel(SYS_fstat, fd, &found);
  if (status < 0) return (int)status;
  const bool owned = found.st_uid == 0 || found.st_uid == euid;
  if (!S_ISREG(found.st_mode) || !owned || (found.st_mode & 022) != 0) return -EPERM;
  const long at = found.st_size - (long)sizeof image;
  if (at <= 0) return -EPROTO;
  const long got = kernel(SYS_pread64, fd, &image, sizeof image, at);
  if (got != (long)sizeof image) return got < 0 ? (int)got : -EPROTO;
  const bool whole = image.magic == BT_IMAGE_MAGIC && image.version == BT_IMAGE_VERSION &&
                     image.calls_hash == BT_IMAGE_CALLS_HASH &&
                     image.text_length % BT_PAGE_SIZE == 0 &&
                     image.annex_length % BT_PAGE_SIZE == 0 &&
                     image.text_length + image.annex_length == (uint64_t)at;
  return whole ? 0 : -EPROTO;
}

long open_image(const char* path, uint64_t euid, ImageTrailer& image) {
  const long fd = kernel(SYS_open, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fd;
  const int status = check_image(fd, euid, image);
  if (status == 0) return fd;
  kernel(SYS_close, fd);
  return status;
}

namespace {

char* put_text(char* out, const char* text) {
  while (*text != 0) *out++ = *text++;
  return out;
}

/** What every name ends with. */
void put_version(char* out) {
  *out++ = '-';
  out = put_decimal(out, BT_IMAGE_VERSION);
  *out++ = '-';
  const uint64_t calls = __builtin_bswap64(BT_IMAGE_CALLS_HASH);
  out = put_hex(out, (const unsigned char*)&calls, sizeof calls);
  memcpy(out, ".img", 5);
}

uint64_t nanoseconds(const timespec& time) {
  return (uint64_t)time.tv_sec * 1'000'000'000 + (uint64_t)time.tv_nsec;
}

}  // namespace

bool file_image_path(const char* directory, uint32_t length, const struct stat& file, char* path) {
  constexpr uint32_t kRest = 192;
  if (length + kRest > BT_PATH_MAX) return false;
  memcpy(path, directory, length);
  char* out = put_text(path + length, "/file");
  const uint64_t identity[] = {file.st_dev, file.st_ino, (uint64_t)file.st_size,
                               nanoseconds(file.st_mtim), nanoseconds(file.st_ctim)};
  for (const uint64_t part : identity) {
    *out++ = '-';
    out = put_decimal(out, part);
  }
  put_version(out);
  return true;
}

bool image_path(const char* directory, uint32_t length, const Object& object, char* path) {
  constexpr uint32_t kRest = 64;  // slash, version, calls hash, suffix, NUL
  if (length + object.build_id_length * 2 + kRest > BT_PATH_MAX) return false;
  memcpy(path, directory, length);
  char* out = path + length;
  *out++ = '/';
  out = put_hex(out, object.build_id, object.build_id_length);
  put_version(out);
  return true;
}

int map_image(const Object& object, const char* path, uint64_t euid) {
  ImageTrailer image;
  const long fd = open_image(path, euid, image);
  if (fd < 0) return (int)fd;
  long status = is_for(object, image) ? 0 : -EPROTO;
  if (status == 0) {
    // The word first: from the mapping on, any call jumps through it.
    *(uint64_t*)(object.base + image.slot_vaddr) = (uint64_t)btfuse_entry;
    const long at = (long)(object.base + image.text_vaddr);
    status = kernel(SYS_mmap, at, image.text_length, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE,
                    fd, 0);
    if (status == at) status = 0;
  }
  kernel(SYS_close, fd);
  return (int)status;
}

}  // namespace btfuse
