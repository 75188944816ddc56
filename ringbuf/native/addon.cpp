// Registration: the methods of ringbuf/native.ts and the layout as the C++ compiler sees it.
#include "addon.h"

#include "../layout.gen.h"

#include <cerrno>
#include <cstddef>

namespace btfuse::addon {

napi_value range_error(napi_env env, const char* sentence) {
  napi_throw_range_error(env, "BTFUSE_ERR_RANGE", sentence);
  return nullptr;
}

napi_value outcome(napi_env env, long result) {
  return number(env, static_cast<double>(result < 0 ? -errno : result));
}

namespace {

struct Offset {
  const char* name;
  std::size_t value;
};

constexpr Offset offsets[] = {
#include "offsets.gen.inc"
};

void add_methods(napi_env env, napi_value exports, const Method* methods, Addon* addon) {
  for (const Method* method = methods; method->name != nullptr; method++) {
    napi_value function = nullptr;
    napi_create_function(env, method->name, NAPI_AUTO_LENGTH, method->call, addon, &function);
    napi_set_named_property(env, exports, method->name, function);
  }
}

napi_value describe_offsets(napi_env env) {
  napi_value table = nullptr;
  napi_create_object(env, &table);
  for (const Offset& offset : offsets) {
    napi_set_named_property(env, table, offset.name,
                            number(env, static_cast<double>(offset.value)));
  }
  return table;
}

void add_facts(napi_env env, napi_value exports) {
  napi_value hash = nullptr, external = nullptr;
  napi_create_bigint_uint64(env, layout::BT_SCHEMA_HASH, &hash);
  napi_get_boolean(env, has_external_shared_array_buffer(), &external);
  napi_set_named_property(env, exports, "schemaHash", hash);
  napi_set_named_property(env, exports, "hasExternalSharedArrayBuffer", external);
  napi_set_named_property(env, exports, "version", number(env, layout::BT_VERSION));
  napi_set_named_property(env, exports, "offsets", describe_offsets(env));
}

}  // namespace
}  // namespace btfuse::addon

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  using namespace btfuse::addon;
  auto* addon = new Addon;
  napi_set_instance_data(
      env, addon, [](napi_env, void* data, void*) { delete static_cast<Addon*>(data); }, nullptr);
  add_methods(env, exports, segment_methods, addon);
  add_methods(env, exports, memory_methods, addon);
  add_methods(env, exports, process_methods, addon);
  add_methods(env, exports, file_methods, addon);
  add_facts(env, exports);
  return exports;
}

extern "C" NAPI_MODULE_EXPORT std::int32_t node_api_module_get_api_version_v1() {
  return 8;
}
