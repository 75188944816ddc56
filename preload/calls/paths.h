// Where a path leads: into the tree or to the host. The first half is lexical and free of system
// calls for nearly every host path; what only the host's symlinks can tell is found by host_walk.
#pragma once
#include "../image/call.h"

namespace btfuse {

enum class Where : unsigned char {
  HOST,    ///< the kernel's; its own symlinks may still lead into the tree (see request.cpp)
  TREE,    ///< ours
  UNSURE,  ///< names the last component of the prefix behind a ".." or a host directory: resolve()
};

struct Target {
  Where where;
  bool empty;   ///< tree: `description` itself (AT_EMPTY_PATH, /proc/self/fd/N)
  bool walked;  ///< host_walk has seen this path: no symlink of the host leads into the tree
  bool magic;   ///< tree: named through /proc/self/fd or /proc/self/cwd
  uint32_t description;  ///< tree: where the walk begins, 0 for the root
  const char* path;      ///< program memory, or the buffer given to resolve() and cross()
  uint32_t length;       ///< bytes, without NUL; a host path is NUL-terminated
  uint32_t symlinks;     ///< followed so far
  long dirfd;            ///< host: what a relative path is relative to
};

/** How a call names its file. */
inline constexpr uint32_t PATH_EMPTY = 1;     ///< AT_EMPTY_PATH: "" is the descriptor itself
inline constexpr uint32_t PATH_NOFOLLOW = 2;  ///< a symlink at the end is not followed
inline constexpr uint32_t PATH_NULL = 4;      ///< with PATH_EMPTY: no pointer says "", too

/** The first two from AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. */
uint32_t path_flags_of(uint32_t at_flags);

/** Room for one path that had to be rewritten, and for the walk that did it. */
struct PathBuffer {
  char* text;  ///< BT_PATH_MAX bytes: the result; belongs to one path
  char* work;  ///< 2 * BT_PATH_MAX bytes, shared
};

/**
 * Classifies (dirfd, path) as the kernel would start to walk it. Lexical: no system call. What the
 * kernel itself would refuse (a bad pointer, a path too long, "") is HOST, so that it does.
 */
void classify(Thread& self, long dirfd, const char* path, uint32_t flags, uint64_t stack,
              Target& target);

/**
 * Settles UNSURE, and looks for host symlinks into the tree when the kernel said ENOENT.
 * Returns 0 (target.where is HOST or TREE now) or -errno.
 */
int resolve(Target& target, uint32_t flags, const PathBuffer& buffer);

/**
 * After a reply with REPLY_CROSSED_*: turns the payload into the next Target (which may be the tree
 * again). Returns 0, -ELOOP or -ENAMETOOLONG.
 */
int cross(Thread& self, Slot* slot, uint32_t flags, Target& target, const PathBuffer& buffer);

/** Is this path the /proc/self/exe of this process, in any of its spellings? */
bool names_own_program(const char* path, uint64_t stack);

/** The rest of an absolute path below the prefix; nullptr when it is not (lexically) below it. */
const char* below_prefix(const char* path, const char* end);

}  // namespace btfuse
