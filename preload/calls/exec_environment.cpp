#include "exec_environment.h"

#include <errno.h>

#include "../client/memory.h"
#include "../image/start.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr char kSession[] = "BTFUSE_SESSION=";
constexpr char kImages[] = "BTFUSE_IMAGES=";
constexpr char kInherit[] = "BTFUSE_INHERIT=";
constexpr char kExe[] = "BTFUSE_EXE=";
constexpr char kProgram[] = "BTFUSE_PROGRAM=";
constexpr char kStatic[] = "BTFUSE_STATIC=";
/** The variables above, and a terminating null. */
constexpr uint64_t kAdded = 7;
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

/** Our path first; what the program had there stays behind it. */
void write_preload(Writer& out, const char* old, uint64_t old_length) {
  out.text(kPreload);
  out.text(start.preload, start.preload_length);
  bool first = old_length >= start.preload_length &&
               memcmp(old, start.preload, start.preload_length) == 0 &&
               (old_length == start.preload_length || old[start.preload_length] == ':' ||
                old[start.preload_length] == ' ');
  if (first) {
    out.text(old + start.preload_length, old_length - start.preload_length);
  } else if (old_length > 0) {
    out.text(":");
    out.text(old, old_length);
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
  uint64_t strings = sizeof kPreload + start.preload_length + 1 +
                     length_of(find(envp, kPreload, stack), stack) + sizeof kSession +
                     BT_SESSION_NAME_MAX + sizeof kImages + start.images_length + sizeof kInherit +
                     kInheritRoom + sizeof kExe + sizeof kProgram + kProgramRoom + names_length;
  return (long)(((uint64_t)count + kAdded) * sizeof(char*) + strings);
}

char** build_environment(Thread& self, char* const* envp, const char* exe, const Launch* launch,
                         const char* name, unsigned char* memory) {
  uint64_t stack = (uint64_t)__builtin_frame_address(0);
  long count = count_pointers(envp, stack);
  char** list = (char**)memory;
  char** next = list;
  const char* preload = nullptr;
  for (long i = 0; i < count; i++) {
    char* entry = envp[i];
    if (begins(entry, kPreload, stack)) {
      preload = entry + sizeof kPreload - 1;
      continue;
    }
    bool ours = begins(entry, kSession, stack) || begins(entry, kImages, stack) ||
                begins(entry, kInherit, stack) || begins(entry, kExe, stack) ||
                begins(entry, kProgram, stack);
    if (!ours) *next++ = entry;
  }
  Writer out{(char*)(list + count + kAdded)};
  *next++ = out.at;
  write_preload(out, preload, length_of(preload, stack));
  *next++ = out.at;
  out.text(kSession);
  out.text((const char*)ring_segment()->name,
           ring_segment()->name_length % sizeof ring_segment()->name);
  out.end();
  *next++ = out.at;
  out.text(kImages);
  out.text(start.images, start.images_length);
  out.end();
  if (exe != nullptr) {
    *next++ = out.at;
    out.text(kExe);
    out.text(exe);
    out.end();
  }
  if (launch != nullptr) {
    *next++ = out.at;
    out.text(kProgram);
    out.number((uint64_t)launch->program);
    out.text(":");
    out.number((uint64_t)launch->image);
    out.text(":");
    out.text(name);
    out.end();
  }
  *next++ = out.at;
  write_inherit(out, process_of(self));
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
