// Extended attributes and ACLs: names, sizes, errors, who may, what is inherited.
#include "show.h"

#include <grp.h>

static char value[70000], list[70000];

// ---- helpers ------------------------------------------------------------------------------------

struct xattr_arguments {
  uint64_t value;
  uint32_t size, flags;
};

static long set_at(int fd, const char* path, int at, const char* name, struct xattr_arguments* args,
                   size_t size) {
  return syscall(463, fd, path, at, name, args, size);
}
static long get_at(int fd, const char* path, int at, const char* name, struct xattr_arguments* args,
                   size_t size) {
  return syscall(464, fd, path, at, name, args, size);
}
static long list_at(int fd, const char* path, int at, char* to, size_t size) {
  return syscall(465, fd, path, at, to, size);
}
static long remove_at(int fd, const char* path, int at, const char* name) {
  return syscall(466, fd, path, at, name);
}

// Names with ';' behind each.
static const char* names_of(const char* path) {
  long n = llistxattr(path, list, sizeof list);
  if (n < 0) return strerrorname_np(errno);
  for (long i = 0; i < n; i++) {
    if (list[i] == 0) list[i] = ';';
  }
  list[n] = 0;
  return list;
}

static const char* hex_of(const char* path, const char* name) {
  static char text[700];
  unsigned char bytes[300];
  long n = lgetxattr(path, name, bytes, sizeof bytes);
  if (n < 0) return strerrorname_np(errno);
  text[0] = 0;
  for (long i = 0; i < n; i++) sprintf(text + 2 * i, "%02x", bytes[i]);
  return text;
}

// Was ctime moved by `what`?
#define MOVES(path, what)                                              \
  do {                                                                 \
    struct stat a_, b_;                                                \
    lstat(path, &a_);                                                  \
    usleep(12000);                                                     \
    SHOW(what);                                                        \
    lstat(path, &b_);                                                  \
    SAY("ctime %d mtime %d", a_.st_ctim.tv_nsec != b_.st_ctim.tv_nsec, \
        a_.st_mtim.tv_nsec != b_.st_mtim.tv_nsec);                     \
  } while (0)

static void become(unsigned uid, unsigned gid, unsigned extra) {
  seteuid(0);
  setegid(0);
  gid_t groups[2] = {gid, extra};
  setgroups(2, groups);
  setegid(gid);
  seteuid(uid);
}
static void be_root(void) {
  seteuid(0);
  setegid(0);
  gid_t none = 0;
  setgroups(1, &none);
}

struct entry {
  uint16_t tag, perm;
  uint32_t id;
};
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

static struct {
  uint32_t version;
  struct entry entries[9000];
} acl;
static unsigned count;

static void begin_acl(void) {
  acl.version = 2;
  count = 0;
}
static void add(unsigned tag, unsigned perm, unsigned id) {
  acl.entries[count++] = (struct entry){tag, perm, id};
}
static long put_acl(const char* path, const char* which) {
  char name[40];
  snprintf(name, sizeof name, "system.posix_acl_%s", which);
  return setxattr(path, name, &acl, 4 + 8 * count, 0);
}
static const char* acl_of(const char* path, const char* which) {
  char name[40];
  static char text[2000];
  snprintf(name, sizeof name, "system.posix_acl_%s", which);
  struct {
    uint32_t version;
    struct entry entries[60];
  } got;
  long n = getxattr(path, name, &got, sizeof got);
  if (n < 0) return strerrorname_np(errno);
  int at = sprintf(text, "v%u", got.version);
  for (int i = 0; i < (n - 4) / 8; i++) {
    at += sprintf(text + at, " %u:%o:%d", got.entries[i].tag, got.entries[i].perm,
                  (int)got.entries[i].id);
  }
  return text;
}

static void files(void) {
  SHOW(make(h("/bt/f"), "text"));
  SHOW(mkdir(h("/bt/d"), 0755));
  SHOW(mkdir(h("/bt/sticky"), 01777));
  SHOW(chmod(h("/bt/sticky"), 01777));
  SHOW(symlink("f", h("/bt/l")));
  SHOW(symlink("nowhere", h("/bt/dangling")));
  SHOW(mknod(h("/bt/p"), S_IFIFO | 0666, 0));
  SHOW(mknod(h("/bt/s"), S_IFSOCK | 0666, 0));
  if (geteuid() == 0) SHOW(mknod(h("/bt/c"), S_IFCHR | 0666, makedev(1, 3)));
  SHOW(make(h("/hostfile"), "host"));
  SHOW(symlink("../hostfile", h("/bt/up")));
  SHOW(symlink(h("/hostfile"), h("/bt/out")));
  SHOW(symlink("bt/f", h("/into")));
}

// ---- plain attributes ---------------------------------------------------------------------------

