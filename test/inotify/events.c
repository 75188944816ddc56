// Every kind of event, each operation followed by all that two inotify descriptors have to tell of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int fds[2], cookies[64], cookie_count;

static int cookie_of(int cookie) {
  if (cookie == 0) return 0;
  for (int i = 0; i < cookie_count; i++)
    if (cookies[i] == cookie) return i + 1;
  if (cookie_count < 64) cookies[cookie_count++] = cookie;
  return cookie_count;
}

static void drain_one(int fd) {
  char buffer[16384];
  for (;;) {
    int length = read(fd, buffer, sizeof buffer);
    if (length <= 0) break;
    for (char* at = buffer; at < buffer + length;) {
      struct inotify_event* event = (void*)at;
      char name[64] = "";
      if (event->len) snprintf(name, sizeof name, " %s", event->name);
      if (name[1] == '#') strcpy(name, " #");
      printf(" [%d %x%s", event->wd, event->mask, name);
      if (event->cookie) printf(" c%d", cookie_of(event->cookie));
      printf(" %d]", event->len);
      at += sizeof *event + event->len;
    }
  }
}

static void drain(const char* what, long result) {
  printf("%s = %ld", what, result < 0 ? -errno : result);
  drain_one(fds[0]);
  printf(" |");
  drain_one(fds[1]);
  printf("\n");
  fflush(stdout);
  cookie_count = 0;
}
#define DO(expression) drain(#expression, (long)(expression))
#define QUIET(expression) ((void)(expression))

static int f, g;
static char big[3 << 20];

static int make(const char* path, const char* text) {
  int fd = open(path, O_CREAT | O_WRONLY, 0644);
  int done = write(fd, text, strlen(text));
  close(fd);
  return done;
}
static int watch(int which, const char* path, unsigned mask) {
  return inotify_add_watch(fds[which], path, mask);
}
static struct timespec stamps(int which) {
  struct timespec t = {5, which ? 5 : UTIME_OMIT};
  return t;
}
static int times(int dir, const char* path, int a, int m, int flags) {
  struct timespec t[2] = {stamps(a), stamps(m)};
  return utimensat(dir, path, t, flags);
}

