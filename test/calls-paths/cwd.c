// chdir, fchdir, getcwd, realpath, and what a child inherits of them.
#include "show.h"

static void where(void) {
  char path[PATH_MAX];
  SAY("%s", getcwd(path, sizeof path) != NULL ? short_of(path) : strerrorname_np(errno));
}

static void moving(void) {
  SHOW(mkdir(h("/bt/d"), 0755));
  SHOW(mkdir(h("/bt/d/e"), 0755));
  SHOW(mkdir(h("/out"), 0755));
  SHOW(make(h("/bt/f"), "f"));
  SHOW(chdir(h("/bt/d/e")));
  where();
  SHOW(chdir(".."));
  where();
  SHOW(chdir(".."));
  where();
  SHOW(chdir(".."));
  where();
  SHOW(chdir("bt"));
  where();
  SHOW(chdir("f"));
  SHOW(chdir("none"));
  SHOW(chdir(""));
  where();
  SHOW(symlink("../out", "to-out"));
  SHOW(chdir("to-out"));
  where();
  SHOW(chdir("../bt/./d/"));
  where();
  char small[4];
  SHOW(syscall(SYS_getcwd, small, sizeof small));
}

static void by_descriptor(void) {
  int out = open(h("/out"), O_RDONLY | O_DIRECTORY);
  int d = open(h("/bt/d"), O_RDONLY | O_DIRECTORY);
  int path = open(h("/bt/d/e"), O_PATH);
  int f = open(h("/bt/f"), O_RDONLY);
  SHOW(fchdir(d));
  close(d);
  where();
  SHOW(fchdir(out));
  where();
  SHOW(fchdir(path));
  where();
  SHOW(fchdir(f));
  SHOW(fchdir(999));
  where();
  close(out);
  close(path);
  close(f);
}

static void moved_away(void) {
  SHOW(mkdir(h("/bt/gone"), 0755));
  SHOW(chdir(h("/bt/gone")));
  SHOW(rename(h("/bt/gone"), h("/bt/d/renamed")));
  where();
  SHOW(rmdir(h("/bt/d/renamed")));
  where();
  SHOW(make("x", "x"));
  SHOW(mkdir("y", 0755));
  SHOW(access(".", F_OK));
  SHOW(access("..", F_OK));
  SHOW(chdir(".."));
  where();
}

static void real(void) {
  char path[PATH_MAX];
  const char* asked[] = {"/bt/d/../f", "/bt/to-out", "/bt/to-out/../bt/d",
                         "/bt/none",   "/bt/f/x",    "/bt/d/e/../../../out/../bt"};
  for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
    errno = 0;
    const char* answer = realpath(h(asked[i]), path);
    SAY("%s: %s", asked[i], answer != NULL ? short_of(answer) : strerrorname_np(errno));
  }
  SHOW(chdir(h("/bt/d")));
  SAY("%s", short_of(realpath("e/../../f", path)));
}

static void children(void) {
  SHOW(chdir(h("/bt/d")));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    where();
    SHOW(chdir("e"));
    where();
    _exit(0);
  }
  int status;
  SHOW(waitpid(pid, &status, 0) == pid && status == 0);
  where();
  SHOW(system(
      "pwd -P | sed 's|.*/bt|bt|'; ls .. | tr '\\n' ' '; cd ..; pwd -P | sed 's|.*/bt|bt|'"));
  where();
  SHOW(chdir(h("/out")));
  SHOW(system("cd ../bt/d && ls; cd ../../out && pwd -P | sed 's|.*/||'"));
}

static void forbidden(void) {
  if (geteuid() != 0) return;
  SHOW(mkdir(h("/bt/secret"), 0700));
  SHOW(chdir(h("/bt")));
  SHOW(seteuid(65534));
  SHOW(chdir("secret"));
  SHOW(chdir("d"));
  where();
  SHOW(seteuid(0));
}

int main(int argc, char** argv) {
  H = argc > 1 ? argv[1] : ".";
  umask(022);
  moving();
  by_descriptor();
  moved_away();
  real();
  children();
  forbidden();
}
