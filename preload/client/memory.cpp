// memcpy and kin. The compiler calls them by name, so they are here even where no source line does.
// Small sizes take overlapping word moves; from 64 bytes on `rep movsb`, which the processors of
// the last ten years (ERMS, FSRM) run at the width of their widest register, without touching one.
#include "memory.h"

namespace {

using Word = std::uint64_t __attribute__((may_alias, aligned(1)));
using Half = std::uint32_t __attribute__((may_alias, aligned(1)));
using Short = std::uint16_t __attribute__((may_alias, aligned(1)));

constexpr std::size_t kStringMin = 64;

inline Word load(const void* from, std::size_t at) {
  return *(const Word*)((const char*)from + at);
}
inline void store(void* to, std::size_t at, Word value) {
  *(Word*)((char*)to + at) = value;
}

/** Up to 16 bytes; everything is loaded before anything is stored, so overlap does no harm. */
inline void move_short(void* to, const void* from, std::size_t size) {
  if (size >= 8) {
    const Word head = load(from, 0), tail = load(from, size - 8);
    store(to, 0, head);
    store(to, size - 8, tail);
  } else if (size >= 4) {
    const Half head = *(const Half*)from, tail = *(const Half*)((const char*)from + size - 4);
    *(Half*)to = head;
    *(Half*)((char*)to + size - 4) = tail;
  } else if (size >= 2) {
    const Short head = *(const Short*)from, tail = *(const Short*)((const char*)from + size - 2);
    *(Short*)to = head;
    *(Short*)((char*)to + size - 2) = tail;
  } else if (size == 1) {
    *(char*)to = *(const char*)from;
  }
}

inline void move_string(void* to, const void* from, std::size_t size) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  if (size <= 16) {
    move_short(to, from, size);
  } else if (size < kStringMin) {
    const Word tail0 = load(from, size - 16), tail1 = load(from, size - 8);
    for (std::size_t at = 0; at + 16 < size; at += 16) {
      const Word a = load(from, at), b = load(from, at + 8);
      store(to, at, a);
      store(to, at + 8, b);
    }
    store(to, size - 16, tail0);
    store(to, size - 8, tail1);
  } else {
    move_string(to, from, size);
  }
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  if (size <= 16) {
    move_short(to, from, size);
    return to;
  }
  if ((std::size_t)((char*)to - (const char*)from) >= size) return memcpy(to, from, size);
  std::size_t left = size;
  for (; left >= 8; left -= 8) store(to, left - 8, load(from, left - 8));
  while (left > 0) {
    left--;
    ((volatile char*)to)[left] = ((const volatile char*)from)[left];
  }
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
  return to;
}

int memcmp(const void* a, const void* b, std::size_t size) {
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    const Word x = load(a, at), y = load(b, at);
    if (x != y) return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
  }
  for (; at < size; at++) {
    const int x = ((const unsigned char*)a)[at], y = ((const unsigned char*)b)[at];
    if (x != y) return x - y;
  }
  return 0;
}

std::size_t strlen(const char* text) {
  const volatile char* at = text;  // volatile: or the compiler sees a strlen here and calls us
  while (*at != 0) at++;
  return (std::size_t)(at - text);
}

}  // extern "C"
