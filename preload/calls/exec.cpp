// execve, execveat. The next image must carry the shim: the environment is rewritten, a program in
// the tree is handed to the kernel as a memfd, a "#!" line is followed here when a name on the way
// lies in the tree. A program that LD_PRELOAD cannot reach is refused (EACCES): it would see the
// host's files where the tree should be.
//
// Everything that the next image needs stands on the stack (or, when large, in memory of its own),
// never in shared memory: a vfork child shares its parent's slot. When execve fails, all is as
// before.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../client/memory.h"
#include "calls.h"
#include "descriptors.h"
#include "exec_environment.h"
#include "exec_file.h"
#include "exec_name.h"
#include "exec_static.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Up to here argument and environment arrays stand on the program's stack. */
constexpr uint64_t kStackRoom = 4 * 1024;
/** Words that one "#!" level adds in front: interpreter and argument. */
constexpr uint64_t kWordsPerLevel = 2;

/** The arguments of execve and execveat in one shape. */
struct Request {
  long dirfd;
  const char* path;
  char* const* argv;
  char* const* envp;
  uint32_t at_flags;
  bool at;  ///< execveat
};

/** How the program will be started. */
struct Plan {
  long fd;           ///< started from this descriptor; -1: by the name that the program gave
  const char* path;  ///< else by this one, of an interpreter on the host
  bool by_name;      ///< the request as it stands
  bool launched;     ///< a static program: the launcher is started, with what `launch` holds
  Launch launch;
  bool tree;  ///< a copy of a program in the tree, which `dirfd` and `name` name
  long dirfd;
  const char* name;
  uint32_t levels;  ///< "#!" lines that we follow in the kernel's place
  char* interpreters[kScriptLevels + 1];
  char* arguments[kScriptLevels + 1];
};

uint64_t page_up(uint64_t bytes) {
  return (bytes + BT_PAGE_SIZE - 1) & ~(BT_PAGE_SIZE - 1);
}

/** The launcher maps what the kernel would have: the kernel's checks are ours. */
int settle_static(Call& call, Thread& self, const ExecFile& file, const char* path, Plan& plan) {
  const bool tree = file.description != 0;
  if (!tree && file.fd < 0) return -EACCES;
  const int allowed = may_execute(call, self, file);
  if (allowed != 0) return allowed;
  const long fd = tree ? copy_to_memfd(call, self, file, path) : file.fd;
  if (fd < 0) return (int)fd;
  const int error = prepare_launch(self, fd, plan.launch);
  if (tree) kernel(SYS_close, fd);
  plan.launched = error == 0;
  plan.tree = tree;
  return error;
}

/** What a file of this format means for the plan; ENOEXEC and EACCES as the kernel and we refuse
 * it. */
int settle(Call& call, Thread& self, const Request& request, ExecFile& file, const char* path,
           bool first, Plan& plan) {
  bool tree = file.description != 0;
  Format format = format_of(call, self, file, path);
  if (tree || file.crossed || !first) {
    int allowed = file.fd < 0 && !tree ? 0 : may_execute(call, self, file);
    if (allowed != 0) return allowed;
  }
  if (tree && format == Format::OTHER) return -ENOEXEC;
  const StaticPolicy policy = static_policy(request.envp, call.stack);
  // What cannot be looked at may be static, or set-id.
  const bool unreachable = format == Format::FOREIGN || file.hidden ||
                           raises_privileges(self, file) ||
                           (format != Format::STATIC && !shim_reachable());
  if (format == Format::STATIC || unreachable) {
    if (policy == StaticPolicy::REFUSE) return -EACCES;
    if (policy == StaticPolicy::SERVE) {
      return unreachable ? -EACCES : settle_static(call, self, file, path, plan);
    }
  }
  if (tree) {
    plan.fd = copy_to_memfd(call, self, file, path);
    plan.tree = true;
    return plan.fd < 0 ? (int)plan.fd : 0;
  }
  if (file.crossed) {
    plan.fd = file.fd;
    file.fd = -1;  // the plan closes it
    return 0;
  }
  plan.by_name = first;
  plan.path = first ? nullptr : path;
  return 0;
}

/**
 * Follows "#!" lines to the program that will run. `lines` holds kHeadSize bytes per level, which
 * the plan points into.
 */
