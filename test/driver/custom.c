// Calls that are more than one system call, or that make several descriptors.
#include "driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARG(i) (self->args[i].number)
#define TEXT(i) ((const char*)self->args[i].number)

static long answered(struct actor* self, long result) {
  return put_result(self, result == -1 ? -errno : result);
}

// ---- descriptors ------------------------------------------------------------------------------

static long pair(struct actor* self, int failed, const int fds[2]) {
  if (failed) return answered(self, -1);
  put(&self->out, "%d %d", fds[0], fds[1]);
  self->second = fds[1];
  return fds[0];
}
static long do_pipe(struct actor* self) {
  int fds[2];
  const int flags = self->arg_count > 0 ? ARG(0) : 0;
  return pair(self, pipe2(fds, flags), fds);
}
static long do_socketpair(struct actor* self) {
  int fds[2];
  const int type = self->arg_count > 0 ? ARG(0) : SOCK_STREAM;
  return pair(self, socketpair(AF_UNIX, type, 0, fds), fds);
}
static long do_accept(struct actor* self) {
  return answered(self, accept(ARG(0), NULL, NULL));
}
static long do_sendfd(struct actor* self) {
  char byte = 'x', control[CMSG_SPACE(sizeof(int) * 4)] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
  const int count = self->arg_count - 1 > 4 ? 4 : self->arg_count - 1;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){CMSG_LEN(sizeof(int) * count), SOL_SOCKET, SCM_RIGHTS};
  for (int i = 0; i < count; i++) ((int*)CMSG_DATA(header))[i] = ARG(i + 1);
  return answered(self, sendmsg(ARG(0), &message, MSG_NOSIGNAL));
}
static long do_recvfd(struct actor* self) {
  char byte, control[CMSG_SPACE(sizeof(int) * 4)] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(ARG(0), &message, MSG_DONTWAIT) < 0) return answered(self, -1);
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header) return put_result(self, -ENOMSG);
  const int* fds = (const int*)CMSG_DATA(header);
  if (header->cmsg_len >= CMSG_LEN(2 * sizeof(int))) self->second = fds[1];
  return put_result(self, fds[0]);
}
static long do_poll(struct actor* self) {
  struct pollfd item = {ARG(0), self->arg_count > 1 ? ARG(1) : POLLIN | POLLOUT};
  const int count = poll(&item, 1, 0);
  answered(self, count);
  if (count >= 0) put(&self->out, " %x", item.revents);
  return count;
}
static long do_select(struct actor* self) {
  fd_set sets[3];
  struct timeval none = {0};
  for (int i = 0; i < 3; i++) {
    FD_ZERO(&sets[i]);
    if (ARG(0) >= 0 && ARG(0) < FD_SETSIZE) FD_SET(ARG(0), &sets[i]);
  }
  const int count = select(ARG(0) + 1, &sets[0], &sets[1], &sets[2], &none);
  answered(self, count);
  if (count > 0)
    for (int i = 0; i < 3; i++) put(&self->out, FD_ISSET(ARG(0), &sets[i]) ? " %c" : "", "rwe"[i]);
  return count;
}
static long do_epoll_ctl(struct actor* self) {
  struct {
    uint32_t events;
    uint64_t data;
  } __attribute__((packed)) event = {self->arg_count > 3 ? ARG(3) : 1, 0};
  return answered(self, syscall(SYS_epoll_ctl, ARG(0), ARG(1), ARG(2), &event));
}
static long do_events(struct actor* self) {
  _Alignas(8) char bytes[16384];
  const int flags = fcntl(ARG(0), F_GETFL);
  fcntl(ARG(0), F_SETFL, flags | O_NONBLOCK);
  const ssize_t length = read(ARG(0), bytes, sizeof bytes);
  fcntl(ARG(0), F_SETFL, flags);
  if (length < 0) return answered(self, -1);
  put(&self->out, "events");
  for (ssize_t at = 0; at < length;) {
    const struct inotify_event* event = (void*)(bytes + at);
    put(&self->out, " wd%d:%x%s", event->wd, event->mask, event->cookie ? "~" : "");
    if (event->len) put(&self->out, ":%s", event->name);
    at += sizeof *event + event->len;
  }
  return 0;
}
/// All entries from where the descriptor stands.
static long do_list(struct actor* self) {
  char* bytes = allocate(self, 8 << 20);
  long length = 0;
  for (;;) {
    const long got = syscall(SYS_getdents64, ARG(0), bytes + length, (8 << 20) - length);
    if (got < 0) return answered(self, -1);
    if (got == 0) break;
    length += got;
  }
  put(&self->out, "listed");
  const struct call listing = {"list", 0, "D"};
  self->args[0] = (struct value){BYTES, (long)bytes};
  self->arg_count = 1;
  put_outputs(self, &listing, length);
  return 0;
}
/// How many entries there are, for large directories.
static long do_count(struct actor* self) {
  static char bytes[32768];
  long count = 0;
  for (;;) {
    const long got = syscall(SYS_getdents64, ARG(0), bytes, sizeof bytes);
    if (got < 0) return answered(self, -1);
    if (got == 0) return put_result(self, count);
    for (long at = 0; at < got; at += *(uint16_t*)(bytes + at + 16)) count++;
  }
}

