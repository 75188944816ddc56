# Sanitizers come first among the libraries and make system calls of their own.
cat > prog.c <<'END'
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int shared;
static void *work(void *unused) { shared++; return unused; }
int main(int argc, char **argv) {
  FILE *file = fopen("file", "r");
  char line[20] = "";
  fgets(line, sizeof line, file);
  fclose(file);
  printf("%s", line);
  fflush(stdout);
  char *memory = malloc(10);
  pthread_t thread;
  if (!strcmp(argv[1], "overrun")) memory[10] = 1;
  if (!strcmp(argv[1], "leak")) memory = 0;
  if (!strcmp(argv[1], "overflow")) argc = 0x7fffffff, argc += argv[1][0];
  if (!strcmp(argv[1], "race")) {
    pthread_create(&thread, 0, work, 0);
    shared++;
    pthread_join(thread, 0);
  }
  free(memory);
  return 0;
}
END
echo 'in the file' > file
try() {
  gcc -g -fsanitize=$1 -o prog prog.c -pthread || return
  ./prog none; echo $?
  setarch -R ./prog $2 > out 2>&1; echo $?; head -1 out; grep -o "$3" out | head -1; grep -o '#[0-9] .*main .*prog.c:[0-9]*' out | head -1 | sed 's/0x[0-9a-f]*/0x/'
  ASAN_OPTIONS=log_path=$D/log LSAN_OPTIONS=log_path=$D/log TSAN_OPTIONS=log_path=$D/log UBSAN_OPTIONS=log_path=$D/log setarch -R ./prog $2; cat log.* 2> /dev/null | grep -o "$3" | head -1; rm -f log.*
  sh -c './prog none; echo "[$GLIBC_TUNABLES]"'
}
try address overrun heap-buffer-overflow
try leak leak 'detected memory leaks'
gcc -fsanitize=undefined -o prog prog.c && ./prog none
try thread race 'data race'
for library in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
  [ -e /usr/lib/x86_64-linux-gnu/$library ] || continue
  LD_PRELOAD=$library sh -c 'cat file; env | grep -c LD_PRELOAD'; LD_PRELOAD=$library python3 -c 'print(open("file").read())'
done
LD_PRELOAD= cat file; env -u LD_PRELOAD -u LD_AUDIT cat file; env -i /bin/cat "$D/file"
rm out prog
echo scenario complete
