#include "user_memory.h"

#include <errno.h>
#include <signal.h>

#include "../client/memory.h"

namespace btfuse {

namespace {

constexpr uint64_t kPageShift = 12;
constexpr uint64_t kPage = 1u << kPageShift;
constexpr uint64_t kUserEnd = 1ull << 47;
constexpr uint32_t kRemembered = 64;

/** Page numbers that passed, by their low bits. A lost update only costs another probe. */
uint64_t readable_pages[kRemembered];
uint64_t writable_pages[kRemembered];

/** Page 0 is what an empty entry holds, and nobody's. */
bool remembers(const uint64_t* table, uint64_t page) {
  return page != 0 && __atomic_load_n(&table[page % kRemembered], __ATOMIC_RELAXED) == page;
}

void remember(uint64_t* table, uint64_t page) {
  __atomic_store_n(&table[page % kRemembered], page, __ATOMIC_RELAXED);
}

bool page_readable(uint64_t page, uint64_t stack) {
  if (page == stack >> kPageShift || remembers(readable_pages, page)) return true;
  if (page == 0 || page >= kUserEnd >> kPageShift) return false;
  // The set is read before `how` is looked at: EINVAL means that the read went well.
  long result = kernel(SYS_rt_sigprocmask, -1, page << kPageShift, 0, 8);
  if (result == -EFAULT) return false;
  remember(readable_pages, page);
  return true;
}

/** `word`: eight bytes, aligned, inside the page and inside what will be filled in. */
bool word_writable(uint64_t word, uint64_t stack) {
  uint64_t page = word >> kPageShift;
  if (page == stack >> kPageShift || remembers(writable_pages, page)) return true;
  if (page == 0 || page >= kUserEnd >> kPageShift) return false;
  if (kernel(SYS_rt_sigprocmask, SIG_BLOCK, 0, word, 8) == -EFAULT) return false;
  remember(writable_pages, page);
  return true;
}

/** For buffers too small to hold an aligned word: the bytes around are read and put back. */
bool bytes_writable(uint64_t at, uint64_t stack) {
  uint64_t page = at >> kPageShift;
  if (page == stack >> kPageShift || remembers(writable_pages, page)) return true;
  if (!page_readable(page, stack)) return false;
  // process_vm_writev of a byte onto itself: the kernel checks the mapping, nothing changes.
  struct {
    uint64_t base, length;
  } from, to;
  unsigned char byte = *(volatile unsigned char*)at;
  from.base = (uint64_t)&byte;
  to.base = at;
  from.length = to.length = 1;
  long pid = kernel(SYS_getpid);
  if (kernel(SYS_process_vm_writev, pid, &from, 1, &to, 1, 0) == -EFAULT) return false;
  remember(writable_pages, page);
  return true;
}

}  // namespace

bool readable(const void* address, uint64_t size, uint64_t stack) {
  if (size == 0) return true;
  uint64_t at = (uint64_t)address;
  if (at >= kUserEnd || size > kUserEnd - at) return false;
  for (uint64_t page = at >> kPageShift; page <= (at + size - 1) >> kPageShift; page++) {
    if (!page_readable(page, stack)) return false;
  }
  return true;
}

bool writable(void* address, uint64_t size, uint64_t stack) {
  if (size == 0) return true;
  uint64_t at = (uint64_t)address;
  if (at >= kUserEnd || size > kUserEnd - at) return false;
  uint64_t last = at + size - 1;
  if (size < 16) return bytes_writable(at, stack) && bytes_writable(last, stack);
  uint64_t last_word = (last - 7) & ~7ull;
  uint64_t first_word = (at + 7) & ~7ull;
  if (!word_writable(first_word, stack)) return false;
  if (!word_writable(last_word, stack)) return false;
  // The ends may stand on a page that the aligned words do not touch.
  if (at >> kPageShift != first_word >> kPageShift && !bytes_writable(at, stack)) return false;
  return last >> kPageShift == last_word >> kPageShift || bytes_writable(last, stack);
}

long string_length(const char* text, uint64_t limit, uint64_t stack) {
  uint64_t at = (uint64_t)text;
  uint64_t end = at + limit;
  if (at >= kUserEnd) return -EFAULT;
  while (at < end) {
    if (!page_readable(at >> kPageShift, stack)) return -EFAULT;
    uint64_t page_end = (at & ~(kPage - 1)) + kPage;
    if (page_end > end) page_end = end;
    for (; at < page_end; at++) {
      if (*(const char*)at == 0) return (long)(at - (uint64_t)text);
    }
  }
  return -ENAMETOOLONG;
}

namespace {

constexpr uint64_t kLow = 0x0101010101010101, kHigh = 0x8080808080808080;

/** The high bit of each byte of `word` that equals `byte`, exactly. */
uint64_t bytes_equal(uint64_t word, unsigned char byte) {
  uint64_t x = word ^ (kLow * byte);
  return ~(((x & ~kHigh) + ~kHigh) | x | ~kHigh);
}

}  // namespace

Scan scan_path(const char* text, char first, uint64_t limit, uint64_t stack) {
  uint64_t begin = (uint64_t)text;
  if (begin >= kUserEnd) return {-EFAULT, false, false};
  // Whole aligned words: none reaches into another page, and what precedes the text is blanked.
  uint64_t at = begin & ~7ull;
  uint64_t skipped = (begin - at) * 8;
  uint64_t blank = ((uint64_t)1 << skipped) - 1;
  uint64_t dots = 0, starts = 0, dot_before = 0, slash_before = 0x80;
  uint64_t page = ~0ull;
  for (; at < begin + limit; at += 8, blank = 0) {
    if (at >> kPageShift != page) {
      page = at >> kPageShift;
      if (!page_readable(page, stack)) return {-EFAULT, false, false};
    }
    uint64_t word = *(const uint64_t*)at | blank;
    uint64_t nul = bytes_equal(word, 0);
    // Only what stands before the NUL counts.
    uint64_t valid = (nul & -nul) - 1;
    uint64_t dot = bytes_equal(word, '.') & valid & ~blank;
    uint64_t slash = bytes_equal(word, '/') & valid & ~blank;
    uint64_t start = bytes_equal(word, (unsigned char)first) & valid & ~blank;
    dots |= dot & (dot << 8 | dot_before);
    starts |= start & (slash << 8 | slash_before << (blank != 0 ? skipped : 0));
    if (nul != 0) {
      long length = (long)(at + (uint64_t)__builtin_ctzll(nul) / 8 - begin);
      if ((uint64_t)length >= limit) break;
      return {length, dots != 0, starts != 0};
    }
    dot_before = dot >> 56;
    slash_before = slash >> 56;
  }
  return {-ENAMETOOLONG, false, false};
}

long copy_string(char* to, const char* from, uint64_t capacity, uint64_t stack) {
  long length = string_length(from, capacity, stack);
  if (length < 0) return length;
  memcpy(to, from, (uint64_t)length);
  to[length] = 0;
  return length;
}

}  // namespace btfuse