// ---- memory -----------------------------------------------------------------------------------

static __thread sigjmp_buf escape;
static void on_fault(int number) {
  siglongjmp(escape, number);
}

static long touch(struct actor* self, bool writing) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, old[2];
  sigaction(SIGSEGV, &action, &old[0]);
  sigaction(SIGBUS, &action, &old[1]);
  volatile char* memory = (volatile char*)ARG(0);
  const size_t length = writing ? self->args[1].size : (size_t)ARG(1);
  char* bytes = allocate(self, length);
  const int fault = sigsetjmp(escape, 1);
  if (fault == 0) {
    for (size_t i = 0; i < length; i++) {
      if (writing)
        memory[i] = TEXT(1)[i];
      else
        bytes[i] = memory[i];
    }
    put(&self->out, "ok ");
    if (!writing) put_bytes(&self->out, bytes, length);
  } else {
    put(&self->out, "SIG%s", signal_name(fault));
  }
  sigaction(SIGSEGV, &old[0], NULL);
  sigaction(SIGBUS, &old[1], NULL);
  return fault;
}
static long do_peek(struct actor* self) {
  return touch(self, false);
}
static long do_poke(struct actor* self) {
  return touch(self, true);
}

// ---- who we are -------------------------------------------------------------------------------

static long do_seteuid(struct actor* self) {
  return answered(self, seteuid(ARG(0)));
}
static long do_setegid(struct actor* self) {
  return answered(self, setegid(ARG(0)));
}
static long do_setuid(struct actor* self) {
  return answered(self, setuid(ARG(0)));
}
static long do_setgid(struct actor* self) {
  return answered(self, setgid(ARG(0)));
}
static long do_setreuid(struct actor* self) {
  return answered(self, setreuid(ARG(0), ARG(1)));
}
static long do_setregid(struct actor* self) {
  return answered(self, setregid(ARG(0), ARG(1)));
}
static long do_setgroups(struct actor* self) {
  gid_t groups[MAX_ARGS];
  for (int i = 0; i < self->arg_count; i++) groups[i] = ARG(i);
  return answered(self, setgroups(self->arg_count, groups));
}
/// become(uid, gid, groups…): effective ids and supplementary groups; become(0) is root again.
static long do_become(struct actor* self) {
  if (seteuid(0) != 0) return answered(self, -1);
  gid_t groups[MAX_ARGS];
  int count = 0;
  for (int i = 2; i < self->arg_count; i++) groups[count++] = ARG(i);
  const gid_t gid = self->arg_count > 1 ? ARG(1) : ARG(0);
  if (setgroups(count, groups) != 0 || setegid(gid) != 0) return answered(self, -1);
  return answered(self, seteuid(ARG(0)));
}
static long do_setrlimit(struct actor* self) {
  struct rlimit limit;
  getrlimit(ARG(0), &limit);
  limit.rlim_cur = ARG(1) < 0 ? limit.rlim_max : (rlim_t)ARG(1);
  return answered(self, setrlimit(ARG(0), &limit));
}
/// Takes one capability out of the effective set, or all with -1; or puts one in.
static long change_capability(struct actor* self, int raise) {
  struct {
    uint32_t version;
    int pid;
  } header = {0x20080522, 0};
  struct {
    uint32_t effective, permitted, inheritable;
  } sets[2];
  syscall(SYS_capget, &header, sets);
  if (raise)
    sets[ARG(0) / 32].effective |= 1u << (ARG(0) % 32);
  else if (ARG(0) < 0)
    sets[0].effective = sets[1].effective = 0;
  else
    sets[ARG(0) / 32].effective &= ~(1u << (ARG(0) % 32));
  return answered(self, syscall(SYS_capset, &header, sets));
}
static long do_dropcap(struct actor* self) { return change_capability(self, 0); }
static long do_raisecap(struct actor* self) { return change_capability(self, 1); }

// ---- files ------------------------------------------------------------------------------------

