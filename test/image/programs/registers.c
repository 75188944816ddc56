// Every register that the kernel keeps across a system call is kept across a hooked one, and so are
// the vector registers and the red zone. syscall(3) moves its arguments into place and returns at
// once, so what stands in the registers after it is what its `syscall` left there.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RDI, RSI, RDX, RCX, R8, R9, RBX, RBP, R12, R13, R14, R15, R10, RAX, COUNT };

long in[COUNT], out[COUNT], sixth;
unsigned char vector_in[16][16], vector_out[16][16];
unsigned char zone_in[128], zone_out[128];
void probe(void);

#define EACH_VECTOR(F)                                                                           \
  F("0")                                                                                         \
  F("1") F("2") F("3") F("4") F("5") F("6") F("7") F("8") F("9") F("10") F("11") F("12") F("13") \
      F("14") F("15")
#define LOAD(n) "movdqu vector_in+16*" n "(%rip), %xmm" n "\n"
#define SAVE(n) "movdqu %xmm" n ", vector_out+16*" n "(%rip)\n"

asm(".text\n.globl probe\nprobe:\n"
    "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "push sixth(%rip)\n" EACH_VECTOR(LOAD)
    // The red zone of syscall(3) begins below the return address that `call` pushes.
    "lea -136(%rsp), %rdi\nlea zone_in(%rip), %rsi\nmov $16, %ecx\nrep movsq\n"
    "mov in+0(%rip), %rdi\nmov in+8(%rip), %rsi\nmov in+16(%rip), %rdx\nmov in+24(%rip), %rcx\n"
    "mov in+32(%rip), %r8\nmov in+40(%rip), %r9\nmov in+48(%rip), %rbx\nmov in+56(%rip), %rbp\n"
    "mov in+64(%rip), %r12\nmov in+72(%rip), %r13\nmov in+80(%rip), %r14\nmov in+88(%rip), %r15\n"
    "call *syscall@GOTPCREL(%rip)\n"
    "mov %rdi, out+0(%rip)\nmov %rsi, out+8(%rip)\nmov %rdx, out+16(%rip)\nmov %rcx, out+24(%rip)\n"
    "mov %r8, out+32(%rip)\nmov %r9, out+40(%rip)\nmov %rbx, out+48(%rip)\nmov %rbp, out+56(%rip)\n"
    "mov %r12, out+64(%rip)\nmov %r13, out+72(%rip)\nmov %r14, out+80(%rip)\nmov %r15, "
    "out+88(%rip)\n"
    "mov %r10, out+96(%rip)\nmov %rax, out+104(%rip)\n"
    "lea -136(%rsp), %rsi\nlea zone_out(%rip), %rdi\nmov $16, %ecx\nrep movsq\n" EACH_VECTOR(
        SAVE) "pop %rax\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

static int failures;

static void expect(const char* what, long got, long want) {
  if (got == want) return;
  printf("%s: %lx, expected %lx\n", what, got, want);
  failures++;
}

static void call(long nr, long a, long b, long c, long d, long e, long f, long result) {
  for (int i = 0; i < COUNT; i++) in[i] = 0x0123456789abcd00L + i;
  in[RDI] = nr, in[RSI] = a, in[RDX] = b, in[RCX] = c, in[R8] = d, in[R9] = e, sixth = f;
  memset(out, 0, sizeof out);
  for (int i = 0; i < 256; i++) vector_in[i / 16][i % 16] = (unsigned char)(i * 7 + nr);
  for (int i = 0; i < 128; i++) zone_in[i] = (unsigned char)(i * 5 + nr);
  probe();
  expect("rax", out[RAX], result);
  expect("rdi", out[RDI], a);
  expect("rsi", out[RSI], b);
  expect("rdx", out[RDX], c);
  expect("r10", out[R10], d);
  expect("r8", out[R8], e);
  expect("r9", out[R9], f);
  for (int i = RBX; i <= R15; i++) expect("callee-saved", out[i], in[i]);
  expect("vector registers", memcmp(vector_in, vector_out, sizeof vector_in), 0);
  expect("red zone", memcmp(zone_in, zone_out, sizeof zone_in), 0);
}

int main(int argc, char** argv) {
  (void)argc;
  char buffer[8];
  int fd = open(argv[0], O_RDONLY);
  call(SYS_pread64, fd, (long)buffer, 4, 0, 0x1111, 0x2222, 4);
  call(SYS_openat, AT_FDCWD, (long)"/", O_RDONLY, 0, 0x3333, 0x4444, fd + 1);
  call(SYS_getpid, 1, 2, 3, 4, 5, 6, getpid());
  call(SYS_lseek, fd, 3, SEEK_SET, 4, 5, 6, 3);
  if (memcmp(buffer, "\177ELF", 4) != 0) failures++;
  puts(failures == 0 ? "ok" : "failed");
  return failures != 0;
}
