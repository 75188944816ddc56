// What Node's fs cannot say of files of the host: times to the nanosecond, device nodes, extended
// attributes. Used by the import and export of a tree.
#include "addon.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace btfuse::addon {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

/** Names are bytes: a path comes in a typed array. Empty after a RangeError was thrown. */
std::string path_of(const Arguments& arguments, std::size_t index) {
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  const bool is_bytes = napi_get_typedarray_info(arguments.env, arguments.values[index], &type,
                                                 &length, &data, nullptr, nullptr) == napi_ok &&
                        type == napi_uint8_array;
  std::string path(is_bytes ? static_cast<const char*>(data) : "", is_bytes ? length : 0);
  if (!path.empty() && path.find('\0') == std::string::npos) return path;
  range_error(arguments.env, "a path is a Uint8Array without NUL");
  return {};
}

timespec time_of(const Arguments& arguments, std::size_t index) {
  std::int64_t ns = 0;
  bool lossless = false;
  napi_get_value_bigint_int64(arguments.env, arguments.values[index], &ns, &lossless);
  std::int64_t fraction = ns % kNsPerSecond;
  if (fraction < 0) fraction += kNsPerSecond;
  return {static_cast<time_t>((ns - fraction) / kNsPerSecond), static_cast<long>(fraction)};
}

napi_value set_times(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  if (path.empty()) return nullptr;
  const timespec times[2] = {time_of(arguments, 1), time_of(arguments, 2)};
  return outcome(env, utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

napi_value make_node(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  if (path.empty()) return nullptr;
  const auto mode = static_cast<mode_t>(arguments.integer(1));
  return outcome(env, mknod(path.c_str(), mode, static_cast<dev_t>(arguments.integer(2))));
}

/** A time stamp each for bit 0 (access) and bit 1 (modification): now, or as it is. */
struct Stamps {
  timespec times[2];
  explicit Stamps(int64_t which) {
    times[0] = {0, (which & 1) != 0 ? UTIME_NOW : UTIME_OMIT};
    times[1] = {0, (which & 2) != 0 ? UTIME_NOW : UTIME_OMIT};
  }
};

napi_value touch_path(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  if (path.empty()) return nullptr;
  const Stamps stamps(arguments.integer(1));
  return outcome(env, utimensat(AT_FDCWD, path.c_str(), stamps.times, AT_SYMLINK_NOFOLLOW));
}

napi_value touch_descriptor(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto fd = static_cast<int>(arguments.integer(0));
  const Stamps stamps(arguments.integer(1));
  // The one form that takes a descriptor of O_PATH too.
  const int done = utimensat(fd, "", stamps.times, AT_EMPTY_PATH);
  return outcome(env, done != 0 && errno == EINVAL ? futimens(fd, stamps.times) : done);
}

/** A directory, or a file of one byte that takes no memory: for us to change. */
int make_shadow_at(const char* path, bool directory) {
  if (directory) return mkdir(path, 0700);
  const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return -1;
  const int done = ftruncate(fd, 1);
  close(fd);
  return done;
}

napi_value make_shadow(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  if (path.empty()) return nullptr;
  return outcome(env, make_shadow_at(path.c_str(), arguments.integer(1) != 0));
}

napi_value rename_path(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string from = path_of(arguments, 0), to = path_of(arguments, 1);
  if (from.empty() || to.empty()) return nullptr;
  const auto flags = static_cast<unsigned>(arguments.integer(2));
  return outcome(env, static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD,
                                               to.c_str(), flags)));
}

napi_value is_range_locked(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(arguments.integer(1));
  lock.l_len = 1;
  const int asked = fcntl(static_cast<int>(arguments.integer(0)), F_OFD_GETLK, &lock);
  napi_value locked = nullptr;
  // Where it cannot be known, somebody does.
  napi_get_boolean(env, asked != 0 || lock.l_type != F_UNLCK, &locked);
  return locked;
}

constexpr std::size_t kXattrMax = 65536;

/** The bytes, or -errno. */
napi_value bytes_or_error(napi_env env, const char* bytes, ssize_t length) {
  if (length < 0) return outcome(env, length);
  void* to = nullptr;
  napi_value result = nullptr;
  napi_create_buffer_copy(env, static_cast<std::size_t>(length), bytes, &to, &result);
  return result;
}

napi_value list_xattrs(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  if (path.empty()) return nullptr;
  std::vector<char> room(kXattrMax);
  return bytes_or_error(env, room.data(), llistxattr(path.c_str(), room.data(), room.size()));
}

napi_value get_xattr(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  const std::string name = path.empty() ? path : path_of(arguments, 1);
  if (name.empty()) return nullptr;
  std::vector<char> room(kXattrMax);
  return bytes_or_error(env, room.data(),
                        lgetxattr(path.c_str(), name.c_str(), room.data(), room.size()));
}

napi_value set_xattr(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments, 0);
  const std::string name = path.empty() ? path : path_of(arguments, 1);
  if (name.empty()) return nullptr;
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[2], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_uint8_array) {
    return range_error(env, "a value is a Uint8Array");
  }
  return outcome(env, lsetxattr(path.c_str(), name.c_str(), data, length, 0));
}

}  // namespace

const Method file_methods[] = {
    {"listXattrs", list_xattrs}, {"getXattr", get_xattr},
    {"setXattr", set_xattr},     {"setTimes", set_times},
    {"makeNode", make_node},     {"isRangeLocked", is_range_locked},
    {"touchPath", touch_path},   {"touchDescriptor", touch_descriptor},
    {"makeShadow", make_shadow}, {"renamePath", rename_path},
    {nullptr, nullptr},
};

}  // namespace btfuse::addon
