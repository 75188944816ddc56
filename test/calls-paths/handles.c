// name_to_handle_at, open_by_handle_at, and the calls that a tree without a mount refuses.
#include "show.h"

struct {
  unsigned bytes;
  int type;
  unsigned char data[256];
} handle;
static unsigned long long mount_id;

static long name(int at, const char* path, int flags) {
  return syscall(SYS_name_to_handle_at, at, path, &handle, &mount_id, flags);
}
static long by_handle(int at, int flags) {
  return syscall(SYS_open_by_handle_at, at, &handle, flags);
}
static int drop(long fd) {
  return fd < 0 ? (int)fd : (close((int)fd), 0);
}

static void handles(void) {
  SHOW(make(h("/bt/f"), "text"));
  SHOW(mkdir(h("/bt/d"), 0755));
  SHOW(make(h("/bt/d/in"), "inner"));
  SHOW(symlink("f", h("/bt/l")));
  int at = open(h("/bt"), O_RDONLY);
  handle.bytes = 0;
  SHOW(name(at, "f", 0));
  SHOW(handle.bytes);
  SHOW(name(at, "f", 0));
  SHOW(handle.type);
  SHOW(handle.bytes);
  long fd = by_handle(at, O_RDWR);
  SHOW(write(fd, "T", 1));
  SHOW(strcmp(text_of(h("/bt/f")), "Text"));
  SHOW(unlink(h("/bt/f")));
  SHOW(drop(by_handle(at, O_RDONLY)));
  close((int)fd);
  SHOW(make(h("/bt/other"), "other"));
  SHOW(drop(by_handle(at, O_RDONLY)));
  handle.bytes = 128;
  SHOW(name(at, "l", 0));
  SHOW(name(at, "l", AT_SYMLINK_FOLLOW));
  SHOW(drop(by_handle(at, O_RDONLY)));
  SHOW(drop(by_handle(at, O_PATH)));
  handle.bytes = 128;
  SHOW(name(at, "d", 0));
  SHOW(handle.bytes);
  long d = by_handle(at, O_RDONLY | O_DIRECTORY);
  SHOW(faccessat((int)d, "in", F_OK, 0));
  close((int)d);
  SHOW(drop(by_handle(at, O_RDWR)));
  SHOW(drop(by_handle(-1, O_RDONLY)));
  int in = open(h("/bt/d/in"), O_RDONLY);
  SHOW(drop(by_handle(in, O_RDONLY)));
  close(in);
  handle.bytes = 200;
  SHOW(name(at, "d", 0));
  handle.bytes = 128;
  SHOW(name(at, "d", 1));
  SHOW(name(at, "d", 4));
  SHOW(name(at, "none", 0));
  SHOW(name(at, "", 0));
  SHOW(name(at, "", AT_EMPTY_PATH));
  SHOW(syscall(SYS_name_to_handle_at, at, "d", (void*)8, &mount_id, 0));
  SHOW(syscall(SYS_name_to_handle_at, at, "d", &handle, (void*)8, 0));
  SHOW(syscall(SYS_open_by_handle_at, at, (void*)8, 0));
  memset(handle.data, 255, sizeof handle.data);
  handle.bytes = 12;
  SHOW(by_handle(at, O_RDONLY));
  handle.type = 7;
  SHOW(by_handle(at, O_RDONLY));
  handle.bytes = 0;
  SHOW(by_handle(at, O_RDONLY));
  handle.bytes = 129;
  SHOW(by_handle(at, O_RDONLY));
  close(at);
}

static void as_somebody_else(void) {
  int at = open(h("/bt"), O_RDONLY);
  handle.bytes = 128;
  SHOW(name(at, "d", 0));
  SHOW(seteuid(1000));
  SHOW(name(at, "d", 0));
  SHOW(by_handle(at, O_RDONLY));
  SHOW(chroot(h("/bt/d")));
  SHOW(mount("none", h("/bt/d"), "tmpfs", 0, NULL));
  SHOW(umount2(h("/bt/d"), 0));
  SHOW(seteuid(0));
  close(at);
}

int main(int argc, char** argv) {
  H = argv[1];
  if (access(h("/bt"), F_OK) != 0) mkdir(h("/bt"), 0755);
  chmod(H, 0755);
  handles();
  if (geteuid() == 0) as_somebody_else();
  return 0;
}
