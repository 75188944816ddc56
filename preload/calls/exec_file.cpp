#include "exec_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../client/memory.h"
#include "../image/identity.h"
#include "../image/start.h"
#include "descriptors.h"
#include "host_walk.h"
#include "open_copy.h"
#include "tree_path.h"
#include "user_memory.h"

namespace btfuse {

namespace {

// Younger than some headers.
constexpr uint32_t kMfdExec = 0x10;
constexpr long kLookFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
/** What memfd_create takes, with NUL. */
constexpr uint64_t kMemfdName = 250;

void fill_open(Slot& slot, const Call& call) {
  slot.opcode = BT_OP_OPEN;
  slot.flags = (uint32_t)call.args[2];
  slot.mode = 0;
}

/** A request on the file's description, without paths; the status. */
int32_t ask_about(Call& call, Thread& self, const ExecFile& file, uint32_t opcode, uint32_t mode,
                  uint32_t* file_mode) {
  Slot* slot = begin_on(call, self, file.description);
  if (slot == nullptr) return -EIO;
  slot->opcode = opcode;
  slot->flags = opcode == BT_OP_ACCESS ? AT_EMPTY_PATH : 0;
  slot->mode = mode;
  int32_t status = transact_plain(slot);
  if (file_mode != nullptr) *file_mode = ((const Attributes*)slot->attr)->mode;
  end(self);
  return status;
}

/** An O_PATH descriptor cannot be read; another one of the same file can. */
void reopen(ExecFile& file) {
  char text[32];
  proc_path_of(file.fd, text);
  long fd = kernel(SYS_openat, AT_FDCWD, text, kLookFlags);
  if (fd < 0) return;
  file.fd = fd;
  file.borrowed = false;
}

/** The last component of a path. */
const char* base_name(const char* path) {
  const char* name = path;
  for (const char* at = path; *at != 0; at++) {
    if (*at == '/' && at[1] != 0) name = at + 1;
  }
  return name;
}

bool starts_with(const char* text, const char* start) {
  while (*start != 0) {
    if (*text++ != *start++) return false;
  }
  return true;
}

bool is_elf(const ExecFile& file) {
  return file.head_length >= sizeof(Elf64_Ehdr) && memcmp(file.head, ELFMAG, SELFMAG) == 0;
}

/** Another loader (that of musl, say) knows nothing of LD_AUDIT. */
bool is_glibc_loader(Call& call, Thread& self, const ExecFile& file, const Elf64_Phdr& entry) {
  char name[256];
  if (entry.p_filesz == 0 || entry.p_filesz > sizeof name) return false;
  const long size = (long)entry.p_filesz;
  if (read_exec(call, self, file, name, (uint64_t)size, entry.p_offset) != size) return false;
  name[size - 1] = 0;
  return starts_with(base_name(name), "ld-linux") || starts_with(base_name(name), "ld.so");
}

enum class Interpreter { NONE, GLIBC, OTHER };

/** Is there a program header of type PT_INTERP, and which loader does it name? */
Interpreter interpreter_of(Call& call, Thread& self, const ExecFile& file) {
  auto& header = *(const Elf64_Ehdr*)file.head;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return Interpreter::NONE;
  for (uint32_t i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr entry;
    uint64_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    if (at + sizeof(Elf64_Phdr) <= file.head_length) {
      memcpy(&entry, file.head + at, sizeof(Elf64_Phdr));
    } else if (read_exec(call, self, file, (char*)&entry, sizeof(Elf64_Phdr), at) !=
               (long)sizeof(Elf64_Phdr)) {
      return Interpreter::NONE;
    }
    if (entry.p_type != PT_INTERP) continue;
    return is_glibc_loader(call, self, file, entry) ? Interpreter::GLIBC : Interpreter::OTHER;
  }
  return Interpreter::NONE;
}

}  // namespace

int open_exec(Call& call, Thread& self, long dirfd, const char* path, uint32_t at_flags,
              ExecFile& file) {
  file.fd = -1;
  file.borrowed = file.crossed = file.hidden = false;
  file.description = 0;
  file.head_length = 0;
  Target target;
  classify(self, dirfd, path, path_flags_of(at_flags), call.stack, target);
  if (target.where == Where::HOST && target.length == 0 && (at_flags & AT_EMPTY_PATH)) {
    file.fd = (int)dirfd;
    file.borrowed = true;
    if (read_exec(call, self, file, file.head, 1, 0) == -EBADF) reopen(file);
  } else {
    bool nofollow = (at_flags & AT_SYMLINK_NOFOLLOW) != 0;
    Call open = call;
    open.nr = SYS_openat;
    open.args[0] = dirfd;
    open.args[1] = (long)path;
    open.args[2] = kLookFlags | (nofollow ? O_NOFOLLOW : 0);
    open.args[3] = 0;
    PathCall paths{.first = {.dirfd = 0, .path = 1, .flags = path_flags_of(at_flags)}};
    Slot* slot = ask(open, self, paths, fill_open);
    if (slot != nullptr && slot->status == -EACCES) {
      // Who may execute a file need not be able to read it.
      end(self);
      open.args[2] |= BT_OPEN_TO_EXECUTE;
      slot = ask(open, self, paths, fill_open);
    }
    if (slot != nullptr) {
      int32_t status = slot->status;
      file.description = slot->reply_description;
      end(self);
      if (status != 0) return status;
    } else {
      file.fd = open.result < 0 ? -1 : open.result;
      file.crossed = target.where != Where::HOST;
      // From here the kernel would judge another path than the one that led here.
      if (file.crossed && open.result < 0) return (int)open.result;
      if (open.result == -ENOENT) return -ENOENT;
      file.hidden = open.result == -EACCES;
    }
  }
  long length = read_exec(call, self, file, file.head, kHeadSize, 0);
  file.head_length = length < 0 ? 0 : (uint32_t)length;
  return 0;
}

void close_exec(Call& call, Thread& self, ExecFile& file) {
  if (file.description != 0) drop(self, file.description, call.stack);
  if (file.fd >= 0 && !file.borrowed) kernel(SYS_close, file.fd);
  file.description = 0;
  file.fd = -1;
}

long read_exec(Call& call, Thread& self, const ExecFile& file, char* to, uint64_t size,
               uint64_t offset) {
  if (file.description == 0) return kernel(SYS_pread64, file.fd, to, size, offset);
  Slot* slot = begin_on(call, self, file.description);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_READ;
  slot->flags = 0;
  slot->size = size;
  slot->offset = (int64_t)offset;
  long result = transact_plain(slot);
  if (result == 0) {
    result = (long)slot->reply_length < (long)size ? (long)slot->reply_length : (long)size;
    memcpy(to, reply_payload(slot), (uint64_t)result);
  }
  end(self);
  return result;
}

Format format_of(Call& call, Thread& self, const ExecFile& file, const char* path) {
  if (file.head_length >= 2 && file.head[0] == '#' && file.head[1] == '!') return Format::SCRIPT;
  if (!is_elf(file)) return Format::OTHER;
  auto& header = *(const Elf64_Ehdr*)file.head;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return Format::OTHER;
  // ld.so would leave a shim of the wrong class out and go on without it.
  if (header.e_machine == EM_386) return Format::FOREIGN;
  if (header.e_machine != EM_X86_64) return Format::OTHER;
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return Format::FOREIGN;
  const Interpreter interpreter = interpreter_of(call, self, file);
  if (interpreter == Interpreter::GLIBC) return Format::DYNAMIC;
  if (interpreter == Interpreter::OTHER) return Format::FOREIGN;
  // ld.so called as a program (ldd does) has no interpreter, being one, and honours LD_PRELOAD.
  const char* name = base_name(path);
  bool loader =
      starts_with(name, "ld-linux") || starts_with(name, "ld.so") || starts_with(name, "ld-2.");
  return loader ? Format::DYNAMIC : Format::STATIC;
}

int may_execute(Call& call, Thread& self, const ExecFile& file) {
  if (file.description != 0) {
    uint32_t mode = 0;
    int32_t status = ask_about(call, self, file, BT_OP_GETATTR, 0, &mode);
    if (status != 0) return status;
    if (!S_ISREG(mode)) return -EACCES;
    return ask_about(call, self, file, BT_OP_ACCESS, X_OK, nullptr);
  }
  struct stat status;
  if (kernel(SYS_fstat, file.fd, &status) != 0 || !S_ISREG(status.st_mode)) return -EACCES;
  long allowed = kernel(SYS_faccessat2, file.fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH);
  return allowed == -EACCES ? -EACCES : 0;
}

bool shim_reachable() {
  const Identity ids = identity();
  // By the real ids: rights that the process has beyond its user's end with the exec. Split ids are
  // made alike, and taken again when we are there.
  return ids.split ? may_level(ids) : kernel(SYS_access, start.own, R_OK) == 0;
}

bool raises_privileges(Thread& self, const ExecFile& file) {
  struct stat status;
  if (file.description != 0 || file.fd < 0) return false;
  if (kernel(SYS_fstat, file.fd, &status) != 0) return false;
  const Process* process = process_at(process_of(self));
  if ((status.st_mode & S_ISUID) && status.st_uid != process->uid) return true;
  bool setgid = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  if (setgid && status.st_gid != process->gid) return true;
  if (process->uid == 0) return false;
  return kernel(SYS_fgetxattr, file.fd, "security.capability", 0, 0) > 0;
}

namespace {

/**
 * The kernel will call it "/memfd:NAME (deleted)". With the whole path for a name, what ld.so finds
 * for $ORIGIN still tells the directory: see classify() in paths.cpp.
 */
void name_copy(Call& call, Thread& self, const ExecFile& file, const char* path,
               char (&name)[kMemfdName]) {
  const char* text = nullptr;
  Slot* slot = begin_on(call, self, file.description);
  long length = slot == nullptr ? -EIO : tree_path(slot, &text);
  if (length < 0 || length >= (long)kMemfdName) {
    text = base_name(path);
    length = 0;
    while (text[length] != 0 && text[length] != '/' && length < (long)kMemfdName - 1) length++;
  }
  memcpy(name, text, (uint64_t)length);
  name[length] = 0;
  if (slot != nullptr) end(self);
}

}  // namespace

namespace {

/** Is this descriptor the copy of that inode, under the name that we would give it? */
bool is_copy(long fd, uint64_t inode, const char* name) {
  struct stat status;
  if (kernel(SYS_fstat, fd, &status) != 0 || status.st_ino != inode) return false;
  char link[32], found[kMemfdName + 32];
  proc_path_of(fd, link);
  const long length = kernel(SYS_readlink, link, found, sizeof found);
  static constexpr char kCopy[] = "/memfd:", kDeleted[] = " (deleted)";
  const uint64_t before = sizeof kCopy - 1, size = strlen(name);
  return length == (long)(before + size + sizeof kDeleted - 1) &&
         memcmp(found + before, name, size) == 0;
}

/** "/proc/<server>/fd/<fd>" opened: the copy that the server holds. fd or -errno. */
long open_held(uint64_t fd) {
  char text[64];
  char* at = text;
  auto add = [&](const char* from) {
    while (*from != 0) *at++ = *from++;
  };
  auto add_number = [&](uint64_t number) {
    char digits[20];
    uint32_t count = 0;
    do {
      digits[count++] = (char)('0' + number % 10);
      number /= 10;
    } while (number != 0);
    while (count > 0) *at++ = digits[--count];
  };
  add("/proc/");
  add_number(ring_segment()->server_pid);
  add("/fd/");
  add_number(fd);
  *at = 0;
  return kernel(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC);
}

/** EXEC: `held` is the copy that the server has, or -1. 0 or -errno. */
long ask_for_copy(Call& call, Thread& self, const ExecFile& file, const char* name, long& held) {
  held = -1;
  Slot* slot = begin_on(call, self, file.description);
  if (slot == nullptr) return -EIO;
  slot->opcode = BT_OP_EXEC;
  const long status = transact_plain(slot);
  const int64_t fd = slot->result, inode = slot->reply_offset;
  end(self);
  if (status != 0 || fd < 0) return status;
  held = open_held((uint64_t)fd);
  if (held >= 0 && !is_copy(held, (uint64_t)inode, name)) {
    kernel(SYS_close, held);
    held = -1;
  }
  return 0;
}

/** Whoever runs the program next may use our copy. From here on nobody can change it. */
void offer_copy(Call& call, Thread& self, const ExecFile& file, long fd) {
  constexpr long kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (kernel(SYS_fcntl, fd, F_ADD_SEALS, kSeals) != 0) return;
  Slot* slot = begin_on(call, self, file.description);
  if (slot == nullptr) return;
  slot->opcode = BT_OP_EXEC_KEEP;
  slot->size = (uint64_t)fd;
  slot->offset = kernel(SYS_getpid);
  transact_plain(slot);
  end(self);
}

/** All bytes of the file. 0 or -errno. */
long copy_bytes(Call& call, Thread& self, const ExecFile& file, long fd) {
  Slot* slot = begin_on(call, self, file.description);
  long error = slot == nullptr || slab_of(slot, BT_SLAB_SIZE) == nullptr ? -ENOMEM : 0;
  for (int64_t offset = 0; error == 0;) {
    slot->opcode = BT_OP_READ;
    slot->flags = 0;
    slot->size = BT_SLAB_SIZE;
    slot->offset = offset;
    error = transact_plain(slot);
    if (error != 0 || slot->reply_length == 0) break;
    long written = kernel(SYS_pwrite64, fd, reply_payload(slot), slot->reply_length, offset);
    if (written <= 0)
      error = written < 0 ? written : -EIO;
    else
      offset += written;
  }
  if (slot != nullptr) end(self);
  return error;
}

}  // namespace

long copy_to_memfd(Call& call, Thread& self, const ExecFile& file, const char* path) {
  char name[kMemfdName];
  name_copy(call, self, file, path, name);
  long held;
  long error = ask_for_copy(call, self, file, name, held);
  if (error != 0 || held >= 0) return error != 0 ? error : held;
  constexpr long kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  long fd = kernel(SYS_memfd_create, name, kFlags | kMfdExec);
  if (fd == -EINVAL) fd = kernel(SYS_memfd_create, name, kFlags);
  if (fd < 0) return fd;
  error = copy_bytes(call, self, file, fd);
  if (error == 0) {
    offer_copy(call, self, file, fd);
    return fd;
  }
  kernel(SYS_close, fd);
  return error;
}

__attribute__((noinline)) long open_copy(Thread& self, const char* path, uint64_t user_stack) {
  Call call = {};
  call.stack = user_stack;
  ExecFile file;
  const int status = open_exec(call, self, AT_FDCWD, path, 0, file);
  if (status != 0) return status;
  if (file.description == 0) return file.fd < 0 ? -ENOENT : file.fd;
  const long fd = copy_to_memfd(call, self, file, path);
  close_exec(call, self, file);
  return fd;
}

int parse_script(char (&head)[kHeadSize], uint32_t length, char*& interpreter, char*& argument) {
  auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  char* end = head + length;
  char* line_end = head + 2;
  while (line_end < end && *line_end != '\n' && *line_end != 0) line_end++;
  char* at = head + 2;
  while (at < line_end && is_blank(*at)) at++;
  char* name_end = at;
  while (name_end < line_end && !is_blank(*name_end)) name_end++;
  if (name_end == at) return -ENOEXEC;
  // A line cut off by the end of the buffer may hold half a name.
  bool cut = line_end == end && length == kHeadSize;
  if (cut && name_end == line_end) return -ENOEXEC;
  char* text = name_end;
  while (text < line_end && is_blank(*text)) text++;
  while (line_end > text && is_blank(line_end[-1])) line_end--;
  if (line_end == head + kHeadSize) line_end--;
  *line_end = 0;
  argument = text < line_end ? text : nullptr;
  *name_end = 0;
  interpreter = at;
  return 0;
}

}  // namespace btfuse
