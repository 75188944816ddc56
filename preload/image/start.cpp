// DT_INIT of the shim: the first code of ours that runs in a program, before any constructor. Where
// the shim is an audit module that is too early, and audit.cpp goes on from there.
// Without BTFUSE_SESSION in the environment it does nothing. With it, either the session is
// attached and libc's text replaced, or the program ends: it must never run on with its file calls
// unhooked.
#include "start.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "../client/memory.h"
#include "call.h"
#include "identity.h"
#include "map.h"
#include "objects.h"

namespace btfuse {

Start start;
__thread uint64_t btfuse_small_stack __attribute__((tls_model("initial-exec")));

// The numbers that entry.S knows.
static_assert(CLASS_PASS == 0 && CLASS_FD == 1 && CLASS_ASK == 2 && kSyscallsMax == 512);
static_assert(BT_PRIVATE_FD_MIN == 900);
static_assert((long)Verdict::THREAD == 3 && (long)Verdict::EXIT == 4);
static_assert((long)Verdict::PASS == 0 && (long)Verdict::DONE == 1 && (long)Verdict::AROUND == 2);
static_assert(offsetof(Call, nr) == 0 && offsetof(Call, args) == 8);
static_assert(offsetof(Call, return_address) == 56 && offsetof(Call, stack) == 64);
static_assert(offsetof(Call, result) == 72 && sizeof(Call) == 80);

const char* keep(const char* value, uint64_t length, uint64_t capacity) {
  if (length >= capacity) return nullptr;
  char* to = start.text + start.used;
  memcpy(to, value, length);
  to[length] = 0;
  start.used += (uint32_t)length + 1;
  return to;
}

namespace {

/** Ends the process; "%" in the sentence stands for `name`. */

}  // namespace

void die_about(const char* sentence, const char* name) {
  constexpr size_t kMax = 512;
  char line[kMax];
  size_t length = 0;
  for (const char* p = "bt-fuse: "; *p != 0; p++) line[length++] = *p;
  for (; *sentence != 0 && length < kMax - 1; sentence++) {
    if (*sentence != '%') line[length++] = *sentence;
    for (const char* p = name; *sentence == '%' && *p != 0 && length < kMax - 1; p++) {
      line[length++] = *p;
    }
  }
  line[length++] = '\n';
  kernel(SYS_write, 2, line, length);
  for (;;) kernel(SYS_exit_group, 125);
}

void die(const char* sentence) {
  die_about(sentence, "");
}

extern "C" __attribute__((visibility("hidden"))) const char btfuse_no_stack[] =
    "there is no memory for a stack.";
extern "C" __attribute__((visibility("hidden"))) void btfuse_die(const char* sentence) {
  die(sentence);
}

const char* variable(char** environment, const char* name) {
  const size_t length = strlen(name);
  for (; *environment != nullptr; environment++) {
    const char* entry = *environment;
    size_t i = 0;
    while (i < length && entry[i] == name[i]) i++;
    if (i == length) return entry + length;
  }
  return nullptr;
}

namespace {

/** "ring:store:data:anchor:process"; false when it is anything else. */
bool parse_inherited(const char* text, Inherited& inherited) {
  uint32_t numbers[5];
  for (int i = 0; i < 5; i++) {
    if (*text < '0' || *text > '9') return false;
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
      value = value * 10 + (uint64_t)(*text - '0');
      if (value > INT32_MAX) return false;
    }
    numbers[i] = (uint32_t)value;
    if (*text++ != (i < 4 ? ':' : '\0')) return false;
  }
  inherited = {(int)numbers[0], (int)numbers[1], (int)numbers[2], (int)numbers[3], numbers[4]};
  return true;
}

const char* attach_failure(int error) {
  switch (error) {
    case -ENOENT:
      return "there is no running session of the name in BTFUSE_SESSION.";
    case -EPROTO:
      return "the session belongs to another version of bt-fuse, or its segments are damaged.";
    case -EACCES:
    case -EPERM:
      return "the session belongs to another user.";
    case -ENOSPC:
    case -EAGAIN:
      return "the session has no room for another process.";
    case -ESHUTDOWN:
    case -EPIPE:
    case -EIO:
      return "the server of the session has ended.";
    default:
      return "the session cannot be attached.";
  }
}

const char* map_failure(int error) {
  switch (error) {
    case -EPERM:
    case -EACCES:
      return "the prepared image of % may not be used: it must belong to root or you, be "
             "writable by "
             "nobody else, and lie on a file system without noexec.";
    case -EPROTO:
      return "the prepared image of % is damaged or was made for another one.";
    default:
      return "there is no prepared image of %, and the server could not make "
             "one.";
  }
}

}  // namespace

int request_image(Thread& self, const char* object, char* image, uint32_t flags) {
  const size_t length = strlen(object);
  Slot* slot = begin(self, (uint64_t)__builtin_frame_address(0));
  if (slot == nullptr) return -EIO;
  int status = -ENAMETOOLONG;
  if (length < BT_INLINE_SIZE) {
    slot->opcode = BT_OP_IMAGE;
    slot->description = 0;
    slot->flags = flags;
    slot->path_length = slot->payload_length = (uint32_t)length;
    slot->path2_length = 0;
    memcpy(slot->payload, object, length);
    status = transact(slot);
  }
  const uint32_t reply = slot->reply_length;
  if (status == 0 && reply > 0 && reply < BT_PATH_MAX) {
    memcpy(image, reply_payload(slot), reply);
    image[reply] = 0;
  } else if (status == 0) {
    status = -ENAMETOOLONG;
  }
  end(self);
  return status;
}

