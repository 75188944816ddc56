// Files that are opened again soon after they were closed: nothing of the earlier life may show.
#include "show.h"

static char text[64];
static const char* content(int fd) {
  memset(text, 0, sizeof text);
  ssize_t got = read(fd, text, sizeof text - 1);
  if (got < 0) strcpy(text, strerrorname_np(errno));
  return text;
}

static void warm(const char* name, int flags) {
  for (int i = 0; i < 3; i++) close(open(name, flags));
}

static void positions(void) {
  close(make("positions", "0123456789"));
  for (int i = 0; i < 3; i++) {
    int fd = open("positions", O_RDONLY);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(read(fd, text, 4 + i));
    int again = open("positions", O_RDONLY);
    SHOW(lseek(again, 0, SEEK_CUR));
    SHOW(read(again, text, 2));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(close(again));
    SHOW(close(fd));
    SHOW(close(fd));
  }
}

static void flags(void) {
  close(make("flags", "abc"));
  warm("flags", O_RDWR);
  for (int i = 0; i < 2; i++) {
    int fd = open("flags", O_RDWR | (i ? O_CLOEXEC : 0));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(write(fd, "x", 1));
    SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    SHOW(fcntl(fd, F_SETOWN, getpid()) == 0);
    SHOW(write(fd, "end", 3));
    SHOW(close(fd));
  }
  int fd = open("flags", O_RDWR);
  SHOW(fcntl(fd, F_GETFL));
  SHOW(fcntl(fd, F_GETOWN));
  SHOW(write(fd, "y", 1));
  SAY("%s", content(fd));
  close(fd);
  const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_APPEND, O_WRONLY | O_APPEND, 3};
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 6; i++) {
      fd = open("flags", modes[i]);
      SHOW(fcntl(fd, F_GETFL));
      SHOW(read(fd, text, 1));
      SHOW(write(fd, "z", 1));
      close(fd);
    }
  }
}

static void kinds(void) {
  close(make("plain", "x"));
  mkdir("sub", 0755);
  symlink("plain", "link");
  mkfifo("fifo", 0600);
  const char* names[] = {"plain", "sub", "link", "sub/", "plain/", "link/", "missing", "sub/.."};
  const int modes[] = {O_RDONLY, O_RDWR, O_RDONLY | O_DIRECTORY, O_RDONLY | O_NOFOLLOW, O_PATH,
                       O_RDONLY | O_EXCL, O_RDONLY | O_CREAT | O_EXCL, O_RDONLY | O_NOATIME};
  for (int round = 0; round < 3; round++) {
    for (int name = 0; name < 8; name++) {
      for (int mode = 0; mode < 8; mode++) {
        if (modes[mode] & O_CREAT && name == 6) continue;
        int fd = open(names[name], modes[mode], 0644);
        struct stat status = {0};
        int error = fd < 0 ? errno : fstat(fd, &status) != 0 ? errno : 0;
        SAY("%s %o: %d %o", names[name], modes[mode], error, status.st_mode & S_IFMT);
        if (fd >= 0) close(fd);
      }
    }
  }
  int fd = open("sub", O_RDONLY);
  SHOW(openat(fd, "../plain", O_RDONLY) >= 0);
  SHOW(openat(fd, "../plain", O_RDONLY) >= 0);
  closefrom(3);
}

static int listed(const char* name) {
  char bytes[4096];
  int fd = open(name, O_RDONLY | O_DIRECTORY), count = 0;
  long got;
  while ((got = syscall(SYS_getdents64, fd, bytes, sizeof bytes)) > 0)
    for (long at = 0; at < got; at += *(unsigned short*)(bytes + at + 16)) count++;
  close(fd);
  return count;
}

static void directories(void) {
  mkdir("list", 0755);
  SHOW(listed("list"));
  close(make("list/a", ""));
  SHOW(listed("list"));
  SHOW(listed("list"));
  unlink("list/a");
  SHOW(listed("list"));
  warm("list", O_RDONLY);
  SHOW(rmdir("list"));
  SHOW(open("list", O_RDONLY));
  mkdir("list", 0755);
  SHOW(listed("list"));
}

