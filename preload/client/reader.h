// Answers that need no server: the store segment read in place, under the seqlocks of its records
// (DESIGN D6). Nothing here writes shared memory, waits, or loops without a bound; whatever is not
// plain (a symlink to follow, a permission to refuse, a record that keeps changing) is the
// server's.
#pragma once
#include "client.h"

namespace btfuse {

enum class Quick {
  HIT,     ///< answered
  ABSENT,  ///< the name is not there: ENOENT
  ASK,     ///< the ring has to tell
};

/** Who asks, as far as searching directories goes. */
struct Searcher {
  uint32_t uid, gid;
  const Process* process;  ///< supplementary groups
  bool overrides;          ///< CAP_DAC_OVERRIDE
};

/** The attributes of a live inode (one that the caller's description holds). */
bool quick_attributes(uint32_t ino, Attributes& out);

/**
 * Walks `path` (relative, any bytes) from the directory behind `description` (0: the root) and
 * gives the attributes of what it names. The answer held at one moment between call and return.
 */
Quick quick_lookup(const Searcher& who, uint32_t description, const char* path, uint32_t length,
                   bool nofollow, Attributes& out);

/** Has `who` all of `mask` (R_OK, W_OK, X_OK)? False also means "the server should say so". */
bool quick_access(const Searcher& who, const Attributes& attributes, uint32_t mask);

/** One consistent look at where the bytes of a file are. */
struct FileView {
  const Inode* inode;
  uint32_t sequence;
  uint64_t size;
  uint32_t mode;
  uint32_t flags;
};

/** False while the inode changes. */
bool view_file(uint32_t ino, FileView& view);
/** True when nothing has changed since view_file. */
bool still_holds(const FileView& view);
/**
 * The data block of `block` (0: a hole) and for how many blocks from there that is so, at least 1.
 * What it says is worth something only if still_holds() afterwards; it never leads outside the data
 * segment.
 */
uint64_t find_run(const FileView& view, uint64_t block, uint64_t& count);
/**
 * May a write that only overwrites do without new time stamps? So it is when the present ones are
 * of this tick and nobody was told them, as in the kernel.
 */
bool stamps_are_fresh(const FileView& view);
/** Before the server is asked for new time stamps: nobody has been told those yet. */
void forget_told_stamps(const FileView& view);

/** Would a read now have to move the access time (relatime)? */
bool wants_atime(const FileView& view);

}  // namespace btfuse
