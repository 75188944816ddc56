// What start-up decided; exec needs it to hand the session on.
#pragma once
#include "object.h"

namespace btfuse {

/**
 * Environment as found at start-up. Copies: a program may overwrite the memory that its environment
 * stood in (to change its title, say). They stand close together, because each page that start-up
 * touches is paid by every exec.
 */
struct Start {
  bool audit;           ///< children get us as an audit module (audit.cpp), else preloaded
  const char* session;  ///< BTFUSE_SESSION
  const char* images;   ///< BTFUSE_IMAGES: directory of prepared images, or nullptr
  const char* own;      ///< our own path, as LD_AUDIT or LD_PRELOAD must name it for a child
  const char* exe;      ///< BTFUSE_EXE, or nullptr
  uint32_t session_length, images_length, own_length;
  uint32_t used;  ///< bytes of `text`
  char text[3 * BT_PATH_MAX + BT_SESSION_NAME_MAX + 1];
};
extern Start start __attribute__((visibility("hidden")));

/** Ends the process with one sentence on stderr and exit status 125. The only output the shim ever
 * makes. */
[[noreturn]] void die(const char* sentence);

/** Value of `name` ("KEY="), or nullptr. */
const char* variable(char** environment, const char* name);

/** Keeps the environment, attaches the session; or dies. `own` (`length` bytes) is our path. */
void enter_session(char** environment, const char* own, uint64_t length);

/** Maps the prepared image of an object over its text; or dies. */
void hook(const Object& object, uint64_t euid);

/** What main will get, where DT_INIT found us to be an audit module; else nullptr. */
struct Audited {
  char** arguments;
  char** environment;
};
extern Audited audited __attribute__((visibility("hidden")));

/** die(), with a name in the place of "%". */
[[noreturn]] void die_about(const char* sentence, const char* name);

/** Tells the program what it was started as: the kernel was given a descriptor. */
void correct_name(char** environment, Elf64_auxv_t* auxv);

/** Keeps a value, of `length` bytes, and gives its copy; nullptr when it has `capacity` or more. */
const char* keep(const char* value, uint64_t length, uint64_t capacity);
/** Asks the server to prepare the image of the object at this path; the image's path into `image`
 * (BT_PATH_MAX bytes). `flags`: BT_IMAGE_LOADED. 0 or -errno. */
int request_image(Thread& self, const char* object, char* image, uint32_t flags = 0);

/**
 * The variables that carry a session across exec:
 *   LD_AUDIT         our path first, then what the program had there; LD_PRELOAD in its place where
 *                    glibc is older than 2.35
 *   BTFUSE_SESSION   name
 *   BTFUSE_IMAGES    image directory
 *   BTFUSE_EXE       name of the program when it lies in the tree: the kernel runs a copy without
 * one
 *   BTFUSE_EXECFN    what the program was started as, where the kernel was given a descriptor
 *   BTFUSE_TLS       bytes of static TLS that restart.cpp asked for in GLIBC_TUNABLES
 *   BTFUSE_INHERIT   ring:store:data:anchor:process (decimal), only ever set by the shim
 *   BTFUSE_IDS       real and effective user and group id, where they differ (identity.h)
 *   BTFUSE_PROGRAM   program:image:name, for the launcher of static programs: two descriptors (or
 *                    -1) and the name by which the program was started
 */
}  // namespace btfuse