__attribute__((noinline)) int make_plan(Call& call, Thread& self, const Request& request,
                                        char (*lines)[kHeadSize], Plan& plan) {
  plan.fd = -1;
  plan.path = nullptr;
  plan.by_name = plan.launched = plan.tree = false;
  plan.levels = 0;
  long dirfd = request.dirfd;
  const char* path = request.path;
  uint32_t at_flags = request.at_flags;
  bool kernel_can = true;  // every name so far means the same to the kernel as to the program
  for (;;) {
    ExecFile file;
    int error = open_exec(call, self, dirfd, path, at_flags, file);
    if (error != 0) return error;
    if (file.description != 0 || file.crossed) kernel_can = false;
    bool script = file.head_length >= 2 && file.head[0] == '#' && file.head[1] == '!';
    if (!script) {
      plan.dirfd = dirfd;
      plan.name = path;
      error =
          settle(call, self, request, file, path == nullptr ? "" : path, plan.levels == 0, plan);
      close_exec(call, self, file);
      // The whole chain lies on the host: the kernel follows it from its beginning.
      if (error == 0 && kernel_can && !plan.launched) plan.by_name = true;
      return error;
    }
    error = plan.levels > kScriptLevels ? -ELOOP : 0;
    if (error == 0 && file.description != 0) error = may_execute(call, self, file);
    if (error == 0) {
      uint32_t level = plan.levels++;
      memcpy(lines[level], file.head, kHeadSize);
      error = parse_script(lines[level], file.head_length, plan.interpreters[level],
                           plan.arguments[level]);
      path = plan.interpreters[level];
    }
    close_exec(call, self, file);
    if (error != 0) return error;
    dirfd = AT_FDCWD;
    at_flags = 0;
  }
}

/** "/dev/fd/N/path": what the kernel calls a script that execveat was given by descriptor. */
char* script_name(const Request& request, char* to) {
  bool absolute = request.path != nullptr && request.path[0] == '/';
  if (!request.at || absolute || (int)request.dirfd == AT_FDCWD) return (char*)request.path;
  char* at = to;
  memcpy(at, "/dev/fd/", 8);
  at += 8;
  char digits[12];
  uint32_t count = 0;
  for (uint32_t fd = (uint32_t)request.dirfd; count == 0 || fd != 0; fd /= 10) {
    digits[count++] = (char)('0' + fd % 10);
  }
  while (count > 0) *at++ = digits[--count];
  uint64_t length = request.path == nullptr ? 0 : strlen(request.path);
  if (length > 0) *at++ = '/';
  memcpy(at, request.path, length);
  at[length] = 0;
  return to;
}

uint64_t script_name_size(const Request& request) {
  return request.at && request.path != nullptr ? strlen(request.path) + 24 : 24;
}

/** The argument array of an interpreter, innermost "#!" line first, as fs/binfmt_script.c builds
 * it. */
char** build_arguments(const Request& request, const Plan& plan, long count, char** list,
                       char* name) {
  char** next = list;
  for (uint32_t level = plan.levels; level-- > 0;) {
    *next++ = plan.interpreters[level];
    if (plan.arguments[level] != nullptr) *next++ = plan.arguments[level];
  }
  *next++ = script_name(request, name);
  for (long i = 1; i < count; i++) *next++ = request.argv[i];
  *next = nullptr;
  return list;
}

long start_image(const Call& call, const Request& request, const Plan& plan, char* const* argv,
                 char* const* envp) {
  if (plan.fd >= 0) return kernel(SYS_execveat, plan.fd, "", argv, envp, AT_EMPTY_PATH);
  if (!plan.by_name) return kernel(SYS_execve, plan.path, argv, envp);
  if (!request.at) return kernel(SYS_execve, request.path, argv, envp);
  return kernel(SYS_execveat, request.dirfd, request.path, argv, envp, call.args[4]);
}

__attribute__((noinline)) long start_launcher(char* const* argv, char* const* envp) {
  // On top of all else, perhaps in a thread of 16 KiB.
  char* path = (char*)__builtin_alloca(launcher_path_size());
  return launcher_path(path) ? kernel(SYS_execve, path, argv, envp) : -ENAMETOOLONG;
}

/** AT_EXECFN, where the kernel is given a descriptor or an interpreter in the place of the name. */
const char* told_name(const Request& request, const Plan& plan) {
  return plan.by_name || request.path == nullptr || *request.path == 0 ? nullptr : request.path;
}