static void files(void) {
  DO(f = open("d/new", O_CREAT | O_EXCL | O_RDWR, 0644));
  DO(read(f, big, 10));
  DO(write(f, "hello", 5));
  DO(write(f, "hello", 5));
  DO(pwrite(f, "HE", 2, 0));
  DO(pread(f, big, 4, 0));
  DO(pread(f, big, 4, 100));
  DO(write(f, "", 0));
  struct iovec vector[2] = {{"ab", 2}, {"cd", 2}};
  DO(writev(f, vector, 2));
  DO(fstat(f, (struct stat*)big));
  DO(lseek(f, 0, SEEK_SET));
  vector[0].iov_base = vector[1].iov_base = big;
  DO(readv(f, vector, 2));
  DO(ftruncate(f, 3));
  DO(ftruncate(f, 3));
  DO(fallocate(f, 0, 0, 8192));
  DO(fsync(f));
  DO(fchmod(f, 0600));
  DO(fchown(f, -1, -1));
  DO(fchown(f, 0, 0));
  DO(fsetxattr(f, "trusted.a", "b", 1, 0));
  DO(fgetxattr(f, "trusted.a", big, 10));
  DO(fremovexattr(f, "trusted.a"));
  struct timespec both[2] = {{1, 1}, {2, 2}};
  DO(futimens(f, both));
  DO(times(AT_FDCWD, "d/new", 1, 0, 0));
  DO(times(AT_FDCWD, "d/new", 0, 1, 0));
  DO(times(AT_FDCWD, "d/new", 0, 0, 0));
  DO(utimes("d/new", 0));
  DO(g = dup(f));
  DO(close(f));
  DO(close(g));
  DO(f = open("d/new", O_RDONLY));
  DO(read(f, big, 100));
  DO(read(f, big, 100));
  DO(close(f));
  DO(f = open("d/new", O_WRONLY | O_TRUNC));
  DO(close(f));
  DO(f = open("d/new", O_WRONLY | O_CREAT, 0600));
  DO(write(f, big, sizeof big));
  DO(close(f));
  DO(f = open("d/new", O_RDWR));
  DO(read(f, big, sizeof big));
  DO(close(f));
  DO(f = open("d/new", O_PATH));
  DO(close(f));
  DO(stat("d/new", (struct stat*)big));
  DO(access("d/new", R_OK));
  DO(open("d/none", O_RDONLY));
  DO(chmod("d/new", 04711));
  DO(chown("d/new", 1, 1));
  DO(chown("d/new", -1, -1));
  DO(truncate("d/new", 100));
  DO(truncate("d/new", 100));
  DO(setxattr("d/new", "trusted.x", "y", 1, 0));
  DO(removexattr("d/new", "trusted.x"));
  DO(mknod("d/dev", S_IFCHR | 0600, 0x103));
  DO(f = open("d/dev", O_WRONLY));
  DO(write(f, "x", 1));
  DO(close(f));
  DO(unlink("d/dev"));
  DO(mkfifo("d/fifo", 0600));
  DO(f = open("d/fifo", O_RDWR));
  DO(write(f, "x", 1));
  DO(read(f, big, 1));
  DO(close(f));
  DO(unlink("d/fifo"));
  DO(symlink("new", "d/link"));
  DO(readlink("d/link", big, 100));
  DO(f = open("d/link", O_RDONLY));
  DO(close(f));
  DO(times(AT_FDCWD, "d/link", 1, 1, AT_SYMLINK_NOFOLLOW));
  DO(lchown("d/link", 1, 1));
  DO(unlink("d/link"));
  struct sockaddr_un address = {AF_UNIX, "d/socket"};
  f = socket(AF_UNIX, SOCK_STREAM, 0);
  DO(bind(f, (void*)&address, sizeof address));
  QUIET(close(f));
  DO(unlink("d/socket"));
  DO(link("d/new", "d/second"));
  DO(unlink("d/new"));
  DO(f = open("d/second", O_RDWR));
  DO(unlink("d/second"));
  DO(write(f, "gone", 4));
  DO(pread(f, big, 4, 0));
  DO(fchmod(f, 0600));
  DO(close(f));
  DO(f = open("d", O_TMPFILE | O_RDWR, 0600));
  DO(write(f, "tmp", 3));
  char proc[64];
  sprintf(proc, "/proc/self/fd/%d", f);
  DO(linkat(AT_FDCWD, proc, AT_FDCWD, "d/linked", AT_SYMLINK_FOLLOW));
  DO(write(f, "tmp", 3));
  DO(close(f));
  DO(unlink("d/linked"));
}

static void copies(void) {
  QUIET(make("d/from", "some text"));
  QUIET(make("d/to", ""));
  drain("made", 0);
  DO(f = open("d/from", O_RDONLY));
  DO(g = open("d/to", O_WRONLY));
  DO(copy_file_range(f, 0, g, 0, 4, 0));
  DO(sendfile(g, f, 0, 3));
  DO(close(g));
  DO(g = open("d/to", O_RDWR));
  char* map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g, 0);
  map[0]++;
  drain("mmap", 0);
  DO(munmap(map, 4096));
  DO(close(g));
  DO(close(f));
  char proc[64];
  f = open("d/from", O_RDONLY);
  sprintf(proc, "/proc/self/fd/%d", f);
  drain("open", 0);
  DO(g = open(proc, O_RDWR));
  DO(write(g, "x", 1));
  DO(close(g));
  DO(close(f));
}

static void directories(void) {
  DO(mkdir("d/sub", 0755));
  DO(chmod("d/sub", 0700));
  DO(f = open("d/sub", O_RDONLY | O_DIRECTORY));
  DO(syscall(SYS_getdents64, f, big, 4096) > 0);
  DO(syscall(SYS_getdents64, f, big, 4096));
  DO(fchmod(f, 0755));
  DO(close(f));
  DO(make("d/sub/deep", "x"));
  DO(chdir("d/sub"));
  DO(chmod(".", 0711));
  DO(f = open(".", O_RDONLY));
  DO(close(f));
  DO(f = open("..", O_RDONLY));
  DO(syscall(SYS_getdents64, f, big, 4096) > 0);
  DO(close(f));
  DO(chdir("../.."));
  DO(f = open("d/../d/sub", O_RDONLY));
  DO(close(f));
  DO(unlink("d/sub/deep"));
  DO(f = open("d/sub", O_RDONLY));
  DO(rmdir("d/sub"));
  DO(fchmod(f, 0700));
  DO(close(f));
}