static void basics(void) {
  const char* f = h("/bt/f");
  SHOW(listxattr(f, list, sizeof list));
  SHOW(getxattr(f, "user.a", value, 100));
  MOVES(f, setxattr(f, "user.b", "two", 3, 0));
  SHOW(setxattr(f, "user.a", "one", 3, XATTR_CREATE));
  SHOW(setxattr(f, "user.a", "uno", 3, XATTR_CREATE));
  SHOW(setxattr(f, "user.c", "x", 1, XATTR_REPLACE));
  MOVES(f, setxattr(f, "user.a", "UNOS", 4, XATTR_REPLACE));
  SHOW(setxattr(f, "user.a", "x", 1, XATTR_CREATE | XATTR_REPLACE));
  SHOW(setxattr(f, "user.zz", "x", 1, XATTR_CREATE | XATTR_REPLACE));
  SHOW(setxattr(f, "user.a", "x", 1, 4));
  SHOW(setxattr(f, "user.empty", "", 0, 0));
  SHOW(setxattr(f, "user.null", NULL, 0, 0));
  SHOW(getxattr(f, "user.empty", value, 10));
  SHOW(getxattr(f, "user.a", NULL, 0));
  SHOW(getxattr(f, "user.a", value, 3));
  SHOW(getxattr(f, "user.a", value, 4));
  SHOW(memcmp(value, "UNOS", 4));
  SHOW(listxattr(f, NULL, 0));
  SHOW(listxattr(f, list, 5));
  SHOW(listxattr(f, list, 34));
  SAY("%s", names_of(f));
  MOVES(f, removexattr(f, "user.b"));
  MOVES(f, removexattr(f, "user.b"));
  SAY("%s", names_of(f));
  SHOW(setxattr(f, "user.with\n\xff\x01bytes/..", "\0\1\2", 3, 0));
  SAY("%s", hex_of(f, "user.with\n\xff\x01bytes/.."));
  SHOW(removexattr(f, "user.with\n\xff\x01bytes/.."));
  char name[300];
  memset(name, 'n', sizeof name);
  memcpy(name, "user.", 5);
  for (int length = 253; length <= 258; length++) {
    name[length] = 0;
    SHOW(setxattr(f, name, "v", 1, 0));
    SHOW(getxattr(f, name, value, 10));
    SHOW(removexattr(f, name));
    name[length] = 'n';
  }
  SHOW(setxattr(f, "", "v", 1, 0));
  SHOW(getxattr(f, "", value, 1));
  SHOW(removexattr(f, ""));
  static const char* const odd[] = {"user.",  "user",      "trusted.", "security.", "system.",
                                    "bogus.x", "system.x", "x",        ".",         "os2.a"};
  for (int i = 0; i < 10; i++) {
    SAY("%s", odd[i]);
    SHOW(setxattr(f, odd[i], "v", 1, 0));
    SHOW(getxattr(f, odd[i], value, 10));
    SHOW(removexattr(f, odd[i]));
  }
}

static void sizes(void) {
  const char* f = h("/bt/f");
  memset(value, 'v', sizeof value);
  static const int some[] = {1,    60,    90,    95,    96,    97,    98,    99,    100,   200,
                             247,  248,   249,   350,   360,   3500,  3580,  3584,  4096,  10000,
                             16384, 65534, 65535, 65536, 65537, 66000};
  for (int i = 0; i < 26; i++) {
    for (int k = 0; k < some[i]; k++) value[k] = (char)(k * 7 + i);
    SAY("%d", some[i]);
    SHOW(setxattr(f, "user.size", value, some[i], 0));
    memset(list, 0, sizeof list);
    SHOW(getxattr(f, "user.size", list, some[i] < 65536 ? some[i] : 65536));
    SHOW(memcmp(list, value, some[i] < 65536 ? some[i] : 65536) == 0);
    SHOW(getxattr(f, "user.size", list, some[i] - 1));
    int fd = open(f, O_RDWR);
    SHOW(fsetxattr(fd, "user.fd", value, some[i], 0));
    SHOW(fgetxattr(fd, "user.fd", list, sizeof list));
    SHOW(fremovexattr(fd, "user.fd"));
    close(fd);
  }
  SHOW(removexattr(f, "user.size"));
  // More names than a list can hold.
  char name[256];
  memset(name, 'n', sizeof name);
  int made = 0;
  for (int i = 0; i < 300; i++) {
    sprintf(name, "user.%03d", (i * 7) % 300);
    name[8] = 'n';
    name[250] = 0;
    made += setxattr(f, name, "", 0, 0) == 0;
    if (made == 260 || made == 261 || made == 262) SHOW(listxattr(f, list, 65536));
  }
  SAY("made %d", made);
  SHOW(listxattr(f, NULL, 0));
  SHOW(listxattr(f, list, 65535));
  SHOW(listxattr(f, list, 65536));
  SHOW(listxattr(f, list, 70000));
  for (int i = 0; i < 300; i++) {
    sprintf(name, "user.%03d", i);
    name[8] = 'n';
    made -= removexattr(f, name) == 0;
    if (i == 290) SAY("%s", names_of(f));
  }
  SAY("left %d: %s", made, names_of(f));
}

