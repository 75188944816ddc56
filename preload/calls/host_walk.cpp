#include "host_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "../client/memory.h"

namespace btfuse {

namespace {

/** The walk so far: `current` is free of symlinks, `rest` stands at the end of its buffer. */
struct Walk {
  char* current;  ///< "" for the root, else "/a/b"; BT_PATH_MAX bytes
  uint32_t length;
  char* rest_buffer;  ///< BT_PATH_MAX bytes
  char* rest;         ///< NUL-terminated inside rest_buffer
  char* link;         ///< BT_PATH_MAX bytes
  uint32_t symlinks;
};

char* end_of_rest(Walk& walk) {
  return walk.rest_buffer + BT_PATH_MAX - 1;
}

bool prepend(Walk& walk, const char* text, uint64_t length) {
  if (length > (uint64_t)(walk.rest - walk.rest_buffer)) return false;
  walk.rest -= length;
  memmove(walk.rest, text, length);
  return true;
}

/** The directory that the path is relative to, in walk.current. False: the kernel must say it. */
bool start_directory(const Target& target, Walk& walk) {
  bool absolute = target.path[0] == '/';  // read first: its text may stand where `current` will
  walk.length = 0;
  walk.current[0] = 0;
  if (absolute) return true;
  long length;
  if (target.dirfd == AT_FDCWD) {
    length = kernel(SYS_getcwd, walk.current, BT_PATH_MAX) - 1;
  } else {
    if (target.dirfd < 0) return false;
    char text[32];
    proc_path_of(target.dirfd, text);
    length = kernel(SYS_readlink, text, walk.current, BT_PATH_MAX - 1);
  }
  if (length <= 0 || walk.current[0] != '/') return false;
  if (length == 1) length = 0;
  walk.length = (uint32_t)length;
  walk.current[length] = 0;
  return true;
}

void step_up(Walk& walk) {
  while (walk.length > 0 && walk.current[walk.length - 1] != '/') walk.length--;
  if (walk.length > 0) walk.length--;
  walk.current[walk.length] = 0;
}

bool step_down(Walk& walk, const char* name, uint64_t length) {
  if (walk.length + 1 + length >= BT_PATH_MAX) return false;
  walk.current[walk.length] = '/';
  memcpy(walk.current + walk.length + 1, name, length);
  walk.length += (uint32_t)(1 + length);
  walk.current[walk.length] = 0;
  return true;
}

bool at_prefix(const Walk& walk) {
  return walk.length == client.prefix_length &&
         memcmp(walk.current, client.prefix, walk.length) == 0;
}

/** True for the directories above the prefix, which need not exist on the host. */
bool above_prefix(const Walk& walk) {
  return walk.length < client.prefix_length && client.prefix[walk.length] == '/' &&
         memcmp(walk.current, client.prefix, walk.length) == 0;
}

/** Is `current` something that ".." can leave? The kernel judges a file's. */
bool can_leave(Walk& walk) {
  if (walk.length == 0 || above_prefix(walk)) return true;
  if (walk.length + 1 >= BT_PATH_MAX) return false;
  walk.current[walk.length] = '/';
  walk.current[walk.length + 1] = 0;
  long result = kernel(SYS_readlink, walk.current, walk.link, BT_PATH_MAX - 1);
  walk.current[walk.length] = 0;
  return result == -EINVAL;  // a directory that may be searched, and of course no link
}

enum class Step { ON, ENTERED, HOST, LOOP, LONG };

/** One component. HOST: the kernel alone decides what becomes of the rest. */
Step step(Walk& walk, bool nofollow) {
  char* name = walk.rest;
  char* end = name;
  while (*end != 0 && *end != '/') end++;
  char* rest = end;
  while (*rest == '/') rest++;
  uint64_t length = (uint64_t)(end - name);
  bool last = *rest == 0;
  bool slash = *end == '/';
  walk.rest = rest;
  if (length == 1 && name[0] == '.') return Step::ON;
  if (length == 2 && name[0] == '.' && name[1] == '.') {
    if (!can_leave(walk)) return Step::HOST;
    step_up(walk);
    return Step::ON;
  }
  if (!step_down(walk, name, length)) return Step::LONG;
  if (at_prefix(walk)) return Step::ENTERED;
  if (last && !slash && nofollow) return Step::ON;

  long target = kernel(SYS_readlink, walk.current, walk.link, BT_PATH_MAX - 1);
  if (target == -EINVAL) return Step::ON;
  if (target == -ENOENT && above_prefix(walk)) return Step::ON;
  if (target <= 0) return Step::HOST;
  if (++walk.symlinks > BT_SYMLOOP_MAX) return Step::LOOP;
  // A magic link of /proc does not lead where its text says.
  if (memcmp(walk.current, "/proc/", 6) == 0 && walk.link[0] != '/') return Step::HOST;
  if (slash) {
    if (!prepend(walk, "/", 1)) return Step::LONG;
  }
  if (!prepend(walk, walk.link, (uint64_t)target)) return Step::LONG;
  step_up(walk);
  if (walk.rest[0] == '/') {
    walk.length = 0;
    walk.current[0] = 0;
    while (*walk.rest == '/') walk.rest++;
  }
  return Step::ON;
}

/** What is left of a crossed path: its text was overwritten by the walk and is put together again.
 */
int keep_on_host(Walk& walk, bool trailing_slash, Target& target) {
  uint64_t rest = (uint64_t)(end_of_rest(walk) - walk.rest);
  if (walk.length + rest + 2 >= BT_PATH_MAX) return -ENAMETOOLONG;
  if (walk.length == 0 || rest > 0 || trailing_slash) walk.current[walk.length++] = '/';
  memcpy(walk.current + walk.length, walk.rest, rest);
  walk.length += (uint32_t)rest;
  walk.current[walk.length] = 0;
  target.path = walk.current;
  target.length = walk.length;
  return 0;
}

}  // namespace

int host_walk(Target& target, bool nofollow, const PathBuffer& buffer) {
  Walk walk{};
  walk.current = buffer.text;
  walk.rest_buffer = buffer.work;
  walk.link = buffer.work + BT_PATH_MAX;
  walk.rest = end_of_rest(walk);
  walk.symlinks = target.symlinks;
  *walk.rest = 0;
  bool rewritten = target.path == buffer.text;
  bool trailing_slash = target.length > 0 && target.path[target.length - 1] == '/';
  if (!prepend(walk, target.path, target.length)) return -ENAMETOOLONG;
  target.where = Where::HOST;
  if (!start_directory(target, walk)) return 0;
  while (*walk.rest == '/') walk.rest++;

  Step result = Step::ON;
  while (result == Step::ON && *walk.rest != 0) result = step(walk, nofollow);
  target.symlinks = walk.symlinks;
  if (result == Step::LOOP) return -ELOOP;
  if (result == Step::LONG) return -ENAMETOOLONG;
  if (result != Step::ENTERED) return rewritten ? keep_on_host(walk, trailing_slash, target) : 0;

  target.where = Where::TREE;
  target.description = 0;
  target.length = (uint32_t)(end_of_rest(walk) - walk.rest);
  memcpy(buffer.text, walk.rest, target.length);
  buffer.text[target.length] = 0;
  target.path = buffer.text;
  return 0;
}

namespace {

/** Longest directory that may_lead_into_tree looks at on its own. */
constexpr uint32_t kDirectoryMax = 256;
constexpr uint32_t kRemembered = 64;

/**
 * Directories of the host that are known to exist, by a hash of their absolute names: what exists
 * for the kernel is not in the tree. PATH and include searches ask for the same few again and
 * again. One that is replaced by a symlink into the tree later on is found out by another process
 * only.
 */
uint64_t existing[kRemembered];

uint64_t hash_of(const char* text, uint32_t length) {
  uint64_t hash = 14695981039346656037ull;
  for (uint32_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211ull;
  return hash | 1;
}

/** Does the kernel come through this path without a symlink, or to its end in spite of one? */
bool without_symlinks(long dirfd, const char* path, bool nofollow) {
  struct open_how how {};
  how.flags = O_PATH | O_CLOEXEC | (nofollow ? (uint64_t)O_NOFOLLOW : 0);
  how.resolve = RESOLVE_NO_SYMLINKS;
  long fd = kernel(SYS_openat2, dirfd, path, &how, sizeof how);
  if (fd >= 0) kernel(SYS_close, fd);
  return fd != -ELOOP && fd != -ENOSYS && fd != -EPERM;
}

/** Is the directory of the path the host's for sure? */
bool directory_exists(const Target& target, uint32_t length) {
  if (length == 0) return true;
  bool absolute = target.path[0] == '/';
  uint64_t hash = absolute ? hash_of(target.path, length) : 0;
  uint64_t* known = &existing[hash % kRemembered];
  if (absolute && __atomic_load_n(known, __ATOMIC_RELAXED) == hash) return true;
  char directory[kDirectoryMax];
  memcpy(directory, target.path, length);
  directory[length] = 0;
  if (kernel(SYS_faccessat, target.dirfd, directory, F_OK) != 0) {
    return without_symlinks(target.dirfd, directory, false);
  }
  if (absolute) __atomic_store_n(known, hash, __ATOMIC_RELAXED);
  return true;
}

}  // namespace

bool may_lead_into_tree(const Target& target, bool nofollow) {
  uint32_t length = target.length;
  if (length == 0) return false;
  while (length > 0 && target.path[length - 1] != '/') length--;
  const char* name = target.path + length;
  // "x/", "x/." and "x/..": the end follows a symlink in its own way.
  bool plain = *name != 0 && *name != '.' && length < kDirectoryMax;
  if (!plain) return !without_symlinks(target.dirfd, target.path, nofollow);
  if (!directory_exists(target, length)) return true;
  if (nofollow) return false;
  char link[1];
  return kernel(SYS_readlinkat, target.dirfd, target.path, link, sizeof link) > 0;
}

void proc_path_of(long fd, char (&text)[32]) {
  memcpy(text, "/proc/self/fd/", 14);
  char digits[12];
  uint32_t count = 0;
  do {
    digits[count++] = (char)('0' + fd % 10);
    fd /= 10;
  } while (fd > 0);
  char* at = text + 14;
  while (count > 0) *at++ = digits[--count];
  *at = 0;
}

bool prefix_on_host() {
  return ring_segment()->covers_host != 0;
}

bool meets_symlink(const Target& target, bool nofollow) {
  return !without_symlinks(target.dirfd, target.path, nofollow);
}

}  // namespace btfuse
