// Where paths lead: across the boundary in both directions, odd spellings, limits.
#include "show.h"

#define SEE(path) SAY("%s: %s %s", path, kind_of(h(path), 1), kind_of(h(path), 0))

static void plant(void) {
  SHOW(mkdir(h("/bt/d"), 0755));
  SHOW(mkdir(h("/bt/d/e"), 0755));
  SHOW(make(h("/bt/f"), "in the tree"));
  SHOW(make(h("/bt/d/g"), "deeper"));
  SHOW(mkdir(h("/out"), 0755));
  SHOW(make(h("/out/f"), "on the host"));
}

static void spellings(void) {
  SEE("/bt");
  SEE("/bt/");
  SEE("//bt//f");
  SEE("/./bt/./f");
  SEE("/bt/f/");
  SEE("/bt/f/.");
  SEE("/bt/f/x");
  SEE("/bt/d/");
  SEE("/bt/d/.");
  SEE("/bt/d/..");
  SEE("/bt/d/../f");
  SEE("/bt/d/e/../../f");
  SEE("/out/../bt/f");
  SEE("/out/../bt/../out/f");
  SEE("/bt/../out/f");
  SEE("/bt/d/../../out/f");
  SEE("/bt/../bt/f");
  SEE("/bt/..");
  SEE("/bt/../bt");
  SEE("/bt/missing");
  SEE("/bt/missing/../f");
  SEE("/bt/f/../f");
  SEE("/bty");
  SEE("/bt/d/e/..//..//d/./g");
  SEE("/missing/../bt/f");
  SEE("/out/f/../../bt/f");
}

static void links_out(void) {
  SHOW(symlink(h("/out"), h("/bt/abs-dir")));
  SHOW(symlink(h("/out/f"), h("/bt/abs-file")));
  SHOW(symlink("../out", h("/bt/rel-dir")));
  SHOW(symlink("../../out/f", h("/bt/d/rel-file")));
  SHOW(symlink(h("/out/none"), h("/bt/dangling")));
  SHOW(symlink("..", h("/bt/up")));
  SEE("/bt/abs-dir");
  SEE("/bt/abs-dir/");
  SEE("/bt/abs-dir/f");
  SEE("/bt/abs-file");
  SEE("/bt/abs-file/");
  SEE("/bt/rel-dir/f");
  SEE("/bt/rel-dir/../out/f");
  SEE("/bt/d/rel-file");
  SEE("/bt/dangling");
  SEE("/bt/up");
  SEE("/bt/up/bt/up/bt/f");
  SEE("/bt/up/out/f");
  SAY("%s", text_of(h("/bt/abs-file")));
  SHOW(make(h("/bt/dangling"), "made through a link"));
  SAY("%s", text_of(h("/out/none")));
  SHOW(unlink(h("/bt/rel-dir/none")));
  SHOW(open(h("/bt/abs-file"), O_RDONLY | O_NOFOLLOW));
  SHOW(mkdir(h("/bt/abs-dir/new"), 0755));
  SHOW(rmdir(h("/out/new")));
  SHOW(truncate(h("/bt/abs-file"), 2));
  SAY("%s", text_of(h("/out/f")));
}