static void pointers(void) {
  const char* f = h("/bt/f");
  void* bad = (void*)8;
  SHOW(setxattr(f, bad, "v", 1, 0));
  SHOW(setxattr(f, "user.p", bad, 1, 0));
  SHOW(setxattr(f, "user.p", bad, 65537, 0));
  SHOW(setxattr(f, bad, bad, 65537, 8));
  SHOW(setxattr(bad, "user.p", "v", 1, 0));
  SHOW(setxattr(bad, "", "v", 1, 0));
  SHOW(setxattr(h("/bt/none"), "", "v", 1, 0));
  SHOW(setxattr(h("/bt/none"), bad, "v", 1, 0));
  SHOW(getxattr(f, bad, value, 1));
  SHOW(getxattr(f, "user.a", bad, 100));
  SHOW(getxattr(f, "user.a", bad, 1));
  SHOW(getxattr(f, "user.none", bad, 100));
  SHOW(getxattr(bad, "user.a", value, 1));
  SHOW(listxattr(f, bad, 100));
  SHOW(listxattr(f, bad, 1));
  SHOW(listxattr(bad, list, 1));
  SHOW(removexattr(f, bad));
  SHOW(removexattr(bad, "user.a"));
  char* edge = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(edge + 4096, 4096);
  memcpy(edge + 4096 - 6, "user.p", 6);
  SHOW(getxattr(f, edge + 4096 - 6, value, 10));
  SHOW(setxattr(f, "user.edge", edge + 4000, 96, 0));
  SHOW(setxattr(f, "user.edge", edge + 4000, 97, 0));
  SHOW(removexattr(f, "user.edge"));
}

static void kinds(void) {
  static const char* const all[] = {"/bt/f", "/bt/d", "/bt/sticky", "/bt/l", "/bt/dangling", "/bt/p",
                                    "/bt/s", "/bt/c", "/bt/none",   "/bt/f/x", "/bt/d/"};
  static const char* const some[] = {"user.k", "trusted.k", "security.k", "system.posix_acl_access",
                                     "system.posix_acl_default", "bogus.k"};
  begin_acl();
  add(USER_OBJ, 7, -1), add(USER, 5, 1000), add(GROUP_OBJ, 5, -1), add(MASK, 5, -1);
  add(OTHER, 1, -1);
  for (int i = 0; i < 11; i++) {
    const char* path = h(all[i]);
    for (int k = 0; k < 6; k++) {
      SAY("%s %s", all[i], some[k]);
      const void* what = k == 3 || k == 4 ? (void*)&acl : "v";
      int size = k == 3 || k == 4 ? 4 + 8 * count : 1;
      SHOW(setxattr(path, some[k], what, size, 0));
      SHOW(lsetxattr(path, some[k], what, size, 0));
      SHOW(getxattr(path, some[k], value, 1000));
      SHOW(lgetxattr(path, some[k], value, 1000));
    }
    SAY("%s %s", names_of(path), kind_of(path, 0));
    for (int k = 0; k < 6; k++) {
      SHOW(removexattr(path, some[k]));
      SHOW(lremovexattr(path, some[k]));
    }
    SAY("%s %s", names_of(path), kind_of(path, 0));
  }
}

static void crossings(void) {
  SHOW(setxattr(h("/bt/up"), "user.x", "up", 2, 0));
  SHOW(setxattr(h("/bt/out"), "user.y", "out", 3, 0));
  SHOW(setxattr(h("/into"), "user.z", "into", 4, 0));
  memset(value, 'w', 65536);
  SHOW(setxattr(h("/bt/out"), "user.long", value, 60000, 0));
  SHOW(setxattr(h("/bt/d/../../bt/f"), "user.long", value, 65000, 0));
  SHOW(setxattr(h("/into"), "user.long2", value, 65000, 0));
  SAY("%s", names_of(h("/hostfile")));
  SAY("%s", names_of(h("/bt/f")));
  SHOW(getxattr(h("/bt/up"), "user.x", value, 10));
  SHOW(getxattr(h("/bt/out"), "user.long", value, sizeof value));
  SHOW(getxattr(h("/into"), "user.z", value, 10));
  SHOW(lgetxattr(h("/into"), "user.z", value, 10));
  SHOW(listxattr(h("/bt/up"), list, sizeof list));
  SHOW(listxattr(h("/into"), list, sizeof list));
  SHOW(removexattr(h("/bt/up"), "user.x"));
  SHOW(removexattr(h("/into"), "user.long"));
  SHOW(removexattr(h("/into"), "user.long2"));
  SHOW(removexattr(h("/into"), "user.z"));
  SHOW(chdir(h("/bt")));
  SHOW(setxattr("f", "user.rel", "r", 1, 0));
  SHOW(getxattr("./d/../f", "user.rel", value, 10));
  SHOW(setxattr("..", "user.top", "r", 1, 0));
  SHOW(removexattr("..", "user.top"));
  SHOW(removexattr("f", "user.rel"));
  SHOW(chdir("/"));
}

