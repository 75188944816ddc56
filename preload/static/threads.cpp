#include "threads.h"

#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include "../calls/user_memory.h"
#include "../client/memory.h"

extern "C" __attribute__((visibility("hidden"))) const Elf64_Ehdr __ehdr_start;
extern "C" __attribute__((visibility("hidden"))) btfuse::Block* btfuse_free_blocks;
btfuse::Block* btfuse_free_blocks;

namespace btfuse {

namespace {

/** Room for the thread-local words, behind which the block begins; launch.cpp's linker asserts it.
 */
constexpr uint64_t kLocalMax = 2048;
constexpr uint64_t kBlockSize = 4096;
/** entry.S: THREAD_FRAME and the red zone in it. */
constexpr uint64_t kThreadFrame = 128 + 32;
constexpr uint64_t kCloneArgsMax = 256;

alignas(64) unsigned char first[kLocalMax + sizeof(Block)];

/** Program header of our own thread-local storage. */
const Elf64_Phdr* local_template() {
  const auto* headers =
      (const Elf64_Phdr*)((const unsigned char*)&__ehdr_start + __ehdr_start.e_phoff);
  for (uint32_t i = 0; i < __ehdr_start.e_phnum; i++) {
    if (headers[i].p_type == PT_TLS) return headers + i;
  }
  return nullptr;
}

/** All thread-local words start as zero: .tbss only. */
Block* make_block(unsigned char* memory) {
  Block* block = (Block*)(memory + kLocalMax);
  block->self = block;
  block->next = nullptr;
  return block;
}

/** Takes all and puts the rest back: no ABA. */
Block* take_free() {
  Block* block = __atomic_exchange_n(&btfuse_free_blocks, nullptr, __ATOMIC_ACQUIRE);
  if (block == nullptr) return nullptr;
  for (Block* rest = block->next; rest != nullptr;) {
    Block* next = rest->next;
    Block* head = __atomic_load_n(&btfuse_free_blocks, __ATOMIC_RELAXED);
    do {
      rest->next = head;
    } while (!__atomic_compare_exchange_n(&btfuse_free_blocks, &head, rest, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    rest = next;
  }
  return block;
}

/** The stack that the last owner made stays with the block. */
Block* new_block() {
  if (Block* block = take_free()) {
    Block* mine;
    asm("mov %%gs:0, %0" : "=r"(mine));
    auto* stack = (uint64_t*)((char*)block + ((char*)&btfuse_small_stack - (char*)mine));
    const uint64_t kept = *stack;
    memset((char*)block - kLocalMax, 0, kLocalMax);
    *stack = kept;
    return block;
  }
  const long memory =
      kernel(SYS_mmap, 0, kBlockSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory < 0 && memory > -4096) return nullptr;
  return make_block((unsigned char*)memory);
}

struct ThreadFrame {
  uint64_t return_address, rdi, rsi;
  Block* block;
};

/** The child's stack pointer; 0: it has none, -EFAULT. */
long child_stack(const Call& call) {
  if (call.nr == SYS_clone) return call.args[1];
  if (call.nr != SYS_clone3) return 0;
  const auto* args = (const clone_args*)call.args[0];
  const uint64_t size = (uint64_t)call.args[1];
  if (size < CLONE_ARGS_SIZE_VER0 || size > kCloneArgsMax) return 0;
  if (!readable(args, size, call.stack) || args->stack == 0) return 0;
  return (long)(args->stack + args->stack_size);
}

}  // namespace

void make_first_thread() {
  const Elf64_Phdr* local = local_template();
  if (local != nullptr && (local->p_memsz > kLocalMax || local->p_filesz != 0)) {
    for (;;) kernel(SYS_exit_group, 125);
  }
  kernel(SYS_arch_prctl, ARCH_SET_GS, make_block(first));
}

Verdict start_thread(Call& call) {
  const long stack = child_stack(call);
  // A vfork child without a stack borrows its parent's, and its block; nonsense is the kernel's.
  if (stack == 0) return Verdict::PASS;
  auto* frame = (ThreadFrame*)(stack - (long)kThreadFrame);
  if (!writable(frame, sizeof *frame, call.stack)) return Verdict::PASS;
  Block* block = new_block();
  if (block == nullptr) {
    call.result = -EAGAIN;
    return Verdict::DONE;
  }
  *frame = {call.return_address, (uint64_t)call.args[0], (uint64_t)call.args[1], block};
  call.result = (long)frame;
  if (call.nr == SYS_clone3) {
    const uint64_t size = (uint64_t)call.args[1];
    auto* copy = (clone_args*)((char*)frame - kCloneArgsMax);
    memcpy(copy, (const void*)call.args[0], size);
    copy->stack_size = (uint64_t)frame - copy->stack;
    call.result = (long)copy;
  }
  return Verdict::THREAD;
}

Verdict end_thread() {
  return Verdict::EXIT;
}

}  // namespace btfuse