static void links_in(void) {
  SHOW(symlink(h("/bt"), h("/to-root")));
  SHOW(symlink(h("/bt/d"), h("/out/to-d")));
  SHOW(symlink("../bt/f", h("/out/to-f")));
  SHOW(symlink("bt/./d/../f", h("/to-f")));
  SHOW(symlink("to-f", h("/to-to-f")));
  SHOW(symlink("/proc/self/root/nowhere", h("/to-nowhere")));
  SEE("/to-root");
  SEE("/to-root/");
  SEE("/to-root/f");
  SEE("/to-root/d/g");
  SEE("/out/to-d");
  SEE("/out/to-d/g");
  SEE("/out/to-d/../f");
  SEE("/out/to-f");
  SEE("/to-f");
  SEE("/to-to-f");
  SEE("/to-nowhere");
  SEE("/out/to-d/missing");
  SAY("%s", text_of(h("/out/to-d/g")));
  SHOW(make(h("/out/to-d/made"), "through the host"));
  SAY("%s", text_of(h("/bt/d/made")));
  SHOW(mkdir(h("/to-root/made-dir"), 0755));
  SHOW(rename(h("/to-root/made-dir"), h("/out/to-d/moved")));
  SHOW(rmdir(h("/bt/d/moved")));
  SHOW(rename(h("/bt/d/made"), h("/to-root/made2")));
  SHOW(unlink(h("/out/to-d/../made2")));
  SHOW(link(h("/to-f"), h("/out/link-to-f")));
  SHOW(access(h("/to-root/f"), R_OK));
  SHOW(chmod(h("/out/to-f"), 0600));
  SEE("/bt/f");
  SHOW(open(h("/out/to-f"), O_RDONLY | O_NOFOLLOW));
  SHOW(open(h("/to-root"), O_PATH | O_NOFOLLOW) >= 0);
}

static void loops(void) {
  char path[64], target[64];
  SHOW(symlink("loop", h("/bt/loop")));
  SHOW(symlink(h("/pong"), h("/bt/ping")));
  SHOW(symlink(h("/bt/ping"), h("/pong")));
  SEE("/bt/loop");
  SEE("/bt/loop/x");
  SEE("/bt/ping");
  SEE("/pong");
  SHOW(open(h("/bt/loop"), O_CREAT | O_WRONLY, 0644));
  SHOW(open(h("/bt/loop"), O_CREAT | O_EXCL | O_WRONLY, 0644));
  SHOW(mkdir(h("/bt/loop"), 0755));
  SHOW(chdir(h("/bt/loop")));
  strcpy(target, "f");
  for (int i = 0; i < 42; i++) {
    snprintf(path, sizeof path, "/bt/chain%02d", i);
    if (symlink(target, h(path)) != 0) perror("chain");
    snprintf(target, sizeof target, "chain%02d", i);
  }
  SEE("/bt/chain38");
  SEE("/bt/chain39");
  SEE("/bt/chain40");
}

static void limits(void) {
  char name[300], path[6000];
  memset(name, 'n', sizeof name);
  name[255] = 0;
  snprintf(path, sizeof path, "%s/bt/%s", H, name);
  SHOW(mkdir(path, 0755));
  SHOW(rmdir(path));
  name[255] = 'n';
  name[256] = 0;
  snprintf(path, sizeof path, "%s/bt/%s", H, name);
  SHOW(mkdir(path, 0755));
  SHOW(access(path, F_OK));
  SHOW(open(path, O_CREAT | O_WRONLY, 0644));
  snprintf(path, sizeof path, "%s/bt/%s/x", H, name);
  SHOW(access(path, F_OK));
  size_t at = (size_t)snprintf(path, sizeof path, "%s/bt", H);
  while (at < 4094) {
    path[at++] = '/';
    path[at++] = '.';
  }
  path[at] = 0;
  if (at > 4095) path[4095] = 0;
  SHOW(access(path, F_OK));
  path[4095] = '/';
  path[4096] = 0;
  SHOW(access(path, F_OK));
  SHOW(mkdir(path, 0755));
  // Long, but short enough: more than fits into a request.
  at = (size_t)snprintf(path, sizeof path, "%s/bt", H);
  while (at < 4000) at += (size_t)snprintf(path + at, sizeof path - at, "/./././.");
  snprintf(path + at, sizeof path - at, "/f");
  SHOW(access(path, F_OK));
  memset(name, 'm', sizeof name);
  char* target = malloc(5000);
  memset(target, 't', 5000);
  target[4095] = 0;
  SHOW(symlink(target, h("/bt/long-link")));
  SHOW(access(h("/bt/long-link"), F_OK));
  char back[5000];
  SHOW(readlink(h("/bt/long-link"), back, sizeof back));
  target[4095] = 't';
  target[4096] = 0;
  SHOW(symlink(target, h("/bt/longer-link")));
  free(target);
}