namespace {

int replace_text(const Object& libc, uint64_t euid) {
  static char path[BT_PATH_MAX];
  int status = -ENOENT;
  if (start.images_length > 0 && image_path(start.images, start.images_length, libc, path)) {
    status = map_image(libc, path, euid);
  }
  if (status == 0) return 0;
  const int asked = request_image(thread, libc.path, path, BT_IMAGE_LOADED);
  if (asked == 0) return map_image(libc, path, euid);
  return image_by_descriptor(libc, path, euid) == 0 ? 0 : status;
}

void keep_environment(char** environment, const char* session) {
  start.session_length = (uint32_t)strlen(session);
  start.session = keep(session, start.session_length, BT_SESSION_NAME_MAX + 1);
  if (start.session_length == 0 || start.session == nullptr)
    die("BTFUSE_SESSION is empty or too long.");
  if (const char* images = variable(environment, "BTFUSE_IMAGES=")) {
    start.images_length = (uint32_t)strlen(images);
    start.images = keep(images, start.images_length, BT_PATH_MAX);
    if (start.images == nullptr) die("BTFUSE_IMAGES is too long.");
  }
  if (const char* exe = variable(environment, "BTFUSE_EXE="))
    start.exe = keep(exe, strlen(exe), BT_PATH_MAX);
}

}  // namespace

Audited audited;

void correct_name(char** environment, Elf64_auxv_t* auxv) {
  const char* name = variable(environment, "BTFUSE_EXECFN=");
  if (name == nullptr) return;
  const char* base = name;
  for (const char* p = name; *p != 0; p++) {
    if (*p == '/' && p[1] != 0) base = p + 1;
  }
  kernel(SYS_prctl, PR_SET_NAME, base);
  for (; auxv->a_type != AT_NULL; auxv++) {
    if (auxv->a_type == AT_EXECFN) auxv->a_un.a_val = (uint64_t)name;
  }
}

void enter_session(char** environment, const char* own, uint64_t length) {
  start.own = keep(own, length, BT_PATH_MAX);
  if (start.own == nullptr) die("the path of the shim is too long.");
  adopt_ids(environment);
  start.own_length = (uint32_t)length;
  keep_environment(environment, variable(environment, "BTFUSE_SESSION="));
  Inherited inherited;
  const char* handed_on = variable(environment, "BTFUSE_INHERIT=");
  const bool inherits = handed_on != nullptr && parse_inherited(handed_on, inherited);
  const int attached = attach(start.session, inherits ? &inherited : nullptr);
  if (attached != 0) die(attach_failure(attached));
}

void hook(const Object& object, uint64_t euid) {
  if (object.build_id == nullptr) die_about("% has no build-id.", object.path);
  const int mapped = replace_text(object, euid);
  if (mapped != 0) die_about(map_failure(mapped), object.path);
}

/** Called by the loader as DT_INIT, with what main will get. */
extern "C" __attribute__((visibility("hidden"))) void btfuse_init(int, char** arguments,
                                                                  char** environment) {
  if (variable(environment, "BTFUSE_SESSION=") == nullptr) return;
  const char* audit = variable(environment, "LD_AUDIT=");
  char** end = environment;
  while (*end != nullptr) end++;
  auto* auxv = (Elf64_auxv_t*)(end + 1);
  const link_map* objects = loaded_objects(auxv);
  Object libc;
  if (!find_libc(objects, libc)) {
    // Audit modules are there before libc is.
    if (audit != nullptr) {
      audited = {arguments, environment};
      return;
    }
    die("this program does not run on glibc (no libc.so.6 is loaded).");
  }
  const char* own = own_path(objects);
  const uint64_t length = strlen(own);
  if (audit != nullptr && strlen(audit) >= length && memcmp(audit, own, length) == 0) return;
  if (libc.build_id == nullptr) die("this program's libc has no build-id.");
  enter_session(environment, own, length);
  const uint64_t euid = auxiliary(auxv, AT_EUID);
  hook(libc, euid);
  correct_name(environment, auxv);
  const uint64_t vdso = auxiliary(auxv, AT_SYSINFO_EHDR);
  for (const link_map* map = objects; map != nullptr; map = map->l_next) {
    Object object;
    const bool ours = map->l_ld == _DYNAMIC || map == find_loader(objects);
    if (ours || map->l_addr == libc.base || map->l_addr == vdso) continue;
    if (map == objects ? read_program(auxv, object) : read_object(map, object))
      ensure_image(object, euid);
  }
  const link_map* map = find_loader(objects);
  Object loader;
  if (map == nullptr || !read_loader(map, loader)) return;
  start.audit = loader_has_version(map, "GLIBC_2.35");
  hook(loader, euid);
}

}  // namespace btfuse
