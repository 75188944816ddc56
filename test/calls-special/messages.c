#include "show.h"

static int pair[2];

/** Sends descriptors with the text; `control` may be read-only. */
static long send_control(int to, const void* control, size_t length, const char* text) {
  struct iovec vector = {(void*)text, strlen(text)};
  struct msghdr message = {0, 0, &vector, 1, (void*)control, length, 0};
  return sendmsg(to, &message, 0);
}

static long send_fds(int to, const char* text, int count, const int* fds) {
  _Alignas(8) char control[CMSG_SPACE(sizeof(int) * 253)];
  struct cmsghdr* header = (struct cmsghdr*)control;
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  int* page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, control, CMSG_SPACE(sizeof(int) * count));
  mprotect(page, 4096, PROT_READ);
  long result = send_control(to, page, CMSG_SPACE(sizeof(int) * count), text);
  munmap(page, 4096);
  return result;
}

/** How many descriptors came; into fds. */
static int receive_fds(int from, int room, int flags, int* fds) {
  _Alignas(8) char control[CMSG_SPACE(sizeof(int) * 253)];
  char text[64];
  struct iovec vector = {text, sizeof text};
  struct msghdr message = {0, 0, &vector, 1, control, CMSG_SPACE(sizeof(int) * room), 0};
  long got = recvmsg(from, &message, flags);
  if (got < 0) return printf("recvmsg: %s\n", strerrorname_np(errno)), -1;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  int count = 0;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
  }
  printf("received %ld bytes, %d descriptors, flags %d, control %d\n", got, count,
         message.msg_flags, (int)message.msg_controllen);
  return count;
}

static void sharing(void) {
  int file = make("file", "0123456789abcdef"), got[8];
  char bytes[64];
  SHOW(read(file, bytes, 3));
  SHOW(send_fds(pair[0], "one", 1, &file));
  SHOW(receive_fds(pair[1], 1, 0, got));
  SHOW(got[0]);
  SHOW(read(got[0], bytes, 3));
  SAY("%.3s", bytes);
  SHOW(lseek(file, 0, SEEK_CUR));
  SHOW(fcntl(got[0], F_GETFD));
  SHOW(fcntl(got[0], F_SETFL, O_APPEND));
  SHOW(fcntl(file, F_GETFL));
  struct stat a, b;
  fstat(file, &a), fstat(got[0], &b);
  SHOW(memcmp(&a, &b, sizeof a));
  SHOW(close(file));
  SHOW(write(got[0], "more", 4));
  SHOW(unlink("file"));
  SHOW(send_fds(pair[0], "two", 1, got));
  SHOW(close(got[0]));
  usleep(600000);
  SHOW(receive_fds(pair[1], 1, MSG_CMSG_CLOEXEC, got));
  SHOW(fcntl(got[0], F_GETFD));
  SHOW(pread(got[0], bytes, 64, 0));
  SAY("%.20s", bytes);
  fstat(got[0], &b);
  SHOW(b.st_nlink);
  close(got[0]);
}

static void several(void) {
  mkdir("dir", 0755);
  close(make("dir/inside", "inside"));
  int fds[6] = {make("a", "aaaa"), open("dir", O_RDONLY | O_DIRECTORY), open("a", O_PATH),
                open("/dev/null", O_RDWR), make("b", "bbbb"), 0};
  fds[5] = fds[0];
  int got[8];
  char bytes[8];
  SHOW(send_fds(pair[0], "six", 6, fds));
  SHOW(receive_fds(pair[1], 6, MSG_PEEK, got));
  for (int i = 0; i < 6; i++) SHOW(got[i]);
  SHOW(read(got[0], bytes, 2));
  for (int i = 0; i < 6; i++) close(got[i]);
  SHOW(receive_fds(pair[1], 6, 0, got));
  SHOW(read(got[0], bytes, 8));
  SHOW(read(got[5], bytes, 8));
  SHOW(openat(got[1], "inside", O_RDONLY) >= 0);
  SHOW(read(got[1], bytes, 8));
  SHOW(fchdir(got[1]));
  SHOW(access("inside", F_OK));
  chdir("..");
  SHOW(read(got[2], bytes, 8));
  SHOW(fcntl(got[2], F_GETFL));
  SHOW(write(got[3], bytes, 1));
  SHOW(read(got[4], bytes, 8));
  for (int i = 0; i < 6; i++) close(got[i]);
  SHOW(send_fds(pair[0], "cut", 6, fds));
  SHOW(receive_fds(pair[1], 2, 0, got));
  close(got[0]), close(got[1]);
  SHOW(send_fds(pair[0], "lost", 6, fds));
  SHOW(read(pair[1], bytes, 8));
  fds[1] = 777;
  SHOW(send_fds(pair[0], "bad", 6, fds));
  fds[1] = 0;
  for (int i = 0; i < 6; i++) close(fds[i]);
  SHOW(recv(pair[1], bytes, 8, MSG_DONTWAIT));
  SHOW(send_control(pair[0], (void*)16, 24, "x"));
}