static void descriptors(void) {
  const char* f = h("/bt/f");
  int fd = open(f, O_RDONLY), path = open(f, O_PATH), dir = open(h("/bt"), O_RDONLY);
  SHOW(fsetxattr(fd, "user.fd", "1", 1, 0));
  SHOW(fgetxattr(fd, "user.fd", value, 10));
  SHOW(fgetxattr(fd, "user.fd", NULL, 0));
  SHOW(flistxattr(fd, list, sizeof list));
  SHOW(flistxattr(fd, NULL, 0));
  SHOW(fremovexattr(fd, "user.fd"));
  SHOW(fsetxattr(path, "user.fd", "1", 1, 0));
  SHOW(fgetxattr(path, "user.fd", value, 10));
  SHOW(flistxattr(path, list, 10));
  SHOW(fremovexattr(path, "user.fd"));
  SHOW(fgetxattr(path, "", value, 10));
  SHOW(fsetxattr(-1, "user.fd", "1", 1, 0));
  SHOW(fsetxattr(-1, "", "1", 1, 0));
  SHOW(fgetxattr(fd, (void*)8, value, 10));
  char self[64];
  sprintf(self, "/proc/self/fd/%d", path);
  SHOW(setxattr(self, "user.proc", "1", 1, 0));
  SHOW(getxattr(self, "user.proc", value, 10));
  SHOW(removexattr(self, "user.proc"));
  // A file without a name any more.
  SHOW(make(h("/bt/gone"), "x"));
  int gone = open(h("/bt/gone"), O_RDWR);
  SHOW(unlink(h("/bt/gone")));
  SHOW(fsetxattr(gone, "user.g", "g", 1, 0));
  SHOW(fgetxattr(gone, "user.g", value, 10));
  close(gone);
  // The calls with at.
  struct xattr_arguments args = {(uint64_t)(uintptr_t) "value", 5, 0};
  struct xattr_arguments room = {(uint64_t)(uintptr_t)value, 10, 0};
  struct xattr_arguments flagged = {(uint64_t)(uintptr_t)value, 10, 1};
  struct xattr_arguments created = {(uint64_t)(uintptr_t) "value", 5, XATTR_CREATE};
  struct {
    struct xattr_arguments args;
    uint64_t more;
  } large = {args, 0}, wrong = {args, 1};
  SHOW(set_at(dir, "f", 0, "user.at", &args, sizeof args));
  SHOW(set_at(dir, "f", 0, "user.at", &created, sizeof args));
  SHOW(set_at(dir, "f", 0, "user.at", &args, 8));
  SHOW(set_at(dir, "f", 0, "user.at", &args, 5000));
  SHOW(set_at(dir, "f", 0, "user.at", (void*)&large, sizeof large));
  SHOW(set_at(dir, "f", 0, "user.at", (void*)&wrong, sizeof wrong));
  SHOW(set_at(dir, "f", 0, "user.at", (void*)8, sizeof args));
  SHOW(set_at(dir, "f", 0x8000, "user.at", &args, sizeof args));
  SHOW(set_at(dir, "f", 0x8000, "user.at", &args, 8));
  SHOW(get_at(dir, "f", 0, "user.at", &room, sizeof room));
  SHOW(get_at(dir, "f", 0, "user.at", &flagged, sizeof room));
  SHOW(get_at(dir, "l", 0, "user.at", &room, sizeof room));
  SHOW(get_at(dir, "l", AT_SYMLINK_NOFOLLOW, "user.at", &room, sizeof room));
  SHOW(get_at(fd, "", 0, "user.at", &room, sizeof room));
  SHOW(get_at(fd, "", AT_EMPTY_PATH, "user.at", &room, sizeof room));
  SHOW(get_at(fd, NULL, AT_EMPTY_PATH, "user.at", &room, sizeof room));
  SHOW(get_at(path, "", AT_EMPTY_PATH, "user.at", &room, sizeof room));
  SHOW(get_at(path, "x", AT_EMPTY_PATH, "user.at", &room, sizeof room));
  SHOW(list_at(dir, "f", 0, list, sizeof list));
  SHOW(list_at(dir, "f", 0x400, list, sizeof list));
  SHOW(list_at(fd, "", AT_EMPTY_PATH, list, sizeof list));
  SHOW(list_at(dir, "none", 0, list, sizeof list));
  SHOW(chdir(h("/bt/d")));
  SHOW(set_at(AT_FDCWD, "", AT_EMPTY_PATH, "user.cwd", &args, sizeof args));
  SHOW(get_at(AT_FDCWD, NULL, AT_EMPTY_PATH, "user.cwd", &room, sizeof room));
  SHOW(remove_at(AT_FDCWD, "", AT_EMPTY_PATH, "user.cwd"));
  SHOW(chdir("/"));
  SHOW(remove_at(dir, "f", 0, "user.at"));
  SHOW(remove_at(dir, "f", 0, "user.at"));
  SHOW(remove_at(dir, "f", 1, "user.at"));
  SHOW(remove_at(dir, "f", 0, ""));
  close(fd), close(path), close(dir);
}

