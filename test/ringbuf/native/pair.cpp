// Both sides of the ring in one process, so that ThreadSanitizer sees every access. The server
// mirrors ringbuf/ring.ts line by line: exchange the summary, then the leaves; serve; park by the
// eventcount.
#include "stress.h"

#include <cstdio>
#include <thread>
#include <vector>

#include <linux/futex.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace btfuse;

namespace {

long served = 0;
long parks = 0;

uint32_t* leaf_at(uint32_t leaf) {
  return (uint32_t*)(client.ring + BT_RING_LEAVES_OFFSET + leaf * BT_RING_LEAF_STRIDE);
}

void serve_slot(Slot* slot) {
  const uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);
  if (state != BT_SLOT_STATE_REQUEST && state != BT_SLOT_STATE_SLEEPING) return;
  const bool posted = slot->request_flags & BT_REQUEST_NO_REPLY;
  slot->result = slot->offset + 1;
  slot->status = 0;
  served++;
  const uint32_t next = posted ? BT_SLOT_STATE_IDLE : BT_SLOT_STATE_DONE;
  if (__atomic_exchange_n(&slot->state, next, __ATOMIC_SEQ_CST) == BT_SLOT_STATE_SLEEPING) {
    kernel(SYS_futex, &slot->state, FUTEX_WAKE, 1);
  }
}

void serve_batch(RingHeader* header) {
  uint32_t leaves = __atomic_exchange_n(&header->summary, 0, __ATOMIC_SEQ_CST);
  for (; leaves != 0; leaves &= leaves - 1) {
    const uint32_t leaf = (uint32_t)__builtin_ctz(leaves);
    uint32_t bits = __atomic_exchange_n(leaf_at(leaf), 0, __ATOMIC_SEQ_CST);
    for (; bits != 0; bits &= bits - 1) {
      serve_slot(slot_at(leaf * BT_SLOTS_PER_LEAF + (uint32_t)__builtin_ctz(bits)));
    }
  }
}

/** No safety timeout here: a lost wake-up is a hang, and the test sees it. */
void park(RingHeader* header) {
  const uint32_t bell = __atomic_load_n(&header->bell, __ATOMIC_SEQ_CST);
  __atomic_store_n(&header->parked, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&header->summary, __ATOMIC_SEQ_CST) == 0 &&
      __atomic_load_n(&header->stop, __ATOMIC_SEQ_CST) == 0) {
    parks++;
    kernel(SYS_futex, &header->bell, FUTEX_WAIT, bell, 0, 0, 0);
  }
  __atomic_store_n(&header->parked, 0, __ATOMIC_SEQ_CST);
}

void serve(bool spinning) {
  RingHeader* header = ring_header();
  while (__atomic_load_n(&header->stop, __ATOMIC_SEQ_CST) == 0) {
    for (int i = spinning ? 2000 : 1; i > 0; i--) {
      if (__atomic_load_n(&header->summary, __ATOMIC_SEQ_CST) != 0) serve_batch(header);
    }
    park(header);
  }
}

/** As attach() would leave it, over anonymous memory. */
bool make_ring() {
  const int fd = memfd_create("ring", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, BT_RING_SIZE) != 0) return false;
  void* base = mmap(nullptr, BT_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return false;
  client.ring = (unsigned char*)base;
  client.ring_fd = fd;
  client.process = 1;
  ring_segment()->server_pid = (uint32_t)getpid();
  // No CPU: the client then never takes the server for a neighbour and spins as on a large machine.
  ring_header()->server_cpu = ~0u;
  return true;
}

/** Every eighth request is posted: nobody waits for it, but the next one comes after it. */
bool one(btfuse::Thread& self, long i) {
  if (i % 8 != 7) return echo(self, i);
  Slot* slot = begin(self, (uint64_t)__builtin_frame_address(0));
  if (slot == nullptr) return false;
  slot->opcode = BT_OP_NOOP;
  slot->offset = i;
  post(slot);
  end(self);
  return true;
}

}  // namespace

int run_pair(int threads, long requests, bool spinning) {
  if (!make_ring()) return 3;
  std::thread server(serve, spinning);
  long wrong[64] = {};
  std::vector<std::thread> clients;
  for (int t = 0; t < threads; t++) {
    clients.emplace_back([&wrong, t, requests] {
      for (long i = 0; i < requests; i++) wrong[t] += !one(btfuse::thread, i);
      wrong[t] += !echo(btfuse::thread, 1);  // what was posted has been served by now
      release_slots(btfuse::thread);
    });
  }
  for (auto& client_thread : clients) client_thread.join();
  __atomic_store_n(&ring_header()->stop, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&ring_header()->bell, 1, __ATOMIC_SEQ_CST);
  kernel(SYS_futex, &ring_header()->bell, FUTEX_WAKE, 1);
  server.join();
  long sum = 0;
  for (const long count : wrong) sum += count;
  std::printf("{\"served\": %ld, \"wrong\": %ld, \"parks\": %ld}\n", served, sum, parks);
  return sum == 0 && served == threads * (requests + 1) ? 0 : 1;
}
