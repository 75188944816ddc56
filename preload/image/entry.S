// Where every stub of a prepared image jumps to (src/image/patch.ts).
//
// On entry: rax = system call number, rdi rsi rdx r10 r8 r9 = its arguments, rcx = where the program goes
// on, with a `syscall` in the two bytes before. The kernel would clobber rax, rcx and r11 and keep the
// rest, so those three are free here and the rest must come back as it was. The flags need not: no
// compiler keeps anything in them across a system call.
//
// Three ways out: the original `syscall` with all registers untouched; past it with a result; or, for
// calls after which two processes come out, a `syscall` of our own followed by btfuse_after_clone.
//
// The unwind tables take rcx for the return address and the program's stack pointer for the frame: seen
// from a handler, the caller is the function with the `syscall`, so backtraces, exceptions through
// callbacks and thread cancellation pass through.

// call.h: CallClass, Verdict and the fields of Call. start.cpp asserts these numbers.
#define CLASS_FD 1
#define VERDICT_DONE 1
#define CALLS_MAX 512
#define CALL_NR 0
#define CALL_ARGS 8
#define CALL_RETURN 56
#define CALL_STACK 64
#define CALL_RESULT 72
#define CALL_SIZE 80

// Leaf functions keep data below the stack pointer.
#define RED_ZONE 128
// Entries of the fd table in its first page, which is always backed by memory: a look at a later page
// could raise SIGBUS, so a descriptor from here on is dispatch's business.
#define FDS_IN_FIRST_PAGE 1024

// btfuse::btfuse_fd_table
#define FD_TABLE _ZN6btfuse15btfuse_fd_tableE

        .text
        .globl  btfuse_entry
        .hidden btfuse_entry
        .type   btfuse_entry, @function
        .p2align 6
btfuse_entry:
        .cfi_startproc simple
        .cfi_def_cfa %rsp, 0
        .cfi_register %rip, %rcx
        mov     %eax, %eax              // the kernel looks at 32 bits only
        cmp     $CALLS_MAX, %eax
        jae     .Lask
        lea     btfuse_call_class(%rip), %r11
        movzbl  (%r11, %rax), %r11d
        cmp     $CLASS_FD, %r11d
        ja      .Lask
        jb      .Lpass
        mov     FD_TABLE@gottpoff(%rip), %r11
        mov     %fs:(%r11), %r11
        test    %r11, %r11
        jz      .Lask
        cmp     $FDS_IN_FIRST_PAGE, %rdi
        jae     .Lask
        cmpl    $0, (%r11, %rdi, 4)
        jne     .Lask
.Lpass:
        sub     $2, %rcx                // an unwinder takes one off and so still finds the function
        jmp     *%rcx

// Builds a Call below the red zone and asks btfuse_dispatch.
#define FRAME (RED_ZONE + CALL_SIZE + 8)
        .p2align 4
.Lask:
        mov     %rsp, %r11
        sub     $FRAME, %rsp
        .cfi_def_cfa_offset FRAME
        mov     %rbp, (%rsp)
        .cfi_rel_offset %rbp, 0
        mov     %rax, 8 + CALL_NR(%rsp)
        mov     %rdi, 8 + CALL_ARGS(%rsp)
        mov     %rsi, 8 + CALL_ARGS + 8(%rsp)
        mov     %rdx, 8 + CALL_ARGS + 16(%rsp)
        mov     %r10, 8 + CALL_ARGS + 24(%rsp)
        mov     %r8, 8 + CALL_ARGS + 32(%rsp)
        mov     %r9, 8 + CALL_ARGS + 40(%rsp)
        mov     %rcx, 8 + CALL_RETURN(%rsp)
        .cfi_rel_offset %rip, 8 + CALL_RETURN
        mov     %r11, 8 + CALL_STACK(%rsp)
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        lea     8(%rsp), %rdi
        and     $-16, %rsp
        call    btfuse_dispatch

        mov     %rbp, %rsp
        .cfi_def_cfa_register %rsp
        mov     8 + CALL_ARGS(%rsp), %rdi
        mov     8 + CALL_ARGS + 8(%rsp), %rsi
        mov     8 + CALL_ARGS + 16(%rsp), %rdx
        mov     8 + CALL_ARGS + 24(%rsp), %r10
        mov     8 + CALL_ARGS + 32(%rsp), %r8
        mov     8 + CALL_ARGS + 40(%rsp), %r9
        mov     8 + CALL_RETURN(%rsp), %rcx
        .cfi_register %rip, %rcx
        mov     (%rsp), %rbp
        .cfi_restore %rbp
        cmp     $VERDICT_DONE, %eax
        mov     8 + CALL_NR(%rsp), %rax // moves leave the flags alone
        ja      .Laround
        jb      .Lagain
        mov     8 + CALL_RESULT(%rsp), %rax
        add     $FRAME, %rsp
        .cfi_remember_state
        .cfi_def_cfa_offset 0
        jmp     *%rcx
        .cfi_restore_state
.Lagain:
        add     $FRAME, %rsp
        .cfi_def_cfa_offset 0
        jmp     .Lpass

// After the syscall two may run: the child perhaps on a stack of its own, so nothing is kept on ours,
// and a vfork child on ours, so what lay there is lost. The handler kept the return address.
        .cfi_def_cfa_offset FRAME
.Laround:
        add     $FRAME, %rsp
        .cfi_def_cfa_offset 0
        .cfi_undefined %rip
        syscall
        sub     $(RED_ZONE + 64), %rsp
        .cfi_def_cfa_offset RED_ZONE + 64
        mov     %rbp, (%rsp)
        .cfi_rel_offset %rbp, 0
        mov     %rdi, 8(%rsp)
        mov     %rsi, 16(%rsp)
        mov     %rdx, 24(%rsp)
        mov     %r10, 32(%rsp)
        mov     %r8, 40(%rsp)
        mov     %r9, 48(%rsp)
        mov     %rax, 56(%rsp)
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        mov     %rax, %rdi
        and     $-16, %rsp
        call    btfuse_after_clone
        mov     %rax, %rcx
        mov     %rbp, %rsp
        .cfi_def_cfa_register %rsp
        mov     8(%rsp), %rdi
        mov     16(%rsp), %rsi
        mov     24(%rsp), %rdx
        mov     32(%rsp), %r10
        mov     40(%rsp), %r8
        mov     48(%rsp), %r9
        mov     56(%rsp), %rax
        mov     (%rsp), %rbp
        .cfi_restore %rbp
        add     $(RED_ZONE + 64), %rsp
        .cfi_def_cfa_offset 0
        jmp     *%rcx
        .cfi_endproc
        .size   btfuse_entry, . - btfuse_entry

        .section .note.GNU-stack, "", @progbits