static void others(void) {
  SHOW(make(h("/bt/closed"), "x"));
  SHOW(chmod(h("/bt/closed"), 0600));
  SHOW(make(h("/bt/readable"), "x"));
  SHOW(make(h("/bt/writable"), "x"));
  SHOW(chmod(h("/bt/writable"), 0622));
  SHOW(make(h("/bt/own"), "x"));
  SHOW(chown(h("/bt/own"), 1000, 1000));
  SHOW(mkdir(h("/bt/stuck"), 0));
  SHOW(chmod(h("/bt/stuck"), 01777));
  SHOW(mkdir(h("/bt/mine"), 0));
  SHOW(chmod(h("/bt/mine"), 01777));
  SHOW(chown(h("/bt/mine"), 1000, 1000));
  SHOW(mkdir(h("/bt/shut"), 0700));
  SHOW(make(h("/bt/shut/f"), "x"));
  static const char* const all[] = {"closed", "readable", "writable", "own",   "stuck",
                                    "mine",   "shut",     "shut/f",   "p"};
  static const char* const some[] = {"user.k", "trusted.k", "security.k", "security.capability",
                                     "bogus.k", "system.k", "user.", "trusted.", "security."};
  unsigned char cap[20] = {0, 0, 0, 2, 1};
  for (int i = 0; i < 9; i++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/bt/%s", H, all[i]);
    for (int k = 0; k < 9; k++) setxattr(path, some[k], cap, 20, 0);
    become(1000, 1000, 2000);
    for (int k = 0; k < 9; k++) {
      SAY("%s %s", all[i], some[k]);
      SHOW(getxattr(path, some[k], value, 100));
      SHOW(getxattr(path, some[k], value, 1));
      SHOW(removexattr(path, some[k]));
      SHOW(setxattr(path, some[k], cap, 20, 0));
      SHOW(setxattr(path, some[k], cap, 20, XATTR_CREATE));
      SHOW(setxattr(path, some[k], "w", 1, XATTR_REPLACE));
    }
    SAY("%s", names_of(path));
    be_root();
    SAY("%s", names_of(path));
  }
}

static void capabilities(void) {
  const char* f = h("/bt/cap");
  unsigned char cap[24] = {1, 0, 0, 2, 8, 0, 0, 0, 8};
  SHOW(make(f, "text"));
  SHOW(setxattr(f, "security.capability", cap, 20, 0));
  SAY("%s", hex_of(f, "security.capability"));
  SHOW(setxattr(f, "security.capability", cap, 24, 0));
  SHOW(setxattr(f, "security.capability", cap, 19, 0));
  SHOW(setxattr(f, "security.capability", cap, 0, 0));
  SHOW(getxattr(f, "security.capability", value, 100));
  cap[3] = 3;
  SHOW(setxattr(f, "security.capability", cap, 20, 0));
  SHOW(setxattr(f, "security.capability", cap, 24, 0));
  SAY("%s", hex_of(f, "security.capability"));
  SHOW(getxattr(f, "security.capability", NULL, 0));
  SHOW(getxattr(f, "security.capability", value, 10));
  cap[20] = 5;
  SHOW(setxattr(f, "security.capability", cap, 24, 0));
  SAY("%s", hex_of(f, "security.capability"));
  memset(cap + 20, 255, 4);
  SHOW(setxattr(f, "security.capability", cap, 24, 0));
  cap[3] = 2;
  int fd;
#define LOSES(what)                                              \
  SHOW(setxattr(f, "security.capability", cap, 20, 0));          \
  fd = open(f, O_RDWR);                                          \
  MOVES(f, what);                                                \
  SAY("%s", hex_of(f, "security.capability"));                   \
  close(fd)
  LOSES(pwrite(fd, "x", 1, 0));
  LOSES(pwrite(fd, "x", 0, 0));
  LOSES(ftruncate(fd, 2));
  LOSES(ftruncate(fd, 2));
  LOSES(truncate(f, 2));
  LOSES(chmod(f, 0755));
  LOSES(chown(f, 0, 0));
  LOSES(chown(f, -1, -1));
  LOSES(fallocate(fd, 0, 0, 4096));
  LOSES(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096));
  LOSES(close(open(f, O_WRONLY | O_TRUNC)));
  LOSES(close(open(f, O_WRONLY)));
  LOSES(rename(f, f));
  // Over a block that is there: the way that asks no server.
  SHOW(make(f, "some bytes that are there already"));
  LOSES(pwrite(fd, "xyz", 3, 4));
  SAY("%s", names_of(f));
}

// ---- ACLs ---------------------------------------------------------------------------------------

