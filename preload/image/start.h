// What start-up decided; exec needs it to hand the session on.
#pragma once
#include "../client/client.h"

namespace btfuse {

/** Environment as found at start-up: stack memory of the program, valid until it changes it. */
struct Start {
  const char* session;    ///< BTFUSE_SESSION
  const char* images;     ///< BTFUSE_IMAGES: directory of prepared images
  const char* preload;    ///< our own path, as LD_PRELOAD must name it for a child
  uint32_t session_length, images_length, preload_length;
};
extern Start start __attribute__((visibility("hidden")));

/** Ends the process with one sentence on stderr and exit status 125. The only output the shim ever makes. */
[[noreturn]] void die(const char* sentence);

/**
 * The variables that carry a session across exec:
 *   LD_PRELOAD       our path first, then what the program had there
 *   BTFUSE_SESSION   name
 *   BTFUSE_IMAGES    image directory
 *   BTFUSE_INHERIT   ring:store:data:anchor:process (decimal), only ever set by the shim
 */
}  // namespace btfuse
