#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../client/memory.h"

namespace btfuse {

namespace {

constexpr char kFolder[] = "/dev/shm/btfuse-nodes.";
constexpr char kNode[] = "btfuse.";
constexpr uint32_t kNodeLength = sizeof kNode - 1;

/** Is it the directory that the ring speaks of? */
bool is_nodes_directory(long fd) {
  const SegmentHeader* header = ring_segment();
  struct stat status;
  return kernel(SYS_fstat, fd, &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_ino == header->nodes_inode && status.st_dev == header->nodes_device;
}

/** Copies at most `room` bytes of a field of the ring, up to its NUL. */
char* append(char* to, const unsigned char* from, uint32_t room) {
  for (uint32_t i = 0; i < room && from[i] != 0; i++) *to++ = (char)from[i];
  return to;
}

long open_nodes(long flags) {
  const SegmentHeader* header = ring_segment();
  if (header->nodes_inode == 0) return -ENXIO;
  char path[sizeof kFolder + sizeof header->name + sizeof header->nodes_secret + 2];
  memcpy(path, kFolder, sizeof kFolder - 1);
  char* at = append(path + sizeof kFolder - 1, header->name, sizeof header->name);
  *at++ = '/';
  at = append(at, header->nodes_secret, sizeof header->nodes_secret);
  *at = 0;
  long fd = kernel(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | flags);
  if (fd < 0) return -ENXIO;
  if (flags == 0) fd = raise(fd);
  if (is_nodes_directory(fd)) return fd;
  kernel(SYS_close, fd);
  return -ENXIO;
}

char* write_hexadecimal(char* to, uint32_t value) {
  char digits[8];
  uint32_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  while (count > 0) *to++ = digits[--count];
  return to;
}

bool read_hexadecimal(const char*& at, const char* end, uint32_t& value) {
  const char* start = at;
  value = 0;
  for (; at < end && at - start < 8; at++) {
    char c = *at;
    if (c >= '0' && c <= '9')
      value = value << 4 | (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | (uint32_t)(c - 'a' + 10);
    else
      break;
  }
  return at > start;
}

/** What an open file keeps of its flags, and O_CLOEXEC; the rest was the server's business. */
constexpr uint32_t kOpenFlags = O_ACCMODE | O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_SYNC |
                                O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;

long open_device(uint32_t description, const char* path, uint32_t flags) {
  struct stat status;
  if (kernel(SYS_lstat, path, &status) != 0) return -ENXIO;
  auto* superblock = (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
  const Description* record = description_record(description);
  const uint32_t rdev =
      ((const Inode*)(client.store + superblock->inodes_offset) + record->ino)->rdev;
  if ((status.st_mode & S_IFMT) != record->mode || (uint32_t)status.st_rdev != rdev) return -ENXIO;
  return kernel(SYS_openat, AT_FDCWD, path, flags);
}

}  // namespace

long nodes_fd(Thread& self) {
  int known = __atomic_load_n(&client.nodes_fd, __ATOMIC_ACQUIRE);
  if (self.vforks != 0 || self.process != 0) {
    // A vfork child has our memory but descriptors of its own, and ends or executes soon; so has a
    // thread after unshare(CLONE_FILES).
    return known >= 0 && is_nodes_directory(known) ? known : open_nodes(O_CLOEXEC);
  }
  if (known >= 0) return known;
  Process* process = process_at(process_of(self));
  // The image before this one may have left it.
  long fd = (long)process->nodes_fd - 1;
  if (fd < 0 || !is_nodes_directory(fd)) {
    fd = open_nodes(0);
    if (fd < 0) return fd;
  }
  int none = -1;
  if (!__atomic_compare_exchange_n(&client.nodes_fd, &none, (int)fd, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    // Another thread was faster.
    if (none != fd) kernel(SYS_close, fd);
    return none;
  }
  process->nodes_fd = (uint32_t)fd + 1;
  return fd;
}

uint32_t node_name(uint32_t ino, uint32_t generation, char* to) {
  memcpy(to, kNode, kNodeLength);
  char* at = write_hexadecimal(to + kNodeLength, ino);
  *at++ = '.';
  at = write_hexadecimal(at, generation);
  *at = 0;
  return (uint32_t)(at - to);
}

bool parse_node_name(const char* text, uint32_t length, uint32_t& ino, uint32_t& generation) {
  const char *at = text, *end = text + length;
  if (length < kNodeLength || memcmp(at, kNode, kNodeLength) != 0) return false;
  at += kNodeLength;
  if (!read_hexadecimal(at, end, ino) || at == end || *at++ != '.') return false;
  return read_hexadecimal(at, end, generation) && at == end;
}

long open_node(Thread& self, uint32_t description, const char* device, uint32_t flags) {
  flags &= kOpenFlags;
  if (*device != 0) return open_device(description, device, flags);
  long directory = nodes_fd(self);
  if (directory < 0) return directory;
  auto* superblock = (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
  uint32_t ino = description_record(description)->ino;
  auto* inode = (const Inode*)(client.store + superblock->inodes_offset) + ino;
  char name[kNodeName];
  node_name(ino, inode->generation, name);
  return kernel(SYS_openat, directory, name, flags);
}

}  // namespace btfuse
