// Where an audit module costs the program something: room for static TLS.
#pragma once
#include "object.h"

namespace btfuse {

/**
 * Called for each object of the start. ld.so lays the static TLS out before it loads audit modules,
 * so libraries that want theirs there (TSan, jemalloc) must find room in what it keeps for dlopen.
 * When they want more than that, the program is started over with as much as it needs.
 */
void count_static_tls(const link_map* map);

}  // namespace btfuse
