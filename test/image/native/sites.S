// One `syscall` of every kind that the patcher tells apart. Assembled by sites.test.ts with a fixed layout:
// the labels are looked up by name in the dynamic symbol table, so none stands inside displaced bytes.
        .text
        .macro  function name
        .p2align 5
        .globl  \name
        .type   \name, @function
\name:
        .endm

        function plain                  // form M: the mov is displaced
        mov     $257, %eax
        syscall
        ret

        function not_ours               // getpid: left alone
        mov     $39, %eax
        syscall
        ret

        function sigreturn              // recognised by its bytes: never touched
        mov     $15, %rax
        syscall

        function short_number           // form M over two instructions, one of them rip-relative
        mov     value(%rip), %rdx
        xor     %eax, %eax
        syscall
        ret

        function after_branch           // form M, the branch is re-encoded
        test    %rdi, %rdi
        je      1f
        xor     %eax, %eax
        syscall
1:      ret

        function any_number             // the number is not known: hooked
        mov     %rdi, %rax
        mov     %rsi, %rdi
        syscall
        ret

        function jumped_to              // something jumps to the syscall itself: form T
        mov     $1, %eax
        jmp     1f
        .p2align 3
        mov     $2, %eax
1:      syscall
        cmp     $-4096, %rax
        ja      2f
        ret
2:      mov     $-1, %eax
        ret

        function tight_loop             // form T that also takes the instructions before
        mov     $60, %edx
        .p2align 4
1:      xor     %edi, %edi
        mov     %edx, %eax
        syscall
        jmp     1b

        function switched               // a switch table leads to the syscall of its second case
        lea     table(%rip), %rcx
        movslq  (%rcx, %rdi, 4), %rdi
        add     %rcx, %rdi
        jmp     *%rdi
0:      mov     $2, %eax
1:      syscall
        mov     %eax, %edx
        ret

        .section .rodata
        .p2align 2
table:  .long   0b - table, 1b - table

        .data
value:  .quad   7
        .bss
        .zero   64