static void forms(void) {
  const char* f = h("/bt/acl");
  const char* d = h("/bt/acld");
  SHOW(make(f, "x"));
  SHOW(mkdir(d, 0755));
  SHOW(setxattr(f, "system.posix_acl_access", "", 0, 0));
  SHOW(setxattr(f, "system.posix_acl_access", "\2\0\0", 3, 0));
  SHOW(setxattr(f, "system.posix_acl_access", "\2\0\0\0", 4, 0));
  SHOW(setxattr(f, "system.posix_acl_access", "\1\0\0\0", 4, 0));
  SHOW(setxattr(f, "system.posix_acl_access", "\1\0\0\0xxx", 7, 0));
  SHOW(setxattr(f, "system.posix_acl_access", "\2\0\0\0xxx", 7, 0));
  SHOW(setxattr(f, "system.posix_acl_default", "\2\0\0\0", 4, 0));
  SHOW(setxattr(d, "system.posix_acl_default", "\2\0\0\0", 4, 0));
#define TRY(path, which)                                                                      \
  do {                                                                                        \
    MOVES(path, put_acl(path, which));                                                        \
    SAY("%s %s %s %s", kind_of(path, 0), acl_of(path, "access"), acl_of(path, "default") + 0, \
        names_of(path));                                                                      \
  } while (0)
  begin_acl(), add(USER_OBJ, 6, 0), add(GROUP_OBJ, 4, 0), add(OTHER, 1, 0);
  TRY(f, "access");
  TRY(d, "default");
  TRY(f, "default");
  begin_acl(), add(USER_OBJ, 7, 9), add(GROUP_OBJ, 6, 9), add(MASK, 4, 9), add(OTHER, 1, 9);
  TRY(f, "access");
  TRY(d, "access");
  begin_acl(), add(USER_OBJ, 7, -1), add(USER, 5, 1000), add(GROUP_OBJ, 6, -1);
  add(OTHER, 1, -1);
  TRY(f, "access");
  begin_acl(), add(USER_OBJ, 7, -1), add(USER, 5, 1000), add(USER, 1, 7), add(USER, 1, 1000);
  add(GROUP_OBJ, 6, -1), add(GROUP, 3, 5), add(MASK, 3, -1), add(OTHER, 1, -1);
  TRY(f, "access");
  TRY(d, "default");
  acl.entries[1].id = -1;
  TRY(f, "access");
  acl.entries[1].id = 3;
  acl.entries[1].perm = 8;
  TRY(f, "access");
  acl.entries[1].perm = 1;
  acl.entries[1].tag = 3;
  TRY(f, "access");
  acl.entries[1].tag = GROUP;
  TRY(f, "access");
  begin_acl(), add(USER_OBJ, 7, -1), add(OTHER, 1, -1);
  TRY(f, "access");
  begin_acl(), add(GROUP_OBJ, 7, -1), add(USER_OBJ, 7, -1), add(OTHER, 1, -1);
  TRY(f, "access");
  begin_acl(), add(USER_OBJ, 7, -1), add(GROUP_OBJ, 7, -1), add(OTHER, 1, -1), add(OTHER, 1, -1);
  TRY(f, "access");
  begin_acl(), add(USER_OBJ, 7, -1), add(GROUP_OBJ, 7, -1);
  TRY(f, "access");
  // A long one.
  begin_acl(), add(USER_OBJ, 7, -1);
  for (int i = 0; i < 8000; i++) add(USER, i % 8, 2000 + i);
  add(GROUP_OBJ, 6, -1), add(MASK, 5, -1), add(OTHER, 1, -1);
  SHOW(put_acl(f, "access"));
  SHOW(getxattr(f, "system.posix_acl_access", value, 65536));
  SHOW(memcmp(value, &acl, 4 + 8 * count) == 0);
  SHOW(getxattr(f, "system.posix_acl_access", value, 100));
  SHOW(chmod(f, 0421));
  SHOW(getxattr(f, "system.posix_acl_access", value, 65536));
  SAY("%d %d %d %d", value[6], value[4 + 8 * 8001 + 2], value[4 + 8 * 8002 + 2],
      value[4 + 8 * 8003 + 2]);
  add(OTHER, 1, -1);
  for (int i = 0; i < 300; i++) add(USER, 1, 1);
  SHOW(put_acl(f, "access"));
  MOVES(f, removexattr(f, "system.posix_acl_access"));
  MOVES(f, removexattr(f, "system.posix_acl_access"));
  MOVES(f, removexattr(f, "system.posix_acl_default"));
  MOVES(d, removexattr(d, "system.posix_acl_default"));
  MOVES(d, removexattr(d, "system.posix_acl_default"));
  SAY("%s %s %s", kind_of(f, 0), names_of(f), kind_of(d, 0));
  SHOW(setxattr(f, "user.b", "1", 1, 0));
  SHOW(setxattr(f, "security.a", "1", 1, 0));
  begin_acl(), add(USER_OBJ, 7, -1), add(GROUP_OBJ, 6, -1), add(MASK, 4, -1), add(OTHER, 1, -1);
  SHOW(setxattr(f, "system.posix_acl_access", &acl, 4 + 8 * count, XATTR_REPLACE));
  SHOW(setxattr(f, "system.posix_acl_access", &acl, 4 + 8 * count, XATTR_CREATE));
  SHOW(setxattr(f, "system.posix_acl_access", &acl, 4 + 8 * count, 4));
  SAY("%s", names_of(f));
  SHOW(listxattr(f, list, 24));
  SHOW(listxattr(f, list, 23));
  int fd = open(f, O_RDONLY);
  SHOW(fgetxattr(fd, "system.posix_acl_access", value, 100));
  SHOW(fremovexattr(fd, "system.posix_acl_access"));
  SHOW(fsetxattr(fd, "system.posix_acl_access", &acl, 4 + 8 * count, 0));
  close(fd);
  // Whose it is to change, and setgid.
  SHOW(chown(f, 1000, 3000));
  SHOW(chmod(f, 02775));
  become(1001, 3000, 3000);
  SHOW(put_acl(f, "access"));
  SHOW(removexattr(f, "system.posix_acl_access"));
  SHOW(removexattr(f, "system.posix_acl_default"));
  SHOW(put_acl(d, "default"));
  SHOW(getxattr(f, "system.posix_acl_access", value, 100));
  become(1000, 1000, 3000);
  SHOW(put_acl(f, "access"));
  SAY("%s", kind_of(f, 0));
  become(1000, 1000, 2000);
  SHOW(put_acl(f, "access"));
  SAY("%s", kind_of(f, 0));
  be_root();
  SHOW(chmod(f, 02775));
  become(1000, 1000, 2000);
  SHOW(removexattr(f, "system.posix_acl_access"));
  SAY("%s", kind_of(f, 0));
  be_root();
}

