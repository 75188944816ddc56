// Segments: files in /dev/shm, their backing and their mappings.
#include "addon.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

namespace btfuse::addon {
namespace {

// Node-API has it since 22.23, 24.16 and 26.1, and one binary serves them all.
using CreateExternal = napi_status (*)(napi_env, void*, std::size_t, void (*)(void*, void*), void*,
                                       napi_value*);

CreateExternal create_external() {
  static const auto found = reinterpret_cast<CreateExternal>(
      dlsym(RTLD_DEFAULT, "node_api_create_external_sharedarraybuffer"));
  return found;
}

/** /dev/shm/<name>, or "" when the name is no plain file name. */
std::string path_of(const Arguments& arguments) {
  char name[256];
  std::size_t length = 0;
  if (napi_get_value_string_utf8(arguments.env, arguments.values[0], name, sizeof name, &length) !=
      napi_ok) {
    return "";
  }
  if (length == 0 || length >= sizeof name - 1 || name[0] == '.') return "";
  if (std::memchr(name, '/', length) != nullptr || std::memchr(name, 0, length) != nullptr)
    return "";
  return std::string("/dev/shm/") + std::string(name, length);
}

napi_value invalid(napi_env env) {
  return integer(env, -EINVAL);
}

/** Gives the new file its size, or closes it again. */
napi_value sized(napi_env env, int fd, std::int64_t size, const char* unlink_path) {
  if (fd < 0) return integer(env, -errno);
  if (ftruncate(fd, size) == 0) return integer(env, fd);
  const int error = errno;
  close(fd);
  if (unlink_path != nullptr) unlink(unlink_path);
  return integer(env, -error);
}

napi_value shm_create(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = path_of(arguments);
  if (path.empty()) return invalid(env);
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  return sized(env, open(path.c_str(), flags, 0600), arguments.integer(1), path.c_str());
}

napi_value shm_open_existing(napi_env env, napi_callback_info info) {
  const std::string path = path_of(Arguments(env, info));
  if (path.empty()) return invalid(env);
  return outcome(env, open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

napi_value shm_unlink_name(napi_env env, napi_callback_info info) {
  const std::string path = path_of(Arguments(env, info));
  if (path.empty()) return invalid(env);
  return outcome(env, unlink(path.c_str()));
}

napi_value memfd(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  char name[200];
  std::size_t length = 0;
  napi_get_value_string_utf8(env, arguments.values[0], name, sizeof name, &length);
  return sized(env, memfd_create(name, MFD_CLOEXEC), arguments.integer(1), nullptr);
}

napi_value remember(const Arguments& arguments, const Mapping& mapping) {
  arguments.addon->mappings.push_back(mapping);
  return number(arguments.env, static_cast<double>(arguments.addon->mappings.size() - 1));
}

/** Touching a page past the end of the file would be SIGBUS. */
bool file_holds(int fd, std::int64_t size) {
  return size > 0 && lseek(fd, 0, SEEK_END) >= size;
}

napi_value map(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const int fd = static_cast<int>(arguments.integer(0));
  const std::int64_t size = arguments.integer(1);
  if (!file_holds(fd, size)) return invalid(env);
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return integer(env, -errno);
  return remember(arguments, {static_cast<unsigned char*>(base), static_cast<std::uint64_t>(size)});
}

/** Node-API has no way to ask a SharedArrayBuffer for its address; a view over it has one. */
unsigned char* address_of(napi_env env, napi_value buffer, std::size_t& length) {
  napi_value global, constructor, view;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_global(env, &global) != napi_ok ||
      napi_get_named_property(env, global, "Uint8Array", &constructor) != napi_ok ||
      napi_new_instance(env, constructor, 1, &buffer, &view) != napi_ok ||
      napi_get_typedarray_info(env, view, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  return static_cast<unsigned char*>(data);
}

napi_value map_over(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const int fd = static_cast<int>(arguments.integer(0));
  const std::int64_t size = arguments.integer(1);
  if (!file_holds(fd, size)) return invalid(env);
  std::size_t length = 0;
  unsigned char* base = address_of(env, arguments.values[2], length);
  if (base == nullptr) return nullptr;
  const long page = sysconf(_SC_PAGESIZE);
  if (length < static_cast<std::uint64_t>(size) || reinterpret_cast<std::uintptr_t>(base) % page) {
    return range_error(env, "the buffer is smaller than the segment or not page-aligned");
  }
  if (mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
    return integer(env, -errno);
  }
  return remember(arguments, {base, static_cast<std::uint64_t>(size), false, true});
}

napi_value shared_array_buffer(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::int64_t id = arguments.integer(0);
  if (span(arguments, id, 0, 1) == nullptr) return nullptr;
  Mapping& mapping = arguments.addon->mappings[id];
  if (create_external() == nullptr || mapping.lent || mapping.over) {
    napi_throw_error(env, "BTFUSE_ERR_NO_EXTERNAL_BUFFER",
                     "no external SharedArrayBuffer can be had for this segment");
    return nullptr;
  }
  napi_value result = nullptr;
  const auto unmap_later = [](void* base, void* size) {
    munmap(base, reinterpret_cast<std::size_t>(size));
  };
  if (create_external()(env, mapping.base, mapping.size, unmap_later,
                        reinterpret_cast<void*>(mapping.size), &result) != napi_ok) {
    return nullptr;
  }
  mapping.lent = true;
  return result;
}

/**
 * Forgets a segment. Memory that JavaScript still sees is not taken away: a lent mapping goes with
 * its buffer, and one over WebAssembly memory gives way to private pages.
 */
napi_value unmap(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::int64_t id = arguments.integer(0);
  if (span(arguments, id, 0, 1) == nullptr) return nullptr;
  Mapping& mapping = arguments.addon->mappings[id];
  long result = 0;
  if (mapping.over) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    void* base = mmap(mapping.base, mapping.size, PROT_READ | PROT_WRITE, flags, -1, 0);
    result = base == MAP_FAILED ? -1 : 0;
  } else if (!mapping.lent) {
    result = munmap(mapping.base, mapping.size);
  }
  mapping = Mapping{};
  return outcome(env, result);
}

napi_value allocate_with(napi_env env, napi_callback_info info, int mode) {
  const Arguments arguments(env, info);
  const int fd = static_cast<int>(arguments.integer(0));
  long result;
  do {
    result = fallocate(fd, mode, arguments.integer(1), arguments.integer(2));
  } while (result < 0 && errno == EINTR);
  return outcome(env, result);
}

napi_value allocate(napi_env env, napi_callback_info info) {
  return allocate_with(env, info, 0);
}

napi_value punch(napi_env env, napi_callback_info info) {
  return allocate_with(env, info, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

napi_value truncate_to(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return outcome(env, ftruncate(static_cast<int>(arguments.integer(0)), arguments.integer(1)));
}

napi_value lock(napi_env env, napi_callback_info info) {
  const int fd = static_cast<int>(Arguments(env, info).integer(0));
  return outcome(env, flock(fd, LOCK_EX | LOCK_NB));
}

napi_value is_locked(napi_env env, napi_callback_info info) {
  const int fd = static_cast<int>(Arguments(env, info).integer(0));
  // Shared: any number of processes may look at once without taking each other for the owner.
  const bool locked = flock(fd, LOCK_SH | LOCK_NB) < 0;
  if (!locked) flock(fd, LOCK_UN);
  napi_value result = nullptr;
  napi_get_boolean(env, locked, &result);
  return result;
}

napi_value close_fd(napi_env env, napi_callback_info info) {
  return outcome(env, close(static_cast<int>(Arguments(env, info).integer(0))));
}

}  // namespace

bool has_external_shared_array_buffer() {
  return create_external() != nullptr;
}

const Method segment_methods[] = {
    {"shmCreate", shm_create},
    {"shmOpen", shm_open_existing},
    {"shmUnlink", shm_unlink_name},
    {"memfdCreate", memfd},
    {"map", map},
    {"mapOver", map_over},
    {"sharedArrayBuffer", shared_array_buffer},
    {"unmap", unmap},
    {"allocate", allocate},
    {"punch", punch},
    {"truncate", truncate_to},
    {"lock", lock},
    {"isLocked", is_locked},
    {"close", close_fd},
    {nullptr, nullptr},
};

}  // namespace btfuse::addon
