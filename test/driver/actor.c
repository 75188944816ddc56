// An actor performs the lines that the router sends it, in a process or a thread of its own.
#include "driver.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARENA_SIZE = 64 << 20, LINE_SIZE = 256 << 10 };

volatile sig_atomic_t file_size_signals, pipe_signals;

static void on_signal(int number) {
  if (number == SIGXFSZ) file_size_signals = file_size_signals + 1;
  if (number == SIGPIPE) pipe_signals = pipe_signals + 1;
}

void catch_signals(void) {
  // Without SA_RESTART: a signal is there to interrupt.
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGXFSZ, &action, NULL);
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
}

void send_line(int fd, const char* line, size_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, line, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(99);
    line += written;
    length -= written;
  }
}

static void answer(struct actor* self) {
  put(&self->out, "\n");
  send_line(ACTOR_END(self->channel), self->out.bytes, self->out.length);
}

static void say_ready(int channel) {
  char line[32];
  send_line(ACTOR_END(channel), line, sprintf(line, "ready %d\n", getpid()));
}

// ---- new actors -------------------------------------------------------------------------------

static void* thread_main(void* channel) {
  say_ready((long)channel);
  run_actor((long)channel | 0x1000);
  return NULL;
}

static void make_thread(struct actor* self, int channel) {
  pthread_t thread;
  const int failed = pthread_create(&thread, NULL, thread_main, (void*)(long)channel);
  put(&self->out, failed ? "-%s" : "ok", errno_name(failed));
}

static void make_process(struct actor* self, int channel) {
  const pid_t child = fork();
  if (child == 0) {
    say_ready(channel);
    run_actor(channel);
  }
  if (child < 0)
    put(&self->out, "-%s", errno_name(errno));
  else
    put(&self->out, "ok");
}

static void execute_self(struct actor* self) {
  static char words[MAX_VARIABLES][NAME_SIZE + 24];
  char number[16];
  char* argv[MAX_VARIABLES + 8] = {"driver", "--actor", number, (char*)base_directory,
                                   (char*)case_directory};
  sprintf(number, "%d", self->channel);
  int count = 5;
  for (int i = 0; i < MAX_VARIABLES && variables[i].name[0] != 0; i++) {
    sprintf(words[i], "%s=%ld", variables[i].name, variables[i].value);
    argv[count++] = words[i];
  }
  for (int i = 0; i < CHANNELS; i++) fcntl(ACTOR_END(i), F_SETFD, 0);
  execve(own_path, argv, own_environment);
  const int error = errno;
  for (int i = 0; i < CHANNELS; i++) fcntl(ACTOR_END(i), F_SETFD, FD_CLOEXEC);
  put(&self->out, "-%s", errno_name(error));
}

/// `!fork N`, `!thread N`, `!exec` and `!exit N` come from the router.
static void control(struct actor* self, const char* command) {
  const char* blank = strchr(command, ' ');
  const int number = blank ? atoi(blank) : 0;
  if (strncmp(command, "fork", 4) == 0) return make_process(self, number);
  if (strncmp(command, "thread", 6) == 0) return make_thread(self, number);
  if (strncmp(command, "exec", 4) == 0) return execute_self(self);
  if (strncmp(command, "exit", 4) == 0 && !self->thread) _exit(number);
  if (strncmp(command, "exit", 4) == 0) {
    put(&self->out, "ok");
    answer(self);
    pthread_exit(NULL);
  }
  put(&self->out, "error: no such command");
}

// ---- calls ------------------------------------------------------------------------------------

/// `name(args)`, `x = name(args)` or `x, y = name(args)`.
static void obey(struct actor* self, const char* line) {
  char names[2][64] = {{0}}, name[64];
  int targets = 0;
  self->at = line;
  self->error = NULL;
  self->arena_next = self->arena;
  skip_blanks(self);
  const char* start = self->at;
  while (targets < 2 && read_name(self, names[targets]) > 0) {
    targets++;
    skip_blanks(self);
    if (*self->at != ',') break;
    self->at++;
    skip_blanks(self);
  }
  if (*self->at == '=') {
    self->at++;
    skip_blanks(self);
  } else {
    targets = 0;
    self->at = start;
  }
  long result = -1;
  self->second = -1;
  if (read_name(self, name) == 0 || *self->at != '(') self->error = "not a call";
  if (!self->error && evaluate_arguments(self) && !perform(self, name, &result))
    self->error = "no such call";
  if (self->error) {
    self->out.length = 0;
    put(&self->out, "error: %s: %s", self->error, line);
  }
  if (targets > 0) set_variable(names[0], result < 0 && result >= -4095 ? -1 : result);
  if (targets > 1) set_variable(names[1], self->second);
}

static void prepare(struct actor* self) {
  const int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
  self->arena = mmap(NULL, ARENA_SIZE, protection, flags | MAP_NORESERVE, -1, 0);
  self->arena_end = self->arena + ARENA_SIZE;
  char* pages = mmap(NULL, 3 * 4096, protection, flags, -1, 0);
  munmap(pages + 4096, 4096);
  self->edge = pages + 4096;
  self->readonly = pages + 2 * 4096;
  mprotect(self->readonly, 4096, PROT_READ);
}

void run_actor(int channel) {
  struct actor self = {.channel = channel & 0xfff, .thread = (channel & 0x1000) != 0};
  prepare(&self);
  char* line = malloc(LINE_SIZE);
  size_t length = 0;
  for (;;) {
    const ssize_t got = read(ACTOR_END(self.channel), line + length, LINE_SIZE - length - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) _exit(0);
    length += got;
    if (line[length - 1] != '\n') continue;
    line[length - 1] = 0;
    length = 0;
    self.out.length = 0;
    put(&self.out, "%s", "");
    if (line[0] == '!')
      control(&self, line + 1);
    else
      obey(&self, line);
    answer(&self);
  }
}
