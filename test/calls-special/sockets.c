#include "show.h"

static struct sockaddr_un address;
static socklen_t named(const char* path) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  size_t length = strlen(path);
  memcpy(address.sun_path, path, length);
  return offsetof(struct sockaddr_un, sun_path) + length + 1;
}
#define ADDRESS(path) (named(path), (struct sockaddr*)&address), named(path)

static const char* root;

static void say_name(const char* what, int result, struct sockaddr_un* name, socklen_t length) {
  char path[200] = "";
  int bytes = (int)length - 2;
  if (bytes > 0 && bytes < 150) memcpy(path, name->sun_path, bytes);
  char* tail = strncmp(path, root, strlen(root)) == 0 ? path + strlen(root) : path;
  int cut = tail != path ? (int)strlen(root) : 0;
  printf("%s: %d family %d length %d \"%s\"\n", what, result, name->sun_family,
         (int)length - cut, tail);
}

static void names_of(const char* what, int fd) {
  struct sockaddr_un name = {0};
  socklen_t length = sizeof name;
  int result = getsockname(fd, (struct sockaddr*)&name, &length);
  say_name(what, result, &name, length);
  memset(&name, 0, sizeof name);
  length = sizeof name;
  errno = 0;
  result = getpeername(fd, (struct sockaddr*)&name, &length);
  if (result == 0)
    say_name("  peer", result, &name, length);
  else
    printf("  peer: %s\n", strerrorname_np(errno));
}

static void binding(void) {
  struct stat status;
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  umask(027);
  SHOW(bind(s, ADDRESS("missing/s")));
  SHOW(bind(s, ADDRESS("s")));
  SHOW(bind(s, ADDRESS("s")));
  SHOW(bind(s, ADDRESS("other")));
  SHOW(stat("other", &status));
  SHOW(stat("s", &status));
  SAY("%o %d %ld %ld", status.st_mode, (int)status.st_nlink, (long)status.st_size,
      (long)status.st_blocks);
  umask(022);
  names_of("bound", s);
  int t = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(t, ADDRESS("s")));
  SHOW(bind(t, ADDRESS("s/x")));
  SHOW(bind(t, ADDRESS("new/")));
  close(make("file", "x"));
  SHOW(bind(t, ADDRESS("file")));
  mkdir("dir", 0755);
  SHOW(bind(t, ADDRESS("dir")));
  SHOW(symlink("nowhere", "dangling"));
  SHOW(bind(t, ADDRESS("dangling")));
  SHOW(bind(t, ADDRESS(".")));
  char absolute[108];
  snprintf(absolute, sizeof absolute, "%s/dir/abs", root);
  SHOW(bind(t, ADDRESS(absolute)));
  names_of("absolute", t);
  SHOW(open("s", O_RDONLY));
  SHOW(open("s", O_PATH) >= 0);
  SHOW(connect(t, ADDRESS("s")));
  SHOW(listen(s, 2));
  SHOW(connect(t, ADDRESS("s")));
  names_of("connected", t);
  struct sockaddr_un name = {0};
  socklen_t length = sizeof name;
  int a = accept(s, (struct sockaddr*)&name, &length);
  say_name("accepted", a >= 0, &name, length);
  names_of("accepted", a);
  SHOW(write(t, "hello", 5));
  char bytes[64];
  SHOW(read(a, bytes, 64));
  int u = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(u, ADDRESS("s")));
  memset(&name, 0, sizeof name);
  length = 2;
  int b = accept4(s, (struct sockaddr*)&name, &length, SOCK_CLOEXEC);
  SHOW(b >= 0);
  SHOW(length);
  SHOW(fcntl(b, F_GETFD));
  memset(&name, 0, sizeof name);
  length = 6;
  SHOW(getsockname(t, (struct sockaddr*)&name, &length) == 0);
  SHOW(length - strlen(root));
  SHOW(strncmp(name.sun_path, root, 3));
  length = -1;
  SHOW(getsockname(t, (struct sockaddr*)&name, &length));
  SHOW(getsockname(t, (struct sockaddr*)&name, (void*)8));
  length = sizeof name;
  SHOW(getsockname(t, (void*)8, &length));
  close(a), close(b), close(u), close(t);
  SHOW(rename("s", "renamed"));
  u = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(u, ADDRESS("s")));
  SHOW(connect(u, ADDRESS("renamed")));
  names_of("through the new name", u);
  close(u);
  SHOW(link("renamed", "linked"));
  SHOW(symlink("linked", "pointer"));
  u = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(u, ADDRESS("pointer")));
  SHOW(unlink("renamed"));
  SHOW(unlink("linked"));
  names_of("unlinked", s);
  int v = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(v, ADDRESS("linked")));
  SHOW(bind(v, ADDRESS("renamed")));
  SHOW(connect(u, ADDRESS("file")));
  SHOW(connect(v, ADDRESS("file")));
  SHOW(connect(v, ADDRESS("dir")));
  SHOW(connect(v, ADDRESS("dir/abs")));
  SHOW(connect(v, ADDRESS("file/x")));
  SHOW(mknod("made", S_IFSOCK | 0666, 0));
  SHOW(connect(v, ADDRESS("made")));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  SHOW(listen(v, 1));
  SHOW(connect(d, ADDRESS("renamed")));
  int i = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(bind(i, ADDRESS("renamed")) == -1);
  SHOW(connect(i, ADDRESS("renamed")) == -1);
  SHOW(bind(0, ADDRESS("unmade")));
  SHOW(stat("unmade", &status));
  close(i), close(d), close(u), close(v), close(s);
}

