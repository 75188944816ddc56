// readlink, readlinkat, and the magic links of /proc that stand for something in the tree.
#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "exec_name.h"
#include "other_process.h"
#include "request.h"
#include "tree_path.h"
#include "user_memory.h"

namespace btfuse {

namespace {

void fill(Slot& slot, const Call&) {
  slot.opcode = BT_OP_READLINK;
}

/** Where /proc/self/fd/N or /proc/self/cwd leads, as text: 0 when it is the kernel's to say. */
uint32_t magic_description(Call& call, Thread& self, long dirfd, const char* path) {
  Target target;
  classify(self, dirfd, path, 0, call.stack, target);
  return target.magic && target.empty ? target.description : 0;
}

/** Skips `text`; false when the path goes on with something else. */
bool take(const char*& at, const char* end, const char* text) {
  uint64_t length = strlen(text);
  if ((uint64_t)(end - at) < length || memcmp(at, text, length) != 0) return false;
  at += length;
  return true;
}

/** A number that something follows; -1 when there is none. */
long take_number(const char*& at, const char* end) {
  long number = 0;
  const char* begin = at;
  for (; at < end && *at >= '0' && *at <= '9' && number < INT32_MAX / 10; at++)
    number = number * 10 + (*at - '0');
  return at == begin ? -1 : number;
}

/** /proc/PID/fd/N and /proc/PID/cwd of another process of the session: the description, 0 for none.
 */
uint32_t others_description(const Call& call, const char* path) {
  long length = string_length(path, BT_PATH_MAX, call.stack);
  if (length <= 0) return 0;
  const char *at = path, *end = path + length;
  if (!take(at, end, "/proc/")) return 0;
  long pid = take_number(at, end);
  const Process* process = pid <= 0 ? nullptr : process_with((uint32_t)pid);
  if (process == nullptr) return 0;
  if (take(at, end, "/cwd")) return at == end ? process->cwd : 0;
  if (!take(at, end, "/fd/")) return 0;
  long fd = take_number(at, end);
  return at == end ? description_in(*process, fd) : 0;
}

Verdict read_magic(Call& call, Thread& self, uint32_t description, char* to, uint64_t size) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return Verdict::DONE;
  const char* text;
  long length = tree_path(slot, &text);
  if (length < 0) return reply(call, self, length);
  if ((uint64_t)length > size) length = (long)size;
  if (!writable(to, (uint64_t)length, call.stack)) return reply(call, self, -EFAULT);
  memcpy(to, text, (uint64_t)length);
  return reply(call, self, length);
}

Verdict read_link(Call& call, Thread& self, PathArgument name, int buffer) {
  auto* to = (char*)call.args[buffer];
  int size = (int)call.args[buffer + 1];
  if (size <= 0) return done(call, -EINVAL);
  long dirfd = name.dirfd < 0 ? AT_FDCWD : call.args[(int)name.dirfd];
  uint32_t magic = magic_description(call, self, dirfd, (const char*)call.args[(int)name.path]);
  if (magic == 0) magic = others_description(call, (const char*)call.args[(int)name.path]);
  if (magic != 0) {
    Verdict verdict = read_magic(call, self, magic, to, (uint64_t)size);
    // Closed by its owner meanwhile, or never his to tell: the kernel's word then.
    if (call.result != -EBADF) return verdict;
  }
  uint32_t program = own_program(call, self, (const char*)call.args[(int)name.path]);
  if (program != 0) {
    Verdict verdict = read_magic(call, self, program, to, (uint64_t)size);
    drop(self, program, call.stack);
    return verdict;
  }

  Slot* slot = ask(call, self, {.first = name}, fill);
  if (slot == nullptr) return Verdict::DONE;
  if (slot->status != 0) return reply(call, self, slot->status);
  uint64_t length = slot->reply_length;
  if (length > (uint64_t)size) length = (uint64_t)size;
  if (!writable(to, length, call.stack)) return reply(call, self, -EFAULT);
  memcpy(to, reply_payload(slot), length);
  return reply(call, self, (long)length);
}

}  // namespace

Verdict sys_readlink(Call& call, Thread& self) {
  return read_link(call, self, {.path = 0, .flags = PATH_NOFOLLOW}, 1);
}

Verdict sys_readlinkat(Call& call, Thread& self) {
  // "" is always the link that an O_PATH descriptor stands for.
  return read_link(call, self, {.dirfd = 0, .path = 1, .flags = PATH_NOFOLLOW | PATH_EMPTY}, 2);
}

}  // namespace btfuse
