// The worker of the fsx mode: executes sequences of calls on the bytes of a few files and prints one
// line per call. It runs unmodified on tmpfs and in the tree; the lines must be equal.
//
//   worker DIRECTORY      reads sequences from standard input until it ends
//
// A sequence is "seq ID COUNT" and COUNT lines "[@PROCESS] call arguments…" (README.md lists the
// calls). The answer is COUNT lines and "end ID STATUS". Every sequence has a process and a fresh
// directory of its own; further processes of a sequence take turns, each call ends before the next
// one begins.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  FILES = 8,      // descriptor slots
  MAPS = 4,       // map slots
  PROCESSES = 4,  // process 0 reads the sequence
  WORDS = 16,
  LINE = 512,
  LINES = 4096,
  BUFFER = 4 << 20,
  SECONDS = 20,  // of one sequence, then it has hung
  PRIVATE_FD = 200,
};

static int files[FILES];
static struct {
  unsigned char* at;
  size_t size;
} maps[MAPS];
static struct {
  pid_t pid;
  int to, from;
} children[PROCESSES];
static const char* self_path;
static unsigned char* buffer;
static sigjmp_buf fault;
static char word_text[LINE];
static char* words[WORDS];
static int word_count;
static char reply[LINE];

static uint32_t crc_table[256];

static void make_crc(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    crc_table[i] = c;
  }
}

static uint32_t crc(uint32_t c, const unsigned char* bytes, size_t size) {
  c = ~c;
  for (size_t i = 0; i < size; i++) c = crc_table[(c ^ bytes[i]) & 255] ^ (c >> 8);
  return ~c;
}

static void fill(unsigned char* bytes, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(seed * 31 + i * 7 + (i >> 8) * 13);
}

static void split(const char* line) {
  snprintf(word_text, sizeof word_text, "%s", line);
  word_count = 0;
  for (char* w = strtok(word_text, " \n"); w && word_count < WORDS; w = strtok(NULL, " \n"))
    words[word_count++] = w;
}

static const char* word(int i) {
  return i < word_count ? words[i] : "0";
}
static long number(int i) {
  return strtol(word(i), NULL, 0);
}
static int descriptor(int i) {
  long slot = number(i);
  return slot >= 0 && slot < FILES ? files[slot] : -1;
}

static void say(long value) {
  if (value < 0)
    snprintf(reply, sizeof reply, "-%s", strerrorname_np(errno));
  else
    snprintf(reply, sizeof reply, "%ld", value);
}

static void also(const char* format, ...) {
  size_t used = strlen(reply);
  va_list list;
  va_start(list, format);
  vsnprintf(reply + used, sizeof reply - used, format, list);
  va_end(list);
}

// The result of a read: how many bytes, which, and whether more of the buffer was touched.
static void say_bytes(ssize_t got, const unsigned char* bytes, size_t size) {
  say(got);
  if (got < 0) return;
  also(" %08x", crc(0, bytes, (size_t)got));
  for (size_t i = (size_t)got; i < size && i < (size_t)got + 64; i++)
    if (bytes[i] != 0xee) {
      also(" overrun");
      break;
    }
}

static void say_file(int fd) {
  struct stat st;
  if (fstat(fd, &st) == 0)
    also(" size=%ld blocks=%ld nlink=%ld", (long)st.st_size, (long)st.st_blocks, (long)st.st_nlink);
}

static size_t limited(long size) {
  return size < 0 ? 0 : size > BUFFER - 64 ? BUFFER - 64 : (size_t)size;
}

static int vector(struct iovec* vector, int first) {
  int count = 0;
  size_t at = 0;
  for (int i = first; i < word_count; i++) {
    size_t size = limited(number(i));
    if (at + size > BUFFER - 64) break;
    vector[count++] = (struct iovec){buffer + at, size};
    at += size;
  }
  return count;
}

static size_t total(const struct iovec* vector, int count) {
  size_t size = 0;
  for (int i = 0; i < count; i++) size += vector[i].iov_len;
  return size;
}

static void on_fault(int signal) {
  siglongjmp(fault, signal);
}

static off_t* offset(int i, off_t* place) {
  if (strcmp(word(i), "-") == 0) return NULL;
  *place = number(i);
  return place;
}

static void remember(int i, int fd) {
  long slot = number(i);
  if (fd < 0 || slot < 0 || slot >= FILES) return;
  if (files[slot] >= 0) close(files[slot]);
  files[slot] = fd;
}

static void serve(int in, int out);