/// copyin(from outside, into the tree, mode): for programs that are then run.
static long do_copyin(struct actor* self) {
  const int from = open(TEXT(0), O_RDONLY | O_CLOEXEC);
  if (from < 0) return answered(self, -1);
  const int to = open(TEXT(1), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  static char bytes[1 << 16];
  ssize_t length = to;
  while (to >= 0 && (length = read(from, bytes, sizeof bytes)) > 0)
    if (write(to, bytes, length) != length) length = -1;
  const long result = length < 0 ? answered(self, -1) : put_result(self, 0);
  close(from);
  if (to >= 0) close(to);
  return result;
}
/// ` overlapping` behind the answer: within one file, onto what is still to be read.
static long do_sendfile(struct actor* self) {
  const int to = ARG(0), from = ARG(1);
  const long size = ARG(3);
  off_t* offset = (off_t*)ARG(2);
  struct stat source, target;
  bool overlapping = false;
  if (fstat(from, &source) == 0 && fstat(to, &target) == 0 && source.st_ino == target.st_ino) {
    const long start = self->args[2].kind == LONGS ? *offset : lseek(from, 0, SEEK_CUR);
    const long end = lseek(to, 0, SEEK_CUR);
    overlapping = end < start + size && start < end + size;
  }
  const long result = answered(self, syscall(SYS_sendfile, to, from, offset, size));
  if (self->args[2].kind == LONGS) put(&self->out, " [%ld]", *offset);
  if (overlapping && result > 0) put(&self->out, " overlapping");
  return result;
}
static long do_tree(struct actor* self) {
  put(&self->out, "tree\t");
  put_tree(&self->out, self->arg_count > 0 ? TEXT(0) : ".", NO_TIMES);
  return 0;
}

static size_t drain(int fd, char* bytes, size_t size) {
  size_t length = 0;
  for (ssize_t got; length < size && (got = read(fd, bytes + length, size - length)) > 0;)
    length += got;
  close(fd);
  return length;
}

/// run("path", args…): a child executes it; its status and output.
static long do_run(struct actor* self) {
  const char* argv[MAX_ARGS + 1] = {0};
  for (int i = 0; i < self->arg_count; i++) argv[i] = TEXT(i);
  int failure[2], output[2];
  if (pipe2(failure, O_CLOEXEC) || pipe2(output, O_CLOEXEC)) return answered(self, -1);
  for (int i = 0; i < 2; i++) {  // out of the way of the program's own numbers
    const int high[2] = {fcntl(failure[i], F_DUPFD_CLOEXEC, 300),
                         fcntl(output[i], F_DUPFD_CLOEXEC, 300)};
    close(failure[i]), close(output[i]);
    failure[i] = high[0], output[i] = high[1];
  }
  const pid_t child = fork();
  if (child == 0) {
    dup2(output[1], 1), dup2(output[1], 2);
    execve(argv[0], (char**)argv, own_environment);
    const int error = errno;
    if (write(failure[1], &error, sizeof error) < 0) _exit(98);
    _exit(97);
  }
  close(failure[1]), close(output[1]);
  int error = 0, status = 0;
  char* bytes = allocate(self, 1 << 16);
  if (drain(failure[0], (char*)&error, sizeof error) == 0) error = 0;
  const size_t length = drain(output[0], bytes, 1 << 16);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (error) return put_result(self, -error);
  if (WIFSIGNALED(status))
    put(&self->out, "killed by SIG%s", signal_name(WTERMSIG(status)));
  else
    put(&self->out, "exit %d", WEXITSTATUS(status));
  if (length > 0) put(&self->out, " "), put_bytes(&self->out, bytes, length);
  return 0;
}

static long do_sleep(struct actor* self) {
  usleep(ARG(0));
  return put_result(self, 0);
}
static long do_set(struct actor* self) {
  return put_result(self, ARG(0));
}

const struct custom_call custom_calls[] = {
    {"pipe", do_pipe},
    {"pipe2", do_pipe},
    {"socketpair", do_socketpair},
    {"accept", do_accept},
    {"sendfd", do_sendfd},
    {"recvfd", do_recvfd},
    {"poll", do_poll},
    {"select", do_select},
    {"epoll_ctl", do_epoll_ctl},
    {"events", do_events},
    {"list", do_list},
    {"count", do_count},
    {"peek", do_peek},
    {"poke", do_poke},
    {"seteuid", do_seteuid},
    {"setegid", do_setegid},
    {"setuid", do_setuid},
    {"setgid", do_setgid},
    {"setreuid", do_setreuid},
    {"setregid", do_setregid},
    {"setgroups", do_setgroups},
    {"become", do_become},
    {"setrlimit", do_setrlimit},
    {"dropcap", do_dropcap},
    {"raisecap", do_raisecap},
    {"copyin", do_copyin},
    {"sendfile", do_sendfile},
    {"tree", do_tree},
    {"run", do_run},
    {"usleep", do_sleep},
    {"set", do_set},
    {NULL, NULL},
};
