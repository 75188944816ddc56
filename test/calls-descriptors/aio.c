// Asynchronous reads and writes of the kernel, as libaio and databases ask for them.
#include <linux/aio_abi.h>

#include "show.h"

static aio_context_t context;
static char text[] = "hello, asynchronous world", back[64];

static long submit(int count, struct iocb **requests) {
  return syscall(SYS_io_submit, context, count, requests);
}

static void events(int count) {
  struct io_event got[8];
  struct timespec none = {0, 0};
  long n = syscall(SYS_io_getevents, context, count, 8, got, count == 0 ? &none : NULL);
  SAY("%ld events of %d", n, count);
  for (long i = 0; i < n; i++)
    SAY("data %ld, op %d, result %ld, %ld", (long)got[i].data,
        ((struct iocb *)got[i].obj)->aio_lio_opcode, (long)got[i].res, (long)got[i].res2);
}

static struct iocb request(int op, int fd, void *buffer, size_t size, off_t offset, long data) {
  return (struct iocb){.aio_data = data,
                       .aio_lio_opcode = op,
                       .aio_fildes = fd,
                       .aio_buf = (uint64_t)buffer,
                       .aio_nbytes = size,
                       .aio_offset = offset};
}

int main(int argc, char **argv) {
  chdir(argv[1]);
  SHOW(syscall(SYS_io_setup, 8, &context));
  int fd = open("f", O_RDWR | O_CREAT, 0644), only = open("f", O_RDONLY), pipes[2];
  pipe(pipes);
  struct iovec parts[2] = {{text, 5}, {text + 5, 8}};
  struct iovec rooms[2] = {{back, 3}, {back + 3, 20}};
  struct iocb a = request(IOCB_CMD_PWRITE, fd, text, sizeof text, 100, 1);
  struct iocb b = request(IOCB_CMD_PWRITEV, fd, parts, 2, 3000, 2);
  struct iocb c = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0, 3);
  struct iocb d = request(IOCB_CMD_PWRITE, pipes[1], text, 5, 0, 4);
  struct iocb *all[] = {&a, &b, &d};
  SHOW(submit(3, all));
  events(3);
  SAY("%d %d %ld", a.aio_fildes == fd, (int)a.aio_lio_opcode, (long)a.aio_nbytes);
  SHOW(lseek(fd, 0, SEEK_END));
  all[2] = &c;
  SHOW(submit(1, all + 2));
  events(1);
  a = request(IOCB_CMD_PREAD, fd, back, sizeof back, 100, 5);
  SHOW(submit(1, all));
  SAY("%s", back);
  b = request(IOCB_CMD_PREADV, fd, rooms, 2, 3000, 6);
  SHOW(submit(1, all + 1));
  SAY("%.13s", back);
  events(2);
  a = request(IOCB_CMD_PREAD, fd, back, 10, 5000, 7);
  b = request(IOCB_CMD_PWRITE, only, text, 5, 0, 8);
  SHOW(submit(2, all));
  SHOW(submit(1, all + 1));
  events(1);
  a = request(IOCB_CMD_PREAD, fd, back, 10, -5, 9);
  SHOW(submit(1, all));
  a = request(77, fd, back, 10, 0, 10);
  SHOW(submit(1, all));
  a = request(IOCB_CMD_PREAD, 99, back, 10, 0, 10);
  SHOW(submit(1, all));
  SHOW(submit(0, all));
  SHOW(submit(-1, all));
  SHOW(submit(1, (struct iocb **)8));
  all[0] = (struct iocb *)8;
  SHOW(submit(1, all));
  events(0);
  SHOW(syscall(SYS_io_destroy, context));
  return 0;
}
