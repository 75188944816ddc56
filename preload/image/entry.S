// Where every stub of a prepared image jumps to (src/image/patch.ts).
//
// On entry: rax = system call number, rdi rsi rdx r10 r8 r9 = its arguments, rcx = where the program goes
// on, with a `syscall` in the two bytes before. The kernel would clobber rax, rcx and r11 and keep the
// rest, so those three are free here and the rest must come back as it was. The flags need not: no
// compiler keeps anything in them across a system call.
//
// Three ways out: the original `syscall` with all registers untouched; past it with a result; or, for
// calls after which two processes come out, a `syscall` of our own followed by btfuse_after_clone.
// Static programs (preload/static) know two more: a new thread gets its thread block here, and one that
// ends gives it back.
//
// Two entries, chosen by what the handler word of an image holds. btfuse_entry runs the handlers on the
// program's stack. btfuse_entry_small is for programs whose stacks are a few KiB (Go, whose system calls
// may begin with some hundred bytes left): the handlers run on a stack of the shim's, one per thread, cut
// into levels for the signal handlers that come in between.
//
// The unwind tables take rcx for the return address and the program's stack pointer for the frame: seen
// from a handler, the caller is the function with the `syscall`, so backtraces, exceptions through
// callbacks and thread cancellation pass through.

// call.h: CallClass, Verdict and the fields of Call. start.cpp asserts these numbers.
#define CLASS_FD 1
#define VERDICT_DONE 1
#define VERDICT_THREAD 3
#define VERDICT_EXIT 4
#define CALLS_MAX 512
#define CALL_NR 0
#define CALL_ARGS 8
#define CALL_RETURN 56
#define CALL_STACK 64
#define CALL_RESULT 72
#define CALL_SIZE 80

// Leaf functions keep data below the stack pointer.
#define RED_ZONE 128
// A descriptor from here on is dispatch's business: from BT_PRIVATE_FD_MIN on it may be one of the
// shim's own, and from 1024 on its entry lies behind the first page of the fd table, which alone is
// always backed by memory.
#define FDS_LOOKED_UP 900

// btfuse::btfuse_fd_table
#define FD_TABLE _ZN6btfuse15btfuse_fd_tableE

// btfuse::btfuse_small_stack: the highest level that is free; 0: this thread has no stack of ours yet.
#define SMALL_STACK _ZN6btfuse18btfuse_small_stackE
#define LEVEL (32 * 1024)
#define LEVELS 8

// The register that thread-local words are found by. In a static program %fs is the program's own, and
// nobody uses %gs.
#ifdef BTFUSE_STATIC
#define TP %gs
#else
#define TP %fs
#endif

// Onto the free level. r11 = the program's stack pointer, the flags are lost.
        .macro  enter_level
        mov     SMALL_STACK@gottpoff(%rip), %r11
        subq    $LEVEL, TP:(%r11)       // taken before it is used: a signal handler takes the next one
        mov     TP:(%r11), %r11
        lea     LEVEL(%r11), %r11
        xchg    %rsp, %r11
        .endm
// Given back after it is left. r11 is lost.
        .macro  leave_level
        mov     SMALL_STACK@gottpoff(%rip), %r11
        addq    $LEVEL, TP:(%r11)
        .endm

// Builds a Call below the red zone and asks btfuse_dispatch.
#define FRAME (RED_ZONE + CALL_SIZE + 8)
// What a thread finds at the bottom of its stack: rcx rdi rsi, and its block (static/threads.cpp).
#define THREAD_FRAME (RED_ZONE + 32)
#define SYS_exit 60
#define SYS_clone3 435
#define SYS_arch_prctl 158
#define ARCH_SET_GS 0x1001

        .text
        .macro  entry name, small
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 6
\name:
        .cfi_startproc simple
        .cfi_def_cfa %rsp, 0
        .cfi_register %rip, %rcx
        mov     %eax, %eax              // the kernel looks at 32 bits only
        cmp     $CALLS_MAX, %eax
        jae     .Lask\small
        lea     btfuse_call_class(%rip), %r11
        movzbl  (%r11, %rax), %r11d
        cmp     $CLASS_FD, %r11d
        ja      .Lask\small
        jb      .Lpass\small
        mov     FD_TABLE@gottpoff(%rip), %r11
        mov     TP:(%r11), %r11
        test    %r11, %r11
        jz      .Lask\small
        cmp     $FDS_LOOKED_UP, %rdi
        jae     .Lask\small
        cmpl    $0, (%r11, %rdi, 4)
        jne     .Lask\small
.Lpass\small:
        sub     $2, %rcx                // an unwinder takes one off and so still finds the function
        jmp     *%rcx

        .p2align 4
.Lask\small:
        .if     \small
        mov     SMALL_STACK@gottpoff(%rip), %r11
        cmpq    $0, TP:(%r11)
        je      .Lmake\small
.Lmade\small:
        enter_level
        .else
        mov     %rsp, %r11
        .endif
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
        mov     %eax, %r11d
        mov     8 + CALL_NR(%rsp), %rax
        cmp     $VERDICT_DONE, %r11d
        ja      .Laround\small
        jb      .Lagain\small
        mov     8 + CALL_RESULT(%rsp), %rax
        .cfi_remember_state
        leave_frame \small
        jmp     *%rcx
        .cfi_restore_state
.Lagain\small:
        .cfi_remember_state
        leave_frame \small
        jmp     .Lpass\small
        .cfi_restore_state

