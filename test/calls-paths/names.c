// mkdir, rmdir, unlink, rename, link, symlink, readlink, open with its flags, and reading
// directories.
#include "show.h"

static void making(void) {
  SHOW(mkdir(h("/bt/a"), 0777));
  SHOW(mkdir(h("/bt/a/"), 0777));
  SHOW(mkdir(h("/bt/b/"), 0777));
  SHOW(mkdir(h("/bt/x/y"), 0777));
  SHOW(mkdir(h("/bt"), 0777));
  SHOW(mkdir(h("/bt/."), 0777));
  SHOW(mkdir(h("/bt/a/.."), 0777));
  SHOW(mkdirat(AT_FDCWD, h("/bt/a/c"), 0700));
  SHOW(make(h("/bt/f"), "f"));
  SHOW(mkdir(h("/bt/f"), 0777));
  SHOW(mkdir(h("/bt/f/g"), 0777));
  SHOW(make(h("/bt/new/"), "f"));
  SHOW(make(h("/bt/f/"), "f"));
  SHOW(make(h("/bt/a"), "f"));
}

static void removing(void) {
  SHOW(rmdir(h("/bt/f")));
  SHOW(rmdir(h("/bt/a")));
  SHOW(rmdir(h("/bt/a/c/.")));
  SHOW(rmdir(h("/bt/a/c/..")));
  SHOW(rmdir(h("/bt/a/c/")));
  SHOW(rmdir(h("/bt/a/c")));
  SHOW(unlink(h("/bt/a")));
  SHOW(unlink(h("/bt/a/")));
  SHOW(unlink(h("/bt/f/")));
  SHOW(unlink(h("/bt/none")));
  SHOW(unlinkat(AT_FDCWD, h("/bt/b"), AT_REMOVEDIR));
  SHOW(unlinkat(AT_FDCWD, h("/bt/b"), 1));
  SHOW(remove(h("/bt/f")));
}

