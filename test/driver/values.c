// Arguments: numbers, constants, strings, variables and structures, joined by | + - * <<.
#include "driver.h"
#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct variable variables[MAX_VARIABLES];
/// File handles and other things that outlive a line, by number.
static _Alignas(16) char kept[8][256];

void set_variable(const char* name, long value) {
  for (int i = 0; i < MAX_VARIABLES; i++) {
    if (variables[i].name[0] != 0 && strcmp(variables[i].name, name) != 0) continue;
    strncpy(variables[i].name, name, NAME_SIZE - 1);
    variables[i].value = value;
    return;
  }
}

bool get_variable(const char* name, long* value) {
  for (int i = 0; i < MAX_VARIABLES && variables[i].name[0] != 0; i++) {
    if (strcmp(variables[i].name, name) != 0) continue;
    *value = variables[i].value;
    return true;
  }
  return false;
}

void* allocate(struct actor* self, size_t size) {
  size = (size + 31) & ~(size_t)15;
  if (size > (size_t)(self->arena_end - self->arena_next)) {
    self->error = "too many bytes in one line";
    return NULL;
  }
  void* found = self->arena_next;
  self->arena_next += size;
  return found;
}

void skip_blanks(struct actor* self) {
  while (*self->at == ' ') self->at++;
}

size_t read_name(struct actor* self, char* name) {
  size_t length = 0;
  const char* at = self->at;
  while ((isalnum((unsigned char)*at) || *at == '_') && length < NAME_SIZE + 16)
    name[length++] = *at++;
  name[length] = 0;
  self->at = at;
  return length;
}

static struct value fail(struct actor* self, const char* why) {
  if (!self->error) self->error = why;
  return (struct value){0};
}

/// "…" with \xNN, \n, \\, \" and $B, $D at the beginning of a path.
static struct value quoted(struct actor* self) {
  const char* at = self->at + 1;
  size_t limit = strlen(at) + 8192, length = 0;
  char* bytes = allocate(self, limit);
  if (!bytes) return (struct value){0};
  for (; *at && *at != '"'; at++) {
    if (*at == '$' && (at[1] == 'B' || at[1] == 'D')) {
      const char* place = at[1] == 'B' ? base_directory : case_directory;
      memcpy(bytes + length, place, strlen(place));
      length += strlen(place);
      at++;
    } else if (*at != '\\') {
      bytes[length++] = *at;
    } else if (*++at == 'x') {
      char digits[3] = {at[1], at[2], 0};
      bytes[length++] = strtol(digits, NULL, 16);
      at += 2;
    } else {
      bytes[length++] = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == '0' ? 0 : *at;
    }
  }
  if (*at != '"') return fail(self, "string without end");
  self->at = at + 1;
  bytes[length] = 0;
  return (struct value){STRING, (long)bytes, length, true};
}

static struct value block(struct actor* self, const void* bytes, size_t size) {
  char* copy = allocate(self, size);
  if (!copy) return (struct value){0};
  memcpy(copy, bytes, size);
  return (struct value){BLOCK, (long)copy, size, true};
}

static struct value vector_of(struct actor* self, struct value* args, int count) {
  struct iovec* vector = allocate(self, (count + 1) * sizeof *vector);
  if (!vector) return (struct value){0};
  bool filled = false;
  for (int i = 0; i < count; i++) {
    if (args[i].kind == NUMBER) {
      size_t room = args[i].number < 0 || args[i].number > 1 << 20 ? 64 : args[i].number;
      vector[i] = (struct iovec){allocate(self, room), args[i].number};
    } else {
      vector[i] = (struct iovec){(void*)args[i].number, args[i].size};
      filled = true;
    }
  }
  return (struct value){VECTOR, (long)vector, count, filled};
}

static struct value structure(struct actor* self, const char* name) {
  struct value saved[MAX_ARGS];
  const int saved_count = self->arg_count;
  memcpy(saved, self->args, sizeof saved);
  if (!evaluate_arguments(self)) return (struct value){0};
  struct value args[MAX_ARGS];
  const int count = self->arg_count;
  memcpy(args, self->args, sizeof args);
  memcpy(self->args, saved, sizeof saved);
  self->arg_count = saved_count;
  for (int i = count; i < MAX_ARGS; i++) args[i] = (struct value){0};

