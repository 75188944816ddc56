// Calls that take a path or a descriptor and that the tree does not serve: the kernel's on the
// host, ENOSYS (and counted) on the tree.
#pragma once
#include "calls.h"

namespace btfuse {

/** Younger than some kernel headers. */
inline constexpr long kFchmodat2 = 452;
inline constexpr long kPidfdGetfd = 438;

/** Every call that has no handler of its own. */
Verdict refuse(Call& call, Thread& self);

}  // namespace btfuse
