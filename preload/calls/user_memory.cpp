#include "user_memory.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "../client/memory.h"
#include "mappings.h"

// linux/mman.h of 5.14
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace btfuse {

namespace {

constexpr uint64_t kPageShift = 12;
constexpr uint64_t kPage = 1u << kPageShift;
constexpr uint64_t kUserEnd = 1ull << 47;
constexpr uint32_t kRemembered = 64;

/** Page numbers that passed, by their low bits. A lost update only costs another probe. */
uint64_t readable_pages[kRemembered];
uint64_t writable_pages[kRemembered];

/** The same for pages inside larger buffers; untouched by programs that never use one. */
constexpr uint32_t kRememberedInside = 1024;
uint64_t readable_inside[kRememberedInside];
uint64_t writable_inside[kRememberedInside];
bool inside_used;

/** Page 0 is what an empty entry holds, and nobody's. */
bool remembers(const uint64_t* table, uint64_t page) {
  return page != 0 && __atomic_load_n(&table[page % kRemembered], __ATOMIC_RELAXED) == page;
}

void remember(uint64_t* table, uint64_t page) {
  __atomic_store_n(&table[page % kRemembered], page, __ATOMIC_RELAXED);
}

/** The page may belong to a map of a file that has grown since. */
bool bring(uint64_t page, uint64_t stack) {
  if (!any_gaps()) return false;
  Thread& self = thread;
  // Perhaps inside a request of this very call.
  const uint64_t frame = self.depth == 0 || self.depth > kNesting ? 0 : self.frames[self.depth - 1];
  return bring_page(self, page << kPageShift, frame != 0 ? frame - sizeof(long) : stack);
}

bool page_readable(uint64_t page, uint64_t stack) {
  if (page == stack >> kPageShift || remembers(readable_pages, page)) return true;
  if (page == 0 || page >= kUserEnd >> kPageShift) return false;
  // The set is read before `how` is looked at: EINVAL means that the read went well.
  long result = kernel(SYS_rt_sigprocmask, -1, page << kPageShift, 0, 8);
  if (result == -EFAULT && !bring(page, stack)) return false;
  remember(readable_pages, page);
  return true;
}

/** `word`: eight bytes, aligned, inside the page and inside what will be filled in. */
bool word_writable(uint64_t word, uint64_t stack) {
  uint64_t page = word >> kPageShift;
  if (page == stack >> kPageShift || remembers(writable_pages, page)) return true;
  if (page == 0 || page >= kUserEnd >> kPageShift) return false;
  if (kernel(SYS_rt_sigprocmask, SIG_BLOCK, 0, word, 8) == -EFAULT &&
      (!bring(page, stack) || kernel(SYS_rt_sigprocmask, SIG_BLOCK, 0, word, 8) == -EFAULT))
    return false;
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

bool remembers_inside(const uint64_t* table, uint64_t page) {
  return page != 0 && __atomic_load_n(&table[page % kRememberedInside], __ATOMIC_RELAXED) == page;
}

void remember_inside(uint64_t* table, uint64_t first, uint64_t last) {
  __atomic_store_n(&inside_used, true, __ATOMIC_RELAXED);
  for (uint64_t page = first; page <= last; page++)
    __atomic_store_n(&table[page % kRememberedInside], page, __ATOMIC_RELAXED);
}

/** Which way bytes will move, and what is known about pages for it. */
struct Access {
  uint64_t *pages, *inside;
  int populate;  ///< madvise that touches a whole range in the kernel, since Linux 5.14
  bool writes;
};
const Access kReads{readable_pages, readable_inside, MADV_POPULATE_READ, false};
const Access kWrites{writable_pages, writable_inside, MADV_POPULATE_WRITE, true};

/** The page of `from`, without changing it. Unmapped: it may be where the stack grows to. */
bool probe(const Access& access, uint64_t from, uint64_t stack) {
  const uint64_t page = from >> kPageShift;
  if (!access.writes) return page_readable(page, stack);
  long result = kernel(SYS_madvise, page << kPageShift, kPage, access.populate);
  if (result == -EFAULT && bring(page, stack))
    result = kernel(SYS_madvise, page << kPageShift, kPage, access.populate);
  if (result == -ENOMEM || result == -EINVAL) return bytes_writable(from, stack);
  if (result == 0) remember(access.pages, page);
  return result == 0;
}

/** From this many pages that nothing is known about, one call for all is cheaper than one each. */
constexpr uint64_t kPopulateMin = 4;

uint64_t prefix(const Access& access, uint64_t at, uint64_t size, uint64_t stack) {
  if (size == 0 || at >= kUserEnd || size > kUserEnd - at) return 0;
  const uint64_t end = at + size, last = (end - 1) >> kPageShift;
  bool populate = true;
  for (uint64_t page = at >> kPageShift; page <= last; page++) {
    if (page == stack >> kPageShift || remembers(access.pages, page) ||
        remembers_inside(access.inside, page))
      continue;
    if (populate && last - page + 1 >= kPopulateMin) {
      const long result =
          kernel(SYS_madvise, page << kPageShift, (last - page + 1) << kPageShift, access.populate);
      if (result == 0) {
        remember_inside(access.inside, page, last);
        return size;
      }
      populate = false;
    }
    const uint64_t from = page << kPageShift > at ? page << kPageShift : at;
    if (!probe(access, from, stack)) return from - at;
  }
  return size;
}

/** Page numbers of [first, last] are known no longer. */
void forget(uint64_t* table, uint32_t entries, uint64_t first, uint64_t last) {
  for (uint32_t i = 0; i < entries; i++) {
    const uint64_t page = __atomic_load_n(&table[i], __ATOMIC_RELAXED);
    if (page >= first && page <= last) __atomic_store_n(&table[i], 0, __ATOMIC_RELAXED);
  }
}

}  // namespace

uint64_t readable_prefix(const void* address, uint64_t size, uint64_t stack) {
  return prefix(kReads, (uint64_t)address, size, stack);
}

uint64_t writable_prefix(void* address, uint64_t size, uint64_t stack) {
  return prefix(kWrites, (uint64_t)address, size, stack);
}

void forget_memory(uint64_t start, uint64_t size) {
  if (size == 0) return;
  const uint64_t first = start >> kPageShift;
  const uint64_t last = size > ~start ? ~0ull : (start + size - 1) >> kPageShift;
  forget(readable_pages, kRemembered, first, last);
  forget(writable_pages, kRemembered, first, last);
  if (!__atomic_load_n(&inside_used, __ATOMIC_RELAXED)) return;
  forget(readable_inside, kRememberedInside, first, last);
  forget(writable_inside, kRememberedInside, first, last);
}

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
