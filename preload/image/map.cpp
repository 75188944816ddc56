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
extern "C" __attribute__((visibility("hidden"))) void btfuse_entry_small();

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

/** The pages begin in an executable segment and reach no other. */
bool piece_fits(const Object& object, const ImagePiece& piece) {
  const uint64_t end = piece.vaddr + piece.length;
  bool found = false;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD) continue;
    const uint64_t from = page_down(segment.p_vaddr);
    const uint64_t to = page_up(segment.p_vaddr + segment.p_memsz);
    if ((segment.p_flags & PF_X) != 0 && piece.vaddr >= from && piece.vaddr < to) {
      found = true;
    } else if (from < end && to > piece.vaddr) {
      return false;
    }
  }
  return found;
}

bool text_fits(const Object& object, const ImageTrailer& image) {
  for (uint32_t i = 0; i < image.piece_count; i++) {
    if (!piece_fits(object, piece_of(image, i))) return false;
  }
  return true;
}

/**
 * The handler word lies in a page of a writable segment, before the first byte or behind the last;
 * in ld.so where it keeps one free.
 */
bool slot_fits(const Object& object, uint64_t slot) {
  if (object.loader_slot != 0) return slot == object.loader_slot;
  if (slot % sizeof(uint64_t) != 0) return false;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
    const uint64_t end = segment.p_vaddr + segment.p_memsz;
    if (slot >= end && slot < page_up(end)) return true;
    if (slot >= page_down(segment.p_vaddr) && slot + sizeof(uint64_t) <= segment.p_vaddr)
      return true;
  }
  return false;
}

bool is_for(const Object& object, const ImageTrailer& image) {
  // Without a build-id the image was found by the identity of the file.
  const bool same = object.build_id == nullptr ||
                    (image.build_id_length == object.build_id_length &&
                     image.build_id_length <= sizeof image.build_id &&
                     memcmp(image.build_id, object.build_id, object.build_id_length) == 0);
  return same && image.annex_length == 0 && text_fits(object, image) &&
         slot_fits(object, image.slot_vaddr);
}

}  // namespace

ImagePiece piece_of(const ImageTrailer& image, uint32_t index) {
  return {image.pieces[2 * index] * BT_PAGE_SIZE, image.pieces[2 * index + 1] * BT_PAGE_SIZE};
}

long map_pieces(uint64_t base, const ImageTrailer& image, long fd) {
  uint64_t offset = 0;
  for (uint32_t i = 0; i < image.piece_count; i++) {
    const ImagePiece piece = piece_of(image, i);
    const long at = (long)(base + piece.vaddr);
    const long status = kernel(SYS_mmap, at, piece.length, PROT_READ | PROT_EXEC,
                               MAP_FIXED | MAP_PRIVATE, fd, offset);
    if (status != at) return status;
    offset += piece.length;
  }
  return 0;
}

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
                     image.text_length + image.annex_length == (uint64_t)at &&
                     image.piece_count > 0 && image.piece_count <= BT_IMAGE_PIECES_MAX;
  if (!whole) return -EPROTO;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < image.piece_count; i++) sum += piece_of(image, i).length;
  return sum == image.text_length ? 0 : -EPROTO;
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

constexpr unsigned char kBreakpoint = 0xcc;

/** /proc/self/status names who traces us behind a few short lines. */
bool is_traced() {
  char text[384];
  const long fd = kernel(SYS_open, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const long length = kernel(SYS_read, fd, text, sizeof text);
  kernel(SYS_close, fd);
  static constexpr char kTracer[] = "TracerPid:\t";
  constexpr long kSize = sizeof kTracer - 1;
  for (long i = 0; i + kSize < length; i++) {
    if (memcmp(text + i, kTracer, kSize) == 0) return text[i + kSize] != '0';
  }
  return false;
}

/**
 * A debugger's breakpoints are bytes of the text, and would go with it: those of the present text
 * are found by comparing it with the image (read from `fd`), and set again behind the mapping.
 */
struct Breakpoints {
  static constexpr uint32_t kMax = 32;
  unsigned char* at[kMax];
  uint32_t count;
};

/** ld.so's text is one piece. */
void find_breakpoints(const Object& object, const ImageTrailer& image, int fd, Breakpoints& found) {
  found.count = 0;
  if (image.piece_count != 1) return;
  unsigned char* text = (unsigned char*)(object.base + image.text_vaddr);
  const long mapped = kernel(SYS_mmap, 0, image.text_length, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped < 0 && mapped > -4096) return;
  const unsigned char* ours = (const unsigned char*)mapped;
  for (uint64_t at = 0; at < image.text_length; at++) {
    const bool set = text[at] == kBreakpoint && ours[at] != kBreakpoint;
    if (set && found.count < Breakpoints::kMax) found.at[found.count++] = text + at;
  }
  kernel(SYS_munmap, mapped, image.text_length);
}

void set_again(const Breakpoints& found) {
  for (uint32_t i = 0; i < found.count; i++) {
    const uint64_t page = page_down((uint64_t)found.at[i]);
    const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (kernel(SYS_mprotect, page, BT_PAGE_SIZE, all) != 0) return;
    *found.at[i] = kBreakpoint;
    kernel(SYS_mprotect, page, BT_PAGE_SIZE, PROT_READ | PROT_EXEC);
  }
}

/** Where ld.so has relocated the object, it has made these pages read-only. */
bool is_read_only(const Object& object, uint64_t vaddr) {
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_GNU_RELRO) continue;
    if (vaddr < page_down(segment.p_vaddr) || vaddr >= page_up(segment.p_vaddr + segment.p_memsz))
      continue;
    // The kernel writes the signal mask there, or finds that it may not.
    return kernel(SYS_rt_sigprocmask, 0, 0, object.base + vaddr, 8) == -EFAULT;
  }
  return false;
}

/** ld.so's word is read-only once the program runs. */
long write_slot(const Object& object, const ImageTrailer& image) {
  uint64_t* slot = (uint64_t*)(object.base + image.slot_vaddr);
  const bool small = (image.flags & BT_IMAGE_SMALL_STACKS) != 0;
  const auto entry = (uint64_t)(small ? btfuse_entry_small : btfuse_entry);
  if (*slot == entry) return 0;
  const uint64_t page = page_down((uint64_t)slot);
  const bool locked = object.loader_slot != 0 || is_read_only(object, image.slot_vaddr);
  long status = locked ? kernel(SYS_mprotect, page, BT_PAGE_SIZE, PROT_READ | PROT_WRITE) : 0;
  if (status != 0) return status;
  *slot = entry;
  return locked ? kernel(SYS_mprotect, page, BT_PAGE_SIZE, PROT_READ) : 0;
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

void prepare_loader(const Object& loader) {
  *(uint64_t*)(loader.base + loader.loader_slot) = (uint64_t)btfuse_entry;
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
    status = write_slot(object, image);
  }
  if (status == 0) {
    Breakpoints breakpoints;
    breakpoints.count = 0;
    // libc is hooked before a debugger has heard of it.
    if (object.loader_slot != 0 && is_traced())
      find_breakpoints(object, image, (int)fd, breakpoints);
    status = map_pieces(object.base, image, fd);
    if (status == 0) set_again(breakpoints);
  }
  kernel(SYS_close, fd);
  return (int)status;
}

}  // namespace btfuse
