#include "exec_environment.h"

#include <errno.h>

#include "../client/memory.h"
#include "../image/identity.h"
#include "../image/start.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr char kAudit[] = "LD_AUDIT=";
constexpr char kSession[] = "BTFUSE_SESSION=";
constexpr char kImages[] = "BTFUSE_IMAGES=";
constexpr char kInherit[] = "BTFUSE_INHERIT=";
constexpr char kExe[] = "BTFUSE_EXE=";
constexpr char kProgram[] = "BTFUSE_PROGRAM=";
constexpr char kExecfn[] = "BTFUSE_EXECFN=";
constexpr char kIds[] = "BTFUSE_IDS=";
constexpr char kTls[] = "BTFUSE_TLS=";
constexpr char kTunables[] = "GLIBC_TUNABLES=";
constexpr char kTunable[] = "glibc.rtld.optional_static_tls=";
constexpr char kStatic[] = "BTFUSE_STATIC=";
/** The variables above, and a terminating null. */
constexpr uint64_t kAdded = 11;
/** Five decimal numbers with their colons. */
constexpr uint64_t kInheritRoom = 5 * 11;
/** Two of them, with colons. */
constexpr uint64_t kProgramRoom = 2 * 21;

/** Does the string begin with `start`? The string is the program's and may be anywhere. */
bool begins(const char* text, const char* start, uint64_t stack) {
  if (!readable(text, 1, stack) || *text != *start) return false;
  uint64_t length = strlen(start);
  long have = string_length(text, length, stack);
  return have == -ENAMETOOLONG && memcmp(text, start, length) == 0;
}

const char* find(char* const* envp, const char* name, uint64_t stack) {
  if (envp == nullptr) return nullptr;
  for (; *envp != nullptr; envp++) {
    if (begins(*envp, name, stack)) return *envp + strlen(name);
  }
  return nullptr;
}

uint64_t length_of(const char* text, uint64_t stack) {
  if (text == nullptr) return 0;
  long length = string_length(text, BT_SLAB_SIZE, stack);
  return length < 0 ? 0 : (uint64_t)length;
}

