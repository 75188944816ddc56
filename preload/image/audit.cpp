// The shim as an audit module of ld.so (LD_AUDIT, man rtld-audit): its code runs before any library
// is opened, sees each object as it is mapped, and is asked about each name that ld.so is about to
// open. So libc is hooked before its first call, and ld.so itself only when a name leads into the
// tree: what loads no library from there keeps its pages, and a debugger its breakpoints.
//
// The module stands in a namespace of its own: the program's list of libraries is as it would be
// without us.
#include <errno.h>
#include <fcntl.h>
#include <link.h>

#include "../calls/paths.h"
#include "../client/memory.h"
#include "map.h"
#include "objects.h"
#include "restart.h"
#include "start.h"

namespace btfuse {

namespace {

/** LAV_CURRENT of glibc 2.35, which keeps the thread-local data of audit modules. */
constexpr uint32_t kVersion = 2;

Object loader;
bool loader_hooked;
bool started;  ///< all libraries of the start are there
uint64_t euid;
Elf64_auxv_t* auxv;

/** Does the object contain this address? */
bool covers(const link_map* map, uint64_t address) {
  Object object;
  if (!read_object(map, object)) return false;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type != PT_LOAD) continue;
    if (address - object.base - segment.p_vaddr < segment.p_memsz) return true;
  }
  return false;
}

/** Might ld.so find a file of the tree under this name? Called under ld.so's own lock. */
bool leads_to_tree(const char* name, uint32_t flag, uint64_t stack) {
  bool named = false;
  for (const char* p = name; *p != 0; p++) {
    if (*p == '/') named = true;
    if (*p == '$') return true;  // ld.so will put another text in its place
  }
  if (!named) return false;
  Target target;
  classify(thread, AT_FDCWD, name, 0, stack, target);
  if (target.where != Where::HOST) return true;
  if ((flag & (LA_SER_ORIG | LA_SER_LIBPATH | LA_SER_RUNPATH)) == 0) return false;
  if (kernel(SYS_access, name, 0) != -ENOENT) return false;
  static char text[BT_PATH_MAX], work[2 * BT_PATH_MAX];
  return resolve(target, 0, {text, work}) == 0 && target.where == Where::TREE;
}

/** What $ORIGIN makes of the kernel's name for a copy (exec_file.cpp) becomes the tree's again. */
void show_tree_name(char* name) {
  static constexpr char kCopy[] = "/memfd:";
  const uint64_t length = strlen(name), extra = sizeof kCopy - 1;
  if (length <= extra || memcmp(name, kCopy, extra) != 0) return;
  if (below_prefix(name + extra, name + length) == nullptr) return;
  memmove(name, name + extra, length - extra + 1);
}

#define BTFUSE_AUDIT extern "C" __attribute__((visibility("default")))

/** Where our path ends in the list. */
uint64_t first_length(const char* list) {
  uint64_t length = 0;
  while (list[length] != 0 && list[length] != ':') length++;
  return length;
}

}  // namespace

BTFUSE_AUDIT uint32_t la_version(uint32_t offered) {
  if (audited.environment == nullptr) return 0;  // no session: ld.so takes us out again
  if (offered < kVersion) die("LD_AUDIT needs glibc 2.35 or later; LD_PRELOAD does not.");
  const char* list = variable(audited.environment, "LD_AUDIT=");
  enter_session(audited.environment, list, first_length(list));
  start.audit = true;
  char** end = audited.environment;
  while (*end != nullptr) end++;
  auxv = (Elf64_auxv_t*)(end + 1);
  euid = auxiliary(auxv, AT_EUID);
  correct_name(audited.environment, auxv);
  return kVersion;
}

BTFUSE_AUDIT uint32_t la_objopen(link_map* map, Lmid_t, uintptr_t*) {
  Object object;
  if (loader.base == 0 && covers(map, (uint64_t)__builtin_return_address(0))) {
    if (!read_loader(map, loader)) die("this program's loader is not that of glibc.");
    prepare_loader(loader);
    return 0;
  }
  if (!started) count_static_tls(map);
  show_tree_name(map->l_name);
  const bool program = map->l_name[0] == 0;
  if (!(program ? read_program(auxv, object) : read_object(map, object))) return 0;
  if (is_named(map->l_name, "libc.so.6"))
    hook(object, euid);
  else if (object.base != auxiliary(auxv, AT_SYSINFO_EHDR))
    ensure_image(object, euid);
  return 0;
}

BTFUSE_AUDIT void la_preinit(uintptr_t*) {
  started = true;
}

BTFUSE_AUDIT char* la_objsearch(const char* name, uintptr_t*, uint32_t flag) {
  if (!loader_hooked && leads_to_tree(name, flag, (uint64_t)__builtin_frame_address(0))) {
    loader_hooked = true;
    hook(loader, euid);
  }
  return (char*)name;
}

}  // namespace btfuse
