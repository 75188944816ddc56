#define _GNU_SOURCE
#include "rows.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void must(int ok, const char *call) {
  if (ok) return;
  fprintf(stderr, "micro: %s: %s\n", call, strerror(errno));
  exit(1);
}

static off_t next_offset(struct place *place, size_t length) {
  return (off_t)(place->turn++ * length % SIZE);
}

static void stat_hit(struct place *place) {
  struct stat st;
  must(stat(place->file, &st) == 0 && st.st_size == BLOCK, "stat");
}

static void stat_enoent(struct place *place) {
  struct stat st;
  must(stat(place->absent, &st) == -1 && errno == ENOENT, "stat of an absent file");
}

static void fstat_row(struct place *place) {
  struct stat st;
  must(fstat(place->fd, &st) == 0 && st.st_size == SIZE, "fstat");
}

static void open_close(struct place *place) {
  int fd = open(place->file, O_RDONLY);
  must(fd >= 0, "open");
  close(fd);
}

static void open_read_close(struct place *place) {
  int fd = open(place->file, O_RDONLY);
  must(fd >= 0, "open");
  must(read(fd, place->buffer, BLOCK) == BLOCK, "read");
  close(fd);
}

static void pread_length(struct place *place, size_t length) {
  off_t offset = next_offset(place, length);
  must(pread(place->fd, place->buffer, length, offset) == (ssize_t)length, "pread");
}

static void pwrite_length(struct place *place, size_t length) {
  off_t offset = next_offset(place, length);
  must(pwrite(place->fd, place->buffer, length, offset) == (ssize_t)length, "pwrite");
}

static void pread_block(struct place *place) { pread_length(place, BLOCK); }
static void pread_large(struct place *place) { pread_length(place, LARGE); }
static void pwrite_block(struct place *place) { pwrite_length(place, BLOCK); }
static void pwrite_large(struct place *place) { pwrite_length(place, LARGE); }

static void create_cycle(struct place *place) {
  int fd = open(place->made, O_WRONLY | O_CREAT | O_EXCL, 0644);
  must(fd >= 0, "open with O_CREAT");
  must(write(fd, place->buffer, BLOCK) == BLOCK, "write");
  close(fd);
  must(unlink(place->made) == 0, "unlink");
}

static void mkdir_rmdir(struct place *place) {
  must(mkdir(place->made, 0755) == 0, "mkdir");
  must(rmdir(place->made) == 0, "rmdir");
}

static void rename_row(struct place *place) {
  must(rename(place->file, place->moved) == 0, "rename");
  must(rename(place->moved, place->file) == 0, "rename");
}

static void list(struct place *place, int with_lstat) {
  char path[600 + 256];
  struct stat st;
  DIR *directory = opendir(place->many);
  must(directory != NULL, "opendir");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL; count++) {
    if (!with_lstat) continue;
    snprintf(path, sizeof path, "%s/%s", place->many, entry->d_name);
    must(lstat(path, &st) == 0, "lstat");
  }
  must(count == ENTRIES + 2, "readdir");
  closedir(directory);
}

static void readdir_row(struct place *place) { list(place, 0); }
static void readdir_lstat(struct place *place) { list(place, 1); }

const struct row rows[] = {
    {"stat", stat_hit, 1},
    {"stat-enoent", stat_enoent, 1},
    {"fstat", fstat_row, 1},
    {"open-close", open_close, 1},
    {"open-read-close", open_read_close, 1},
    {"pread-4k", pread_block, 1},
    {"pread-128k", pread_large, 1},
    {"pwrite-4k", pwrite_block, 1},
    {"pwrite-128k", pwrite_large, 1},
    {"create-write-unlink", create_cycle, 1},
    {"mkdir-rmdir", mkdir_rmdir, 1},
    {"rename", rename_row, 2},
    {"readdir", readdir_row, ENTRIES},
    {"readdir-lstat", readdir_lstat, ENTRIES},
    {NULL, NULL, 0},
};

const struct row *find_row(const char *name) {
  for (const struct row *row = rows; row->name != NULL; row++)
    if (strcmp(row->name, name) == 0) return row;
  return NULL;
}

static void fill(const char *path, size_t size, const char *buffer) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  must(fd >= 0, "open with O_CREAT");
  for (size_t done = 0; done < size; done += BLOCK)
    must(write(fd, buffer, BLOCK) == BLOCK, "write");
  close(fd);
}

void plant(struct place *place, const char *root, int index) {
  char path[700];
  snprintf(place->directory, sizeof place->directory, "%s/thread%d", root, index);
  must(mkdir(place->directory, 0755) == 0, "mkdir");
  snprintf(place->file, sizeof place->file, "%s/file", place->directory);
  snprintf(place->absent, sizeof place->absent, "%s/absent", place->directory);
  snprintf(place->made, sizeof place->made, "%s/made", place->directory);
  snprintf(place->moved, sizeof place->moved, "%s/moved", place->directory);
  snprintf(place->many, sizeof place->many, "%s/many", place->directory);
  place->buffer = aligned_alloc(BLOCK, LARGE);
  must(place->buffer != NULL, "aligned_alloc");
  memset(place->buffer, 'x', LARGE);
  fill(place->file, BLOCK, place->buffer);
  snprintf(path, sizeof path, "%s/data", place->directory);
  fill(path, SIZE, place->buffer);
  place->fd = open(path, O_RDWR);
  must(place->fd >= 0, "open");
  must(mkdir(place->many, 0755) == 0, "mkdir");
  for (int entry = 0; entry < ENTRIES; entry++) {
    snprintf(path, sizeof path, "%s/entry-%04d", place->many, entry);
    fill(path, 0, place->buffer);
  }
}
