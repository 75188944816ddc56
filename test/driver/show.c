// What came out of a call, as text.
#include "driver.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SHOWN_BYTES = 200 };

void put(struct text* out, const char* format, ...) {
  for (;;) {
    va_list args;
    va_start(args, format);
    const size_t room = out->size - out->length;
    const int length = vsnprintf(out->bytes + out->length, room, format, args);
    va_end(args);
    if ((size_t)length < room) {
      out->length += length;
      return;
    }
    out->size = (out->size + length + 256) * 2;
    out->bytes = realloc(out->bytes, out->size);
  }
}

uint32_t checksum(uint32_t sum, const void* bytes, size_t length) {
  uint64_t hash = sum ? sum : 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ ((const uint8_t*)bytes)[i]) * 16777619u & ~0u;
  return (uint32_t)hash;
}

void put_bytes(struct text* out, const void* bytes, size_t length) {
  const char* at = bytes;
  const size_t base = strlen(base_directory);
  if (length > SHOWN_BYTES) {
    // What follows the base directory counts, so that the sum does not depend on where that is.
    const bool below = memcmp(at, base_directory, base) == 0;
    const size_t skipped = below ? base : 0;
    put(out, "<%zu bytes %08x>", length, checksum(0, at + skipped, length - skipped));
    return;
  }
  put(out, "\"");
  for (size_t i = 0; i < length; i++) {
    if (length - i >= base && memcmp(at + i, base_directory, base) == 0) {
      put(out, "$B");
      i += base - 1;
    } else if (at[i] == '"' || at[i] == '\\') {
      put(out, "\\%c", at[i]);
    } else if (isprint((unsigned char)at[i])) {
      put(out, "%c", at[i]);
    } else {
      put(out, "\\x%02x", (unsigned char)at[i]);
    }
  }
  put(out, "\"");
}

long put_result(struct actor* self, long result) {
  if (result < 0 && result >= -4095)
    put(&self->out, "-%s", errno_name(-result));
  else
    put(&self->out, "%ld", result);
  return result;
}

void put_stat(struct text* out, const void* status) {
  const struct stat* s = status;
  put(out, " mode=%o nlink=%lu uid=%u gid=%u size=%ld blocks=%ld", s->st_mode, s->st_nlink,
      s->st_uid, s->st_gid, s->st_size, s->st_blocks);
  if (s->st_rdev) put(out, " rdev=%lu", s->st_rdev);
  if (s->st_blksize != 4096) put(out, " blksize=%ld", s->st_blksize);
}

static void put_statx(struct text* out, const struct statx* s) {
  put(out, " mask=%x mode=%o nlink=%u uid=%u gid=%u size=%llu blocks=%llu attributes=%llx/%llx",
      s->stx_mask, s->stx_mode, s->stx_nlink, s->stx_uid, s->stx_gid, s->stx_size, s->stx_blocks,
      s->stx_attributes, s->stx_attributes_mask);
}

static int by_name(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static void put_sorted(struct text* out, char** names, int count) {
  qsort(names, count, sizeof *names, by_name);
  for (int i = 0; i < count; i++) {
    put(out, " ");
    put_bytes(out, names[i], strlen(names[i]));
  }
}

static void put_names(struct text* out, char* list, long length) {
  char* names[4096];
  int count = 0;
  for (long at = 0; at < length && count < 4096; at += strlen(list + at) + 1)
    names[count++] = list + at;
  put_sorted(out, names, count);
}

/// Entries as their names with a letter for the type.
static void put_entries(struct text* out, char* list, long length, bool sorted) {
  enum { MOST = 8192 };
  static char* names[MOST];
  int count = 0;
  for (long at = 0; at < length && count < MOST;) {
    struct {
      uint64_t ino;
      int64_t off;
      uint16_t size;
      uint8_t type;
      char name[];
    } __attribute__((packed))* entry = (void*)(list + at);
    at += entry->size;
    char* name = malloc(strlen(entry->name) + 3);
    sprintf(name, "%s/%c", entry->name, entry->type < 15 ? "?pc?d?b?-?l?s??"[entry->type] : '?');
    names[count++] = name;
  }
  if (sorted) put_sorted(out, names, count);
  for (int i = 0; i < count; i++) {
    if (!sorted) put(out, " %s", names[i]);
    free(names[i]);
  }
}

static void put_lock(struct text* out, const struct flock* lock) {
  const char* type = lock->l_type == F_RDLCK   ? "F_RDLCK"
                     : lock->l_type == F_WRLCK ? "F_WRLCK"
                                               : "F_UNLCK";
  put(out, " %s whence=%d start=%ld len=%ld pid=", type, lock->l_whence, lock->l_start,
      lock->l_len);
  if (lock->l_pid == getpid())
    put(out, "mine");
  else if (lock->l_pid > 0)
    put(out, "other");
  else
    put(out, "%d", lock->l_pid);
}

static void put_vector(struct text* out, const struct iovec* vector, size_t count, long left) {
  for (size_t i = 0; i < count && left > 0; i++) {
    const long part = left < (long)vector[i].iov_len ? left : (long)vector[i].iov_len;
    put(out, " ");
    put_bytes(out, vector[i].iov_base, part);
    left -= part;
  }
}

void put_outputs(struct actor* self, const struct call* call, long result) {
  struct text* out = &self->out;
  const bool get_lock = call->number == SYS_fcntl &&
                        (self->args[1].number == F_GETLK || self->args[1].number == F_OFD_GETLK);
  for (int i = 0; i < self->arg_count; i++) {
    const struct value* arg = &self->args[i];
    char* bytes = (char*)arg->number;
    switch (i < (int)strlen(call->parameters) ? call->parameters[i] : '.') {
      case 'B':  // Asked for the length only: nothing was written.
        if (self->args[i + 1].number == 0) break;
        put(out, " ");
        put_bytes(out, bytes, result);
        break;
      case 'G':
        put(out, " ");
        put_bytes(out, bytes, result - 1);
        break;
      case 'Y':
        if (self->args[i + 1].number != 0) put_names(out, bytes, result);
        break;
      case 'D':
        put_entries(out, bytes, result, true);
        break;
      case 'E':
        put_entries(out, bytes, result, false);
        break;
      case 'T':
        put_stat(out, bytes);
        break;
      case 'X':
        put_statx(out, (struct statx*)bytes);
        break;
      case 'F': {
        const struct statfs* s = (struct statfs*)bytes;
        put(out, " type=%lx bsize=%ld frsize=%ld namelen=%ld", s->f_type, s->f_bsize, s->f_frsize,
            s->f_namelen);
        break;
      }
      default:
        if (arg->kind == LOCK && get_lock) put_lock(out, (struct flock*)bytes);
        if (arg->kind == VECTOR && !arg->filled)
          put_vector(out, (struct iovec*)bytes, arg->size, result);
        // Offsets come back where the call moves them; times go in only.
        if (arg->kind == LONGS && arg->size == 1) put(out, " [%ld]", *(long*)bytes);
        if (arg->kind == INTS && arg->size == 1) put(out, " [%d]", *(int*)bytes);
    }
  }
}
