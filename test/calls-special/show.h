// As in test/calls-descriptors: each program runs on tmpfs and in the tree, and prints the same.
#include "../calls-descriptors/show.h"

#include <stddef.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
