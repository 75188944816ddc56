// struct linux_dirent64.
#pragma once
#include <stdint.h>

namespace btfuse {

struct DirectoryEntry {
  uint64_t ino;
  int64_t off;
  uint16_t length;
  unsigned char type;
  char name[];
};

}  // namespace btfuse
