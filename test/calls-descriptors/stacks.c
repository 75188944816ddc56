#include "show.h"

#include <dirent.h>
#include <limits.h>
#include <sys/un.h>
#include <sys/xattr.h>

// Threads with the smallest stack there is: 500 at once, 2000 one after the other, and every family
// of calls on one.
enum { TOGETHER = 500, SEQUENCE = 2000 };
static pthread_barrier_t all_here;
extern char** environ;

static int small_thread(pthread_t* id, void* (*body)(void*), long argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
  int error = pthread_create(id, &attributes, body, (void*)argument);
  pthread_attr_destroy(&attributes);
  return error;
}

static long work(long number) {
  char name[24], text[24], back[24];
  struct stat status;
  snprintf(name, sizeof name, "small%ld", number);
  int length = snprintf(text, sizeof text, "thread %ld", number);
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
  long bad = fd < 0;
  bad |= (write(fd, text, length) != length) << 1;
  bad |= (pread(fd, back, sizeof back, 0) != length || memcmp(back, text, length) != 0) << 2;
  bad |= (fstat(fd, &status) != 0 || status.st_size != length) << 3;
  bad |= (stat(name, &status) != 0 || status.st_nlink != 1) << 4;
  bad |= (unlink(name) != 0) << 5;
  bad |= (fstat(fd, &status) != 0 || status.st_nlink != 0) << 6;
  bad |= (close(fd) != 0) << 7;
  return bad;
}

static void* together(void* number) {
  long bad = work((long)number);
  pthread_barrier_wait(&all_here);
  for (int round = 0; round < 3; round++) bad |= work((long)number);
  pthread_barrier_wait(&all_here);
  return (void*)bad;
}

static void* once(void* number) {
  return (void*)work((long)number);
}

static void crowd(void) {
  static pthread_t ids[TOGETHER];
  pthread_barrier_init(&all_here, NULL, TOGETHER);
  long bad = 0, failed = 0;
  for (long i = 0; i < TOGETHER; i++) failed += small_thread(&ids[i], together, i) != 0;
  SHOW(failed);
  for (int i = 0; i < TOGETHER; i++) {
    void* result;
    pthread_join(ids[i], &result);
    bad |= (long)result;
  }
  SHOW(bad);
}

static void sequence(void) {
  long bad = 0, failed = 0;
  for (long i = 0; i < SEQUENCE; i++) {
    pthread_t id;
    void* result = NULL;
    failed += small_thread(&id, once, i) != 0;
    pthread_join(id, &result);
    bad |= (long)result;
  }
  SHOW(failed);
  SHOW(bad);
}

static void listing(void) {
  mkdir("directory", 0755);
  close(make("directory/entry", "text"));
  DIR* directory = opendir("directory");
  int entries = 0;
  while (readdir(directory) != NULL) entries++;
  SHOW(entries);
  SHOW(telldir(directory) > 0);
  SHOW(closedir(directory));
  SHOW(rename("directory/entry", "moved"));
  SHOW(link("moved", "directory/entry"));
  SHOW(symlink("moved", "symbolic"));
  char target[16] = "";
  SHOW(readlink("symbolic", target, sizeof target));
  SHOW(unlink("symbolic"));
  SHOW(unlink("directory/entry"));
  SHOW(chdir("directory"));
  SHOW(chdir(".."));
  SHOW(rmdir("directory"));
}

static void attributes(void) {
  char value[16] = "";
  struct statfs system;
  SHOW(setxattr("moved", "user.small", "stack", 5, 0));
  SHOW(getxattr("moved", "user.small", value, sizeof value));
  SHOW(listxattr("moved", value, sizeof value));
  SHOW(removexattr("moved", "user.small"));
  SHOW(chmod("moved", 0600));
  SHOW(chown("moved", -1, -1));
  SHOW(utimensat(AT_FDCWD, "moved", NULL, 0));
  SHOW(truncate("moved", 9000));
  SHOW(access("moved", R_OK));
  SHOW(statfs("moved", &system));
}

static void locking(void) {
  int fd = open("moved", O_RDWR), other = open("moved", O_RDWR);
  struct flock lock = {.l_type = F_WRLCK, .l_len = 10};
  SHOW(fcntl(fd, F_SETLK, &lock));
  SHOW(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_RDLCK, .l_len = 5}));
  SHOW(fcntl(fd, F_SETLKW, &(struct flock){.l_type = F_UNLCK}));
  SHOW(flock(fd, LOCK_EX));
  SHOW(flock(other, LOCK_EX | LOCK_NB));
  char* bytes = mmap(NULL, 9000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  SHOW(bytes != MAP_FAILED);
  strcpy(bytes + 5000, "through the map");
  char text[16];
  SHOW(pread(other, text, 15, 5000));
  SHOW(memcmp(text, "through the map", 15));
  SHOW(munmap(bytes, 9000));
  SHOW(lseek(fd, 0, SEEK_DATA));
  SHOW(fallocate(fd, 0, 0, 20000));
  SHOW(copy_file_range(fd, NULL, other, &(off_t){20000}, 100, 0));
  SHOW(close(fd));
  SHOW(close(other));
}

static void sending(void) {
  int pair[2], fd = make("sent", "handed over\n");
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = "";
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  SHOW(sendmsg(pair[0], &message, 0));
  close(fd);
  memset(control, 0, sizeof control);
  SHOW(recvmsg(pair[1], &message, 0));
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  char text[16] = "";
  SHOW(read(fd, text, sizeof text));
  SAY("%s", text);
  SHOW(close(fd));
  close(pair[0]);
  close(pair[1]);
}

static void nodes(void) {
  struct sockaddr_un address = {AF_UNIX, "socket"};
  char text[8] = "";
  SHOW(mkfifo("fifo", 0600));
  int fd = open("fifo", O_RDWR);
  SHOW(fd >= 0);
  SHOW(write(fd, "piped", 5));
  SHOW(read(fd, text, sizeof text));
  SHOW(close(fd));
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(server, (struct sockaddr*)&address, sizeof address));
  SHOW(listen(server, 1));
  SHOW(connect(client, (struct sockaddr*)&address, sizeof address));
  close(client);
  close(server);
}

static void programs(void) {
  char* arguments[] = {"cat", "sent", NULL};
  pid_t child = -1;
  posix_spawn(&child, "/bin/cat", NULL, NULL, arguments, environ);
  SHOW(reap(child));
  char* copy[] = {"cp", "/bin/cat", "program", NULL};
  SHOW(posix_spawn(&child, "/bin/cp", NULL, NULL, copy, environ));
  SHOW(reap(child));
  posix_spawn(&child, "program", NULL, NULL, arguments, environ);
  SHOW(reap(child));
  SHOW(posix_spawn(&child, "missing", NULL, NULL, arguments, environ));
  child = fork();
  if (child == 0) _exit((int)work(9999));
  SHOW(reap(child));
  child = fork();
  if (child == 0) {
    execve("program", arguments, environ);
    _exit(1);
  }
  SHOW(reap(child));
}

static void* families(void* unused) {
  (void)unused;
  listing();
  attributes();
  locking();
  sending();
  nodes();
  programs();
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  crowd();
  sequence();
  pthread_t id;
  SHOW(small_thread(&id, families, 0));
  SHOW(pthread_join(id, NULL));
  return 0;
}
