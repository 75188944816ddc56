// openat2: RESOLVE_* on ways that begin in the tree.
#include "show.h"

static const struct {
  unsigned long long flag;
  const char* name;
} kResolves[] = {{0, "none"},
                 {RESOLVE_BENEATH, "BENEATH"},
                 {RESOLVE_IN_ROOT, "IN_ROOT"},
                 {RESOLVE_NO_SYMLINKS, "NO_SYMLINKS"},
                 {RESOLVE_NO_MAGICLINKS, "NO_MAGICLINKS"},
                 {RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, "BENEATH|NO_SYMLINKS"},
                 {RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS, "IN_ROOT|NO_SYMLINKS"},
                 {RESOLVE_BENEATH | RESOLVE_IN_ROOT, "BENEATH|IN_ROOT"},
                 {RESOLVE_CACHED, "CACHED"},
                 {RESOLVE_NO_XDEV, "NO_XDEV"},
                 {1 << 20, "unknown"}};

static const char* kPaths[] = {"file",
                               "dir/file",
                               "./dir/../file",
                               "..",
                               "../out",
                               "dir/../../out",
                               "missing",
                               "dir",
                               "dir/..",
                               ".",
                               "",
                               "file/",
                               "to-file",
                               "to-file/",
                               "dir/to-up",
                               "dir/to-out",
                               "to-dir/file",
                               "to-dot/file",
                               "absolute",
                               "absolute-out",
                               "absolute-dir/file",
                               "loop",
                               "dir/to-root",
                               "new"};

static void attempt(int at, const char* path, unsigned long long flags, unsigned long long resolve,
                    const char* name) {
  struct open_how how = {.flags = flags, .resolve = resolve};
  if (flags & O_CREAT) how.mode = 0640;
  int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how);
  struct stat st = {0};
  char text[16] = "";
  if (fd >= 0) {
    fstat(fd, &st);
    if (S_ISREG(st.st_mode) && !(flags & O_PATH)) pread(fd, text, sizeof text - 1, 0);
    close(fd);
  }
  printf("%s %llo %s: %s %o %s\n", short_of(path), flags, name,
         fd >= 0 ? "ok" : strerrorname_np(errno), st.st_mode, text);
}

static void sandbox(void) {
  SHOW(mkdir(h("/bt/base"), 0755));
  SHOW(mkdir(h("/bt/base/dir"), 0755));
  SHOW(make(h("/bt/out"), "outside"));
  SHOW(make(h("/bt/base/file"), "file"));
  SHOW(make(h("/bt/base/dir/file"), "inner"));
  SHOW(make(h("/bt/base/out"), "not out"));
  SHOW(symlink("file", h("/bt/base/to-file")));
  SHOW(symlink("dir", h("/bt/base/to-dir")));
  SHOW(symlink("./dir/..", h("/bt/base/to-dot")));
  SHOW(symlink("../file", h("/bt/base/dir/to-up")));
  SHOW(symlink("../../out", h("/bt/base/dir/to-out")));
  SHOW(symlink("/", h("/bt/base/dir/to-root")));
  SHOW(symlink("/file", h("/bt/base/absolute")));
  SHOW(symlink(h("/bt/out"), h("/bt/base/absolute-out")));
  SHOW(symlink("/dir", h("/bt/base/absolute-dir")));
  SHOW(symlink("loop", h("/bt/base/loop")));
}

static void relative(void) {
  int base = open(h("/bt/base"), O_PATH | O_DIRECTORY);
  for (unsigned r = 0; r < sizeof kResolves / sizeof *kResolves; r++) {
    for (unsigned p = 0; p < sizeof kPaths / sizeof *kPaths; p++) {
      const unsigned long long resolve = kResolves[r].flag;
      // These lead through the root of the host: whether that is another mount is no business of
      // ours.
      if (resolve == RESOLVE_NO_XDEV && strstr(kPaths[p], "absolute") != NULL) continue;
      // tmpfs may say EAGAIN to any of these; it never does when the answer is simply there.
      if (resolve == RESOLVE_CACHED && p >= 12) continue;
      attempt(base, kPaths[p], O_RDONLY, resolve, kResolves[r].name);
      attempt(base, kPaths[p], O_PATH | O_NOFOLLOW, resolve, kResolves[r].name);
    }
  }
  close(base);
}

static void absolute(void) {
  int base = open(h("/bt/base"), O_RDONLY | O_DIRECTORY);
  attempt(base, "/file", O_RDONLY, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "//dir/../file", O_RDONLY, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "/", O_RDONLY, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "/..", O_RDONLY, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "/../../out", O_RDONLY, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, h("/bt/out"), O_RDONLY, RESOLVE_BENEATH, "BENEATH");
  attempt(base, h("/bt/base/file"), O_RDONLY, RESOLVE_BENEATH, "BENEATH");
  attempt(base, h("/bt/base/file"), O_RDONLY, RESOLVE_NO_SYMLINKS, "NO_SYMLINKS");
  attempt(base, h("/bt/base/to-file"), O_RDONLY, RESOLVE_NO_SYMLINKS, "NO_SYMLINKS");
  char text[64];
  snprintf(text, sizeof text, "/proc/self/fd/%d/file", base);
  attempt(base, text, O_RDONLY, RESOLVE_NO_MAGICLINKS, "NO_MAGICLINKS, /proc");
  attempt(base, text, O_RDONLY, RESOLVE_NO_SYMLINKS, "NO_SYMLINKS, /proc");
  attempt(base, text, O_RDONLY, 0, "none, /proc");
  close(base);
}

static void creating(void) {
  int base = open(h("/bt/base"), O_PATH);
  attempt(base, "new1", O_CREAT | O_EXCL | O_RDWR, RESOLVE_BENEATH, "BENEATH");
  attempt(base, "../new2", O_CREAT | O_EXCL | O_RDWR, RESOLVE_BENEATH, "BENEATH");
  attempt(base, "../new3", O_CREAT | O_EXCL | O_RDWR, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "/new4", O_CREAT | O_RDWR, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "dir/../../new5", O_CREAT | O_RDWR, RESOLVE_IN_ROOT, "IN_ROOT");
  attempt(base, "new6", O_CREAT | O_RDWR, RESOLVE_CACHED, "CACHED");
  attempt(base, "dir", O_TMPFILE | O_RDWR, RESOLVE_BENEATH, "BENEATH");
  attempt(base, "..", O_TMPFILE | O_RDWR, RESOLVE_BENEATH, "BENEATH");
  attempt(base, "to-dir", O_TMPFILE | O_RDWR, RESOLVE_NO_SYMLINKS, "NO_SYMLINKS");
  close(base);
  int count = 0;
  DIR* dir = opendir(h("/bt/base"));
  const struct dirent* entry;
  while ((entry = readdir(dir)) != NULL) count += strncmp(entry->d_name, "new", 3) == 0;
  closedir(dir);
  SHOW(count);
  SHOW(access(h("/bt/new2"), F_OK));
}

int main(int argc, char** argv) {
  H = argv[1];
  if (access(h("/bt"), F_OK) != 0) mkdir(h("/bt"), 0755);
  sandbox();
  relative();
  absolute();
  creating();
  return 0;
}