static void chmods(void) {
  const char* f = h("/bt/modes");
  SHOW(make(f, "x"));
  begin_acl(), add(USER_OBJ, 7, -1), add(USER, 7, 1000), add(GROUP_OBJ, 5, -1), add(MASK, 7, -1);
  add(OTHER, 4, -1);
  SHOW(put_acl(f, "access"));
  for (int mode = 0; mode < 01000; mode += 0111 - 8 * 3) {
    SHOW(chmod(f, mode | 06000));
    SAY("%s %s", kind_of(f, 0), acl_of(f, "access"));
  }
  SHOW(chown(f, 1, 2));
  SAY("%s %s", kind_of(f, 0), acl_of(f, "access"));
}

static void inheritance(void) {
  const char* d = h("/bt/inherit");
  char path[PATH_MAX];
  int n = 0;
  static const int masks[] = {0, 022, 077, 0777};
  static const int modes[] = {0777, 0666, 0640, 0, 07777, 02755};
  for (int kind = 0; kind < 5; kind++) {
    begin_acl(), add(USER_OBJ, 7, -1);
    if (kind > 1) add(USER, 5, 1000);
    add(GROUP_OBJ, kind == 4 ? 0 : 6, -1);
    if (kind > 2) add(GROUP, 7, 2000);
    if (kind > 0) add(MASK, kind == 3 ? 3 : 7, -1);
    add(OTHER, kind == 1 ? 0 : 5, -1);
    SHOW(mkdir(d, 0));
    SHOW(chmod(d, kind == 2 ? 02777 : 0777));
    SHOW(put_acl(d, "default"));
    for (int m = 0; m < 4; m++) {
      umask(masks[m]);
      for (int k = 0; k < 6; k++) {
        int mode = modes[k];
        SAY("acl %d umask %o mode %o", kind, masks[m], mode);
        int fd;
#define CHILD(what)                                                                \
  snprintf(path, sizeof path, "%s/%d", d, n++);                                    \
  what;                                                                            \
  SAY("%s: %s %s", #what, kind_of(path, 0), acl_of(path, "access"));               \
  SAY("%s", acl_of(path, "default"))
        CHILD(close(open(path, O_CREAT | O_WRONLY, mode)));
        CHILD(mkdir(path, mode));
        CHILD(mknod(path, S_IFIFO | mode, 0));
        CHILD(mknod(path, mode, 0));
        CHILD(symlink("x", path));
        snprintf(path, sizeof path, "%s/%d", d, n++);
        fd = open(d, O_TMPFILE | O_RDWR, mode);
        struct stat st;
        fstat(fd, &st);
        SAY("tmpfile %o %ld", st.st_mode,
            (long)fgetxattr(fd, "system.posix_acl_access", value, 1000));
        close(fd);
        become(1000, 1000, 1000);
        CHILD(close(open(path, O_CREAT | O_WRONLY, mode)));
        CHILD(mkdir(path, mode));
        be_root();
      }
    }
    umask(022);
    SAY("%s %s", kind_of(d, 0), names_of(d));
    snprintf(path, sizeof path, "rm -rf %s", d);
    system(path);
  }
  // Two levels, and without an ACL the mode that setgid leaves does not depend on the umask.
  SHOW(mkdir(d, 0755));
  begin_acl(), add(USER_OBJ, 7, -1), add(USER, 5, 1000), add(GROUP_OBJ, 5, -1), add(MASK, 7, -1);
  add(OTHER, 0, -1);
  SHOW(put_acl(d, "default"));
  snprintf(path, sizeof path, "%s/a", d);
  SHOW(mkdir(path, 0777));
  strcat(path, "/b");
  SHOW(mkdir(path, 0777));
  SAY("%s %s", kind_of(path, 0), acl_of(path, "access"));
  strcat(path, "/c");
  SHOW(make(path, "x"));
  SAY("%s %s", kind_of(path, 0), acl_of(path, "access"));
  const char* g = h("/bt/setgid");
  SHOW(mkdir(g, 0));
  SHOW(chmod(g, 02777));
  umask(010);
  become(1000, 1000, 1000);
  snprintf(path, sizeof path, "%s/f", g);
  SHOW(close(open(path, O_CREAT | O_WRONLY, 02775)));
  SAY("%s", kind_of(path, 0));
  be_root();
  umask(022);
}

static unsigned seed = 4711;
static unsigned roll(unsigned sides) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 16) % sides;
}

