// Programs that are started while effective ids differ from the real ones. The kernel marks such a
// start as secure (AT_SECURE), and ld.so then takes neither LD_AUDIT nor LD_PRELOAD: the program
// would run on the host's files. So the ids are made alike for the moment of the exec, the wanted
// ones travel in BTFUSE_IDS, and the new image takes them before it does anything else.
#pragma once
#include <stdint.h>

namespace btfuse {

/** Real, effective and saved ids of this thread, and those for files. */
struct Identity {
  uint32_t uid[3], gid[3];
  uint32_t fsuid, fsgid;
  bool split;  ///< effective and real ones differ
};

Identity identity();

/** Can level_ids() be hoped to do it? */
inline bool may_level(const Identity& ids) {
  return !ids.split || ids.uid[0] == 0 || ids.uid[1] == 0 || ids.uid[2] == 0;
}

/**
 * Makes the ids alike where they are split; those for files stay. 0, or -EACCES when this process
 * may not: it would not get them back.
 */
long level_ids(const Identity& before);
/** The exec has failed. */
void restore_ids(const Identity& before);

/** Four decimal numbers with their separators. */
inline constexpr uint64_t kIdsRoom = 4 * 11;

/** At the start: takes the ids that BTFUSE_IDS names, and says so in the auxiliary vector; or dies.
 */
void adopt_ids(char** environment);

}  // namespace btfuse
