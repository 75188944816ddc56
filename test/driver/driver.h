// A program that is told file calls line by line and answers line by line; README.md has the
// language. router.c reads the lines and hands each to an actor (a process or a thread),
// actor.c performs them, calls.c is the table of calls, values.c evaluates arguments, show.c
// prints what came out, names.c knows constants and errnos, tree.c walks a whole tree.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_ARGS = 8, MAX_OBJECTS = 16, MAX_VARIABLES = 256, NAME_SIZE = 24 };
/// Descriptors of the protocol; everything below is the business of the calls.
enum { FIRST_OWN_FD = 200, CHANNELS = 16 };

// ---- text -------------------------------------------------------------------------------------

/// A growing string; the last answer of an actor lives in one.
struct text {
  char* bytes;
  size_t length, size;
};
void put(struct text* out, const char* format, ...) __attribute__((format(printf, 2, 3)));
/// Quoted and escaped; long ones as length and checksum. The base directory becomes `$B`.
void put_bytes(struct text* out, const void* bytes, size_t length);
uint32_t checksum(uint32_t sum, const void* bytes, size_t length);

// ---- values -----------------------------------------------------------------------------------

enum kind {
  NUMBER,
  STRING,  // bytes, NUL-terminated, `size` of them without the NUL
  BYTES,   // room for output
  VECTOR,  // struct iovec[], `size` of them; `filled` when it brings data
  LONGS,   // int64_t[], `size` of them
  INTS,    // int32_t[], `size` of them
  LOCK,    // struct flock
  BLOCK,   // any other structure of `size` bytes
};
struct value {
  enum kind kind;
  long number;  // or the address
  size_t size;
  bool filled;
};

struct variable {
  char name[NAME_SIZE];
  long value;
};

/// One actor; a thread shares the variables of its process.
struct actor {
  int channel;
  char *arena, *arena_next, *arena_end;
  char* edge;      // first byte that is not mapped behind a page that is
  char* readonly;  // a page that may only be read
  struct value args[MAX_ARGS];
  int arg_count;
  const char* at;  // where the parser stands
  const char* error;
  long second;  // what the second variable of `p, q = …` gets
  bool thread;
  struct text out;
};
extern struct variable variables[MAX_VARIABLES];
extern const char *base_directory, *case_directory, *own_path;
extern char** own_environment;

void* allocate(struct actor* self, size_t size);
/// Evaluates `(a, b, …)` at self->at into self->args.
bool evaluate_arguments(struct actor* self);
bool evaluate(struct actor* self, struct value* value);
size_t read_name(struct actor* self, char* name);
void skip_blanks(struct actor* self);
void set_variable(const char* name, long value);
bool get_variable(const char* name, long* value);
bool constant(const char* name, long* value);
const char* errno_name(int number);
const char* signal_name(int number);

// ---- calls ------------------------------------------------------------------------------------

/// A call with a system call number: one letter per parameter (README.md), or a function.
struct call {
  const char* name;
  long number;
  const char* parameters;
};
struct custom_call {
  const char* name;
  /// Puts the whole answer; returns the value for the variable.
  long (*perform)(struct actor* self);
};
extern const struct call calls[];
extern const struct custom_call custom_calls[];
/// Performs `name(args)`, the arguments being evaluated. False when there is no such call.
bool perform(struct actor* self, const char* name, long* result);
long put_result(struct actor* self, long result);
void put_outputs(struct actor* self, const struct call* call, long result);
void put_stat(struct text* out, const void* status);

// ---- tree.c -----------------------------------------------------------------------------------

/// Without times; with those that moved since the last NEW_TIMES; and then starting anew from
/// these.
enum look { NO_TIMES, MOVED_TIMES, NEW_TIMES };
/// Every entry under the path, separated by tabs.
void put_tree(struct text* out, const char* path, enum look look_for);
/// What the last NEW_TIMES saw counts no more.
void forget_times(void);

// ---- actor.c ----------------------------------------------------------------------------------

void catch_signals(void);
void run_actor(int channel);
/// Fixed numbers, so that an executed driver finds them again.
#define ROUTER_END(channel) (FIRST_OWN_FD + 2 * (channel))
#define ACTOR_END(channel) (FIRST_OWN_FD + 2 * (channel) + 1)
void send_line(int channel, const char* line, size_t length);
