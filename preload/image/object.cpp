// Finds libc and ourselves in the loader's list of objects.
#include "object.h"

#include "../client/memory.h"

namespace btfuse {

uint64_t auxiliary(const Elf64_auxv_t* auxv, uint64_t type) {
  for (; auxv->a_type != AT_NULL; auxv++) {
    if (auxv->a_type == type) return auxv->a_un.a_val;
  }
  return 0;
}

namespace {

constexpr uint32_t kNoteBuildId = NT_GNU_BUILD_ID;

/** What was added to the addresses of the main program. */
uint64_t program_base(const Elf64_Phdr* headers, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    if (headers[i].p_type == PT_PHDR) return (uint64_t)headers - headers[i].p_vaddr;
  }
  // No PT_PHDR: the headers follow the ELF header, which begins the segment at file offset 0.
  for (uint64_t i = 0; i < count; i++) {
    if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0) {
      return (uint64_t)headers - sizeof(Elf64_Ehdr) - headers[i].p_vaddr;
    }
  }
  return 0;
}

bool ends_with(const char* path, const char* name) {
  const size_t length = strlen(path), tail = strlen(name);
  if (length < tail || memcmp(path + length - tail, name, tail) != 0) return false;
  return length == tail || path[length - tail - 1] == '/';
}

/** Notes of a segment in memory: name and contents are padded to 4 bytes. */
void read_build_id(Object& object, const unsigned char* at, const unsigned char* end) {
  while (at + sizeof(Elf64_Nhdr) <= end) {
    const Elf64_Nhdr* note = (const Elf64_Nhdr*)at;
    const unsigned char* name = at + sizeof *note;
    const unsigned char* contents = name + ((note->n_namesz + 3) & ~3u);
    if (note->n_type == kNoteBuildId && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
      object.build_id = contents;
      object.build_id_length = note->n_descsz;
      return;
    }
    at = contents + ((note->n_descsz + 3) & ~3u);
  }
}

void find_build_id(Object& object) {
  for (uint32_t i = 0; i < object.header_count && object.build_id == nullptr; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_NOTE) continue;
    const unsigned char* notes = (const unsigned char*)(object.base + segment.p_vaddr);
    read_build_id(object, notes, notes + segment.p_filesz);
  }
}

}  // namespace

const link_map* loaded_objects(const Elf64_auxv_t* auxv) {
  const Elf64_Phdr* headers = (const Elf64_Phdr*)auxiliary(auxv, AT_PHDR);
  const uint64_t count = auxiliary(auxv, AT_PHNUM);
  if (headers == nullptr) return nullptr;
  const uint64_t base = program_base(headers, count);
  for (uint64_t i = 0; i < count; i++) {
    if (headers[i].p_type != PT_DYNAMIC) continue;
    const Elf64_Dyn* entry = (const Elf64_Dyn*)(base + headers[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
      if (entry->d_tag != DT_DEBUG || entry->d_un.d_ptr == 0) continue;
      return ((const r_debug*)entry->d_un.d_ptr)->r_map;
    }
  }
  return nullptr;
}

bool is_named(const char* path, const char* name) {
  const char* base = path;
  for (const char* p = path; *p != 0; p++) {
    if (*p == '/') base = p + 1;
  }
  for (; *name != 0; name++, base++) {
    if (*base != *name) return false;
  }
  return true;
}

bool read_program(const Elf64_auxv_t* auxv, Object& program) {
  const auto* headers = (const Elf64_Phdr*)auxiliary(auxv, AT_PHDR);
  const uint64_t count = auxiliary(auxv, AT_PHNUM);
  if (headers == nullptr) return false;
  program = {program_base(headers, count), "", headers, (uint32_t)count, nullptr, 0, 0};
  find_build_id(program);
  return true;
}

bool read_object(const link_map* map, Object& object) {
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)map->l_addr;
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return false;
  object = {map->l_addr,
            map->l_name,
            (const Elf64_Phdr*)(map->l_addr + header->e_phoff),
            header->e_phnum,
            nullptr,
            0,
            0};
  find_build_id(object);
  return true;
}

bool find_libc(const link_map* objects, Object& libc) {
  const link_map* map = objects;
  while (map != nullptr && !ends_with(map->l_name, "libc.so.6")) map = map->l_next;
  return map != nullptr && read_object(map, libc);
}

const link_map* find_loader(const link_map* objects) {
  const link_map* map = objects;
  while (map != nullptr && !is_named(map->l_name, "ld-linux-x86-64.so.")) map = map->l_next;
  return map;
}

namespace {

/** Value of an entry of the dynamic section; addresses without the base, whether ld.so has added it
 * or not. */
uint64_t dynamic_value(const link_map* map, int64_t tag) {
  for (const Elf64_Dyn* entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag != tag) continue;
    const uint64_t value = entry->d_un.d_val;
    return value >= map->l_addr ? value - map->l_addr : value;
  }
  return 0;
}

}  // namespace

bool read_loader(const link_map* map, Object& loader) {
  const uint64_t table = dynamic_value(map, DT_PLTGOT);
  if (table == 0 || !read_object(map, loader)) return false;
  loader.loader_slot = table + sizeof(uint64_t);
  return true;
}

bool loader_has_version(const link_map* loader, const char* version) {
  const char* text = (const char*)(loader->l_addr + dynamic_value(loader, DT_STRTAB));
  const char* end = text + dynamic_value(loader, DT_STRSZ);
  const uint64_t size = strlen(version) + 1;
  for (; text < end; text += strlen(text) + 1) {
    if ((uint64_t)(end - text) >= size && memcmp(text, version, size) == 0) return true;
  }
  return false;
}

const char* own_path(const link_map* objects) {
  for (const link_map* map = objects; map != nullptr; map = map->l_next) {
    if (map->l_ld == _DYNAMIC) return map->l_name;
  }
  return "";
}

}  // namespace btfuse
