// The operations that the micro benchmark times, one row each, called through libc as any program
// does.
#pragma once
#include <stddef.h>

/** What one thread works on: a directory of its own, filled by plant(). */
struct place {
  char directory[512];
  char file[600];    ///< 4 KiB
  char absent[600];  ///< never exists
  char made[600];    ///< created and removed by the rows
  char moved[600];
  char many[600];  ///< directory of ENTRIES empty files
  int fd;          ///< 1 MiB file, open for reading and writing
  char* buffer;    ///< 128 KiB
  size_t turn;     ///< how many calls so far: picks the offset of the next
};

enum { ENTRIES = 1000, BLOCK = 4096, LARGE = 128 * 1024, SIZE = 1024 * 1024 };

struct row {
  const char* name;
  void (*call)(struct place*);
  int calls;  ///< what one call() counts for: the entries of a directory, the two ways of a rename
};

extern const struct row rows[];
const struct row* find_row(const char* name);

/** Makes the directory, or ends the program. */
void plant(struct place* place, const char* root, int index);
/** Ends the program with the name of the call and errno: a failing row would time nothing. */
void must(int ok, const char* call);
