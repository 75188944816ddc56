#include "proc_listing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "directory_entry.h"
#include "other_process.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Set for good by the first listing of descriptors: all but a few programs never come to that. */
bool seen;

bool ends_with(const char* text, uint64_t length, const char* end) {
  uint64_t end_length = strlen(end);
  return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

bool begins_with(const char* text, uint64_t length, const char* begin) {
  uint64_t begin_length = strlen(begin);
  return length >= begin_length && memcmp(text, begin, begin_length) == 0;
}

/** A name that is all digits, as a number; -1 for any other. */
long number_of(const char* name) {
  long number = 0;
  for (const char* at = name; *at != 0; at++) {
    if (*at < '0' || *at > '9' || number > (long)BT_FDS_MAX) return -1;
    number = number * 10 + (*at - '0');
  }
  return *name == 0 ? -1 : number;
}

constexpr uint64_t kLinkMax = 64;
constexpr char kSegments[] = "/dev/shm/btfuse";

/** Where a descriptor of the host leads, cut at kLinkMax. */
uint64_t link_of(long directory, const char* name, char* text) {
  long length = kernel(SYS_readlinkat, directory, name, text, kLinkMax);
  return length < 0 ? 0 : (uint64_t)length;
}

/** "/proc/7/fd": the number of the process, or 0. */
long listed_process(long fd) {
  char name[32] = "/proc/self/fd/";
  char* at = name + strlen(name);
  char digits[12];
  int count = 0;
  for (long rest = fd; rest > 0 || count == 0; rest /= 10)
    digits[count++] = (char)('0' + rest % 10);
  while (count > 0) *at++ = digits[--count];
  *at = 0;
  char text[kLinkMax];
  uint64_t length = link_of(AT_FDCWD, name, text);
  if (!begins_with(text, length, "/proc/") || !ends_with(text, length, "/fd")) return 0;
  long pid = 0;
  for (uint64_t i = 6; i < length && text[i] >= '0' && text[i] <= '9'; i++)
    pid = pid * 10 + (text[i] - '0');
  return pid;
}

/** Is this entry of a listing a descriptor of the shim in that process? */
bool is_ours(long directory, long pid, const char* name) {
  long number = number_of(name);
  if (number < (long)BT_PRIVATE_FD_MIN) return false;
  if ((uint32_t)pid == client.pid) return is_private_fd(number);
  const Process* process = process_with((uint32_t)pid);
  if (process != nullptr && (long)process->nodes_fd == number + 1) return true;
  char text[kLinkMax];
  uint64_t length = link_of(directory, name, text);
  if (begins_with(text, length, kSegments)) return true;
  // Its anchor, of which the descriptors of the tree are duplicates.
  if (!begins_with(text, length, "/proc/") || !ends_with(text, length, "/fdinfo")) return false;
  return process != nullptr && description_in(*process, number) == 0;
}

}  // namespace

void note_listing(long fd, const char* path, uint64_t user_stack) {
  if (seen || fd < 0) return;
  long length = string_length(path, BT_PATH_MAX, user_stack);
  if (length <= 0) return;
  while (length > 1 && path[length - 1] == '/') length--;
  if (length >= 2 && path[length - 1] == 'd' && path[length - 2] == 'f') seen = true;
}

bool may_list_descriptors() {
  return seen;
}

long list_without_ours(long fd, void* entries, long length) {
  if (length <= 0) return length;
  long pid = listed_process(fd);
  if (pid == 0) return length;
  auto* from = (unsigned char*)entries;
  auto* to = from;
  for (long at = 0; at < length;) {
    auto* entry = (DirectoryEntry*)(from + at);
    uint16_t size = entry->length;
    at += size;
    if (is_ours(fd, pid, entry->name)) continue;
    memmove(to, entry, size);
    to += size;
  }
  return to - from;
}

}  // namespace btfuse