/** Appends text to a string under construction. */
struct Writer {
  char* at;
  void text(const char* from, uint64_t length) {
    memcpy(at, from, length);
    at += length;
  }
  void text(const char* from) { text(from, strlen(from)); }
  void number(uint64_t value) {
    char digits[20];
    uint32_t count = 0;
    do {
      digits[count++] = (char)('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (count > 0) *at++ = digits[--count];
  }
  void end() { *at++ = 0; }
};

/** Adds the paths of a list but ours, each behind `separator` if there is one before it. */
void write_others(Writer& out, const char* list, uint64_t length, const char* separators,
                  bool first) {
  auto separates = [&](char c) {
    for (const char* s = separators; *s != 0; s++) {
      if (c == *s) return true;
    }
    return false;
  };
  for (uint64_t at = 0; at < length;) {
    uint64_t end = at;
    while (end < length && !separates(list[end])) end++;
    const bool ours = end - at == start.own_length && memcmp(list + at, start.own, end - at) == 0;
    if (end > at && !ours) {
      if (!first) out.text(":");
      out.text(list + at, end - at);
      first = false;
    }
    at = end + 1;
  }
}

/** A list of libraries: our path first if `with_us`, and what the program had there. */
char* write_list(Writer& out, const char* name, const char* old, uint64_t length,
                 const char* separators, bool with_us) {
  char* entry = out.at;
  out.text(name);
  char* list = out.at;
  if (with_us) out.text(start.own, start.own_length);
  write_others(out, old, length, separators, !with_us);
  const bool empty = out.at == list;
  out.end();
  return empty ? nullptr : entry;
}

/** GLIBC_TUNABLES without what restart.cpp has put at its end. */
char* write_tunables(Writer& out, const char* entry, uint64_t length) {
  char* written = out.at;
  uint64_t from = length;
  while (from > 0 && entry[from - 1] != ':' && entry[from - 1] != '=') from--;
  const uint64_t name = sizeof kTunable - 1;
  if (from >= name && memcmp(entry + from - name, kTunable, name) == 0) length = from - name;
  if (length > 0 && entry[length - 1] == ':') length--;
  if (length == sizeof kTunables - 1) return nullptr;
  out.text(entry, length);
  out.end();
  return written;
}

void write_ids(Writer& out, const Identity& ids) {
  out.text(kIds);
  const uint32_t numbers[] = {ids.uid[0], ids.uid[1], ids.gid[0], ids.gid[1]};
  for (int i = 0; i < 4; i++) {
    if (i > 0) out.text(":");
    out.number(numbers[i]);
  }
  out.end();
}

void write_inherit(Writer& out, uint32_t process) {
  out.text(kInherit);
  const int fds[] = {client.ring_fd, client.store_fd, client.data_fd, client.anchor_fd};
  for (int fd : fds) {
    if (fd < 0)
      out.text("-1");
    else
      out.number((uint64_t)fd);
    out.text(":");
  }
  out.number(process);
  out.end();
}

}  // namespace

long count_pointers(char* const* list, uint64_t stack) {
  if (list == nullptr) return 0;
  long count = 0;
  for (;; count++) {
    if (!readable(list + count, sizeof *list, stack)) return -EFAULT;
    if (list[count] == nullptr) return count;
  }
}

long environment_size(char* const* envp, uint64_t names_length, uint64_t stack) {
  long count = count_pointers(envp, stack);
  if (count < 0) return count;
  uint64_t strings = sizeof kPreload + sizeof kAudit + start.own_length + 2 +
                     length_of(find(envp, kPreload, stack), stack) +
                     length_of(find(envp, kAudit, stack), stack) + sizeof kSession +
                     BT_SESSION_NAME_MAX + sizeof kImages + start.images_length + sizeof kInherit +
                     kInheritRoom + sizeof kExe + sizeof kProgram + kProgramRoom + sizeof kExecfn +
                     names_length + sizeof kIds + kIdsRoom + sizeof kTunables +
                     length_of(find(envp, kTunables, stack), stack);
  return (long)(((uint64_t)count + kAdded) * sizeof(char*) + strings);
}

char** build_environment(char* const* envp, const Names& names, unsigned char* memory) {
  uint64_t stack = (uint64_t)__builtin_frame_address(0);
  long count = count_pointers(envp, stack);
  char** list = (char**)memory;
  char** next = list;
  const char *preload = nullptr, *audit = nullptr;
  char* tunables = nullptr;
  const char* tls = find(envp, kTls, stack);
  for (long i = 0; i < count; i++) {
    char* entry = envp[i];
    if (tls != nullptr && begins(entry, kTunables, stack)) {
      tunables = entry;
      continue;
    }
    if (begins(entry, kPreload, stack)) {
      preload = entry + sizeof kPreload - 1;
      continue;
    }
    if (begins(entry, kAudit, stack)) {
      audit = entry + sizeof kAudit - 1;
      continue;
    }
    bool ours = begins(entry, kSession, stack) || begins(entry, kImages, stack) ||
                begins(entry, kInherit, stack) || begins(entry, kExe, stack) ||
                begins(entry, kExecfn, stack) || begins(entry, kTls, stack) ||
                begins(entry, kProgram, stack) || begins(entry, kIds, stack);
    if (!ours) *next++ = entry;
  }
  Writer out{(char*)(list + count + kAdded)};
  char* libraries =
      write_list(out, kPreload, preload, length_of(preload, stack), ": ", !start.audit);
  if (libraries != nullptr) *next++ = libraries;
  libraries = write_list(out, kAudit, audit, length_of(audit, stack), ":", start.audit);
  if (libraries != nullptr) *next++ = libraries;
  if (tunables != nullptr) tunables = write_tunables(out, tunables, length_of(tunables, stack));
  if (tunables != nullptr) *next++ = tunables;
  *next++ = out.at;
  out.text(kSession);
  out.text((const char*)ring_segment()->name,
           ring_segment()->name_length % sizeof ring_segment()->name);
  out.end();
  *next++ = out.at;
  out.text(kImages);
  out.text(start.images, start.images_length);
  out.end();
  if (names.exe != nullptr) {
    *next++ = out.at;
    out.text(kExe);
    out.text(names.exe);
    out.end();
  }
  if (names.launch != nullptr) {
    *next++ = out.at;
    out.text(kProgram);
    out.number((uint64_t)names.launch->program);
    out.text(":");
    out.number((uint64_t)names.launch->image);
    out.text(":");
    out.text(names.launched);
    out.end();
  } else if (names.execfn != nullptr) {
    *next++ = out.at;
    out.text(kExecfn);
    out.text(names.execfn, length_of(names.execfn, stack));
    out.end();
  }
  if (names.ids != nullptr && names.ids->split) {
    *next++ = out.at;
    write_ids(out, *names.ids);
  }
  *next++ = out.at;
  write_inherit(out, names.record);
  *next = nullptr;
  return list;
}

StaticPolicy static_policy(char* const* envp, uint64_t stack) {
  if (count_pointers(envp, stack) <= 0) return StaticPolicy::SERVE;
  const char* value = find(envp, kStatic, stack);
  if (value == nullptr) return StaticPolicy::SERVE;
  if (begins(value, "allow", stack)) return StaticPolicy::ALLOW;
  return begins(value, "refuse", stack) ? StaticPolicy::REFUSE : StaticPolicy::SERVE;
}

}  // namespace btfuse
