// The table that the entry code reads before any C++ runs; generated from ringbuf/syscalls.ts.
#include "call.h"

namespace btfuse {

extern "C" const unsigned char btfuse_call_class[] = {
#include "classes.gen.h"
};

static_assert(sizeof btfuse_call_class == kSyscallsMax);

}  // namespace btfuse
