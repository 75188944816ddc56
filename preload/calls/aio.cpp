// io_submit: the kernel's asynchronous reads and writes, which on a tmpfs are done before the call
// returns. So are they here. The event that io_getevents shall tell is the kernel's own, since
// programs read its ring themselves: the request goes on as a write of as many bytes to /dev/null.
//
// One difference: where tmpfs tells an error in the event, here io_submit itself fails, unless
// requests before it went well.
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/uio.h>

#include "calls.h"
#include "descriptors.h"
#include "user_memory.h"

namespace btfuse {

namespace {

/** Reads or writes through the handler of preadv2 or pwritev2. PASS: the descriptor is the
 * kernel's. */
Verdict transfer(Call& call, Thread& self, const iocb& request, bool writes, bool vector) {
  if (request.aio_offset < 0) return done(call, -EINVAL);
  const iovec single = {(void*)request.aio_buf, request.aio_nbytes};
  Call inner = call;
  inner.nr = writes ? SYS_pwritev2 : SYS_preadv2;
  inner.args[0] = request.aio_fildes;
  inner.args[1] = vector ? (long)request.aio_buf : (long)&single;
  inner.args[2] = vector ? (long)request.aio_nbytes : 1;
  inner.args[3] = request.aio_offset;
  inner.args[4] = 0;
  inner.args[5] = request.aio_rw_flags;
  Verdict verdict = writes ? sys_pwritev2(inner, self) : sys_preadv2(inner, self);
  call.result = inner.result;
  return verdict;
}

/** DONE with the bytes moved or -errno in call.result; PASS when the kernel shall do it. */
Verdict perform(Call& call, Thread& self, const iocb& request) {
  switch (request.aio_lio_opcode) {
    case IOCB_CMD_PREAD:
      return transfer(call, self, request, false, false);
    case IOCB_CMD_PWRITE:
      return transfer(call, self, request, true, false);
    case IOCB_CMD_PREADV:
      return transfer(call, self, request, false, true);
    case IOCB_CMD_PWRITEV:
      return transfer(call, self, request, true, true);
    case IOCB_CMD_FSYNC:
    case IOCB_CMD_FDSYNC: {
      Call inner = call;
      inner.args[0] = request.aio_fildes;
      Verdict verdict = sys_fsync(inner, self);
      call.result = inner.result;
      return verdict;
    }
    default:
      return Verdict::PASS;
  }
}

/** The request as a write of `count` bytes that go nowhere: its event tells just that number. */
iocb told(const iocb& request, int nowhere, long count) {
  iocb write = request;
  write.aio_lio_opcode = IOCB_CMD_PWRITE;
  write.aio_fildes = (uint32_t)nowhere;
  write.aio_nbytes = (uint64_t)count;
  write.aio_offset = 0;
  write.aio_rw_flags = 0;
  return write;
}

/** One request; 0 or -errno. */
long submit(Call& call, Thread& self, iocb* at) {
  const iocb request = *at;
  iocb** only = &at;
  if (description_of(self, request.aio_fildes) == 0 ||
      perform(call, self, request) == Verdict::PASS) {
    long result = kernel(SYS_io_submit, call.args[0], 1, only);
    return result < 0 ? result : 0;
  }
  if (call.result < 0) return call.result;
  const int nowhere = (int)kernel(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC, 0);
  if (nowhere < 0) return -EAGAIN;
  // The event names the request by its address, so it is this one that the kernel must see.
  *at = told(request, nowhere, call.result);
  long result = kernel(SYS_io_submit, call.args[0], 1, only);
  const uint32_t key = at->aio_key;  // the kernel's mark, which io_cancel looks for
  *at = request;
  at->aio_key = key;
  kernel(SYS_close, nowhere);
  return result < 0 ? result : 0;
}

}  // namespace

Verdict sys_io_submit(Call& call, Thread& self) {
  auto** requests = (iocb**)call.args[2];
  const long count = call.args[1];
  const uint64_t stack = call.stack;
  bool ours = false;
  // What the kernel would say of a bad pointer is left to the kernel.
  for (long i = 0; i < count && !ours; i++) {
    if (!readable(requests + i, sizeof *requests, stack)) return Verdict::PASS;
    if (!readable(requests[i], sizeof(iocb), stack)) return Verdict::PASS;
    ours = description_of(self, requests[i]->aio_fildes) != 0;
  }
  if (!ours) return Verdict::PASS;
  long submitted = 0;
  long error = 0;
  while (submitted < count && error == 0) {
    iocb** at = requests + submitted;
    const bool there = readable(at, sizeof *at, stack) && readable(*at, sizeof(iocb), stack);
    error = there ? submit(call, self, *at) : -EFAULT;
    if (error == 0) submitted++;
  }
  return done(call, submitted > 0 ? submitted : error);
}

}  // namespace btfuse
