// A whole tree as text: each entry's metadata and contents, and which of its times moved since the
// last look. The looks themselves leave no trace: times are taken anew when all has been read.
#include "driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { MOST_READ = 4 << 20, CHUNK = 64 << 10 };

struct entry {
  char* path;
  struct statx status;
};
/// What the last look at times saw, by inode.
static struct entry* seen;
static size_t seen_count;

struct list {
  struct entry* entries;
  size_t count, size;
};

static int look(const char* path, struct statx* status) {
  memset(status, 0, sizeof *status);
  return syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
                 status);
}

static int by_text(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static int open_quietly(const char* path, int flags) {
  const int fd = open(path, flags | O_NOATIME | O_CLOEXEC | O_NOFOLLOW);
  return fd >= 0 || errno != EPERM ? fd : open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

static void collect(struct list* list, const char* path) {
  if (list->count == list->size) {
    list->size = list->size * 2 + 64;
    list->entries = realloc(list->entries, list->size * sizeof *list->entries);
  }
  struct entry* entry = &list->entries[list->count++];
  entry->path = strdup(path);
  if (look(path, &entry->status) != 0) entry->status.stx_mode = 0;
  if (!S_ISDIR(entry->status.stx_mode)) return;
  const int fd = open_quietly(path, O_RDONLY | O_DIRECTORY);
  DIR* dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) return;
  char** names = NULL;
  size_t count = 0;
  for (struct dirent* found; (found = readdir(dir)) != NULL;) {
    if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) continue;
    names = realloc(names, (count + 1) * sizeof *names);
    names[count++] = strdup(found->d_name);
  }
  closedir(dir);
  if (count > 0) qsort(names, count, sizeof *names, by_text);
  for (size_t i = 0; i < count; i++) {
    char* below = NULL;
    if (strlen(path) + strlen(names[i]) < 4094 && asprintf(&below, "%s/%s", path, names[i]) > 0)
      collect(list, below);
    free(below);
    free(names[i]);
  }
  free(names);
}

static void put_contents(struct text* out, const char* path, const struct statx* status) {
  if (status->stx_size == 0) return;
  const int fd = open_quietly(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) {
    put(out, " unreadable:%s", errno_name(errno));
    return;
  }
  static char bytes[CHUNK];
  uint32_t sum = 0;
  off_t at = 0;
  size_t read_so_far = 0;
  // A large file is mostly a hole: only the beginnings of its data count.
  const bool sparse = status->stx_size > MOST_READ;
  while (read_so_far < MOST_READ) {
    if (sparse && (at = lseek(fd, at, SEEK_DATA)) < 0) break;
    const ssize_t length = pread(fd, bytes, sizeof bytes, at);
    if (length <= 0) break;
    sum = checksum(sum, sparse ? (void*)&at : bytes, sparse ? sizeof at : 0);
    sum = checksum(sum, bytes, length);
    at += length;
    read_so_far += length;
  }
  close(fd);
  put(out, " sum=%08x", sum);
}

static void put_attributes(struct text* out, const char* path) {
  char names[4096], bytes[4096];
  const ssize_t length = llistxattr(path, names, sizeof names);
  char* sorted[256];
  int count = 0;
  for (ssize_t at = 0; at < length && count < 256; at += strlen(names + at) + 1)
    sorted[count++] = names + at;
  qsort(sorted, count, sizeof *sorted, by_text);
  for (int i = 0; i < count; i++) {
    const ssize_t size = lgetxattr(path, sorted[i], bytes, sizeof bytes);
    put(out, " %s=", sorted[i]);
    if (size < 0)
      put(out, "%s", errno_name(errno));
    else
      put_bytes(out, bytes, size);
  }
}

static bool same_time(const struct statx_timestamp* a, const struct statx_timestamp* b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void put_times(struct text* out, const struct statx* now) {
  for (size_t i = 0; i < seen_count; i++) {
    const struct statx* then = &seen[i].status;
    if (then->stx_ino != now->stx_ino || !same_time(&then->stx_btime, &now->stx_btime)) continue;
    put(out, " moved=%s%s%s", same_time(&then->stx_atime, &now->stx_atime) ? "" : "a",
        same_time(&then->stx_mtime, &now->stx_mtime) ? "" : "m",
        same_time(&then->stx_ctime, &now->stx_ctime) ? "" : "c");
    return;
  }
  put(out, " new");
}

/// Times come from a clock that ticks; what happens after this has another time.
static void wait_for_tick(void) {
  struct timespec start, now;
  // Multigrain timestamps come from the fine clock where somebody has looked: the tick must be behind it.
  clock_gettime(CLOCK_REALTIME, &start);
  do {
    usleep(300);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec < start.tv_sec ||
           (now.tv_sec == start.tv_sec && now.tv_nsec <= start.tv_nsec));
}

static void put_entry(struct text* out, const struct list* list, size_t at, size_t skip) {
  const struct entry* entry = &list->entries[at];
  const struct statx* s = &entry->status;
  if (at > 0) put(out, "\t");
  const char* shown = entry->path + skip;
  put_bytes(out, *shown == '/' ? shown + 1 : ".", strlen(*shown == '/' ? shown + 1 : "."));
  for (size_t i = 0; s->stx_nlink > 1 && !S_ISDIR(s->stx_mode) && i < at; i++)
    if (list->entries[i].status.stx_ino == s->stx_ino) {
      put(out, " is ");
      put_bytes(out, list->entries[i].path + skip + 1, strlen(list->entries[i].path + skip + 1));
      return;
    }
  put(out, " mode=%o nlink=%u uid=%u gid=%u size=%llu blocks=%llu", s->stx_mode, s->stx_nlink,
      s->stx_uid, s->stx_gid, s->stx_size, s->stx_blocks);
  if (s->stx_rdev_major || s->stx_rdev_minor)
    put(out, " rdev=%u:%u", s->stx_rdev_major, s->stx_rdev_minor);
  if (S_ISLNK(s->stx_mode)) {
    char target[4096];
    const ssize_t length = readlink(entry->path, target, sizeof target);
    put(out, " -> ");
    put_bytes(out, target, length < 0 ? 0 : length);
  }
  if (S_ISREG(s->stx_mode)) put_contents(out, entry->path, s);
  put_attributes(out, entry->path);
}

static void forget(struct entry* entries, size_t count) {
  for (size_t i = 0; i < count; i++) free(entries[i].path);
  free(entries);
}

void forget_times(void) {
  forget(seen, seen_count);
  seen = NULL;
  seen_count = 0;
}

void put_tree(struct text* out, const char* path, enum look look_for) {
  struct list list = {0};
  collect(&list, path);
  const size_t skip = strlen(path);
  for (size_t i = 0; i < list.count; i++) {
    put_entry(out, &list, i, skip);
    if (look_for != NO_TIMES) put_times(out, &list.entries[i].status);
  }
  if (look_for != NEW_TIMES) {
    forget(list.entries, list.count);
    return;
  }
  for (size_t i = 0; i < list.count; i++) look(list.entries[i].path, &list.entries[i].status);
  forget(seen, seen_count);
  seen = list.entries;
  seen_count = list.count;
  wait_for_tick();
}
