// Raw system calls. The shim has no libc: these are the only way it talks to the kernel.
// Results are the kernel's own: -4095..-1 is -errno.
#pragma once
#include <cstddef>
#include <cstdint>

#include <sys/syscall.h>

namespace btfuse {

using std::int32_t;
using std::int64_t;
using std::uint32_t;
using std::uint64_t;

inline long syscall6(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <typename A = long, typename B = long, typename C = long, typename D = long,
          typename E = long, typename F = long>
inline long kernel(long nr, A a = 0, B b = 0, C c = 0, D d = 0, E e = 0, F f = 0) {
  return syscall6(nr, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);
}

}  // namespace btfuse
