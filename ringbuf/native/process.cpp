// Threads and processes: placement, identity, and who is still alive.
#include "addon.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace btfuse::addon {
namespace {

constexpr int kMaskBits = 64;

napi_value set_affinity(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  std::uint64_t mask = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env, arguments.values[1], &mask, &lossless) != napi_ok) {
    return range_error(env, "the mask is a bigint");
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu = 0; cpu < kMaskBits; cpu++) {
    if (mask >> cpu & 1) CPU_SET(cpu, &set);
  }
  const auto tid = static_cast<pid_t>(arguments.integer(0));
  return outcome(env, sched_setaffinity(tid, sizeof set, &set));
}

napi_value get_affinity(napi_env env, napi_callback_info info) {
  const auto tid = static_cast<pid_t>(Arguments(env, info).integer(0));
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(tid, sizeof set, &set);
  std::uint64_t mask = 0;
  for (int cpu = 0; cpu < kMaskBits; cpu++) {
    if (CPU_ISSET(cpu, &set)) mask |= std::uint64_t{1} << cpu;
  }
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, mask, &result);
  return result;
}

napi_value thread_id(napi_env env, napi_callback_info) {
  return number(env, static_cast<double>(syscall(SYS_gettid)));
}

napi_value open_pidfd(napi_env env, napi_callback_info info) {
  const auto pid = static_cast<pid_t>(Arguments(env, info).integer(0));
  return outcome(env, syscall(SYS_pidfd_open, pid, 0));
}

napi_value pidfds_ended(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  napi_typedarray_type type;
  std::size_t count = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[0], &type, &count, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_int32_array) {
    return range_error(env, "pidfds stand in an Int32Array");
  }
  std::vector<pollfd> polls(count);
  for (std::size_t i = 0; i < count; i++) {
    polls[i] = {static_cast<const std::int32_t*>(data)[i], POLLIN, 0};
  }
  poll(polls.data(), count, 0);
  napi_value ended = nullptr;
  napi_create_array(env, &ended);
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < count; i++) {
    if (polls[i].revents & (POLLIN | POLLHUP)) {
      napi_set_element(env, ended, length++, number(env, static_cast<double>(i)));
    }
  }
  return ended;
}

/** A zombie runs no more, however long its parent leaves it unreaped; a signal still finds it. */
bool is_zombie(pid_t tid) {
  char path[32];
  char text[128];
  std::snprintf(path, sizeof path, "/proc/%d/stat", tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return false;
  text[got] = 0;
  // "TID (name) S …": the name may hold anything, and has 15 bytes at most.
  const char* end = std::strrchr(text, ')');
  return end != nullptr && (std::strncmp(end, ") Z", 3) == 0 || std::strncmp(end, ") X", 3) == 0);
}

/** EPERM still means that there is one. */
napi_value thread_alive(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto pid = static_cast<pid_t>(arguments.integer(0));
  const auto tid = static_cast<pid_t>(arguments.integer(1));
  const long result = pid == 0 ? syscall(SYS_tkill, tid, 0) : syscall(SYS_tgkill, pid, tid, 0);
  napi_value alive = nullptr;
  const bool found = result == 0 || errno == EPERM;
  napi_get_boolean(env, found && !is_zombie(tid), &alive);
  return alive;
}

napi_value clock_realtime(napi_env env, napi_callback_info) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  napi_value result = nullptr;
  napi_create_bigint_uint64(
      env, static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec, &result);
  return result;
}

}  // namespace

const Method process_methods[] = {
    {"setAffinity", set_affinity},
    {"getAffinity", get_affinity},
    {"gettid", thread_id},
    {"pidfdOpen", open_pidfd},
    {"pidfdsEnded", pidfds_ended},
    {"threadAlive", thread_alive},
    {"clockRealtime", clock_realtime},
    {nullptr, nullptr},
};

}  // namespace btfuse::addon
