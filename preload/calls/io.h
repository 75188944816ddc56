// Bytes between the program's buffers and a file of the tree, whatever way they take: in the slot,
// through the slab, or straight between the buffers and the data segment (docs/adr/0004).
#pragma once
#include <sys/uio.h>

#include "descriptors.h"

namespace btfuse {

/** Most bytes of one read or write, as in the kernel. */
inline constexpr uint64_t kMaxTransfer = 0x7ffff000;
/** "Use and advance the offset of the description." */
inline constexpr int64_t kAtPosition = -1;

/** Where the next byte of a list of buffers goes. Made by make_cursor, which checks the list. */
struct Cursor {
  const iovec* vector;
  uint64_t total;    ///< bytes in all, at most kMaxTransfer
  uint64_t skipped;  ///< bytes of vector[0] that are done
  uint64_t stack;    ///< rsp of the program, for the probes
};

/** Returns 0, -EINVAL or -EFAULT. */
long make_cursor(Cursor& cursor, const iovec* vector, uint64_t count, uint64_t stack);

/** Each moves the cursor by `size` bytes; 0, or -EFAULT when a buffer cannot be touched. */
long copy_out(Cursor& cursor, const void* from, uint64_t size);
long zero_out(Cursor& cursor, uint64_t size);
long copy_in(Cursor& cursor, void* to, uint64_t size);
/** As copy_in to that place of the data segment, by a write(2): no page of it need be mapped. */
long write_in(Cursor& cursor, uint64_t data_offset, uint64_t size);

/** One file and the place in it. */
struct Transfer {
  uint32_t description;
  int64_t offset;  ///< kAtPosition, or the file offset
  uint64_t user_stack;
  bool vector = false;  ///< one of the calls that take several buffers
};

/** Reads up to `size` bytes; returns how many, or -errno. */
long read_file(Thread& self, Transfer transfer, Cursor& cursor, uint64_t size);
/** Writes `size` bytes; returns how many, or -errno. RWF_APPEND in `append`. */
long write_file(Thread& self, Transfer transfer, Cursor& cursor, uint64_t size);

/**
 * Is a transfer of this size, from `minimum` on, worth the straight way between the program's
 * buffers and the data segment? Mapping the segment is, once a process does enough.
 */
bool goes_direct(uint64_t size, uint64_t minimum);

/**
 * io_quick.cpp: reads cursor.total bytes from the store and data segments alone. False: ask the
 * server (the file changes, the access time has to move, the data segment is not mapped).
 */
bool read_quick(const Transfer& transfer, Cursor& cursor, long& result);

/**
 * io_overwrite.cpp: writes all of the cursor, where that only overwrites bytes that the file has
 * (docs/adr/0006). False: ask the server. As for write_spare, the caller has claimed the place:
 * transfer.offset is never kAtPosition but where O_APPEND says where the bytes go.
 */
bool write_quick(Thread& self, const Transfer& transfer, Cursor& cursor, long& result);
/**
 * io_spare.cpp: writes all of the cursor, where it is at most one block at the start of one, by way
 * of the slot's spare block (docs/adr/0010). False: another way.
 */
bool write_spare(Thread& self, const Transfer& transfer, Cursor& cursor, long& result);
/** A hint: the file has nothing at `end`, where the next write will most likely begin. */
void expect_growth(Thread& self, uint32_t description, uint64_t end);
bool expects_growth(const Thread& self, uint32_t description, int64_t start);

/** Gives back what was claimed and not written, if nobody has claimed behind it. */
void settle_position(const Transfer& transfer, uint64_t size, long written);

/** A slot with the fields set that every operation on one description reads; nullptr: -EIO. */
Slot* begin_on(Thread& self, uint32_t opcode, uint32_t description, uint64_t user_stack);

/** Size of the file behind a description, or -errno. */
long file_size(Thread& self, uint32_t description, uint64_t user_stack);

/** RLIMIT_FSIZE of this process, all ones for none. */
uint64_t file_size_limit();
/** After a call that may have changed it. */
void forget_file_size_limit();
/** Size of an open file, as the store segment has it just now. */
uint64_t known_size(uint32_t description);
/** A write failed with EFBIG: SIGXFSZ where the limit of the process was the reason. */
void signal_file_size(long result);

// ---- direct.cpp ---------------------------------------------------------------------------------

/** The data segment, mapped at the first use; nullptr where the session does not grant it. */
unsigned char* data_segment();
/** Pages of the data segment that lie beyond its end: touching a map of them is SIGBUS. */
uint64_t beyond_data();

/** As read_file and write_file, for one request; `more` is set when another may bring more bytes.
 */
long read_direct(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size, bool& more);
long write_direct(Thread& self, const Transfer& transfer, Cursor& cursor, uint64_t size,
                  bool& more);

}  // namespace btfuse