// After the syscall two may run: the child perhaps on a stack of its own, so nothing is kept on ours,
// and a vfork child on ours, so what lay there is lost. The handler kept the return address.
.Laround\small:
#ifdef BTFUSE_STATIC
        .cfi_remember_state
        cmp     $VERDICT_THREAD, %r11d
        je      .Lthread\small
        ja      .Lexit\small
#endif
        leave_frame \small
        .cfi_undefined %rip
        syscall
        .if     \small
        enter_level
        sub     $(RED_ZONE + 80), %rsp
        mov     %r11, 64(%rsp)
        .else
        sub     $(RED_ZONE + 80), %rsp
        .endif
        .cfi_def_cfa_offset RED_ZONE + 80
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
        .if     \small
        mov     64(%rsp), %rsp
        leave_level
        .else
        add     $(RED_ZONE + 80), %rsp
        .endif
        .cfi_def_cfa_offset 0
        jmp     *%rcx

#ifdef BTFUSE_STATIC
// A new thread. The handler laid a frame for it on its stack and left in call.result what the kernel
// shall get: the child's stack pointer (clone), or a copy of the arguments (clone3).
        .cfi_restore_state
.Lthread\small:
        mov     8 + CALL_STACK(%rsp), %r11
        sub     $THREAD_FRAME, %r11
        mov     %rcx, (%r11)
        mov     %rdi, 8(%r11)
        mov     %rsi, 16(%r11)
        mov     8 + CALL_RESULT(%rsp), %rcx
        mov     %r11, %rsp
        .cfi_def_cfa_offset THREAD_FRAME
        .cfi_undefined %rip
        .if     \small
        leave_level
        .endif
        cmp     $SYS_clone3, %eax
        cmove   %rcx, %rdi
        cmovne  %rcx, %rsi
        syscall
        test    %rax, %rax
        jnz     .Lparent\small
        mov     $ARCH_SET_GS, %edi
        mov     24(%rsp), %rsi
        mov     $SYS_arch_prctl, %eax
        syscall
        xor     %eax, %eax
.Lparent\small:
        mov     (%rsp), %rcx
        mov     8(%rsp), %rdi
        mov     16(%rsp), %rsi
        lea     THREAD_FRAME(%rsp), %rsp
        .cfi_def_cfa_offset 0
        jmp     *%rcx

// The end of a thread: from here on its stack may be anybody's, and so may its block.
.Lexit\small:
        .cfi_def_cfa_offset FRAME
        leave_frame \small
        mov     TP:0, %r11
1:      mov     btfuse_free_blocks(%rip), %rax
        mov     %rax, 8(%r11)
        lock cmpxchg %r11, btfuse_free_blocks(%rip)
        jne     1b
        mov     $SYS_exit, %eax
        jmp     .Lpass\small
#endif

// The first call of this thread: a stack. Hardly any of the program's is used for that.
        .if     \small
.Lmake\small:
        lea     -RED_ZONE(%rsp), %rsp
        push    %rcx
        push    %rax
        push    %rdi
        push    %rsi
        push    %rdx
        push    %r10
        push    %r8
        push    %r9
        xor     %edi, %edi
        mov     $(LEVEL * LEVELS), %esi
        mov     $3, %edx                // PROT_READ | PROT_WRITE
        mov     $0x4022, %r10d          // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        mov     $-1, %r8
        xor     %r9d, %r9d
        mov     $9, %eax                // mmap
        syscall
        cmp     $-4096, %rax
        ja      .Lnone\small
        add     $(LEVEL * LEVELS), %rax
        mov     SMALL_STACK@gottpoff(%rip), %r11
        mov     %rax, TP:(%r11)
        pop     %r9
        pop     %r8
        pop     %r10
        pop     %rdx
        pop     %rsi
        pop     %rdi
        pop     %rax
        pop     %rcx
        lea     RED_ZONE(%rsp), %rsp
        mov     SMALL_STACK@gottpoff(%rip), %r11
        jmp     .Lmade\small
.Lnone\small:
        lea     btfuse_no_stack(%rip), %rdi
        and     $-16, %rsp
        call    btfuse_die
        .endif
        .cfi_endproc
        .size   \name, . - \name
        .endm

// Back on the program's stack; r11 is lost.
        .macro  leave_frame small
        .if     \small
        mov     8 + CALL_STACK(%rsp), %rsp
        leave_level
        .else
        add     $FRAME, %rsp
        .endif
        .cfi_def_cfa_offset 0
        .endm

        entry   btfuse_entry, 0
        entry   btfuse_entry_small, 1

// SIGBUS (calls/bus.cpp): the program's handler, if it shall have the signal, finds what the kernel gave.
        .globl  btfuse_bus_entry
        .hidden btfuse_bus_entry
        .type   btfuse_bus_entry, @function
btfuse_bus_entry:
        push    %rdi
        push    %rsi
        push    %rdx
        call    btfuse_on_bus
        pop     %rdx
        pop     %rsi
        pop     %rdi
        mov     %rax, %r11
        xor     %eax, %eax
        test    %r11, %r11
        jz      1f
        jmp     *%r11
1:      ret
        .size   btfuse_bus_entry, . - btfuse_bus_entry

// Unwinders know a signal's frame by these bytes. One before belongs to it.
        nop
        .globl  btfuse_bus_return
        .hidden btfuse_bus_return
        .type   btfuse_bus_return, @function
btfuse_bus_return:
        mov     $15, %rax               // rt_sigreturn
        syscall
        .size   btfuse_bus_return, . - btfuse_bus_return

        .section .note.GNU-stack, "", @progbits