// Every way of asking, for random ACLs.
static void permissions(void) {
  char d[PATH_MAX], f[PATH_MAX];
  snprintf(d, sizeof d, "%s/bt/perm", H);
  snprintf(f, sizeof f, "%s/bt/perm/f", H);
  mkdir(d, 0777);
  make(f, "x");
  for (int round = 0; round < 250; round++) {
    const char* target = round % 3 == 0 ? d : f;
    chown(target, 1000 + roll(3), 2000 + roll(3));
    begin_acl(), add(USER_OBJ, roll(8), -1);
    unsigned named = 0;
    for (unsigned n = roll(4); n > 0; n--, named++) add(USER, roll(8), 1000 + roll(4));
    add(GROUP_OBJ, roll(8), -1);
    for (unsigned n = roll(4); n > 0; n--, named++) add(GROUP, roll(8), 2000 + roll(4));
    if (named != 0 || roll(2)) add(MASK, roll(8), -1);
    add(OTHER, roll(8), -1);
    long put = put_acl(target, "access");
    if (roll(4) == 0) chmod(target, roll(512));
    SAY("round %d: %ld %s %s", round, put, kind_of(target, 0), acl_of(target, "access"));
    for (int who = 0; who < 6; who++) {
      become(who == 5 ? 0 : 1000 + roll(5), 2000 + roll(5), 2000 + roll(5));
      unsigned answers = 0;
      for (int mask = 1; mask < 8; mask++)
        answers |= (syscall(439, AT_FDCWD, target, mask, AT_EACCESS) == 0) << mask;
      struct stat st;
      int opened[3], fd;
      for (int how = 0; how < 3; how++) {
        fd = open(f, how);
        opened[how] = fd < 0 ? errno : 0;
        if (fd >= 0) close(fd);
      }
      errno = 0;
      int found = stat(f, &st), error = errno;
      char extra[PATH_MAX];
      snprintf(extra, sizeof extra, "%s/new", d);
      int fresh = mkdir(extra, 0755), failed = fresh != 0 ? errno : 0;
      if (fresh == 0) rmdir(extra);
      be_root();
      SAY("%x %d %d %d %d/%d %d", answers, opened[0], opened[1], opened[2], found, error, failed);
    }
  }
  // An answer that was good must not outlive the ACL that gave it.
  chown(d, 0, 0), chown(f, 0, 0);
  removexattr(d, "system.posix_acl_access");
  chmod(d, 0755), chmod(f, 0644);
  for (int i = 0; i < 3; i++) {
    begin_acl(), add(USER_OBJ, 7, -1), add(USER, 0, 1000), add(GROUP_OBJ, 5, -1);
    add(MASK, 7, -1), add(OTHER, 5, -1);
    become(1000, 1000, 1000);
    struct stat st;
    SHOW(stat(f, &st));
    SHOW(close(open(f, O_RDONLY)));
    be_root();
    put_acl(i == 1 ? f : d, "access");
    become(1000, 1000, 1000);
    SHOW(stat(f, &st));
    SHOW(close(open(f, O_RDONLY)));
    be_root();
    removexattr(i == 1 ? f : d, "system.posix_acl_access");
    chmod(d, 0755), chmod(f, 0644);
  }
}

// Random changes of the attributes of one file, listed after each.
static void changes(void) {
  const char* f = h("/bt/many");
  make(f, "x");
  char name[256];
  for (int round = 0; round < 400; round++) {
    static const char* const spaces[] = {"user.", "trusted.", "security."};
    unsigned length = 1 + roll(roll(4) == 0 ? 240 : 4);
    strcpy(name, spaces[roll(3)]);
    size_t at = strlen(name);
    for (unsigned i = 0; i < length; i++) name[at + i] = "abcdefgh\xe4_"[roll(10)];
    name[at + length] = 0;
    unsigned size = roll(10) == 0 ? roll(65537) : roll(300);
    for (unsigned i = 0; i < size; i++) value[i] = (char)(i * 3 + round);
    unsigned what = roll(4);
    long result = what == 0 ? removexattr(f, name) : setxattr(f, name, value, size, roll(3));
    int error = result < 0 ? errno : 0;
    long got = getxattr(f, name, list, sizeof list);
    SAY("%d: %ld %d, %ld %d", round, result, error, got,
        got < 0 ? errno : memcmp(list, value, got) == 0);
    if (round % 20 == 0) SAY("%s", names_of(f));
  }
}

int main(int argc, char** argv) {
  H = argc > 1 ? argv[1] : ".";
  umask(022);
  chmod(h("/bt"), 0755);
  files();
  basics();
  sizes();
  pointers();
  kinds();
  crossings();
  descriptors();
  if (geteuid() == 0) {
    others();
    capabilities();
    forms();
    chmods();
    inheritance();
    permissions();
  }
  changes();
}
