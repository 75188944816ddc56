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
  uint64_t loader_slot;  ///< ld.so: address of its handler word less the base; 0 for other objects
};

/** The loader's list of objects, found through the program's DT_DEBUG; nullptr where there is none.
 */
const link_map* loaded_objects(const Elf64_auxv_t* auxv);
/** libc.so.6 with its program headers and build-id. False: not there, or no ELF header in memory.
 */
bool find_libc(const link_map* objects, Object& libc);
/** The main program, which need not begin with its ELF header in memory. */
bool read_program(const Elf64_auxv_t* auxv, Object& program);
/** An object of the list. False: no ELF header in memory. */
bool read_object(const link_map* map, Object& object);
/** The same for ld.so, with its handler word (src/image/loader.ts). */
bool read_loader(const link_map* map, Object& loader);
/** ld.so itself in the list; nullptr where it is not. */
const link_map* find_loader(const link_map* objects);
/** Has ld.so a version of this name, such as "GLIBC_2.35"? */
bool loader_has_version(const link_map* loader, const char* version);
/** True when the last component of a path begins with `name`. */
bool is_named(const char* path, const char* name);
/** Path of the object that this code lives in. */
const char* own_path(const link_map* objects);
/** Value of an auxiliary vector entry, 0 when missing. */
uint64_t auxiliary(const Elf64_auxv_t* auxv, uint64_t type);

}  // namespace btfuse
