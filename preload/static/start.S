// Where the kernel starts the launcher: the stack goes to btfuse_launch, and then to the program as the
// kernel would have left it.
        .text
        .globl  _start
        .hidden _start
        .type   _start, @function
_start:
        xor     %ebp, %ebp
        mov     %rsp, %rbx
        mov     %rsp, %rdi
        and     $-16, %rsp
        call    btfuse_launch
        mov     %rbx, %rsp
        mov     %rax, %r11
        xor     %eax, %eax
        xor     %ebx, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        jmp     *%r11
        .size   _start, . - _start

        .section .note.GNU-stack, "", @progbits
