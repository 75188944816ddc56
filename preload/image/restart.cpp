#include "restart.h"

#include "../client/memory.h"
#include "identity.h"
#include "start.h"

namespace btfuse {

namespace {

/** What ld.so surely has left of its reserve of about 1,700 bytes. */
constexpr uint64_t kReserve = 1024;
constexpr char kTunable[] = "glibc.rtld.optional_static_tls=";
constexpr char kTunables[] = "GLIBC_TUNABLES=";
constexpr char kTls[] = "BTFUSE_TLS=";
constexpr char kExecfn[] = "BTFUSE_EXECFN=";
constexpr uint64_t kTextMax = 2 * BT_PATH_MAX;

uint64_t wanted;

/** Strings of the new environment, in bss: the stack of the start is the program's. */
char text[kTextMax];

struct Text {
  char* at = text;
  bool full = false;
  void add(const char* from) {
    while (*from != 0 && at < text + kTextMax - 1) *at++ = *from++;
    full |= *from != 0;
  }
  void add(uint64_t number) {
    char digits[21];
    char* digit = digits + sizeof digits - 1;
    *digit = 0;
    do {
      *--digit = (char)('0' + number % 10);
      number /= 10;
    } while (number != 0);
    add(digit);
  }
  char* end() {
    *at++ = 0;
    return at;
  }
};

bool begins(const char* entry, const char* name) {
  for (; *name != 0; name++, entry++) {
    if (*entry != *name) return false;
  }
  return true;
}

/** The environment with room asked for; `list` has three words more than there are entries. */
bool write_environment(char** list, const char* name) {
  char** next = list;
  const char* tunables = nullptr;
  for (char** entry = audited.environment; *entry != nullptr; entry++) {
    if (begins(*entry, kTunables)) tunables = *entry + sizeof kTunables - 1;
    if (!begins(*entry, kTunables) && !begins(*entry, kExecfn)) *next++ = *entry;
  }
  Text out;
  *next++ = out.at;
  out.add(kTunables);
  if (tunables != nullptr) {
    out.add(tunables);
    out.add(":");
  }
  out.add(kTunable);
  out.add(wanted);
  *next++ = out.end();
  out.add(kTls);
  out.add(wanted);
  *next++ = out.end();
  out.add(kExecfn);
  out.add(name);
  out.end();
  *next = nullptr;
  return !out.full;
}

__attribute__((noinline)) void restart() {
  uint64_t count = 0;
  while (audited.environment[count] != nullptr) count++;
  const auto* auxv = (const Elf64_auxv_t*)(audited.environment + count + 1);
  // The loader called as a program has moved its arguments.
  const auto* name = (const char*)auxiliary(auxv, AT_EXECFN);
  if (auxiliary(auxv, AT_BASE) == 0 || name == nullptr) return;
  auto** list = (char**)__builtin_alloca((count + 4) * sizeof(char*));
  if (!write_environment(list, name)) return;
  // BTFUSE_IDS, where it was needed, stands in the environment still.
  const Identity ids = identity();
  if (level_ids(ids) != 0) return;
  kernel(SYS_execve, "/proc/self/exe", audited.arguments, list);
  restore_ids(ids);
}

/** Does the object ask for static TLS (DF_STATIC_TLS)? */
bool wants_static_tls(const link_map* map) {
  for (const Elf64_Dyn* entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_FLAGS) return (entry->d_un.d_val & DF_STATIC_TLS) != 0;
  }
  return false;
}

}  // namespace

void count_static_tls(const link_map* map) {
  Object object;
  // The main program's own stands where it should: it was there before us.
  if (map->l_name[0] == 0 || !wants_static_tls(map) || !read_object(map, object)) return;
  for (uint32_t i = 0; i < object.header_count; i++) {
    const Elf64_Phdr& segment = object.headers[i];
    if (segment.p_type == PT_TLS) wanted += segment.p_memsz + segment.p_align;
  }
  if (wanted <= kReserve || variable(audited.environment, kTls) != nullptr) return;
  wanted += 8 * kReserve;  // for what is yet to come
  restart();
}

}  // namespace btfuse
