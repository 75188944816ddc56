/** Memory maps: coherent with read and write, in every process; SIGBUS past the end. */
import { type Case, family } from '../case.ts';

const file = `
  f = open("f", O_CREAT|O_RDWR, 0644)
  write(f, "0123456789"*1000)
`;
const shared = 'm = mmap(16384, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)';

export const mapCases: readonly Case[] = [
  ...family('maps', {
    'write is seen in the map, the map is seen by read': `${file}
      ${shared}
      peek(m, 10)
      pwrite(f, "WRITTEN", 2)
      peek(m, 10)
      poke(m+4, "poked")
      pread(f, 12, 0)
      g = open("f", O_RDONLY)
      pread(g, 12, 0)
      ftruncate(f, 5000)
      peek(m+4096, 5)
      peek(m+8192, 5)
      fstat(f)`,
    'past the end': `${file}
      ${shared}
      peek(m+9998, 5)
      poke(m+10005, "in the last page")
      peek(m+12287, 1)
      peek(m+12288, 1)
      poke(m+12288, "x")
      fstat(f)
      ftruncate(f, 16384)
      peek(m+10000, 20)
      peek(m+12288, 5)
      ftruncate(f, 4096)
      peek(m+4096, 1)
      peek(m+4095, 1)
      ftruncate(f, 0)
      peek(m, 1)
      write(f, "x")`,
    'another process grows and shrinks the file': `${file}
      ${shared}
      fork b
      b: g = open("f", O_RDWR)
      b: n = mmap(16384, PROT_READ|PROT_WRITE, MAP_SHARED, g, 0)
      b: poke(n, "from b")
      peek(m, 10)
      b: ftruncate(g, 16384)
      b: pwrite(g, "grown", 13000)
      peek(m+13000, 5)
      b: ftruncate(g, 100)
      peek(m+4096, 1)
      peek(m+50, 3)`,
    'survives close, unlink and rename': `${file}
      ${shared}
      close(f)
      poke(m, "closed")
      peek(m, 10)
      g = open("f", O_RDWR)
      pread(g, 10, 0)
      unlink("f")
      poke(m, "gone")
      pread(g, 10, 0)
      close(g)
      peek(m, 10)
      munmap(m, 16384)
      peek(m, 1)`,
    'private maps': `${file}
      m = mmap(8192, PROT_READ|PROT_WRITE, MAP_PRIVATE, f, 0)
      peek(m, 5)
      poke(m, "mine")
      pread(f, 5, 0)
      pwrite(f, "theirs", 4096)
      peek(m+4096, 6)
      poke(m+4096, "M")
      pwrite(f, "later", 4096)
      peek(m+4096, 6)
      madvise(m, 8192, MADV_DONTNEED)
      peek(m, 5)
      r = open("f", O_RDONLY)
      n = mmap(4096, PROT_READ|PROT_WRITE, MAP_PRIVATE, r, 0)
      poke(n, "x")
      peek(n, 3)`,
    rights: `${file}
      r = open("f", O_RDONLY)
      w = open("f", O_WRONLY)
      mmap(4096, PROT_READ, MAP_SHARED, r, 0)
      mmap(4096, PROT_WRITE, MAP_SHARED, r, 0)
      mmap(4096, PROT_READ, MAP_SHARED, w, 0)
      mmap(4096, PROT_READ, MAP_PRIVATE, w, 0)
      mmap(4096, PROT_WRITE, MAP_SHARED, w, 0)
      m = mmap(4096, PROT_READ, MAP_SHARED, r, 0)
      mprotect(m, 4096, PROT_READ|PROT_WRITE)
      poke(m, "x")
      n = mmap(4096, PROT_READ, MAP_SHARED, f, 0)
      poke(n, "x")
      mprotect(n, 4096, PROT_READ|PROT_WRITE)
      poke(n, "x")
      mprotect(n, 4096, PROT_NONE)
      peek(n, 1)`,
    arguments: `${file}
      mmap(0, PROT_READ, MAP_SHARED, f, 0)
      mmap(4096, PROT_READ, 0, f, 0)
      mmap(4096, PROT_READ, MAP_SHARED, f, 1)
      mmap(4096, PROT_READ, MAP_SHARED, f, 1 << 40)
      mmap(4096, PROT_READ, MAP_SHARED, f, -4096)
      mmap(4096, PROT_READ, MAP_SHARED, 99, 0)
      mmap(4096, PROT_READ, MAP_SHARED|MAP_PRIVATE, f, 0)
      mmap(4096, PROT_READ, MAP_SHARED_VALIDATE, f, 0)
      mmap(4096, PROT_READ, MAP_SHARED_VALIDATE|MAP_SYNC, f, 0)
      mmap(4096, PROT_READ, MAP_SHARED|MAP_HUGETLB, f, 0)
      mmap(5000, PROT_READ, MAP_SHARED|MAP_POPULATE, f, 4096)
      d = open(".", O_DIRECTORY)
      mmap(4096, PROT_READ, MAP_SHARED, d, 0)
      p = open("f", O_PATH)
      mmap(4096, PROT_READ, MAP_SHARED, p, 0)
      m = mmap(8192, PROT_READ, MAP_SHARED, f, 0)
      msync(m, 8192, MS_SYNC|MS_ASYNC)
      msync(m+1, 10, MS_SYNC)
      msync(m, 8192, MS_INVALIDATE)
      msync(m, 8192, MS_SYNC)
      munmap(m+1, 10)
      munmap(m, 0)
      munmap(m, 4096)
      peek(m, 1)
      peek(m+4096, 1)
      msync(m, 8192, MS_SYNC)`,
    'mremap and MAP_FIXED': `${file}
      m = mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)
      n = mremap(m, 4096, 12288, MREMAP_MAYMOVE)
      peek(n+4096, 5)
      poke(n+8192, "moved")
      pread(f, 5, 8192)
      n = mremap(n, 12288, 4096)
      peek(n+4096, 1)
      a = mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
      mmap(a+4096, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, f, 4096)
      peek(a+4096, 5)
      peek(a, 1)
      mmap(a, 4096, PROT_READ, MAP_SHARED|MAP_FIXED_NOREPLACE, f, 0)`,
    'holes are filled by the map': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      ftruncate(f, 100000)
      snapshot
      m = mmap(100000, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)
      peek(m+50000, 3)
      poke(m+8192, "x")
      fstat(f)
      madvise(m, 16384, MADV_REMOVE)
      fstat(f)
      peek(m+8192, 1)`,
    'fallocate under a map': `${file}
      ${shared}
      peek(m, 3)
      fallocate(f, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 4096)
      peek(m, 3)
      poke(m, "new")
      pread(f, 3, 0)`,
    'fork and exec': `${file}
      ${shared}
      fork b
      b: poke(m, "child")
      peek(m, 6)
      b: munmap(m, 16384)
      peek(m, 6)
      b: exec
      b: peek(m, 1)
      b: pread(f, 6, 0)
      exit 0
      b: pread(f, 6, 0)`,
    'reading and writing a file through its own map': `${file}
      ${shared}
      pread(f, m+4096, 100, 0)
      pread(f, 10, 4096)
      pwrite(f, m, 50, 9000)
      pread(f, 10, 9000)
      readlink("missing", m, 100)
      pread(f, m+12288, 10, 0)
      pwrite(f, m+12288, 10, 0)`,
    'EFAULT half way': `${file}
      pread(f, edge(5), 10, 0)
      read(f, edge(0), 10)
      pwrite(f, edge("abc"), 10, 0)
      pread(f, 10, 0)
      lseek(f, 0, SEEK_SET)
      read(f, edge(5), 10)
      lseek(f, 0, SEEK_CUR)
      write(f, edge("abc"), 10)
      lseek(f, 0, SEEK_CUR)`,
  }),
];

const bad = ['NULL', 'BADPTR', 'KERNELPTR', 'edge(1)', 'readonly(0)'];
/** Every call with a pointer, the pointer being Q. */
const pointerCalls = [
  'read(f, Q, 10)',
  'pread(f, Q, 10, 0)',
  'write(f, Q, 10)',
  'pwrite(f, Q, 10, 0)',
  'readv(f, Q, 1)',
  'writev(f, Q, 1)',
  'preadv(f, Q, 1, 0)',
  'pwritev(f, Q, 1, 0)',
  'stat("f", Q)',
  'lstat("f", Q)',
  'fstat(f, Q)',
  'fstatat(AT_FDCWD, "f", Q, 0)',
  'statx(AT_FDCWD, "f", 0, STATX_ALL, Q)',
  'statfs("f", Q)',
  'fstatfs(f, Q)',
  'readlink("l", Q, 10)',
  'getdents(d, Q, 1000)',
  'getcwd(Q, 1000)',
  'utimensat(AT_FDCWD, "f", Q)',
  'utimes("f", Q)',
  'utime("f", Q)',
  'getxattr("f", "user.a", Q, 10)',
  'setxattr("f", "user.b", Q, 10, 0)',
  'getxattr("f", Q, 10)',
  'listxattr("f", Q, 100)',
  'sendfile(g, f, Q, 5)',
  'copy_file_range(f, Q, g, NULL, 5)',
  'copy_file_range(f, NULL, g, Q, 5)',
  'fcntl(f, F_GETLK, Q)',
  'fcntl(f, F_SETLK, Q)',
  'ioctl(f, FIONREAD, Q)',
  'openat2(AT_FDCWD, "f", Q, 24)',
  'symlink(Q, "new")',
  'rename("f", Q)',
  'link("f", Q)',
  'splice(f, Q, b, NULL, 5)',
  'preadv2(f, Q, 1, 0, 0, 0)',
  'name_to_handle_at(AT_FDCWD, "f", Q, buf(8), 0)',
  'name_to_handle_at(AT_FDCWD, "f", handle(0, 128), Q, 0)',
];

export const pointerCases: readonly Case[] = bad.flatMap((pointer) =>
  family(
    'pointers',
    Object.fromEntries(
      pointerCalls.map((call) => [
        call.replace('Q', pointer),
        `f = open("f", O_CREAT|O_RDWR, 0644)
         write(f, "0123456789"*10)
         lseek(f, 0, SEEK_SET)
         g = open("g", O_CREAT|O_RDWR, 0644)
         d = open(".", O_DIRECTORY)
         symlink("target", "l")
         a, b = pipe()
         snapshot
         ${call.replace('Q', pointer)}
         lseek(f, 0, SEEK_CUR)`,
      ]),
    ),
  ),
);