static void replaced(void) {
  for (int i = 0; i < 4; i++) {
    close(make("old", "the old"));
    close(make("new", "the new"));
    warm("old", O_RDONLY);
    warm("new", O_RDONLY);
    int held = i & 1 ? open("old", O_RDONLY) : -1;
    SHOW(i & 2 ? rename("new", "old") : unlink("old"));
    if ((i & 2) == 0) close(make("old", "the third"));
    int fd = open("old", O_RDONLY);
    if (fd >= 0) SAY("%s", content(fd));
    if (held >= 0) {
      struct stat status;
      SAY("%s", content(held));
      fstat(held, &status);
      SHOW(status.st_nlink);
    }
    close(held);
    close(fd);
    unlink("old");
    SHOW(open("old", O_RDONLY));
    // The same inode number is likely to come back for another file.
    close(make("third", "third"));
    fd = open("third", O_RDONLY);
    SAY("%s", content(fd));
    close(fd);
    unlink("third");
    unlink("new");
  }
}

static void permissions(void) {
  chmod(".", 0755);  // mkdtemp has made it private
  close(make("secret", "secret"));
  mkdir("closed", 0755);
  close(make("closed/file", "inside"));
  for (int i = 0; i < 2; i++) {
    chmod("secret", 0644);
    chmod("closed", 0755);
    warm("secret", O_RDONLY);
    warm("secret", O_RDWR);
    warm("closed/file", O_RDONLY);
    pid_t child = fork();
    if (child == 0) {
      if (getuid() == 0 && setresuid(-1, 12345, -1) != 0) _exit(1);
      SHOW(open("secret", O_RDONLY) >= 0);
      SHOW(open("closed/file", O_RDONLY) >= 0);
      SHOW(getuid() != 0 || open("secret", O_RDWR));
      closefrom(3);
      _exit(0);
    }
    SHOW(reap(child));
    chmod("secret", 0);
    chmod("closed", 0);
    child = fork();
    if (child == 0) {
      setresuid(-1, 12345, -1);
      SHOW(open("secret", O_RDONLY));
      SHOW(open("closed/file", O_RDONLY));
      _exit(0);
    }
    SHOW(reap(child));
  }
}

static void sharing(void) {
  close(make("shared", "0123456789"));
  warm("shared", O_RDONLY);
  int fd = open("shared", O_RDONLY), copy = dup(fd);
  SHOW(read(copy, text, 3));
  SHOW(lseek(fd, 0, SEEK_CUR));
  pid_t child = fork();
  if (child == 0) {
    SHOW(read(fd, text, 2));
    close(fd);
    close(copy);
    int own = open("shared", O_RDONLY);
    SHOW(lseek(own, 0, SEEK_CUR));
    SHOW(read(own, text, 7));
    _exit(0);
  }
  SHOW(reap(child));
  SHOW(lseek(fd, 0, SEEK_CUR));
  close(fd);
  SHOW(read(copy, text, 1));
  int other = open("shared", O_RDONLY);
  SHOW(lseek(other, 0, SEEK_CUR));
  SHOW(lseek(copy, 0, SEEK_CUR));
  closefrom(3);
}

static void locking(void) {
  close(make("locked", "x"));
  for (int i = 0; i < 20; i++) {
    int fd = open("locked", O_RDWR);
    if (i % 3 != 2) flock(fd, i % 3 ? LOCK_SH : LOCK_EX);
    if (i % 5 == 4) flock(fd, LOCK_UN);
    close(fd);
    fd = open("locked", O_RDWR);
    int other = open("locked", O_RDWR);
    if (flock(other, LOCK_EX | LOCK_NB) != 0) SAY("round %d: %s", i, strerrorname_np(errno));
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) SAY("round %d: two holders", i);
    closefrom(3);
  }
  SHOW(0);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 99;
  positions();
  flags();
  kinds();
  directories();
  replaced();
  permissions();
  sharing();
  locking();
  return 0;
}
