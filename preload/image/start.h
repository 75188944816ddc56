// What start-up decided; exec needs it to hand the session on.
#pragma once
#include "../client/client.h"

namespace btfuse {

/**
 * Environment as found at start-up. Copies: a program may overwrite the memory that its environment
 * stood in (to change its title, say).
 */
struct Start {
  char session[BT_SESSION_NAME_MAX + 1];  ///< BTFUSE_SESSION
  char images[BT_PATH_MAX];               ///< BTFUSE_IMAGES: directory of prepared images, or empty
  const char* preload;                    ///< our own path, as LD_PRELOAD must name it for a child
  uint32_t session_length, images_length, preload_length;
  char exe[BT_PATH_MAX];  ///< BTFUSE_EXE, or empty
};
extern Start start __attribute__((visibility("hidden")));

/** Ends the process with one sentence on stderr and exit status 125. The only output the shim ever
 * makes. */
[[noreturn]] void die(const char* sentence);

/** Value of `name` ("KEY=") in an environment, or nullptr. */
const char* variable(char** environment, const char* name);
/**
 * Keeps what exec needs of the environment and attaches the session, or ends the program.
 * `preload`: our own path, as LD_PRELOAD names it.
 */
void join_session(char** environment, const char* session, const char* preload);
/** Asks the server to prepare the image of the object at this path; the image's path into `image`
 * (BT_PATH_MAX bytes). 0 or -errno. */
int request_image(Thread& self, const char* object, char* image);

/**
 * The variables that carry a session across exec:
 *   LD_PRELOAD       our path first, then what the program had there
 *   BTFUSE_SESSION   name
 *   BTFUSE_IMAGES    image directory
 *   BTFUSE_EXE       name of the program when it lies in the tree: the kernel runs a copy without
 * one BTFUSE_INHERIT   ring:store:data:anchor:process (decimal), only ever set by the shim
 *   BTFUSE_PROGRAM   program:image:name, for the launcher of static programs: two descriptors (or
 * -1) and the name by which the program was started
 */
}  // namespace btfuse
