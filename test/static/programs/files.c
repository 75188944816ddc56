// A static program's files, threads and children. Argument: an empty directory. Everything printed
// depends on the file system only.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;
static const char* directory;
static volatile sig_atomic_t alarms;

static void on_alarm(int signal) {
  (void)signal;
  struct stat status;
  alarms += stat(directory, &status) == 0;
}

static void put(const char* name, const char* text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE* file = fopen(path, "w");
  if (file == NULL) {
    perror(name);
    exit(1);
  }
  fputs(text, file);
  fclose(file);
}

static void show(const char* name) {
  char path[256], text[64] = "";
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE* file = fopen(path, "r");
  if (file == NULL || fgets(text, sizeof text, file) == NULL) strcpy(text, "nothing\n");
  if (file != NULL) fclose(file);
  printf("%s: %s", name, text);
}

static __thread int own = 7;

static void* thread(void* number) {
  char name[32];
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "thread%ld", (long)number);
    put(name, name);
    own++;
  }
  return (void*)(long)own;
}

static int ended(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char** argv) {
  directory = argv[1];
  if (argc > 2) {
    char path[512];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    printf("again: %s %s %s\n", argv[2], strrchr(path, '/'), getenv("LEFT") ? getenv("LEFT") : "-");
    show("mine");
    return 4;
  }
  const Elf64_Phdr* headers = (const Elf64_Phdr*)getauxval(AT_PHDR);
  int loads = 0;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) loads += headers[i].p_type == PT_LOAD;
  printf("headers %s, entry %s, base %lu\n", loads > 1 ? "ok" : "bad",
         getauxval(AT_ENTRY) > 4096 ? "ok" : "bad", getauxval(AT_BASE));
  char* before = sbrk(0);
  printf("brk %s\n", sbrk(1 << 20) == before && (memset(before, 1, 1 << 20), 1) ? "ok" : "bad");

  put("mine", "first\n");
  show("mine");
  for (int round = 0; round < 5; round++) {
    pthread_t threads[40];
    for (long i = 0; i < 40; i++) pthread_create(threads + i, NULL, thread, (void*)i);
    for (int i = 0; i < 40; i++) {
      void* result;
      pthread_join(threads[i], &result);
      if ((long)result != 27) printf("thread-local word is %ld\n", (long)result);
    }
  }
  show("thread39");

  signal(SIGALRM, on_alarm);
  struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  for (int i = 0; i < 20000 || alarms < 20; i++) put("busy", "busy\n");
  setitimer(ITIMER_REAL, &never, NULL);
  show("busy");

  pid_t child = fork();
  if (child == 0) {
    put("mine", "child\n");
    _exit(3);
  }
  printf("fork %d\n", ended(child));
  show("mine");
  fflush(stdout);
  child = vfork();
  if (child == 0) {
    execl(argv[0], argv[0], directory, "vforked", NULL);
    _exit(9);
  }
  printf("vfork %d\n", ended(child));
  fflush(stdout);
  char* again[] = {argv[0], argv[1], "spawned", NULL};
  char* little[] = {"LEFT=left", NULL};
  posix_spawn(&child, "/proc/self/exe", NULL, NULL, again, little);
  printf("spawn %d\n", ended(child));
  fflush(stdout);
  char command[512];
  snprintf(command, sizeof command, "cat %s/mine; ls %s | wc -l; %s %s 'from a shell'", directory,
           directory, argv[0], directory);
  printf("system %d\n", WEXITSTATUS(system(command)));
  char path[256];
  snprintf(path, sizeof path, "%s/mine", directory);
  int fd = open(path, O_RDWR);
  char* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memcpy(map, "MAP", 3);
  munmap(map, 4096);
  close(fd);
  show("mine");
  if (chdir(directory) == 0 && getcwd(path, sizeof path) != NULL) {
    printf("cwd %d\n", strcmp(path, directory));
  }
  snprintf(command, sizeof command, "cp %s copy && ./copy %s 'in the tree'", argv[0], directory);
  fflush(stdout);
  printf("copy %d\n", WEXITSTATUS(system(command)));
  snprintf(command, sizeof command, "printf '#!%s %s\\n' > run; chmod +x run; ./run", argv[0],
           directory);
  fflush(stdout);
  printf("script %d\n", WEXITSTATUS(system(command)));
  return 0;
}
