// Closed descriptions stay open on the server for a while, idle, so that the next open of the same
// file needs no request (docs/adr/0009). Whoever moves the count of references first has such a
// description: a client from 0 to 1, the server from 0 to REFERENCES_FREED.
#pragma once
#include "client.h"

namespace btfuse {

/** Tells later opens about a description of ours that is about to lose its last reference. */
void announce_idle(uint32_t description);
/**
 * After the last reference: may it stay idle? False: it has to be released, since its locks or maps
 * go with it, or the blocks of its nameless file, or somebody watches for its close.
 */
bool may_stay_idle(uint32_t description);
/** Does somebody watch the file (INODE_WATCHED)? */
bool is_watched(uint32_t description);

/**
 * A description of the file behind `attributes`, opened with exactly `open_flags`, at offset 0,
 * with one reference: ours. 0: there is none.
 */
uint32_t revive(Thread& self, const Attributes& attributes, uint32_t open_flags,
                uint64_t user_stack);

}  // namespace btfuse