static void renames(void) {
  QUIET(mkdir("out", 0755));
  QUIET(mkdir("d/in", 0755));
  QUIET(make("d/a", "a"));
  QUIET(make("out/b", "b"));
  drain("made", 0);
  DO(rename("d/a", "d/b"));
  DO(rename("d/b", "d/b"));
  DO(f = open("d/b", O_RDWR));
  DO(rename("d/b", "out/c"));
  DO(write(f, "x", 1));
  DO(rename("out/c", "d/c"));
  DO(write(f, "x", 1));
  DO(close(f));
  QUIET(make("d/target", "t"));
  drain("made", 0);
  DO(rename("d/c", "d/target"));
  DO(rename("out/b", "d/target"));
  DO(f = open("d/target", O_RDWR));
  DO(rename("d/target", "out/target"));
  QUIET(make("d/target", "t"));
  drain("made", 0);
  DO(rename("out/target", "d/target"));
  DO(write(f, "x", 1));
  DO(close(f));
  DO(rename("d/target", "d/in/target"));
  DO(rename("d/in", "out/in"));
  DO(rename("out/in", "d/in2"));
  QUIET(mkdir("d/empty", 0755));
  drain("made", 0);
  DO(rename("d/in2", "d/empty"));
  QUIET(make("d/one", "1"));
  QUIET(make("out/two", "2"));
  drain("made", 0);
  DO(renameat2(AT_FDCWD, "d/one", AT_FDCWD, "d/empty", RENAME_EXCHANGE));
  DO(renameat2(AT_FDCWD, "d/one", AT_FDCWD, "out/two", RENAME_EXCHANGE));
  DO(renameat2(AT_FDCWD, "out/two", AT_FDCWD, "d/one", RENAME_EXCHANGE));
  DO(renameat2(AT_FDCWD, "d/empty", AT_FDCWD, "d/three", RENAME_WHITEOUT));
  DO(unlink("d/empty"));
  DO(renameat2(AT_FDCWD, "d/three", AT_FDCWD, "d/one", RENAME_NOREPLACE));
  DO(unlink("d/three"));
  DO(link("d/one/target", "d/hard"));
  DO(link("d/hard", "d/hard2"));
  DO(rename("d/hard", "d/hard2"));
  DO(unlink("d/hard"));
  DO(unlink("d/hard2"));
  DO(unlink("d/one/target"));
  DO(rmdir("d/one"));
}

static void selves(void) {
  QUIET(mkdir("d/dir", 0755));
  QUIET(mkdir("d/dir/below", 0755));
  QUIET(make("d/file", "f"));
  drain("made", 0);
  DO(watch(0, "d/dir", IN_ALL_EVENTS));
  DO(watch(1, "d/file", IN_ALL_EVENTS));
  DO(watch(0, "d/file", IN_ALL_EVENTS));
  DO(watch(0, "d/dir/below", IN_ALL_EVENTS));
  DO(f = open("d/file", O_RDWR));
  DO(write(f, "x", 1));
  DO(pread(f, big, 1, 0));
  DO(fchmod(f, 0600));
  DO(chmod("d/file", 0644));
  DO(ftruncate(f, 0));
  DO(close(f));
  DO(link("d/file", "d/name"));
  DO(chmod("d/name", 0644));
  DO(unlink("d/file"));
  DO(f = open("d/name", O_RDONLY));
  DO(rename("d/name", "d/moved"));
  DO(rename("d/moved", "out/moved"));
  DO(fchmod(f, 0600));
  DO(rename("out/moved", "d/back"));
  DO(unlink("d/back"));
  DO(fchmod(f, 0600));
  DO(close(f));
  DO(make("d/dir/x", "x"));
  DO(chmod("d/dir", 0700));
  DO(f = open("d/dir", O_RDONLY));
  DO(syscall(SYS_getdents64, f, big, 4096) > 0);
  DO(close(f));
  DO(rename("d/dir/x", "d/x"));
  DO(rename("d/dir", "d/dir2"));
  DO(make("d/dir2/y", "y"));
  DO(unlink("d/dir2/y"));
  DO(rmdir("d/dir2/below"));
  DO(f = open("d/dir2", O_RDONLY));
  DO(rmdir("d/dir2"));
  DO(close(f));
  DO(watch(0, "d/x", IN_ALL_EVENTS));
  QUIET(make("d/over", "o"));
  DO(watch(1, "d/over", IN_ALL_EVENTS));
  DO(rename("d/x", "d/over"));
  DO(unlink("d/over"));
  QUIET(mkdir("d/e1", 0755));
  QUIET(mkdir("d/e2", 0755));
  DO(watch(0, "d/e1", IN_ALL_EVENTS));
  DO(watch(1, "d/e2", IN_ALL_EVENTS));
  DO(rename("d/e1", "d/e2"));
  DO(rmdir("d/e2"));
  QUIET(make("d/u", "u"));
  QUIET(f = open("d/u", O_RDWR));
  DO(watch(0, "d/u", IN_ALL_EVENTS));
  DO(write(f, "1", 1));
  DO(unlink("d/u"));
  DO(write(f, "1", 1));
  DO(close(f));
}