// What an overlay file system leaves behind: character device 0 where the source was.
static void whiteouts(void) {
  SHOW(mkdir(h("/bt/w"), 0755));
  SHOW(make(h("/bt/w/1"), "one"));
  SHOW(make(h("/bt/w/2"), "two"));
  SHOW(mkdir(h("/bt/w/d"), 0755));
  SHOW(renameat2(AT_FDCWD, h("/bt/w/1"), AT_FDCWD, h("/bt/w/3"), RENAME_WHITEOUT));
  SHOW(renameat2(AT_FDCWD, h("/bt/w/3"), AT_FDCWD, h("/bt/w/2"), RENAME_WHITEOUT));
  SHOW(renameat2(AT_FDCWD, h("/bt/w/d"), AT_FDCWD, h("/bt/d"), RENAME_WHITEOUT));
  SHOW(renameat2(AT_FDCWD, h("/bt/w/2"), AT_FDCWD, h("/bt/w/4"),
                 RENAME_WHITEOUT | RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, h("/bt/w/4"), AT_FDCWD, h("/bt/w/3"),
                 RENAME_WHITEOUT | RENAME_NOREPLACE));
  SHOW(
      renameat2(AT_FDCWD, h("/bt/w/4"), AT_FDCWD, h("/bt/w/3"), RENAME_WHITEOUT | RENAME_EXCHANGE));
  SHOW(renameat2(AT_FDCWD, h("/bt/none"), AT_FDCWD, h("/bt/w/3"), RENAME_WHITEOUT));
  const char* names[] = {"/bt/w/1", "/bt/w/2", "/bt/w/3", "/bt/w/4", "/bt/w/d", "/bt/d", "/bt/w"};
  for (int at = 0; at < 7; at++) {
    struct stat st = {0};
    SHOW(lstat(h(names[at]), &st));
    SAY("%s %o %lu %lu %ld", names[at], st.st_mode, (long)st.st_rdev, (long)st.st_nlink,
        S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
  }
  SHOW(rmdir(h("/bt/d")));
  for (int at = 0; at < 5; at++) unlink(h(names[at]));
  SHOW(rmdir(h("/bt/w")));
}

static void renaming(void) {
  SHOW(make(h("/bt/1"), "one"));
  SHOW(make(h("/bt/2"), "two"));
  SHOW(mkdir(h("/bt/d1"), 0755));
  SHOW(mkdir(h("/bt/d2"), 0755));
  SHOW(make(h("/bt/d2/x"), "x"));
  SHOW(rename(h("/bt/1"), h("/bt/3")));
  SHOW(rename(h("/bt/3"), h("/bt/2")));
  SAY("%s", text_of(h("/bt/2")));
  SHOW(rename(h("/bt/2"), h("/bt/d1")));
  SHOW(rename(h("/bt/d1"), h("/bt/2")));
  SHOW(rename(h("/bt/d1"), h("/bt/d2")));
  SHOW(rename(h("/bt/d2"), h("/bt/d1")));
  SHOW(rename(h("/bt/d1"), h("/bt/d1/sub")));
  SHOW(rename(h("/bt/d1/x"), h("/bt/x")));
  SHOW(rename(h("/bt/none"), h("/bt/y")));
  SHOW(rename(h("/bt/d1/"), h("/bt/d3/")));
  SHOW(rename(h("/bt/x/"), h("/bt/y")));
  SHOW(rename(h("/bt/x"), h("/bt/x")));
  SHOW(rename(h("/bt/d3/."), h("/bt/y")));
  SHOW(renameat2(AT_FDCWD, h("/bt/x"), AT_FDCWD, h("/bt/2"), 1));
  SHOW(renameat2(AT_FDCWD, h("/bt/x"), AT_FDCWD, h("/bt/2"), 2));
  SAY("%s", text_of(h("/bt/2")));
  SHOW(renameat2(AT_FDCWD, h("/bt/x"), AT_FDCWD, h("/bt/d3"), 2));
  SHOW(renameat2(AT_FDCWD, h("/bt/x"), AT_FDCWD, h("/bt/d3"), 3));
  SHOW(renameat2(AT_FDCWD, h("/bt/x"), AT_FDCWD, h("/bt/d3"), 64));
  SAY("%s %s", kind_of(h("/bt/x"), 0), text_of(h("/bt/d3")));
  int d = open(h("/bt/x"), O_RDONLY | O_DIRECTORY);
  SHOW(renameat(AT_FDCWD, h("/bt/2"), d, "in"));
  SHOW(renameat(d, "in", d, "../out-again"));
  close(d);
}

static void linking(void) {
  struct stat st;
  char back[100];
  SHOW(make(h("/bt/orig"), "original"));
  SHOW(link(h("/bt/orig"), h("/bt/hard")));
  SHOW(link(h("/bt/orig"), h("/bt/hard")));
  SHOW(link(h("/bt/none"), h("/bt/hard2")));
  SHOW(link(h("/bt/x"), h("/bt/hard2")));
  SHOW(stat(h("/bt/hard"), &st));
  SAY("links %ld, same %d", (long)st.st_nlink, same_file(h("/bt/orig"), h("/bt/hard")));
  SHOW(symlink("orig", h("/bt/soft")));
  SHOW(symlink("orig", h("/bt/soft")));
  SHOW(symlink("", h("/bt/soft2")));
  SHOW(symlink("x", h("/bt/soft2/")));
  SHOW(link(h("/bt/soft"), h("/bt/hardsoft")));
  SAY("%s", kind_of(h("/bt/hardsoft"), 0));
  SHOW(linkat(AT_FDCWD, h("/bt/soft"), AT_FDCWD, h("/bt/hard3"), AT_SYMLINK_FOLLOW));
  SAY("%s", kind_of(h("/bt/hard3"), 0));
  SHOW(linkat(AT_FDCWD, h("/bt/soft"), AT_FDCWD, h("/bt/hard4"), 1));
  memset(back, '#', sizeof back);
  SHOW(readlink(h("/bt/soft"), back, sizeof back));
  SAY("%.6s", back);
  SHOW(readlink(h("/bt/soft"), back, 2));
  SHOW(readlink(h("/bt/orig"), back, sizeof back));
  SHOW(readlink(h("/bt/none"), back, sizeof back));
  int fd = open(h("/bt/soft"), O_PATH | O_NOFOLLOW);
  SHOW(readlinkat(fd, "", back, sizeof back));
  close(fd);
  SHOW(unlink(h("/bt/orig")));
  SAY("%s, %s", text_of(h("/bt/hard")), kind_of(h("/bt/soft"), 1));
}

static void opening(void) {
  struct stat st;
  SHOW(open(h("/bt/none"), O_RDONLY));
  SHOW(open(h("/bt/x"), O_WRONLY));
  SHOW(open(h("/bt/x"), O_RDONLY | O_CREAT, 0644));
  SHOW(open(h("/bt/hard"), O_RDONLY | O_DIRECTORY));
  SHOW(open(h("/bt/hard"), O_RDONLY | O_CREAT | O_EXCL, 0644));
  SHOW(open(h("/bt/hard"), O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
  SHOW(open(h("/bt/hardsoft"), O_RDONLY | O_NOFOLLOW));
  int fd = open(h("/bt/created"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  SHOW(fd >= 0);
  SHOW(fcntl(fd, F_GETFD));
  close(fd);
  SAY("%s", kind_of(h("/bt/created"), 0));
  fd = creat(h("/bt/created"), 0600);
  SHOW(fcntl(fd, F_GETFD));
  close(fd);
  fd = open(h("/bt"), O_TMPFILE | O_RDWR, 0600);
  SHOW(fd >= 0);
  SHOW(write(fd, "temporary", 9));
  SHOW(fstat(fd, &st));
  SAY("links %ld", (long)st.st_nlink);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, h("/bt/named"), AT_SYMLINK_FOLLOW));
  SAY("%s", text_of(h("/bt/named")));
  close(fd);
  SHOW(open(h("/bt"), O_TMPFILE | O_RDONLY, 0600));
  SHOW(open(h("/bt/named"), O_TMPFILE | O_RDWR, 0600));
  struct open_how how = {.flags = O_RDONLY};
  fd = (int)syscall(SYS_openat2, AT_FDCWD, h("/bt/named"), &how, sizeof how);
  SHOW(fd >= 0);
  close(fd);
  how.flags = O_RDONLY | 0x40000000000ull;
  SHOW(syscall(SYS_openat2, AT_FDCWD, h("/bt/named"), &how, sizeof how));
  how.flags = O_RDONLY;
  how.mode = 0644;
  SHOW(syscall(SYS_openat2, AT_FDCWD, h("/bt/named"), &how, sizeof how));
  SHOW(syscall(SYS_openat2, AT_FDCWD, h("/bt/named"), &how, 3));
}

static void own_descriptors(void) {
  char proc[64], text[64] = "", back[PATH_MAX];
  int fd = open(h("/bt/named"), O_RDWR);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  long n = readlink(proc, back, sizeof back - 1);
  back[n > 0 ? n : 0] = 0;
  SAY("%s", short_of(back));
  int again = open(proc, O_RDONLY);
  SHOW(read(again, text, sizeof text));
  SAY("%s, position of the first: %ld", text, (long)lseek(fd, 0, SEEK_CUR));
  close(again);
  snprintf(proc, sizeof proc, "/dev/fd/%d", fd);
  again = open(proc, O_WRONLY | O_APPEND);
  SHOW(write(again, "!", 1));
  close(again);
  SAY("%s", text_of(proc));
  snprintf(proc, sizeof proc, "/proc/%d/fd/%d", getpid(), fd);
  SAY("%s %s", text_of(proc), kind_of(proc, 1));
  SHOW(chmod(proc, 0640));
  SAY("%s", kind_of(h("/bt/named"), 0));
  close(fd);
  SHOW(chdir(h("/bt/x")));
  n = readlink("/proc/self/cwd", back, sizeof back - 1);
  back[n > 0 ? n : 0] = 0;
  SAY("%s", short_of(back));
  SHOW(mkdir("/proc/self/cwd/via-proc", 0755));
  SHOW(rmdir("via-proc"));
  SHOW(chdir("/"));
}

static int by_name(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static void listing(void) {
  char* names[64];
  int count = 0;
  DIR* dir = opendir(h("/bt"));
  for (struct dirent* e; (e = readdir(dir)) != NULL && count < 64;) {
    char line[300];
    snprintf(line, sizeof line, "%s %d", e->d_name, e->d_type);
    names[count++] = strdup(line);
  }
  rewinddir(dir);
  int again = 0;
  while (readdir(dir) != NULL) again++;
  closedir(dir);
  qsort(names, (size_t)count, sizeof *names, by_name);
  for (int i = 0; i < count; i++) SAY("%s", names[i]);
  SAY("%d again %d", count, again);
  // The old call too: its records have the type at their end.
  char buffer[4096];
  int fd = open(h("/bt"), O_RDONLY | O_DIRECTORY);
  long n = syscall(SYS_getdents, fd, buffer, sizeof buffer);
  int dots = 0, directories = 0;
  for (long at = 0; at < n;) {
    unsigned short length;
    memcpy(&length, buffer + at + 16, 2);
    if (buffer[at + 18] == '.') dots++;
    if (buffer[at + length - 1] == DT_DIR) directories++;
    at += length;
  }
  SAY("old call: %d %d", dots, directories);
  close(fd);
  fd = open(h("/bt/named"), O_RDONLY);
  SHOW(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
  close(fd);
}

int main(int argc, char** argv) {
  H = argc > 1 ? argv[1] : ".";
  umask(027);
  making();
  removing();
  whiteouts();
  renaming();
  linking();
  opening();
  own_descriptors();
  listing();
}
