// Threads of static programs. Their libc, if they have one, lays out thread-local storage for
// itself, so ours is found by %gs: each thread has a block that ends with a self-pointer, as %fs
// has it in the ABI. The kernel copies %gs to a new thread; entry.S then points it at the block
// that the parent has got ready.
#pragma once
#include "../image/call.h"

namespace btfuse {

/** What %gs points at; thread-local words lie right below. entry.S knows the offsets. */
struct Block {
  Block* self;
  Block* next;  ///< in the list of free ones
};

/** Gives the first thread its block. Before that nothing thread-local may be touched. */
void make_first_thread();
/** A clone that makes a thread: lays the frame on the child's stack. */
Verdict start_thread(Call& call);
/** A thread that ends: its block is free once it has left our code. */
Verdict end_thread();

}  // namespace btfuse