static void call_fork(void) {
  long p = number(1);
  int down[2], up[2];
  if (p <= 0 || p >= PROCESSES || children[p].pid) {
    snprintf(reply, sizeof reply, "busy");
    return;
  }
  if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC)) return say(-1);
  int child_in = fcntl(down[0], F_DUPFD, PRIVATE_FD), child_out = fcntl(up[1], F_DUPFD, PRIVATE_FD);
  children[p].to = fcntl(down[1], F_DUPFD_CLOEXEC, PRIVATE_FD);
  children[p].from = fcntl(up[0], F_DUPFD_CLOEXEC, PRIVATE_FD);
  for (int i = 0; i < 2; i++) close(down[i]), close(up[i]);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 1; i < PROCESSES; i++)
      if (children[i].to) close(children[i].to), close(children[i].from);
    serve(child_in, child_out);
    _exit(0);
  }
  children[p].pid = pid;
  close(child_in);
  close(child_out);
  say(pid < 0 ? -1 : 0);
}

static void end_child(long p) {
  close(children[p].to);
  close(children[p].from);
  int status = -1;
  waitpid(children[p].pid, &status, 0);
  children[p].pid = 0;
  children[p].to = children[p].from = 0;
  if (WIFSIGNALED(status))
    snprintf(reply, sizeof reply, "signal %d", WTERMSIG(status));
  else
    snprintf(reply, sizeof reply, "status %d", WEXITSTATUS(status));
}

// The open descriptors of the slots go along by number; close-on-exec ones must be gone afterwards.
static void call_exec(int in, int out) {
  static char text[FILES + 2][16];
  char* argv[FILES + 6] = {(char*)self_path, "--resume", text[0], text[1]};
  snprintf(text[0], 16, "%d", in);
  snprintf(text[1], 16, "%d", out);
  for (int i = 0; i < FILES; i++) {
    snprintf(text[i + 2], 16, "%d", files[i]);
    argv[4 + i] = text[i + 2];
  }
  argv[4 + FILES] = NULL;
  execv(self_path, argv);
  say(-1);
}

static void call_map(void) {
  long slot = number(1);
  if (slot < 0 || slot >= MAPS) return;
  if (maps[slot].at) munmap(maps[slot].at, maps[slot].size);
  maps[slot].at = NULL;
  const char* kind = word(3);
  int flags = strchr(kind, 's') ? MAP_SHARED : MAP_PRIVATE;
  int protection = PROT_READ | (strchr(kind, 'w') ? PROT_WRITE : 0);
  size_t size = limited(number(5));
  void* at = mmap(NULL, size, protection, flags, descriptor(2), number(4));
  say(at == MAP_FAILED ? -1 : 0);
  if (at == MAP_FAILED) return;
  maps[slot].at = at;
  maps[slot].size = size;
}

