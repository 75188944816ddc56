// Shared by the files of the addon. Loaded once per JavaScript thread: every environment has its
// own table of mapped segments, so no locks are needed.
#pragma once
#include <cstdint>
#include <vector>

#include <node_api.h>

namespace btfuse::addon {

/** A mapped segment. `unmapped` ids are never handed out again. */
struct Mapping {
  unsigned char* base = nullptr;
  std::uint64_t size = 0;
  bool lent = false;  ///< a SharedArrayBuffer stands on it: its finalizer unmaps
  bool over = false;  ///< mapped over memory that JavaScript owns
};

struct Addon {
  std::vector<Mapping> mappings;
};

/** The arguments of one call; `addon` is the environment's own. Missing ones are undefined. */
struct Arguments {
  static constexpr std::size_t kMax = 5;
  napi_env env;
  napi_value values[kMax];
  Addon* addon;

  Arguments(napi_env environment, napi_callback_info info) : env(environment) {
    std::size_t count = kMax;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    addon = static_cast<Addon*>(data);
  }

  /** NaN, fractions and what is no number at all become 0: callers check bounds, not types. */
  std::int64_t integer(std::size_t index) const {
    std::int64_t value = 0;
    napi_get_value_int64(env, values[index], &value);
    return value;
  }
};

inline napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

inline napi_value integer(napi_env env, long value) {
  napi_value result = nullptr;
  napi_create_int32(env, static_cast<std::int32_t>(value), &result);
  return result;
}

napi_value range_error(napi_env env, const char* sentence);
/** The result of a system call as JavaScript sees it: itself, or -errno. */
napi_value outcome(napi_env env, long result);

/** [offset, offset + length) of a segment, or nullptr after a RangeError was thrown. */
inline unsigned char* span(const Arguments& arguments, std::int64_t segment, std::int64_t offset,
                           std::int64_t length) {
  const auto& mappings = arguments.addon->mappings;
  if (static_cast<std::uint64_t>(segment) < mappings.size()) {
    const Mapping& mapping = mappings[static_cast<std::size_t>(segment)];
    const std::uint64_t size = mapping.base == nullptr ? 0 : mapping.size;
    if (length >= 0 && static_cast<std::uint64_t>(length) <= size && offset >= 0 &&
        static_cast<std::uint64_t>(offset) <= size - static_cast<std::uint64_t>(length)) {
      if (mapping.base != nullptr) return mapping.base + offset;
    }
  }
  range_error(arguments.env, "offset and length reach past the segment");
  return nullptr;
}

struct Method {
  const char* name;
  napi_callback call;
};

// Tables of the methods that each file contributes, ended by a null name.
extern const Method segment_methods[];
extern const Method memory_methods[];
extern const Method process_methods[];
extern const Method file_methods[];

bool has_external_shared_array_buffer();

}  // namespace btfuse::addon