  if (strcmp(name, "iov") == 0) return vector_of(self, args, count);
  if (strcmp(name, "longs") == 0 || strcmp(name, "ts") == 0) {
    long* longs = allocate(self, count * sizeof *longs);
    if (!longs) return (struct value){0};
    for (int i = 0; i < count; i++) longs[i] = args[i].number;
    return (struct value){LONGS, (long)longs, count, true};
  }
  if (strcmp(name, "ints") == 0) {
    int* ints = allocate(self, count * sizeof *ints);
    if (!ints) return (struct value){0};
    for (int i = 0; i < count; i++) ints[i] = args[i].number;
    return (struct value){INTS, (long)ints, count, true};
  }
  if (strcmp(name, "flock") == 0) {
    struct flock lock = {args[0].number, args[1].number, args[2].number, args[3].number,
                         args[4].number};
    struct value made = block(self, &lock, sizeof lock);
    made.kind = LOCK;
    return made;
  }
  if (strcmp(name, "how") == 0) {
    struct {
      struct open_how how;
      long beyond[4];
    } how = {{args[0].number, args[1].number, args[2].number}, {args[3].number}};
    struct value made = block(self, &how, sizeof how);
    made.size = sizeof how.how;
    return made;
  }
  if (strcmp(name, "sun") == 0) {
    struct sockaddr_un address = {AF_UNIX};
    size_t length = args[0].size < sizeof address.sun_path ? args[0].size : sizeof address.sun_path;
    memcpy(address.sun_path, (void*)args[0].number, length);
    struct value made = block(self, &address, sizeof address);
    made.size = offsetof(struct sockaddr_un, sun_path) + length +
                (length < sizeof address.sun_path && args[0].size > 0 ? 1 : 0);
    return made;
  }
  if (strcmp(name, "buf") == 0) {
    void* room = allocate(self, args[0].number);
    return (struct value){BYTES, (long)room, args[0].number, false};
  }
  if (strcmp(name, "handle") == 0) {  // handle(which) or handle(which, room)
    char* place = kept[args[0].number & 7];
    if (count > 1) *(unsigned*)place = args[1].number;
    return (struct value){NUMBER, (long)place, 0, false};
  }
  if (strcmp(name, "edge") == 0) {
    if (args[0].kind == NUMBER)
      return (struct value){NUMBER, (long)self->edge - args[0].number, 0, false};
    if (args[0].size > 4096) return fail(self, "edge of more than a page");
    char* place = self->edge - args[0].size;
    memcpy(place, (void*)args[0].number, args[0].size);
    return (struct value){STRING, (long)place, args[0].size, true};
  }
  if (strcmp(name, "readonly") == 0)
    return (struct value){NUMBER, (long)self->readonly + args[0].number, 0, false};
  return fail(self, "no such structure");
}

static struct value term(struct actor* self) {
  skip_blanks(self);
  if (*self->at == '"') return quoted(self);
  if (*self->at == '(') {
    self->at++;
    struct value inner;
    if (!evaluate(self, &inner)) return inner;
    skip_blanks(self);
    if (*self->at++ != ')') return fail(self, "no ) where one belongs");
    return inner;
  }
  if (*self->at == '-' || *self->at == '~') {
    const char sign = *self->at++;
    struct value inner = term(self);
    inner.number = sign == '-' ? -inner.number : ~inner.number;
    return inner;
  }
  if (isdigit((unsigned char)*self->at)) {
    char* end;
    const long number = strtoul(self->at, &end, 0);
    self->at = end;
    return (struct value){NUMBER, number, 0, false};
  }
  char name[64];
  if (read_name(self, name) == 0) return fail(self, "a value is missing");
  if (*self->at == '(') return structure(self, name);
  struct value found = {NUMBER, -1, 0, false};
  // A variable that was never set stands for -1: what could not be opened cannot be used.
  if (!get_variable(name, &found.number) && !constant(name, &found.number) && isupper(name[0]))
    return fail(self, "no such constant");
  return found;
}

static struct value joined(struct actor* self, struct value left, char sign, struct value right) {
  const bool strings = left.kind == STRING;
  if (strings && sign == '+' && right.kind == STRING) {
    char* both = allocate(self, left.size + right.size + 1);
    if (!both) return left;
    memcpy(both, (void*)left.number, left.size);
    memcpy(both + left.size, (void*)right.number, right.size);
    both[left.size + right.size] = 0;
    return (struct value){STRING, (long)both, left.size + right.size, true};
  }
  if (strings && sign == '*') {
    const size_t total = left.size * right.number;
    char* many = allocate(self, total + 1);
    if (!many) return left;
    for (size_t i = 0; i < total; i++) many[i] = ((char*)left.number)[i % left.size];
    many[total] = 0;
    return (struct value){STRING, (long)many, total, true};
  }
  switch (sign) {
    case '|':
      left.number |= right.number;
      break;
    case '&':
      left.number &= right.number;
      break;
    case '+':
      left.number += right.number;
      break;
    case '-':
      left.number -= right.number;
      break;
    case '*':
      left.number *= right.number;
      break;
    case '<':
      left.number <<= right.number;
      break;
  }
  return left;
}

/// * and << bind tighter than the others.
static struct value product(struct actor* self) {
  struct value value = term(self);
  for (;;) {
    skip_blanks(self);
    const char sign = *self->at;
    if (self->error || (sign != '*' && !(sign == '<' && self->at[1] == '<'))) return value;
    self->at += sign == '<' ? 2 : 1;
    value = joined(self, value, sign, term(self));
  }
}

bool evaluate(struct actor* self, struct value* value) {
  *value = product(self);
  for (;;) {
    skip_blanks(self);
    const char sign = *self->at;
    if (self->error || sign == 0 || strchr("|&+-", sign) == NULL) break;
    self->at++;
    *value = joined(self, *value, sign, product(self));
  }
  return self->error == NULL;
}

bool evaluate_arguments(struct actor* self) {
  self->arg_count = 0;
  struct value found[MAX_ARGS];
  int count = 0;
  self->at++;
  skip_blanks(self);
  while (*self->at != ')') {
    if (count == MAX_ARGS) self->error = "too many arguments";
    if (self->error || !evaluate(self, &found[count])) return false;
    count++;
    skip_blanks(self);
    if (*self->at == ',')
      self->at++;
    else if (*self->at != ')')
      self->error = "neither , nor ) after an argument";
    if (self->error) return false;
    skip_blanks(self);
  }
  self->at++;
  memcpy(self->args, found, sizeof found);
  self->arg_count = count;
  return true;
}