/** Gives up what the old image holds in the ring, then lets the kernel replace it. */
long replace_image(Call& call, Thread& self, const Request& request, const Plan& plan,
                   unsigned char* memory, uint64_t environment, long count) {
  char exe[kExecNameMax];
  bool named = plan.tree && exec_name(call, self, plan.dirfd, plan.name, exe);
  // Descriptors that were shared are the new program's own; a thread's become the process's.
  const uint32_t own = part_descriptors(self, false, call.stack);
  const uint32_t replaced = self.vforks == 0 && self.process != 0 ? self.process : 0;
  if (own == 0 && replaced != 0) process_at(replaced)->replaces = client.process;
  const uint32_t shares = own == 0 ? 0 : process_at(own)->shares;
  if (own != 0) process_at(own)->shares = 0;
  const char* name = plan.levels > 0 ? plan.interpreters[plan.levels - 1] : request.path;
  // The launcher is a static program: it is not ld.so that starts it.
  const Identity ids = plan.launched ? Identity{} : identity();
  const Names names{named ? exe : nullptr,
                    told_name(request, plan),
                    name,
                    plan.launched ? &plan.launch : nullptr,
                    &ids,
                    own != 0 ? own : process_of(self)};
  char** envp = build_environment(request.envp, names, memory);
  char* const* argv = request.argv;
  if (!plan.by_name && plan.levels > 0) {
    auto** list = (char**)(memory + environment);
    char* script = (char*)(list + (uint64_t)count + 2 + kWordsPerLevel * plan.levels);
    argv = build_arguments(request, plan, count, list, script);
  }
  release_slots(self);
  // A vfork child shares the words of its parent's thread, which goes on when this succeeds: the
  // level that we stand on must be free by then.
  const uint64_t level = self.vforks > 0 && on_small_stack() ? kLevel : 0;
  btfuse_small_stack += level;
  long result = level_ids(ids);
  if (result == 0) {
    result =
        plan.launched ? start_launcher(argv, envp) : start_image(call, request, plan, argv, envp);
    restore_ids(ids);
  }
  btfuse_small_stack -= level;
  if (own != 0) process_at(own)->shares = shares;
  if (own == 0 && replaced != 0) process_at(replaced)->replaces = 0;
  keep_descriptors(self, own, call.stack);
  return result;
}

/** Room for the names that the environment will carry. */
uint64_t names_length(const Request& request, const Plan& plan) {
  const char* told = told_name(request, plan);
  uint64_t length = (plan.tree ? kExecNameMax : 0) + (told == nullptr ? 0 : strlen(told));
  if (!plan.launched) return length;
  if (plan.levels > 0) return length + kHeadSize;
  return length + strlen(request.path);
}

__attribute__((noinline)) Verdict run_plan(Call& call, Thread& self, const Request& request,
                                           const Plan& plan) {
  long environment = environment_size(request.envp, names_length(request, plan), call.stack);
  long count = count_pointers(request.argv, call.stack);
  if (environment < 0 || count < 0) return done(call, -EFAULT);
  environment = (environment + 7) & ~7l;
  uint64_t size = (uint64_t)environment;
  if (!plan.by_name && plan.levels > 0) {
    size += ((uint64_t)count + 2 + kWordsPerLevel * plan.levels) * sizeof(char*);
    size += script_name_size(request);
  }
  if (size <= kStackRoom) {
    auto* memory = (unsigned char*)__builtin_alloca_with_align(size, 128);
    return done(call,
                replace_image(call, self, request, plan, memory, (uint64_t)environment, count));
  }
  // A vfork child that gets through leaves this behind in its parent: rare, and better than its
  // stack.
  long memory = kernel(SYS_mmap, 0, page_up(size), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory < 0 && memory > -4096) return done(call, memory);
  long result = replace_image(call, self, request, plan, (unsigned char*)memory,
                              (uint64_t)environment, count);
  kernel(SYS_munmap, memory, page_up(size));
  return done(call, result);
}

Verdict exec(Call& call, Thread& self, const Request& request) {
  auto* lines = (char(*)[kHeadSize])__builtin_alloca((kScriptLevels + 1) * kHeadSize);
  Plan plan;
  int error = make_plan(call, self, request, lines, plan);
  if (error != 0) return done(call, error);
  Verdict verdict = run_plan(call, self, request, plan);
  if (plan.fd >= 0) kernel(SYS_close, plan.fd);
  if (plan.launched) close_launch(plan.launch);
  return verdict;
}

}  // namespace

Verdict sys_execve(Call& call, Thread& self) {
  Request request{AT_FDCWD,
                  (const char*)call.args[0],
                  (char* const*)call.args[1],
                  (char* const*)call.args[2],
                  0,
                  false};
  if (string_length(request.path, BT_PATH_MAX, call.stack) < 0) return Verdict::PASS;
  return exec(call, self, request);
}

Verdict sys_execveat(Call& call, Thread& self) {
  Request request{(int)call.args[0],          (const char*)call.args[1], (char* const*)call.args[2],
                  (char* const*)call.args[3], (uint32_t)call.args[4],    true};
  if (string_length(request.path, BT_PATH_MAX, call.stack) < 0) return Verdict::PASS;
  // AT_EXECVE_CHECK (0x10000) among them: nothing is run, the kernel may judge the host's file.
  if (request.at_flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return Verdict::PASS;
  return exec(call, self, request);
}

}  // namespace btfuse