static void longest(void) {
  char path[120];
  memset(path, 'n', sizeof path);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, 108);
  SHOW(bind(s, (struct sockaddr*)&address, 110));
  struct sockaddr_un name = {0};
  socklen_t length = sizeof name;
  SHOW(getsockname(s, (struct sockaddr*)&name, &length));
  SHOW(length);
  SHOW(memcmp(name.sun_path, path, 108));
  struct stat status;
  path[108] = 0;
  SHOW(stat(path, &status));
  SHOW(bind(s, (struct sockaddr*)&address, 111));
  SHOW(bind(s, (struct sockaddr*)&address, 1));
  int t = socket(AF_UNIX, SOCK_STREAM, 0);
  address.sun_path[3] = 0;
  SHOW(bind(t, (struct sockaddr*)&address, 50));
  names_of("cut", t);
  close(t);
  t = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(t, (struct sockaddr*)&address, 2));
  close(t);
  t = socket(AF_UNIX, SOCK_STREAM, 0);
  address.sun_path[0] = 0;
  address.sun_path[1] = 'b', address.sun_path[2] = '0' + getpid() % 10;
  SHOW(bind(t, (struct sockaddr*)&address, 12) == 0 || errno == EADDRINUSE);
  close(t);
  close(s);
}

static void datagrams(void) {
  int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
  SHOW(bind(a, ADDRESS("a")));
  SHOW(bind(b, ADDRESS("b")));
  SHOW(sendto(a, "to b", 4, 0, ADDRESS("b")));
  char bytes[64];
  struct sockaddr_un from = {0};
  socklen_t length = sizeof from;
  SHOW(recvfrom(b, bytes, 64, 0, (struct sockaddr*)&from, &length));
  say_name("from", 0, &from, length);
  SHOW(sendto(b, "back", 4, 0, (struct sockaddr*)&from, length));
  memset(&from, 0, sizeof from);
  struct iovec vector = {bytes, 64};
  struct msghdr message = {&from, sizeof from, &vector, 1, 0, 0, 0};
  SHOW(recvmsg(a, &message, 0));
  say_name("message from", 0, &from, message.msg_namelen);
  vector.iov_len = 3;
  named("b");
  struct msghdr out = {&address, sizeof address, &vector, 1, 0, 0, 0};
  SHOW(sendmsg(a, &out, 0));
  struct mmsghdr many[3] = {{out}, {out}, {out}};
  SHOW(sendmmsg(a, many, 3, 0));
  SHOW(many[2].msg_len);
  struct sockaddr_un names[3];
  struct iovec room[3];
  char rooms[3][16];
  struct mmsghdr in[3];
  memset(in, 0, sizeof in);
  for (int i = 0; i < 3; i++) {
    room[i] = (struct iovec){rooms[i], 16};
    in[i].msg_hdr = (struct msghdr){&names[i], sizeof names[i], &room[i], 1, 0, 0, 0};
  }
  struct timespec timeout = {5, 0};
  SHOW(recvmmsg(b, in, 3, 0, &timeout));
  say_name("many", in[1].msg_len, &names[1], in[1].msg_hdr.msg_namelen);
  SHOW(recvmmsg(b, in, 3, MSG_WAITFORONE, 0));
  SHOW(recvmmsg(b, in, 3, MSG_DONTWAIT, 0));
  SHOW(sendto(a, "x", 1, 0, ADDRESS("none")));
  SHOW(sendto(a, "x", 1, 0, ADDRESS("file")));
  close(b);
  SHOW(sendto(a, "x", 1, 0, ADDRESS("b")));
  SHOW(connect(a, ADDRESS("a")));
  names_of("itself", a);
  SHOW(send(a, "self", 4, 0));
  SHOW(recv(a, bytes, 64, 0));
  int p = socket(AF_UNIX, SOCK_SEQPACKET, 0), q = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  SHOW(bind(p, ADDRESS("packets")));
  SHOW(listen(p, 1));
  SHOW(connect(q, ADDRESS("packets")));
  SHOW(sendto(q, "x", 1, 0, ADDRESS("none")));
  SHOW(connect(a, ADDRESS("packets")));
  close(a), close(p), close(q);
}

static void others(void) {
  mkdir("shut", 0700);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(s, ADDRESS("shut/s")));
  SHOW(listen(s, 5));
  int t = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(t, ADDRESS("theirs")));
  SHOW(listen(t, 5));
  chmod(".", 0755);
  if (fork() == 0) {
    setgid(1000), setuid(1000);
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(u, ADDRESS("shut/s")));
    SHOW(connect(u, ADDRESS("theirs")));
    SHOW(bind(u, ADDRESS("mine")));
    _exit(0);
  }
  SHOW(reap(-1));
  SHOW(chmod("theirs", 0777));
  chmod(".", 0777);
  if (fork() == 0) {
    setgid(1000), setuid(1000);
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(u, ADDRESS("theirs")));
    int m = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(m, ADDRESS("mine")));
    struct stat status;
    stat("mine", &status);
    SHOW(status.st_uid);
    SHOW(listen(m, 1));
    _exit(0);
  }
  SHOW(reap(-1));
  close(s), close(t);
}

int main(int count, char** arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 1;
  root = arguments[1];
  binding();
  longest();
  datagrams();
  if (getuid() == 0) others();
  return 0;
}
