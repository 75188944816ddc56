// The file that execve is given, or that a "#!" line names: opened for a look, on the host or in
// the tree, so that the shim knows whether the new image will be hooked.
#pragma once
#include "request.h"

namespace btfuse {

/** Bytes of a file that decide how it is run, as in fs/exec.c. */
inline constexpr uint32_t kHeadSize = 256;
/** "#!" levels that the kernel follows. */
inline constexpr uint32_t kScriptLevels = 4;

struct ExecFile {
  long fd;        ///< host: a descriptor of ours, -1 when it cannot be read
  bool borrowed;  ///< fd is the program's own
  bool crossed;   ///< host, but only by way of the tree: its path means nothing to the kernel
  bool hidden;    ///< host: there, but not for the caller to read
  uint32_t description;  ///< tree: holds a reference; 0: host
  uint32_t head_length;
  char head[kHeadSize];
};

enum class Format {
  SCRIPT,   ///< "#!"
  DYNAMIC,  ///< an ELF program that ld.so will start: the shim comes with it
  STATIC,   ///< an ELF program without a loader: ours to start (exec_static.h)
  FOREIGN,  ///< one for 32 bits, x32, or another loader: nothing of ours reaches it
  OTHER,    ///< the kernel's to judge (ENOEXEC, another machine, binfmt_misc)
};

/** Opens (dirfd, path) as execveat with at_flags would. 0 or the -errno of the tree. */
int open_exec(Call& call, Thread& self, long dirfd, const char* path, uint32_t at_flags,
              ExecFile& file);
void close_exec(Call& call, Thread& self, ExecFile& file);

/** Reads at most `size` bytes at `offset`; bytes, or -errno. */
long read_exec(Call& call, Thread& self, const ExecFile& file, char* to, uint64_t size,
               uint64_t offset);

Format format_of(Call& call, Thread& self, const ExecFile& file, const char* path);

/** May the caller run it? For files whose rights the kernel does not check for us. 0 or -EACCES. */
int may_execute(Call& call, Thread& self, const ExecFile& file);

/** Will the kernel raise privileges, so that ld.so ignores LD_PRELOAD? */
bool raises_privileges(Thread& self, const ExecFile& file);

/**
 * Will ld.so of the next image load the shim? Not for a process with a real id beside another
 * effective one (AT_SECURE) that may not make them alike, and not where our file cannot be read: by
 * another user, or behind chroot.
 */
bool shim_reachable();

/**
 * A memfd with the contents of a tree file, named after the program: one for all who run it, as
 * long as the file stays as it is. fd or -errno, -ETXTBSY when somebody writes to the file.
 */
long copy_to_memfd(Call& call, Thread& self, const ExecFile& file, const char* path);

/** Splits "#!interpreter argument" in place; argument nullptr when there is none. 0 or -ENOEXEC. */
int parse_script(char (&head)[kHeadSize], uint32_t length, char*& interpreter, char*& argument);

}  // namespace btfuse
