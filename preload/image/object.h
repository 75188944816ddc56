// One loaded ELF object, as start-up sees it in memory: no libc is asked.
#pragma once
#include <elf.h>
#include <link.h>

#include "../client/client.h"

namespace btfuse {

struct Object {
  uint64_t base;     ///< what the loader added to its addresses
  const char* path;  ///< as the loader knows it
  const Elf64_Phdr* headers;
  uint32_t header_count;
  const unsigned char* build_id;
  uint32_t build_id_length;
};

/** The loader's list of objects, found through the program's DT_DEBUG; nullptr where there is none.
 */
const link_map* loaded_objects(const Elf64_auxv_t* auxv);
/** libc.so.6 with its program headers and build-id. False: not there, or no ELF header in memory.
 */
bool find_libc(const link_map* objects, Object& libc);
/** Path of the object that this code lives in. */
const char* own_path(const link_map* objects);
/** Value of an auxiliary vector entry, 0 when missing. */
uint64_t auxiliary(const Elf64_auxv_t* auxv, uint64_t type);

}  // namespace btfuse
