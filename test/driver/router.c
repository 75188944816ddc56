// Reads lines, hands each to the actor it names, prints the actor's answer. Never touches the
// files itself but for `begin`, `end` and `snapshot`.
#include "driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 250, OUTPUT = 251, ERRORS = 252, LINE_SIZE = 256 << 10 };
enum { CALL_MS = 10000, STARTED_MS = 40, PENDING_MS = 150 };

const char *base_directory = "", *case_directory = "", *own_path = "";
char** own_environment;

static struct {
  char name[NAME_SIZE];
  pid_t pid;
  int pidfd;
  bool awaited;      // a background call is under way, or its answer in the pocket
  struct text text;  // what came so far
} actors[CHANNELS];
static struct text reply;

static void keep_at(int fd, int number) {
  if (fd == number) return;
  dup3(fd, number, O_CLOEXEC);
  close(fd);
}

static void close_pidfd(int i) {
  if (actors[i].pidfd > 0) close(actors[i].pidfd);
  actors[i].pidfd = 0;
}

static void open_channel(int i) {
  int ends[2];
  close(ROUTER_END(i));
  close(ACTOR_END(i));
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
  // Neither end may stand where the other belongs.
  const int high[2] = {fcntl(ends[0], F_DUPFD_CLOEXEC, 400), fcntl(ends[1], F_DUPFD_CLOEXEC, 400)};
  close(ends[0]), close(ends[1]);
  keep_at(high[0], ROUTER_END(i));
  keep_at(high[1], ACTOR_END(i));
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// Puts the exit status of a dead process, its parent having left it a zombie.
static void put_end(int i) {
  char path[64], line[1024] = "";
  sprintf(path, "/proc/%d/stat", actors[i].pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && read(fd, line, sizeof line - 1) < 0) line[0] = 0;
  close(fd);
  const char* last = strrchr(line, ' ');
  const int status = last ? atoi(last) : 0;
  if (WIFSIGNALED(status))
    put(&reply, "killed by SIG%s", signal_name(WTERMSIG(status)));
  else
    put(&reply, "exited %d", WEXITSTATUS(status));
}

enum outcome { ANSWERED, DIED, WAITING };

/// Waits for a line of the actor in actors[i].text.
static enum outcome await(int i, long patience) {
  struct text* text = &actors[i].text;
  const long end = now_ms() + patience;
  while (text->length == 0 || text->bytes[text->length - 1] != '\n') {
    struct pollfd items[2] = {{ROUTER_END(i), POLLIN}, {actors[i].pidfd, POLLIN}};
    const long left = end - now_ms();
    const int count = poll(items, actors[i].pidfd > 0 ? 2 : 1, left > 0 ? left : 0);
    if (count < 0) continue;
    if (count == 0) return WAITING;
    if (!(items[0].revents & POLLIN)) return DIED;
    static char bytes[1 << 16];
    const ssize_t got = read(ROUTER_END(i), bytes, sizeof bytes);
    if (got <= 0) return DIED;
    put(text, "%.*s", (int)got, bytes);
  }
  return ANSWERED;
}

/// Moves the answer into the reply.
static void take_answer(int i) {
  struct text* text = &actors[i].text;
  put(&reply, "%.*s", (int)text->length - 1, text->bytes);
  text->length = 0;
}

static bool is_thread(int i) {
  for (int other = 0; other < CHANNELS; other++)
    if (other != i && actors[other].name[0] && actors[other].pid == actors[i].pid) return true;
  return false;
}

/// The other actors keep the ends they were born with: a channel is emptied, not made anew.
static void empty_channel(int i) {
  static char bytes[1 << 16];
  while (recv(ROUTER_END(i), bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
  while (recv(ACTOR_END(i), bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
}

static void forget(int i) {
  actors[i].name[0] = 0;
  actors[i].text.length = 0;
  actors[i].awaited = false;
  close_pidfd(i);
  empty_channel(i);
}

static void finish(int i, enum outcome outcome) {
  if (outcome == ANSWERED) return take_answer(i);
  if (outcome == WAITING) {
    put(&reply, "timeout, ");
    kill(actors[i].pid, SIGKILL);
    await(i, CALL_MS);
  }
  put_end(i);
  // All threads of a process die together.
  for (int other = 0; other < CHANNELS; other++)
    if (other != i && actors[other].name[0] && actors[other].pid == actors[i].pid) forget(other);
  forget(i);
}

static int find_actor(const char* name, size_t length) {
  for (int i = 0; i < CHANNELS; i++)
    if (strlen(actors[i].name) == length && memcmp(actors[i].name, name, length) == 0) return i;
  return -1;
}

/// Takes the "ready PID" of a new actor on channel i.
static bool greet(int i, const char* name) {
  if (await(i, CALL_MS) != ANSWERED) return false;
  actors[i].pid = atoi(actors[i].text.bytes + 6);
  actors[i].text.length = 0;
  strncpy(actors[i].name, name, NAME_SIZE - 1);
  const int pidfd = syscall(SYS_pidfd_open, actors[i].pid, 0);
  actors[i].pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 400);
  close(pidfd);
  return true;
}

static void tell(int i, const char* line) {
  send_line(ROUTER_END(i), line, strlen(line));
  send_line(ROUTER_END(i), "\n", 1);
}

// ---- cases ------------------------------------------------------------------------------------

static void kill_actors(void) {
  for (int i = 0; i < CHANNELS; i++)
    if (actors[i].name[0]) kill(actors[i].pid, SIGKILL);
  for (int i = 0; i < CHANNELS; i++) {
    if (!actors[i].name[0]) continue;
    struct pollfd item = {actors[i].pidfd, POLLIN};
    poll(&item, 1, CALL_MS);
    forget(i);
  }
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

static void remove_tree(int parent, const char* name) {
  if (unlinkat(parent, name, 0) == 0 || errno != EISDIR) return;
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* dir = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent* entry; dir && (entry = readdir(dir)) != NULL;)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove_tree(fd, entry->d_name);
  if (dir) closedir(dir);
  unlinkat(parent, name, AT_REMOVEDIR);
}

static void end_case(void) {
  kill_actors();
  if (*case_directory) remove_tree(AT_FDCWD, case_directory);
  put(&reply, *case_directory && access(case_directory, F_OK) == 0 ? "not removed" : "ok");
}

static void begin_case(const char* name) {
  kill_actors();
  static char place[4096];
  snprintf(place, sizeof place, "%s/%s", base_directory, name);
  case_directory = place;
  forget_times();
  umask(022);
  if (mkdir(place, 0755) != 0) {
    put(&reply, "-%s", errno_name(errno));
    return;
  }
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(place) != 0) _exit(96);
    char line[32];
    send_line(ACTOR_END(0), line, sprintf(line, "ready %d\n", getpid()));
    run_actor(0);
  }
  put(&reply, greet(0, "a") ? "ok" : "no actor");
}

// ---- lines ------------------------------------------------------------------------------------

static void make_actor(int maker, const char* how, const char* name) {
  int free = 0;
  while (free < CHANNELS && actors[free].name[0]) free++;
  if (free == CHANNELS || !*name || find_actor(name, strlen(name)) >= 0) {
    put(&reply, "error: no room for that actor");
    return;
  }
  char line[64];
  sprintf(line, "!%s %d", how, free);
  tell(maker, line);
  const enum outcome outcome = await(maker, CALL_MS);
  if (outcome == ANSWERED && strncmp(actors[maker].text.bytes, "ok", 2) == 0) greet(free, name);
  finish(maker, outcome);
}

static void background(int i, const char* line) {
  tell(i, line);
  actors[i].awaited = true;
  await(i, STARTED_MS);
  put(&reply, "started");
}

static void collect_answer(int i, long patience) {
  const enum outcome outcome = await(i, patience);
  if (outcome == WAITING) {
    put(&reply, "blocked");
    return;
  }
  actors[i].awaited = false;
  finish(i, outcome);
}

static void obey_actor(int i, const char* line) {
  if (strcmp(line, "collect") == 0) return collect_answer(i, CALL_MS / 2);
  if (strcmp(line, "pending") == 0)
    return put(&reply, await(i, PENDING_MS) == WAITING ? "blocked" : "done");
  if (actors[i].awaited) return put(&reply, "error: the actor is in a call");
  if (strncmp(line, "fork ", 5) == 0) return make_actor(i, "fork", line + 5);
  if (strncmp(line, "thread ", 7) == 0) return make_actor(i, "thread", line + 7);
  if (line[0] == '&') return background(i, line + 1);
  if (strcmp(line, "exec") == 0) {
    tell(i, "!exec");
    const enum outcome outcome = await(i, CALL_MS);
    const bool ready = outcome == ANSWERED && strncmp(actors[i].text.bytes, "ready", 5) == 0;
    if (!ready) return finish(i, outcome);
    actors[i].text.length = 0;
    put(&reply, "ok");
    return;
  }
  if (strncmp(line, "exit", 4) == 0) {
    char command[32];
    snprintf(command, sizeof command, "!%s", line);
    tell(i, command);
    const enum outcome outcome = await(i, CALL_MS);
    const bool thread = outcome == ANSWERED && is_thread(i);
    finish(i, outcome);
    if (thread) forget(i);
    return;
  }
  tell(i, line);
  finish(i, await(i, CALL_MS));
}

static void send_signal(const char* line) {
  const char* blank = strchr(line, ' ');
  const int i = find_actor(line, blank ? (size_t)(blank - line) : strlen(line));
  long number = SIGUSR1;
  if (i < 0 || (blank && !constant(blank + 1, &number))) return put(&reply, "error: who or what?");
  kill(actors[i].pid, number);
  put(&reply, "ok");
}

static void kill_one(const char* name) {
  const int i = find_actor(name, strlen(name));
  if (i < 0) return put(&reply, "error: no such actor");
  kill(actors[i].pid, SIGKILL);
  struct pollfd item = {actors[i].pidfd, POLLIN};
  poll(&item, 1, CALL_MS);
  finish(i, DIED);
}

static void obey_line(const char* line) {
  if (strncmp(line, "begin ", 6) == 0) return begin_case(line + 6);
  if (strcmp(line, "end") == 0) return end_case();
  if (strncmp(line, "kill ", 5) == 0) return kill_one(line + 5);
  if (strncmp(line, "signal ", 7) == 0) return send_signal(line + 7);
  if (strcmp(line, "snapshot") == 0 || strcmp(line, "changes") == 0) {
    put(&reply, "tree\t");
    return put_tree(&reply, case_directory, line[0] == 's' ? NEW_TIMES : MOVED_TIMES);
  }
  int i = find_actor("a", 1);
  size_t name = 0;
  while (line[name] >= 'a' && line[name] <= 'z') name++;
  if (name > 0 && line[name] == ':') {
    i = find_actor(line, name);
    line += name + 1;
    while (*line == ' ') line++;
  }
  if (i < 0) return put(&reply, "error: no such actor");
  obey_actor(i, line);
}

static int as_actor(int argc, char** argv) {
  base_directory = argv[3];
  case_directory = argv[4];
  for (int i = 5; i < argc; i++) {
    char* sign = strchr(argv[i], '=');
    *sign = 0;
    set_variable(argv[i], atol(sign + 1));
  }
  const int channel = atoi(argv[2]);
  for (int i = 0; i < CHANNELS; i++) fcntl(ACTOR_END(i), F_SETFD, FD_CLOEXEC);
  char line[32];
  send_line(ACTOR_END(channel), line, sprintf(line, "ready %d\n", getpid()));
  run_actor(channel);
  return 0;
}

int main(int argc, char** argv, char** environment) {
  static char path[4096];
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) return 2;
  own_path = path;
  own_environment = environment;
  catch_signals();
  if (argc > 4 && strcmp(argv[1], "--actor") == 0) return as_actor(argc, argv);
  if (argc != 2) return 2;
  base_directory = argv[1];
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int i = 0; i < 3; i++) fcntl(dup3(i, INPUT + i, O_CLOEXEC), F_SETFD, FD_CLOEXEC);
  const int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++) dup2(null, i);
  close(null);
  for (int i = 3; i < FIRST_OWN_FD; i++) close(i);
  for (int i = 0; i < CHANNELS; i++) open_channel(i);
  FILE* input = fdopen(INPUT, "r");
  static char line[LINE_SIZE];
  while (fgets(line, sizeof line, input)) {
    line[strcspn(line, "\n")] = 0;
    reply.length = 0;
    obey_line(line);
    put(&reply, "\n");
    send_line(OUTPUT, reply.bytes, reply.length);
  }
  kill_actors();
  return 0;
}
