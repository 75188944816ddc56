// Virtual descriptors (D2): real kernel numbers, duplicates of the anchor, mirrored in the fd table
// of the process record. Kernel call first, then mirror; on close clear the mirror first.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** Description id behind fd, 0 when fd is not ours. Upper bits of a register do not count. */
uint32_t description_of(Thread& self, long fd);

/**
 * True for an open fifo or device: the kernel number is not a duplicate of the anchor but the real
 * thing, so data calls are the kernel's and only the names and attributes are ours (ADR 13).
 */
bool is_kernel_backed(uint32_t description);
/** As description_of, for calls that move data: 0 for what the kernel does by itself. */
uint32_t file_of(Thread& self, long fd);

/** True for the shim's own descriptors (ring, store, data, anchor, nodes). */
bool is_private_fd(long fd);

/**
 * Gives the description (one reference, ours) a kernel number ≥ minimum: fcntl(anchor,
 * F_DUPFD[_CLOEXEC]). Returns the fd, or -errno after dropping the reference.
 */
long install(Thread& self, uint32_t description, bool cloexec, long minimum = 0);
/** As install, of a duplicate of the kernel number `source`: dup of a kernel-backed descriptor. */
long install_copy(Thread& self, uint32_t description, long source, bool cloexec, long minimum);
/** Is a duplicate of it made from its own number, not from the anchor? */
bool has_own_number(uint32_t id);
/** Puts the description behind a number that the kernel has just given us. The fd, or -errno. */
long adopt(Thread& self, uint32_t description, long fd);

/** +1 reference. */
void hold(uint32_t description);
/** -1 reference; the last one may post RELEASE. Uses begin/end, so never between them on one
 * thread. */
void drop(Thread& self, uint32_t description, uint64_t user_stack);

/** Open flags and file type as the server vouches for them (Description in the store segment). */
const Description* description_record(uint32_t id);

/**
 * Readies the fd table of a record for a store at fd: backed by fallocate, so that a full /dev/shm
 * is -ENOMEM and never SIGBUS. -EMFILE from FDS_MAX on.
 */
long back_fd(uint32_t process, uint64_t fd);
/** Puts `description` (0: none) behind fd and returns what stood there. The entry is backed. */
uint32_t exchange_fd(uint32_t process, uint64_t fd, uint32_t description);

/** Everything that the record lists is dropped: a child that never came to be. */
void drop_all(Thread& self, uint32_t process, uint64_t user_stack);

/** close() of one of its descriptors ends the record locks that this process has on the file. */
void forget_locks(Thread& self, uint32_t description, uint64_t user_stack);

// ---- process.cpp: who shares descriptors (CLONE_FILES, threads) --------------------------------

/** The record that stands for this process beside the one whose descriptors it uses; 0: none. */
uint32_t life_of(Thread& self);
/**
 * Before the kernel parts the descriptors of the caller from those of others: a record with a copy
 * of them. 0: nobody shares them, or there is no room. Then one of the two below. execve ends all
 * threads: only other processes count.
 */
uint32_t part_descriptors(Thread& self, bool from_threads, uint64_t user_stack);
/** The kernel has not parted them. */
void keep_descriptors(Thread& self, uint32_t own, uint64_t user_stack);
/** It has. */
void take_descriptors(Thread& self, uint32_t own);

/**
 * Changes of the fd table begun and ended by this process: a fork child compares them with what its
 * parent saw before it copied the table, and looks closer when a thread got between.
 */
struct FdChanges {
  uint32_t begun, ended;
};
FdChanges fd_changes();
/** Drops the entries whose kernel descriptor is not a duplicate of the anchor. */
void drop_strangers(Thread& self, uint64_t user_stack);

}  // namespace btfuse
