#include "other_process.h"

namespace btfuse {

const Process* process_with(uint32_t pid) {
  for (uint32_t index = 1; index < BT_PROCESSES_MAX; index++) {
    const Process* process = process_at(index);
    const uint32_t state = process->state;
    // A child that has not run yet has what its parent has left it.
    const bool lives = state == BT_PROCESS_STATE_LIVE || state == BT_PROCESS_STATE_FORKING;
    if (process->pid == pid && lives) return process;
  }
  return nullptr;
}

uint32_t description_in(const Process& process, long fd) {
  if (fd < 0 || fd >= (long)process.fd_limit || fd >= (long)BT_FDS_MAX) return 0;
  const uint32_t* table = fd_table_of((uint32_t)(&process - process_at(0)));
  return __atomic_load_n(table + fd, __ATOMIC_ACQUIRE) % BT_DESCRIPTIONS_MAX;
}

}  // namespace btfuse
