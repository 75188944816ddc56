// An exception leaves a callback of qsort and nftw, through frames of the rewritten libc.
#include <cstdio>
#include <cstdlib>
#include <ftw.h>
#include <stdexcept>

static int compare(const void*, const void*) {
  throw std::runtime_error("from qsort");
}

int main() {
  int numbers[] = {3, 1, 2};
  try {
    qsort(numbers, 3, sizeof numbers[0], compare);
  } catch (const std::runtime_error& error) {
    std::puts("ok");
    return 0;
  }
  return 1;
}
