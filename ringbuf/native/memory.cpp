// What the serving thread calls for every request: bulk copies and futexes. Plain Node-API, no
// wrapper objects: the call itself is most of the cost.
#include "addon.h"

#include <cerrno>
#include <climits>
#include <cstring>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace btfuse::addon {
namespace {

napi_value copy(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::int64_t length = arguments.integer(4);
  unsigned char* to = span(arguments, arguments.integer(0), arguments.integer(1), length);
  if (to == nullptr) return nullptr;
  const unsigned char* from = span(arguments, arguments.integer(2), arguments.integer(3), length);
  if (from != nullptr) std::memmove(to, from, static_cast<std::size_t>(length));
  return nullptr;
}

napi_value zero(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::int64_t length = arguments.integer(2);
  unsigned char* to = span(arguments, arguments.integer(0), arguments.integer(1), length);
  if (to != nullptr) std::memset(to, 0, static_cast<std::size_t>(length));
  return nullptr;
}

unsigned char* futex_word(const Arguments& arguments) {
  const std::int64_t offset = arguments.integer(1);
  if (offset % 4 != 0) {
    range_error(arguments.env, "a futex word is aligned to 4 bytes");
    return nullptr;
  }
  return span(arguments, arguments.integer(0), offset, 4);
}

/**
 * The kernel's robust list of one entry, all of it private: only the futex word is shared, and
 * nothing that a client writes there is ever followed. It takes the place of glibc's own list of
 * robust mutexes, of which this thread has none. Never freed: the kernel reads it when the thread
 * is gone.
 */
struct RobustWord {
  robust_list_head head;
  robust_list entry;
};

napi_value mark_alive(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  unsigned char* word = futex_word(arguments);
  if (word == nullptr) return nullptr;
  auto* robust = new RobustWord;
  robust->entry.next = &robust->head.list;
  robust->head.list.next = &robust->entry;
  robust->head.futex_offset = word - reinterpret_cast<unsigned char*>(&robust->entry);
  robust->head.list_op_pending = nullptr;
  const long result = syscall(SYS_set_robust_list, &robust->head, sizeof robust->head);
  if (result == 0)
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(word),
                     static_cast<std::uint32_t>(syscall(SYS_gettid)), __ATOMIC_SEQ_CST);
  return outcome(env, result);
}

napi_value futex_wait(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  unsigned char* word = futex_word(arguments);
  if (word == nullptr) return nullptr;
  const auto expected = static_cast<std::uint32_t>(arguments.integer(2));
  const std::int64_t timeout_us = arguments.integer(3);
  const timespec timeout = {timeout_us / 1'000'000, timeout_us % 1'000'000 * 1000};
  const long result = syscall(SYS_futex, word, FUTEX_WAIT, expected,
                              timeout_us < 0 ? nullptr : &timeout, nullptr, 0);
  return outcome(env, result);
}

napi_value futex_wake(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  unsigned char* word = futex_word(arguments);
  if (word == nullptr) return nullptr;
  const std::int64_t wanted = arguments.integer(2);
  const int count = wanted > INT_MAX ? INT_MAX : static_cast<int>(wanted);
  return outcome(env, syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0));
}

napi_value sched_yield_now(napi_env, napi_callback_info) {
  sched_yield();
  return nullptr;
}

napi_value current_cpu(napi_env env, napi_callback_info) {
  return integer(env, sched_getcpu());
}

}  // namespace

const Method memory_methods[] = {
    {"copy", copy},
    {"zero", zero},
    {"markAlive", mark_alive},
    {"futexWait", futex_wait},
    {"futexWake", futex_wake},
    {"schedYield", sched_yield_now},
    {"currentCpu", current_cpu},
    {nullptr, nullptr},
};

}  // namespace btfuse::addon
