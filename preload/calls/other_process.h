// What the ring tells of the other processes of the session.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** The record of a live process, nullptr when it is none of the session's. */
const Process* process_with(uint32_t pid);
/** Description id behind a descriptor of that process, 0 for none. It may be closed at any moment.
 */
uint32_t description_in(const Process& process, long fd);

}  // namespace btfuse
