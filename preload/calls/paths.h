// Where a path leads: into the tree or to the host. The first half is lexical and free of system
// calls for nearly every host path; crossings (host symlink into the tree, symlink or ".." out of it)
// come back here.
#pragma once
#include "../image/call.h"

namespace btfuse {

struct Target {
  bool tree;              ///< false: the host, with `path` (host_dirfd applies when it is relative)
  uint32_t description;   ///< tree: where the walk begins, 0 for the root
  const char* path;       ///< program memory or `buffer`
  uint32_t length;        ///< bytes, without NUL
  uint32_t symlinks;      ///< followed so far
  bool empty;             ///< tree: AT_EMPTY_PATH on `description`
  int host_dirfd;         ///< host: dirfd for a relative path
};

/**
 * Classifies (dirfd, path) as the kernel would start to walk it. Never touches the kernel when the path
 * cannot reach the tree. Returns 0, or -errno (-EFAULT, -ENAMETOOLONG, -ENOENT for "", -EBADF, -ENOTDIR).
 * `buffer` holds PATH_MAX bytes for a rewritten path.
 */
int classify(Thread& self, long dirfd, const char* path, bool empty_path, Target& target, char* buffer);

/**
 * After a reply with REPLY_CROSSED_*: turns the payload into the next Target (which may be the tree again).
 * Returns 0, -ELOOP or -ENAMETOOLONG.
 */
int cross(Slot* slot, Target& target, char* buffer);

}  // namespace btfuse
