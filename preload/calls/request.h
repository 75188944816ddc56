// The way of a call that names one or two files by path: classify, ask the server, follow the
// crossings between tree and host until one of them has answered.
#pragma once
#include "../client/reader.h"
#include "calls.h"
#include "paths.h"

namespace btfuse {

/** Which argument holds what; -1: none. */
struct PathArgument {
  signed char dirfd = -1;  ///< -1: the current directory
  signed char path = -1;
  uint32_t flags = 0;  ///< PATH_*
};

/** For calls that only want attributes: the store segment may answer before the server is asked. */
struct QuickAnswer {
  bool real_ids = false;  ///< search with the real ids (access)
  bool answered = false;  ///< `attributes` is the answer; no slot was used
  Attributes attributes;
  /** Asked about what was found; false: the server has to answer. nullptr: anything will do. */
  bool (*accept)(const Call& call, Thread& self, const Searcher& who, QuickAnswer& quick) = nullptr;
  uint32_t description = 0;  ///< open: for accept() to fill in
};

struct PathCall {
  PathArgument first;
  PathArgument second{};
  const char* text = nullptr;  ///< sent behind the first path (the target of symlink)
  uint32_t text_length = 0;
  QuickAnswer* quick = nullptr;
  const void* tail = nullptr;  ///< sent behind the text (the value of setxattr)
  uint32_t tail_length = 0;
};

/** Sets opcode and the fields that it reads. May run more than once for one call. */
using Fill = void (*)(Slot& slot, const Call& call);

/**
 * Asks whoever the path belongs to. Returns the slot with the server's reply (slot->status may be
 * negative), to be ended with reply(); nullptr when the call is answered already (call.result).
 */
Slot* ask(Call& call, Thread& self, const PathCall& paths, Fill fill);

/** end() and the answer of a call whose slot ask() gave. */
Verdict reply(Call& call, Thread& self, long result);

/** ask() and reply() for a call whose whole answer is 0 or -errno. */
Verdict ask_status(Call& call, Thread& self, const PathCall& paths, Fill fill);

/** Of the tree. Any number does that no mount of the host has; statx calls it unique within a boot.
 */
inline constexpr uint64_t kMountId = 0x42544655;

/** A request on the descriptor in rdi: a slot with `description` set; nullptr: call.result is set.
 */
Slot* begin_on(Call& call, Thread& self, uint32_t description);

/** Who this thread acts for, with real or effective ids. */
Searcher searcher_of(Thread& self, bool real_ids);

/** Transacts a request without paths; the status. */
int32_t transact_plain(Slot* slot);

/** Makes `result` the raw answer of the kernel to the call as it stands. */
inline long on_kernel(const Call& call) {
  return syscall6(call.nr, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4],
                  call.args[5]);
}

}  // namespace btfuse
