#include "exec_static.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "../client/memory.h"
#include "../image/start.h"

namespace btfuse {

namespace {

constexpr char kLauncher[] = "btfuse-static";
constexpr long kNoExec = 8;  // ST_NOEXEC

char* put(char* out, const char* text) {
  while (*text != 0) *out++ = *text++;
  *out = 0;
  return out;
}

char* put(char* out, uint64_t number) {
  if (number >= 10) out = put(out, number / 10);
  *out++ = (char)('0' + number % 10);
  *out = 0;
  return out;
}

/** A copy out of the program's way that an exec leaves open. */
long lasting(long fd) {
  const long high = kernel(SYS_fcntl, fd, F_DUPFD, (long)BT_PRIVATE_FD_MIN);
  return high >= 0 ? high : kernel(SYS_fcntl, fd, F_DUPFD, 3);
}

bool may_map_code(long fd) {
  struct statfs status;
  return kernel(SYS_fstatfs, fd, &status) < 0 || (status.f_flags & kNoExec) == 0;
}

}  // namespace

__attribute__((noinline)) long find_file_image(Thread& self, long fd, ImageTrailer& image) {
  char* path = (char*)__builtin_alloca(BT_PATH_MAX);
  const auto euid = (uint64_t)kernel(SYS_geteuid);
  struct stat file;
  long found = kernel(SYS_fstat, fd, &file);
  if (found < 0) return found;
  if (file_image_path(start.images, start.images_length, file, path)) {
    found = open_image(path, euid, image);
    if (found >= 0) return found;
  }
  // The server opens it by way of /proc: the file may have no name, or one of another namespace.
  char object[64];
  put(put(put(put(object, "/proc/"), (uint64_t)kernel(SYS_getpid)), "/fd/"), (uint64_t)fd);
  const int status = request_image(self, object, path);
  return status == 0 ? open_image(path, euid, image) : status;
}

int prepare_launch(Thread& self, long fd, Launch& launch) {
  ImageTrailer image;
  launch.program = launch.image = -1;
  if (!may_map_code(fd)) return -EACCES;
  const long found = find_file_image(self, fd, image);
  if (found < 0) return -EACCES;
  launch.image = lasting(found);
  kernel(SYS_close, found);
  launch.program = lasting(fd);
  if (launch.image >= 0 && launch.program >= 0) return 0;
  close_launch(launch);
  return -EMFILE;
}

void close_launch(const Launch& launch) {
  if (launch.image >= 0) kernel(SYS_close, launch.image);
  if (launch.program >= 0) kernel(SYS_close, launch.program);
}

uint64_t launcher_path_size() {
  return start.own_length + sizeof kLauncher;
}

bool launcher_path(char* path) {
  uint32_t length = start.own_length;
  while (length > 0 && start.own[length - 1] != '/') length--;
  if (length + sizeof kLauncher > BT_PATH_MAX) return false;
  memcpy(path, start.own, length);
  memcpy(path + length, kLauncher, sizeof kLauncher);
  return true;
}

}  // namespace btfuse
