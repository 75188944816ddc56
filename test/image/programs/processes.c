// Every way to make a process or a thread, from one thread and from several.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static int status_of(pid_t pid) {
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, __WALL) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int spawned(void) {
  pid_t pid;
  char* const arguments[] = {"sh", "-c", "exit 7", NULL};
  if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) != 0) return -1;
  return status_of(pid);
}

static int vforked(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 8", (char*)NULL);
    _exit(1);
  }
  return status_of(pid);
}

static int vforked_in_vain(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/nonexistent/program", "program", (char*)NULL);
    _exit(9);
  }
  return status_of(pid);
}

static int vforked_twice(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    pid_t inner = vfork();
    if (inner == 0) _exit(3);
    _exit(status_of(inner) == 3 ? 10 : 1);
  }
  return status_of(pid);
}

static int forked(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(spawned() == 7 ? 11 : 1);
  return status_of(pid);
}

static int on_a_stack(void* argument) {
  if (getcwd((char*)argument, 4096) == NULL) _exit(1);
  _exit(12);
}

static int cloned(int flags) {
  char* stack = malloc(65536);
  char path[4096];
  pid_t pid = clone(on_a_stack, stack + 65536, flags | SIGCHLD, path);
  int status = status_of(pid);
  free(stack);
  return status;
}

static int shell(void) {
  int status = system("exit 13");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int piped(void) {
  FILE* pipe = popen("echo hello", "r");
  char line[16] = "";
  if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL || pclose(pipe) != 0) return -1;
  return line[0] == 'h' ? 14 : -1;
}

static void check(const char* what, int got, int want) {
  if (got == want) return;
  printf("%s: %d, expected %d\n", what, got, want);
  exit(1);
}

static void all(void) {
  check("posix_spawn", spawned(), 7);
  check("vfork", vforked(), 8);
  check("vfork, failed exec", vforked_in_vain(), 9);
  check("vfork in vfork", vforked_twice(), 10);
  check("fork", forked(), 11);
  check("clone", cloned(0), 12);
  check("clone, shared memory", cloned(CLONE_VM | CLONE_VFORK), 12);
  check("system", shell(), 13);
  check("popen", piped(), 14);
}

static void* run(void* rounds) {
  for (long i = 0; i < (long)rounds; i++) check("posix_spawn", spawned(), 7);
  return rounds;
}

int main(void) {
  all();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, run, (void*)3);
  for (int i = 0; i < 4; i++) {
    void* result;
    pthread_join(threads[i], &result);
    check("thread", (int)(long)result, 3);
  }
  all();
  puts("ok");
  return 0;
}