// mread MAP OFFSET SIZE, mwrite MAP OFFSET SIZE SEED
static void call_touch(int writes) {
  long slot = number(1);
  if (slot < 0 || slot >= MAPS || maps[slot].at == NULL) {
    snprintf(reply, sizeof reply, "unmapped");
    return;
  }
  size_t at = limited(number(2)), size = limited(number(3));
  if (at > maps[slot].size) at = maps[slot].size;
  if (size > maps[slot].size - at) size = maps[slot].size - at;
  int signal = sigsetjmp(fault, 1);
  if (signal != 0) {
    snprintf(reply, sizeof reply, "%s", signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
    return;
  }
  if (writes) {
    fill(maps[slot].at + at, size, (unsigned)number(4));
    say((long)size);
  } else {
    uint32_t value = crc(0, maps[slot].at + at, size);
    say((long)size);
    also(" %08x", value);
  }
}

static void call_unmap(void) {
  long slot = number(1);
  if (slot < 0 || slot >= MAPS || maps[slot].at == NULL) {
    snprintf(reply, sizeof reply, "unmapped");
    return;
  }
  say(munmap(maps[slot].at, maps[slot].size));
  maps[slot].at = NULL;
}

static void call_remap(void) {
  long slot = number(1);
  if (slot < 0 || slot >= MAPS || maps[slot].at == NULL) {
    snprintf(reply, sizeof reply, "unmapped");
    return;
  }
  size_t size = limited(number(2));
  void* at = mremap(maps[slot].at, maps[slot].size, size, MREMAP_MAYMOVE);
  say(at == MAP_FAILED ? -1 : 0);
  if (at == MAP_FAILED) return;
  maps[slot].at = at;
  maps[slot].size = size;
}

// check SLOT START SIZE: bytes of the window and where its holes are.
static void call_check(void) {
  int fd = descriptor(1);
  long start = number(2);
  size_t size = limited(number(3));
  struct stat st;
  if (fstat(fd, &st) != 0) return say(-1);
  memset(buffer, 0xee, size);
  ssize_t got = pread(fd, buffer, size, start);
  say_bytes(got, buffer, size);
  uint32_t layout = 0;
  // lseek moves an offset that others may share; it is put back.
  off_t position = lseek(fd, 0, SEEK_CUR), at = start;
  for (int kind = 0; kind < 200; kind++) {
    off_t next = lseek(fd, at, kind & 1 ? SEEK_HOLE : SEEK_DATA);
    layout = crc(layout, (unsigned char*)&next, sizeof next);
    if (next < 0) break;
    at = next;
  }
  lseek(fd, position, SEEK_SET);
  also(" layout=%08x", layout);
  say_file(fd);
}

static void call_stat(void) {
  struct stat st;
  if (stat(word(1), &st) != 0) return say(-1);
  say(0);
  also(" size=%ld blocks=%ld nlink=%ld", (long)st.st_size, (long)st.st_blocks, (long)st.st_nlink);
}

static void execute(int in, int out) {
  const char* call = word(0);
  struct iovec parts[WORDS];
  off_t first, second;
  reply[0] = 0;
#define IS(name) (strcmp(call, name) == 0)
  if (IS("open")) {
    int fd = open(word(2), (int)number(3), 0644);
    remember(1, fd);
    say(fd < 0 ? -1 : 0);
  } else if (IS("close")) {
    say(close(descriptor(1)));
    if (number(1) >= 0 && number(1) < FILES) files[number(1)] = -1;
  } else if (IS("dup")) {
    int fd = dup(descriptor(2));
    remember(1, fd);
    say(fd < 0 ? -1 : 0);
  } else if (IS("read")) {
    size_t size = limited(number(2));
    memset(buffer, 0xee, size);
    say_bytes(read(descriptor(1), buffer, size), buffer, size);
  } else if (IS("pread")) {
    size_t size = limited(number(2));
    memset(buffer, 0xee, size);
    say_bytes(pread(descriptor(1), buffer, size, number(3)), buffer, size);
  } else if (IS("readv") || IS("preadv")) {
    int positioned = IS("preadv"), count = vector(parts, positioned ? 3 : 2);
    memset(buffer, 0xee, total(parts, count));
    say_bytes(positioned ? preadv(descriptor(1), parts, count, number(2))
                         : readv(descriptor(1), parts, count),
              buffer, total(parts, count));
  } else if (IS("write")) {
    fill(buffer, limited(number(2)), (unsigned)number(3));
    say(write(descriptor(1), buffer, limited(number(2))));
    say_file(descriptor(1));
  } else if (IS("pwrite")) {
    fill(buffer, limited(number(2)), (unsigned)number(4));
    say(pwrite(descriptor(1), buffer, limited(number(2)), number(3)));
    say_file(descriptor(1));
  } else if (IS("writev") || IS("pwritev")) {
    // The seed is the last but the lengths: writev FD SEED LENGTH…, pwritev FD OFFSET SEED LENGTH…
    int positioned = IS("pwritev"), count = vector(parts, positioned ? 4 : 3);
    fill(buffer, total(parts, count), (unsigned)number(positioned ? 3 : 2));
    say(positioned ? pwritev(descriptor(1), parts, count, number(2))
                   : writev(descriptor(1), parts, count));
    say_file(descriptor(1));
  } else if (IS("lseek")) {
    say(lseek(descriptor(1), number(2), (int)number(3)));
  } else if (IS("ftruncate")) {
    say(ftruncate(descriptor(1), number(2)));
    say_file(descriptor(1));
  } else if (IS("truncate")) {
    say(truncate(word(1), number(2)));
    struct stat st;
    if (stat(word(1), &st) == 0)
      also(" size=%ld blocks=%ld", (long)st.st_size, (long)st.st_blocks);
  } else if (IS("fallocate")) {
    say(fallocate(descriptor(1), (int)number(2), number(3), number(4)));
    say_file(descriptor(1));
  } else if (IS("copy")) {
    off_t* from = offset(2, &first);
    off_t* to = offset(4, &second);
    say(copy_file_range(descriptor(1), from, descriptor(3), to, limited(number(5)), 0));
    also(" %ld %ld", from ? *from : -1, to ? *to : -1);
    say_file(descriptor(3));
  } else if (IS("sendfile")) {
    off_t* from = offset(3, &first);
    say(sendfile(descriptor(1), descriptor(2), from, limited(number(4))));
    also(" %ld", from ? *from : -1);
    say_file(descriptor(1));
  } else if (IS("append")) {
    say(fcntl(descriptor(1), F_SETFL, number(2) ? O_APPEND : 0));
  } else if (IS("rename")) {
    say(rename(word(1), word(2)));
  } else if (IS("link")) {
    say(link(word(1), word(2)));
  } else if (IS("unlink")) {
    say(unlink(word(1)));
  } else if (IS("stat")) {
    call_stat();
  } else if (IS("check")) {
    call_check();
  } else if (IS("mmap")) {
    call_map();
  } else if (IS("mread")) {
    call_touch(0);
  } else if (IS("mwrite")) {
    call_touch(1);
  } else if (IS("msync")) {
    long slot = number(1);
    say(slot >= 0 && slot < MAPS && maps[slot].at ? msync(maps[slot].at, maps[slot].size, MS_SYNC)
                                                  : 0);
  } else if (IS("munmap")) {
    call_unmap();
  } else if (IS("mremap")) {
    call_remap();
  } else if (IS("fsync")) {
    say(fsync(descriptor(1)));
  } else if (IS("exec")) {
    if (out < 0)
      snprintf(reply, sizeof reply, "only in a child");
    else
      call_exec(in, out);
  } else {
    snprintf(reply, sizeof reply, "unknown call");
  }
}

static int read_line(int fd, char* line, size_t size) {
  size_t used = 0;
  while (used + 1 < size) {
    ssize_t got = read(fd, line + used, 1);
    if (got <= 0) return 0;
    if (line[used++] == '\n') break;
  }
  line[used] = 0;
  return 1;
}

static void send_line(int fd, const char* text) {
  char line[LINE + 1];
  int size = snprintf(line, sizeof line, "%s\n", text);
  if (write(fd, line, (size_t)size) != size) _exit(9);
}

static void serve(int in, int out) {
  char line[LINE];
  while (read_line(in, line, sizeof line)) {
    split(line);
    execute(in, out);
    send_line(out, reply);
  }
}

static void resume(char** argv) {
  for (int i = 0; i < FILES; i++) {
    files[i] = atoi(argv[4 + i]);
    if (files[i] >= 0 && fcntl(files[i], F_GETFD) < 0) files[i] = -1;
  }
  // exec's own answer: which descriptors lived on.
  snprintf(reply, sizeof reply, "resumed");
  for (int i = 0; i < FILES; i++) also(" %d", files[i] >= 0);
  send_line(atoi(argv[3]), reply);
  serve(atoi(argv[2]), atoi(argv[3]));
}

static void turn(const char* line) {
  long process = 0;
  int skip = 0;
  if (line[0] == '@') sscanf(line, "@%ld %n", &process, &skip);
  split(line + skip);
  if (process == 0) {
    if (strcmp(word(0), "fork") == 0) return call_fork();
    if (strcmp(word(0), "exit") == 0) {
      long p = number(1);
      if (p > 0 && p < PROCESSES && children[p].pid) return end_child(p);
      snprintf(reply, sizeof reply, "gone");
      return;
    }
    return execute(-1, -1);
  }
  if (process < 0 || process >= PROCESSES || children[process].pid == 0) {
    snprintf(reply, sizeof reply, "gone");
    return;
  }
  char text[LINE];
  snprintf(text, sizeof text, "%s", line + skip);
  if (write(children[process].to, text, strlen(text)) < 0 ||
      !read_line(children[process].from, reply, sizeof reply))
    end_child(process);
  reply[strcspn(reply, "\n")] = 0;
}

static void run(char (*lines)[LINE], long count) {
  alarm(SECONDS);
  for (long i = 0; i < count; i++) {
    turn(lines[i]);
    puts(reply);
    fflush(stdout);
  }
  for (int p = 1; p < PROCESSES; p++)
    if (children[p].pid) end_child(p);
  fflush(stdout);
}

static void clear_directory(const char* name) {
  static const char* const names[] = {"a", "b", "c", "d"};
  char path[LINE];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", name, names[i]);
    unlink(path);
  }
  rmdir(name);
}

int main(int argc, char** argv) {
  static char lines[LINES][LINE];
  char header[LINE];
  long id, count;
  self_path = argv[0];
  buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  make_crc();
  for (int i = 0; i < FILES; i++) files[i] = -1;
  signal(SIGBUS, on_fault);
  signal(SIGSEGV, on_fault);
  if (argc > 3 && strcmp(argv[1], "--resume") == 0) {
    resume(argv);
    return 0;
  }
  if (argc < 2 || chdir(argv[1]) != 0) return 2;
  while (fgets(header, sizeof header, stdin)) {
    if (sscanf(header, "seq %ld %ld", &id, &count) != 2 || count > LINES) return 3;
    for (long i = 0; i < count; i++)
      if (!fgets(lines[i], LINE, stdin)) return 3;
    char name[32];
    snprintf(name, sizeof name, "s%ld", id);
    mkdir(name, 0755);
    pid_t pid = fork();
    if (pid == 0) {
      setpgid(0, 0);
      if (chdir(name) != 0) _exit(4);
      run(lines, count);
      _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL);
    clear_directory(name);
    printf("end %ld %s %d\n", id, WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
  }
  return 0;
}
