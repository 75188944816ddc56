// Virtual descriptors (D2): real kernel numbers, duplicates of the anchor, mirrored in the fd table
// of the process record. Kernel call first, then mirror; on close clear the mirror first.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** Description id behind fd, 0 when fd is not ours. */
uint32_t description_of(Thread& self, long fd);

/** True for the shim's own descriptors (ring, store, data, anchor). */
bool is_private_fd(long fd);

/**
 * Gives the description (one reference, ours) a kernel number ≥ minimum: fcntl(anchor, F_DUPFD[_CLOEXEC]).
 * Returns the fd, or -errno after dropping the reference.
 */
long install(Thread& self, uint32_t description, bool cloexec, long minimum = 0);

/** +1 reference. */
void hold(uint32_t description);
/** -1 reference; the last one posts RELEASE. Uses begin/end, so never between them on one thread. */
void drop(Thread& self, uint32_t description, uint64_t user_stack);

/** Open flags and file type as the server vouches for them (Description in the store segment). */
const Description* description_record(uint32_t id);

}  // namespace btfuse