static void pointers(void) {
  char* page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  struct stat st;
  SHOW(stat((char*)1, &st));
  SHOW(open((char*)-4096, O_RDONLY));
  SHOW(syscall(SYS_mkdir, 0, 0755));
  SHOW(stat(h("/bt/f"), (struct stat*)16));
  SHOW(stat(h("/bt/f"), (struct stat*)(page + 4096 - 8)));
  SHOW(stat("", &st));
  SHOW(access("", F_OK));
  SHOW(open("", O_RDONLY));
  SHOW(syscall(SYS_getcwd, 8, 4096) == -1 && errno == EFAULT);
  // A path that ends with its page, and one that goes on into nothing.
  size_t length = strlen(h("/bt/f"));
  char* end = page + 4096 - length - 1;
  strcpy(end, h("/bt/f"));
  SHOW(access(end, F_OK));
  memcpy(page + 4096 - length, h("/bt/f"), length);
  SHOW(access(page + 4096 - length, F_OK));
  SHOW(readlink(h("/bt/abs-file"), (char*)4096, 100));
  SHOW(readlink(h("/bt/abs-file"), page, 0));
  char list[1024];
  int fd = open(h("/bt"), O_RDONLY | O_DIRECTORY);
  SHOW(syscall(SYS_getdents64, fd, (char*)64, sizeof list));
  SHOW(syscall(SYS_getdents64, fd, list, 1));
  close(fd);
}

static void relative(void) {
  SHOW(chdir(H));
  SAY("%s", text_of("bt/d/g"));
  SAY("%s", text_of("./bt/d/g"));
  SAY("%s", text_of("out/../bt/d/g"));
  SHOW(chdir("out"));
  SAY("%s", text_of("../bt/d/g"));
  SAY("%s", text_of("f"));
  SHOW(chdir("../bt"));
  SAY("%s", text_of("d/g"));
  SAY("%s", text_of("../out/f"));
  SAY("%s", text_of("../bt/d/g"));
  SHOW(chdir("d/e"));
  SAY("%s", text_of("../g"));
  SAY("%s", text_of("../../../out/f"));
  SHOW(chdir("/"));
  SAY("%s", text_of(h("/bt/d/g") + 1));
  int out = open(h("/out"), O_RDONLY | O_DIRECTORY);
  int top = open(H, O_RDONLY | O_DIRECTORY);
  int d = open(h("/bt/d"), O_RDONLY | O_DIRECTORY);
  int f = open(h("/bt/f"), O_RDONLY);
  struct stat st;
  SHOW(fstatat(out, "../bt/d/g", &st, 0));
  SHOW(fstatat(top, "bt/d/g", &st, 0));
  SHOW(fstatat(top, "bt", &st, 0));
  SHOW(fstatat(d, "g", &st, 0));
  SHOW(fstatat(d, "../../out/f", &st, 0));
  SHOW(fstatat(d, h("/out/f"), &st, 0));
  SHOW(fstatat(d, "..", &st, 0));
  SHOW(fstatat(f, "x", &st, 0));
  SHOW(fstatat(f, "", &st, 0));
  SHOW(fstatat(f, "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(d, "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(999, "x", &st, 0));
  SHOW(fstatat(999, h("/bt/f"), &st, 0));
  SHOW(chdir(h("/bt/d")));
  SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  SAY("%d", S_ISDIR(st.st_mode));
  SHOW(fstatat(AT_FDCWD, "g", &st, AT_EMPTY_PATH));
  SHOW(openat(out, "../bt/none", O_RDONLY));
  SHOW(chdir(H));
}

int main(int argc, char** argv) {
  H = argc > 1 ? argv[1] : ".";
  umask(022);
  plant();
  spellings();
  links_out();
  links_in();
  loops();
  limits();
  pointers();
  relative();
}
