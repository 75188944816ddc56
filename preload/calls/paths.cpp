#include "paths.h"

#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "host_walk.h"
#include "user_memory.h"

namespace btfuse {

namespace {

bool is_dot(const char* name, const char* end) {
  return end - name == 1 && name[0] == '.';
}
bool is_dotdot(const char* name, const char* end) {
  return end - name == 2 && name[0] == '.' && name[1] == '.';
}

const char* component_end(const char* at, const char* end) {
  while (at < end && *at != '/') at++;
  return at;
}

const char* skip_slashes(const char* at, const char* end) {
  while (at < end && *at == '/') at++;
  return at;
}

/** What the components of a path say about where it can lead. */
struct Names {
  bool dotdot;  ///< ".." occurs
  bool last;    ///< the last component of the prefix occurs
};

/** The last component of the prefix. */
const char* last_of_prefix() {
  const char* last = client.prefix + client.prefix_length;
  while (last[-1] != '/') last--;
  return last;
}

Names names_of(const char* path, const char* end) {
  const char* last = last_of_prefix();
  uint32_t length = (uint32_t)(client.prefix + client.prefix_length - last);
  Names names{};
  for (const char* at = skip_slashes(path, end); at < end;) {
    const char* stop = component_end(at, end);
    if (is_dotdot(at, stop)) names.dotdot = true;
    if ((uint32_t)(stop - at) == length && *at == *last && memcmp(at, last, length) == 0) {
      names.last = true;
    }
    at = skip_slashes(stop, end);
  }
  return names;
}

/** Skips `text` when the path goes on with it, followed by '/' or the end. */
bool take(const char*& at, const char* end, const char* text) {
  const char* here = at;
  for (; *text != 0; text++, here++) {
    if (here >= end || *here != *text) return false;
  }
  if (here < end && *here != '/') return false;
  at = skip_slashes(here, end);
  return true;
}

/** Skips a decimal number that is a whole component. -1 when there is none. */
long take_number(const char*& at, const char* end) {
  long number = 0;
  const char* here = at;
  for (; here < end && *here >= '0' && *here <= '9' && number < 100000000; here++) {
    number = number * 10 + (*here - '0');
  }
  if (here == at || (here < end && *here != '/')) return -1;
  at = skip_slashes(here, end);
  return number;
}

/** Skips "/proc/self", its kin and its synonyms up to what the process is asked for. */
bool take_own_proc(const char*& at, const char* end) {
  const char* here = at + 1;
  if (!take(here, end, "proc")) return false;
  if (take(here, end, "self") || take(here, end, "thread-self")) {
    at = here;
    return true;
  }
  long pid = take_number(here, end);
  if (pid < 0 || (uint32_t)pid != client.pid) return false;
  at = here;
  return true;
}

/**
 * The fd that a path such as /proc/self/fd/3, /dev/fd/3 or /dev/stdin names, -1 for none.
 * `at` is moved behind it.
 */
long take_fd(const char*& at, const char* end) {
  const char* here = at + 1;
  if (take(here, end, "dev")) {
    long fd = -1;
    if (take(here, end, "stdin"))
      fd = 0;
    else if (take(here, end, "stdout"))
      fd = 1;
    else if (take(here, end, "stderr"))
      fd = 2;
    else if (take(here, end, "fd"))
      fd = take_number(here, end);
    if (fd >= 0) at = here;
    return fd;
  }
  here = at;
  if (!take_own_proc(here, end)) return -1;
  if (take(here, end, "task")) take_number(here, end);
  if (!take(here, end, "fd")) return -1;
  long fd = take_number(here, end);
  if (fd >= 0) at = here;
  return fd;
}

/** /proc/self/fd/N and /proc/self/cwd where they stand for something in the tree. */
bool classify_magic(Thread& self, const char* path, const char* end, uint32_t flags,
                    Target& target) {
  if (path[1] != 'p' && path[1] != 'd') return false;
  const char* at = path;
  uint32_t description = 0;
  long fd = take_fd(at, end);
  if (fd >= 0) {
    description = description_of(self, fd);
  } else {
    if (!take_own_proc(at, end) || !take(at, end, "cwd")) return false;
    description = process_at(process_of(self))->cwd;
  }
  if (description == 0) return false;
  // The link itself is the kernel's; only what lies behind it is ours.
  if (at == end && end[-1] != '/' && (flags & PATH_NOFOLLOW)) return false;
  target.where = Where::TREE;
  target.magic = true;
  target.description = description;
  target.empty = at == end;
  target.path = at;
  target.length = (uint32_t)(end - at);
  target.symlinks = 1;
  return true;
}

/**
 * "/memfd:/bt/bin/x": what $ORIGIN and /proc/self/exe make of a program of the tree, of which the
 * kernel runs a copy (exec_file.cpp names it so).
 */
const char* below_copy(const char* path, const char* end) {
  static constexpr char kCopy[] = "/memfd:";
  const char* at = path + sizeof kCopy - 1;
  if (at >= end || *at != '/' || memcmp(path, kCopy, sizeof kCopy - 1) != 0) return nullptr;
  return below_prefix(at, end);
}

/** `plain`: no ".." in it, or no component that can be the last one of the prefix. */
void classify_absolute(Thread& self, const char* path, const char* end, uint32_t flags, bool plain,
                       Target& target) {
  const char* rest = below_prefix(path, end);
  if (rest == nullptr && path[1] == 'm') rest = below_copy(path, end);
  if (rest != nullptr) {
    target.where = Where::TREE;
    target.description = 0;
    target.path = rest;
    target.length = (uint32_t)(end - rest);
    return;
  }
  if (classify_magic(self, path, end, flags, target) || plain) return;
  Names names = names_of(path, end);
  target.where = names.dotdot && names.last ? Where::UNSURE : Where::HOST;
}

}  // namespace

uint32_t path_flags_of(uint32_t at_flags) {
  return ((at_flags & AT_SYMLINK_NOFOLLOW) ? PATH_NOFOLLOW : 0) |
         ((at_flags & AT_EMPTY_PATH) ? PATH_EMPTY : 0);
}

const char* below_prefix(const char* path, const char* end) {
  const char* prefix_end = client.prefix + client.prefix_length;
  const char* want = client.prefix + 1;
  const char* at = path;
  while (want < prefix_end) {
    at = skip_slashes(at, end);
    const char* stop = component_end(at, end);
    if (is_dot(at, stop)) {
      at = stop;
      continue;
    }
    const char* want_end = component_end(want, prefix_end);
    if (stop - at != want_end - want || *at != *want) return nullptr;
    if (memcmp(at, want, (uint64_t)(stop - at)) != 0) return nullptr;
    at = stop;
    want = want_end + 1;
  }
  return skip_slashes(at, end);
}

void classify(Thread& self, long dirfd, const char* path, uint32_t flags, uint64_t stack,
              Target& target) {
  dirfd = (int)dirfd;
  target = Target{};
  target.path = path;
  target.dirfd = dirfd;
  Scan scan{};
  if (path != nullptr || !(flags & PATH_NULL)) {
    scan = scan_path(path, *last_of_prefix(), BT_PATH_MAX, stack);
  }
  long length = scan.length;
  if (length < 0) return;
  target.length = (uint32_t)length;
  const char* end = path + length;
  if (length > 0 && path[0] == '/') {
    return classify_absolute(self, path, end, flags, !scan.dotdot || !scan.begins, target);
  }
  if (length == 0 && !(flags & PATH_EMPTY)) return;

  uint32_t description =
      dirfd == AT_FDCWD ? process_at(process_of(self))->cwd : description_of(self, dirfd);
  if (description != 0) {
    target.where = Where::TREE;
    target.description = description;
    target.empty = length == 0;
    return;
  }
  if (scan.begins && names_of(path, end).last) target.where = Where::UNSURE;
}

bool names_own_program(const char* path, uint64_t stack) {
  long length = string_length(path, BT_PATH_MAX, stack);
  if (length <= 0 || path[0] != '/') return false;
  const char *at = path, *end = path + length;
  return take_own_proc(at, end) && take(at, end, "exe") && at == end && end[-1] != '/';
}

int resolve(Target& target, uint32_t flags, const PathBuffer& buffer) {
  target.walked = true;
  return host_walk(target, (flags & PATH_NOFOLLOW) != 0, buffer);
}

int cross(Thread& self, Slot* slot, uint32_t flags, Target& target, const PathBuffer& buffer) {
  uint32_t symlinks = slot->reply_symlinks;
  uint32_t length = slot->reply_length;
  const unsigned char* payload = reply_payload(slot);
  if (symlinks > BT_SYMLOOP_MAX) return -ELOOP;
  if (length >= BT_PATH_MAX) return -ENAMETOOLONG;

  char* at = buffer.text;
  if (slot->reply_flags & BT_REPLY_CROSSED_UP) {
    // The parent of the prefix, with its trailing slash: "/bt" lies in "/".
    uint32_t parent = client.prefix_length;
    while (client.prefix[parent - 1] != '/') parent--;
    if (parent + length >= BT_PATH_MAX) return -ENAMETOOLONG;
    memcpy(at, client.prefix, parent);
    at += parent;
  }
  memcpy(at, payload, length);
  at += length;
  *at = 0;

  target = Target{};
  target.path = buffer.text;
  target.length = (uint32_t)(at - buffer.text);
  target.dirfd = AT_FDCWD;
  classify_absolute(self, buffer.text, at, flags, false, target);
  target.symlinks += symlinks;
  return target.where == Where::UNSURE ? resolve(target, flags, buffer) : 0;
}

}  // namespace btfuse