static void masks(void) {
  int w;
  QUIET(make("d/m", "m"));
  QUIET(symlink("m", "d/s"));
  QUIET(symlink("nowhere", "d/dangling"));
  drain("made", 0);
  DO(watch(1, "d/m", 0));
  DO(watch(1, "d/m", IN_ONLYDIR));
  DO(watch(1, "d/m", IN_ONLYDIR | IN_OPEN));
  DO(watch(1, "d/s", IN_ONLYDIR | IN_OPEN));
  DO(watch(1, "d/none", IN_OPEN));
  DO(watch(1, "d/m/x", IN_OPEN));
  DO(watch(1, "d/m/", IN_OPEN));
  DO(watch(1, "d/dangling", IN_OPEN));
  DO(watch(1, "", IN_OPEN));
  DO(watch(1, (char*)8, IN_OPEN));
  DO(inotify_add_watch(99, "d/m", IN_OPEN));
  DO(inotify_add_watch(0, "d/m", IN_OPEN));
  DO(inotify_add_watch(99, "d/none", IN_OPEN));
  DO(watch(1, "d/m", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
  DO(w = watch(1, "d/m", IN_OPEN));
  DO(watch(1, "d/m", IN_OPEN | IN_MASK_CREATE));
  DO(watch(1, "d/m", IN_ACCESS | IN_MASK_ADD));
  DO(watch(1, "d/s", IN_CLOSE));
  DO(make("d/m", "m"));
  DO(watch(1, "d/s", IN_ALL_EVENTS | IN_DONT_FOLLOW));
  DO(times(AT_FDCWD, "d/s", 1, 1, AT_SYMLINK_NOFOLLOW));
  DO(watch(1, "d/dangling", IN_ALL_EVENTS | IN_DONT_FOLLOW | IN_ONESHOT));
  DO(unlink("d/dangling"));
  DO(inotify_rm_watch(fds[1], w));
  DO(inotify_rm_watch(fds[1], w));
  DO(make("d/m", "m"));
  DO(w = watch(1, "d/m", IN_OPEN | IN_ONESHOT));
  DO(make("d/m", "m"));
  DO(make("d/m", "m"));
  DO(inotify_rm_watch(fds[1], w));
  DO(w = watch(1, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK));
  DO(f = open("d/m", O_RDWR));
  DO(write(f, "x", 1));
  DO(unlink("d/m"));
  DO(write(f, "x", 1));
  DO(pread(f, big, 1, 0));
  DO(close(f));
  DO(w = watch(1, "d", IN_CREATE | IN_DELETE | IN_ONLYDIR));
  DO(make("d/m2", "x"));
  DO(unlink("d/m2"));
  DO(inotify_rm_watch(fds[1], w));
}

static void users(void) {
  QUIET(mkdir("d/private", 0700));
  QUIET(mkdir("d/search", 0711));
  QUIET(make("d/search/f", "f"));
  QUIET(make("d/secret", "f"));
  QUIET(chmod("d/secret", 0600));
  drain("made", 0);
  seteuid(1000);
  DO(watch(1, "d/private", IN_OPEN));
  DO(watch(1, "d/private/x", IN_OPEN));
  DO(watch(1, "d/search", IN_OPEN));
  DO(watch(1, "d/search/f", IN_OPEN));
  DO(watch(1, "d/secret", IN_OPEN));
  seteuid(0);
  DO(f = open("d/search/f", O_RDONLY));
  DO(close(f));
}

static void reading(void) {
  int queued, fd = inotify_init1(IN_CLOEXEC), e = epoll_create1(0), w;
  struct epoll_event event = {EPOLLIN};
  struct pollfd poller = {fd, POLLIN};
  char one[16], small[sizeof(struct inotify_event) + 16];
  epoll_ctl(e, EPOLL_CTL_ADD, fd, &event);
  printf("%d", w = inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE));
  printf(" %d %d", poll(&poller, 1, 0), epoll_wait(e, &event, 1, 0));
  QUIET(mkdir("d/r1", 0755));
  QUIET(mkdir("d/a-name-that-is-a-little-longer", 0755));
  ioctl(fd, FIONREAD, &queued);
  printf(" %d %d %d", poll(&poller, 1, 0), epoll_wait(e, &event, 1, 0), queued);
  printf(" %d", (int)read(fd, one, sizeof one));
  printf(" %d", (int)read(fd, small, sizeof small));
  printf(" %d %d", (int)read(fd, small, sizeof small), errno);
  printf(" %d\n", (int)read(fd, big, 4096));
  // A reader that sleeps until another process makes something.
  if (fork() == 0) {
    usleep(50000);
    rmdir("d/r1");
    _exit(0);
  }
  int length = read(fd, big, 4096);
  struct inotify_event* got = (void*)big;
  printf("%d %x %s\n", length, got->mask, got->name);
  wait(0);
  // The child reads from our queue, and adds to it.
  if (fork() == 0) {
    inotify_add_watch(fd, "d", IN_ALL_EVENTS);
    mkdir("d/child", 0700);
    _exit(0);
  }
  wait(0);
  rmdir("d/child");
  length = read(fd, big, 4096);
  for (char* at = big; at < big + length; at += sizeof *got + got->len) {
    got = (void*)at;
    printf(" %x %s", got->mask, got->len ? got->name : "");
  }
  printf("\n");
  printf("%d\n", close(fd));
  printf("%d %d\n", inotify_rm_watch(fd, w), errno);
  rmdir("d/a-name-that-is-a-little-longer");
  drain("after", 0);
}

/** Closes that no close call makes: exit, exec, kill. */
static void ends(void) {
  QUIET(make("d/held", "h"));
  drain("made", 0);
  if (fork() == 0) {
    open("d/held", O_RDWR);
    _exit(0);
  }
  wait(0);
  drain("exit", 0);
  if (fork() == 0) {
    open("d/held", O_RDONLY | O_CLOEXEC);
    execl("/bin/true", "true", NULL);
  }
  wait(0);
  drain("exec", 0);
  f = open("d/held", O_RDONLY);
  if (fork() == 0) {
    close(f);
    _exit(0);
  }
  wait(0);
  drain("fork", 0);
  DO(close(f));
  int pid = fork();
  if (pid == 0) {
    open("d/held", O_WRONLY);
    raise(SIGKILL);
  }
  wait(0);
  usleep(900000);
  drain("kill", 0);
  DO(f = open("d/held", O_RDWR));
  int copy = dup2(f, 100);
  DO(close(f));
  DO(close(copy));
}

static void names(void) {
  char name[300] = "d/";
  memset(name + 2, 'n', 255);
  DO(mkdir(name, 0755));
  DO(rmdir(name));
  memset(name + 2, 0xff, 100);
  name[102] = 0;
  DO(mkdir(name, 0755) + rmdir(name));
  DO(mkdir("d/new\nline", 0755) + rmdir("d/new\nline"));
  DO(mkdir("d/fünf", 0755) + rmdir("d/fünf"));
}

static void mixed(const char* host) {
  DO(watch(0, host, IN_ALL_EVENTS) > 0);
  char path[300];
  sprintf(path, "%s/mixed", host);
  DO(mkdir(path, 0755));
  DO(mkdir("d/mixed", 0755));
  DO(rmdir(path));
  DO(rmdir("d/mixed"));
}

int main(int argc, char** argv) {
  if (chdir(argv[1]) != 0) return 1;
  umask(022);
  fds[0] = inotify_init1(IN_NONBLOCK);
  fds[1] = inotify_init1(IN_NONBLOCK);
  QUIET(mkdir("d", 0755));
  QUIET(make("d/before", "b"));
  int early = open("d/before", O_RDWR);
  DO(watch(0, "d", IN_ALL_EVENTS));
  DO(watch(0, "d", IN_ALL_EVENTS));
  DO(write(early, "x", 1));
  DO(close(early));
  DO(unlink("d/before"));
  files();
  copies();
  directories();
  renames();
  selves();
  masks();
  users();
  reading();
  ends();
  names();
  if (argc > 2) mixed(argv[2]);
  return 0;
}
