// execve of a static program: the kernel is given the launcher (preload/static) instead, with the
// program and its prepared image open.
#pragma once
#include "../image/map.h"
#include "exec_file.h"

namespace btfuse {

/** What the environment says about static programs (BTFUSE_STATIC). */
enum class StaticPolicy {
  SERVE,   ///< in the tree, by the launcher
  REFUSE,  ///< EACCES
  ALLOW,   ///< the kernel runs them, on the files of the host
};

/** Two descriptors that survive the exec; -1 for none. */
struct Launch {
  long program, image;
};

/**
 * Opens the image that was prepared for the open file, or asks the server to prepare it. A
 * descriptor or -errno.
 */
long find_file_image(Thread& self, long fd, ImageTrailer& image);

/**
 * Readies the launch of a program: `fd` is its open file, which stays the caller's. 0; -EACCES when
 * it cannot be served.
 */
int prepare_launch(Thread& self, long fd, Launch& launch);
void close_launch(const Launch& launch);

/** Path of the launcher, which lies beside the shim: launcher_path_size() bytes. False: too long.
 */
uint64_t launcher_path_size();
bool launcher_path(char* path);

}  // namespace btfuse
