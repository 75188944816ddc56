// What mmap and mremap of files in the tree share.
#pragma once
#include "mappings.h"

namespace btfuse {

inline bool failed(long address) {
  return address < 0 && address > -4096;
}

/** Address or -errno. The lock is held; `hint`, protection, flags as mmap has them. */
long map_file(Thread& self, uint32_t id, uint64_t hint, uint64_t size, int protection, int flags,
              uint64_t offset, uint64_t user_stack);

}  // namespace btfuse
