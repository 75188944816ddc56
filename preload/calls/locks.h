// File locks of all three kinds (fcntl, open file descriptions, flock). The server keeps them.
#pragma once
#include "../image/call.h"

namespace btfuse {

/** F_GETLK, F_SETLK, F_SETLKW and their F_OFD_* twins on an open file. */
long record_lock(Call& call, Thread& self, uint32_t description);

}  // namespace btfuse