static void processes(void) {
  int got[2];
  char bytes[16];
  int file = make("shared", "");
  if (fork() == 0) {
    close(pair[0]);
    receive_fds(pair[1], 1, 0, got);
    write(got[0], "child", 5);
    char fd[16];
    snprintf(fd, sizeof fd, "%d", got[0]);
    dup2(got[0], 1);
    execlp("sh", "sh", "-c", "echo and its program", (char*)0);
  }
  SHOW(send_fds(pair[0], "x", 1, &file));
  SHOW(reap(-1));
  SHOW(lseek(file, 0, SEEK_CUR));
  char text[64] = "";
  SHOW(pread(file, text, 63, 0));
  SAY("%s", text);
  // The other way, from a child that ends at once.
  if (fork() == 0) {
    int mine = make("made", "by the child");
    send_fds(pair[1], "y", 1, &mine);
    _exit(0);
  }
  SHOW(reap(-1));
  usleep(600000);
  SHOW(receive_fds(pair[0], 1, 0, got));
  SHOW(read(got[0], bytes, 16));
  close(got[0]), close(file);
}

static void fifos(void) {
  mkfifo("fifo", 0600);
  int fifo = open("fifo", O_RDWR), got[2];
  char bytes[16];
  SHOW(send_fds(pair[0], "f", 1, &fifo));
  SHOW(receive_fds(pair[1], 1, 0, got));
  SHOW(write(fifo, "through", 7));
  SHOW(read(got[0], bytes, 16));
  struct stat a, b;
  stat("fifo", &a), fstat(got[0], &b);
  SHOW(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  SHOW(fchmod(got[0], 0640));
  stat("fifo", &a);
  SHOW(a.st_mode);
  close(fifo), close(got[0]);
}

static void many(void) {
  int fds[253];
  for (int i = 0; i < 253; i++) {
    char name[16];
    snprintf(name, sizeof name, "m%d", i);
    fds[i] = make(name, name);
  }
  struct rlimit limit = {850, 850};
  setrlimit(RLIMIT_NOFILE, &limit);
  SHOW(send_fds(pair[0], "many", 253, fds));
  int got[253];
  SHOW(receive_fds(pair[1], 253, 0, got));
  char bytes[8] = "";
  SHOW(read(got[252], bytes, 8));
  SAY("%s", bytes);
  for (int i = 0; i < 253; i++) close(got[i]), close(fds[i]);
}

static void taken(void) {
  int file = make("taken", "0123456789"), sync[2];
  mkfifo("taken.fifo", 0600);
  int fifo = open("taken.fifo", O_RDWR);
  pipe(sync);
  pid_t child = fork();
  char bytes[16];
  if (child == 0) {
    close(sync[1]);
    read(sync[0], bytes, 1);
    _exit(0);
  }
  int pidfd = syscall(SYS_pidfd_open, child, 0);
  int got = syscall(SYS_pidfd_getfd, pidfd, file, 0);
  SHOW(got >= 0);
  SHOW(read(got, bytes, 4));
  SHOW(lseek(file, 0, SEEK_CUR));
  SHOW(fcntl(got, F_GETFD));
  struct stat a, b;
  fstat(file, &a), fstat(got, &b);
  SHOW(a.st_ino == b.st_ino);
  int piped = syscall(SYS_pidfd_getfd, pidfd, fifo, 0);
  SHOW(write(piped, "taken", 5));
  SHOW(read(fifo, bytes, 16));
  fstat(fifo, &a), fstat(piped, &b);
  SHOW(a.st_ino == b.st_ino);
  SHOW(syscall(SYS_pidfd_getfd, pidfd, 777, 0));
  SHOW(syscall(SYS_pidfd_getfd, pidfd, file, 1));
  SHOW(syscall(SYS_pidfd_getfd, file, file, 0));
  close(sync[1]);
  reap(child);
  SHOW(syscall(SYS_pidfd_getfd, pidfd, file, 0));
  close(pidfd), close(got), close(piped), close(file), close(fifo), close(sync[0]);
}

static void batches(void) {
  int datagrams[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams);
  int file = make("batch", "batch");
  struct mmsghdr out[2], in[2];
  _Alignas(8) char control[4][CMSG_SPACE(sizeof(int))];
  struct iovec vector[2] = {{"ab", 2}, {"cd", 2}}, room[2];
  char text[2][8];
  memset(out, 0, sizeof out), memset(in, 0, sizeof in);
  for (int i = 0; i < 2; i++) {
    struct cmsghdr* header = (struct cmsghdr*)control[i];
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *(int*)CMSG_DATA(header) = file;
    room[i] = (struct iovec){text[i], 8};
    out[i].msg_hdr = (struct msghdr){0, 0, &vector[i], 1, control[i], sizeof control[i], 0};
    in[i].msg_hdr = (struct msghdr){0, 0, &room[i], 1, control[2 + i], sizeof control[i], 0};
  }
  SHOW(sendmmsg(datagrams[0], out, 2, 0));
  SHOW(recvmmsg(datagrams[1], in, 2, 0, 0));
  char bytes[8];
  SHOW(read(*(int*)CMSG_DATA((struct cmsghdr*)control[3]), bytes, 2));
  SHOW(read(*(int*)CMSG_DATA((struct cmsghdr*)control[2]), bytes, 8));
  SHOW(recvmmsg(datagrams[1], in, 2, MSG_DONTWAIT, 0));
}

int main(int count, char** arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 1;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  sharing();
  several();
  processes();
  fifos();
  taken();
  batches();
  many();
  return 0;
}
