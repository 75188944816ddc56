#include "show.h"

// A few files that everybody opens and closes all the time, so that descriptions change hands between
// processes, while files come and go under the same names and inode numbers.

enum { FILES = 4, CHILDREN = 4 };

static void name_of(char* name, int file) {
  sprintf(name, "file%d", file);
}

// Every version of a file holds its own number, many times over.
static void write_file(int file, int nameless) {
  char name[32], other[32], bytes[5000];
  name_of(name, file);
  sprintf(other, "other%d", getpid());
  memset(bytes, 'a' + file, sizeof bytes);
  int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(fd, bytes, sizeof bytes);
  if (nameless) {
    unlink(name);
    rename(other, name);
    close(fd);
  } else {
    close(fd);
    rename(other, name);
  }
}

// A description must be at its start and show the file that it was opened for.
static int check_file(int file) {
  char name[32], bytes[64];
  struct stat status;
  name_of(name, file);
  int fd = open(name, O_RDONLY);
  if (fd < 0) return errno != ENOENT;
  int wrong = lseek(fd, 0, SEEK_CUR) != 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
  ssize_t got = read(fd, bytes, sizeof bytes);
  for (ssize_t i = 0; i < got; i++) wrong |= bytes[i] != 'a' + file;
  if (!wrong && lseek(fd, 0, SEEK_CUR) != got) wrong = 1;
  close(fd);
  return wrong;
}

static void* open_and_close(void* wrong) {
  for (int i = 0;; i++)
    if (check_file(i % FILES)) *(int*)wrong = 1;
}

// Ends by SIGKILL from outside, or with status 1 when something was wrong.
static void use(int number) {
  static int wrong;
  pthread_t thread;
  if (number % 2) pthread_create(&thread, NULL, open_and_close, &wrong);
  for (int i = 0; !wrong; i++) {
    wrong |= check_file(i % FILES);
    if (i % 64 == number) write_file(i / 64 % FILES, i % 3 == 0);
    if (i % 200 == 7) {
      int fd = open("file0", O_RDONLY), copy = dup(fd);
      if (vfork() == 0) {
        int own = open("file1", O_RDONLY);
        close(fd);
        close(own);
        _exit(0);
      }
      pid_t child = fork();
      if (child == 0) {
        for (int j = 0; j < 20; j++)
          if (check_file(j % FILES)) _exit(1);
        if (i % 400 == 7) kill(getpid(), SIGKILL);
        _exit(0);
      }
      int status = reap(child);
      wrong |= !WIFSIGNALED(status) && status != 0;
      close(fd);
      close(copy);
    }
  }
  _exit(1);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  for (int i = 0; i < FILES; i++) write_file(i, 0);
  pid_t children[CHILDREN];
  for (int i = 0; i < CHILDREN; i++)
    if ((children[i] = fork()) == 0) use(i);
  for (int round = 0; round < 60; round++) {
    int i = round % CHILDREN;
    usleep(5000 + round * 170);
    kill(children[i], SIGKILL);
    if (WTERMSIG(reap(children[i])) != SIGKILL) return 1;
    if (round < 56 && (children[i] = fork()) == 0) use(i);
  }
  if (system("rm -f file* other*") != 0) return 2;
  puts("done");
  return 0;
}
