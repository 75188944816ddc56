#include "exec_name.h"

#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "../image/start.h"
#include "request.h"
#include "tree_path.h"

namespace btfuse {

namespace {

/** Text under construction; `at` is nullptr once it did not fit. */
struct NameWriter {
  char* at;
  char* end;
  void add(const char* from, uint64_t length) {
    if (at == nullptr || length >= (uint64_t)(end - at)) {
      at = nullptr;
      return;
    }
    memcpy(at, from, length);
    at += length;
    *at = 0;
  }
};

/** Adds the name of an open description. */
void add_description(Call& call, Thread& self, uint32_t description, NameWriter& out) {
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) {
    out.at = nullptr;
    return;
  }
  const char* name;
  bool deleted = false;
  long length = tree_path(slot, &name, &deleted);
  if (length < 0 || deleted)
    out.at = nullptr;
  else
    out.add(name, (uint64_t)length);
  end(self);
}

void fill_open(Slot& slot, const Call&) {
  slot.opcode = BT_OP_OPEN;
  slot.flags = O_PATH;
  slot.mode = 0;
}

}  // namespace

bool exec_name(Call& call, Thread& self, long dirfd, const char* path, char (&out)[kExecNameMax]) {
  Target target;
  classify(self, dirfd, path, PATH_EMPTY, call.stack, target);
  NameWriter text{out, out + kExecNameMax};
  bool absolute = target.length > 0 && path[0] == '/';
  if (target.where == Where::TREE && target.description != 0) {
    add_description(call, self, target.description, text);
    if (!target.empty) text.add("/", 1);
    text.add(target.path, target.length);
  } else if (absolute) {
    text.add(path, strlen(path));
  } else {
    return false;
  }
  return text.at != nullptr;
}

uint32_t own_program(Call& call, Thread& self, const char* path) {
  if (start.exe == nullptr || !names_own_program(path, call.stack)) return 0;
  Call open = call;
  open.nr = SYS_openat;
  open.args[0] = AT_FDCWD;
  open.args[1] = (long)start.exe;
  open.args[2] = O_PATH | O_CLOEXEC;
  PathCall paths{.first = {.dirfd = 0, .path = 1}};
  Slot* slot = ask(open, self, paths, fill_open);
  if (slot == nullptr) {
    if (open.result >= 0) kernel(SYS_close, open.result);
    return 0;
  }
  uint32_t description = slot->status == 0 ? slot->reply_description : 0;
  end(self);
  return description;
}

}  // namespace btfuse
