# System calls of a library's own: in several executable segments, where there is hardly room for a jump, without a build-id, under any
# name, on the host and here, linked and opened.
cat > calls.S <<'END'
        .macro  function name
        .globl  \name
        .type   \name, @function
        .balign 16
\name:  .cfi_startproc
        .endm
        .macro  done name
        ret
        .cfi_endproc
        .size   \name, . - \name
        .endm
        .text
function open_plain
        xor     %edx, %edx
        mov     $2, %eax
        syscall
done open_plain
function open_by_register
        mov     %edx, %eax
        xor     %edx, %edx
        syscall
done open_by_register
function open_crowded
        xor     %esi, %esi
        cmp     $1, %rdi
        mov     $2, %eax
        jb      2f
1:      syscall
2:      cmp     $-4096, %rax
        jb      3f
        cmp     $-4, %rax
        je      1b
3:      mov     %rax, %rdx
        add     $0, %rdx
        mov     %rdx, %rax
        nop
        mov     %rax, %rcx
        mov     %rcx, %rax
done open_crowded
        .section other, "ax", @progbits
        .balign 65536
function open_other
        xor     %edx, %edx
        mov     $2, %eax
        syscall
done open_other
        .section .note.GNU-stack, "", @progbits
END
cat > main.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
typedef long open_call(const char *, int, long);
#ifndef LATE
open_call open_plain, open_by_register, open_crowded, open_other;
#define GET(name) name
#else
static void *library;
#define GET(name) ((open_call *)dlsym(library, #name))
#endif
static void show(const char *name, long fd) {
  char text[32] = "";
  if (fd < 0 || read((int)fd, text, sizeof text) < 0) printf("%s: %ld\n", name, fd);
  else printf("%s: %s", name, text);
  if (fd >= 0) close((int)fd);
}
int main(int argc, char **argv) {
#ifdef LATE
  library = dlopen(argv[1], RTLD_NOW);
  if (!library) return puts(dlerror()), 1;
#else
  (void)argc, (void)argv;
#endif
  show("plain", GET(open_plain)("file", 0, 0));
  show("register", GET(open_by_register)("file", 0, 2));
  show("crowded", GET(open_crowded)("file", 0, 0));
  show("other", GET(open_other)("file", 0, 0));
  fflush(stdout);
  show("missing", GET(open_other)("nothing", 0, 0));
}
END
echo 'in the file' > file
gcc -o whole main.c calls.S && ./whole
readelf -lW whole | grep -c 'R E'
for id in sha1 none; do for at in "$D" "$HOST"; do
  gcc -shared -Wl,--build-id=$id -o "$at/libodd.so" calls.S
  gcc -o linked main.c -L"$at" -lodd -Wl,-rpath,"$at" && ./linked
  gcc -DLATE -o late main.c && ./late "$at/libodd.so"
  cp "$at/libodd.so" "$at/any name"; ln -sf "any name" "$at/link"
  ./late "$at/any name"; ./late "$at/link"; LD_PRELOAD="$at/link" ./whole | head -1
  # Another file in its place, with the same build-id or none.
  gcc -shared -Wl,--build-id=$id -nostdlib -o "$at/new" calls.S && mv "$at/new" "$at/any name"; ./late "$at/link"
  [ "$at" = "$HOST" ] || ./late ./libodd.so
  rm -f "$at/link" "$at/any name" "$at/libodd.so"
done; done
rm -f late linked whole
echo 'scenario complete'
