/** Reading, writing, seeking, space: offsets, holes, vectors, limits. */
import { type Case, family } from '../case.ts';

const file = `
  f = open("x", O_CREAT|O_RDWR, 0644)
  write(f, "0123456789"*1000)
  snapshot
`;

const fallocateModes = [
  '0',
  'FALLOC_FL_KEEP_SIZE',
  'FALLOC_FL_PUNCH_HOLE',
  'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
  'FALLOC_FL_ZERO_RANGE',
  'FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE',
  'FALLOC_FL_COLLAPSE_RANGE',
  'FALLOC_FL_INSERT_RANGE',
  'FALLOC_FL_UNSHARE_RANGE',
  'FALLOC_FL_WRITE_ZEROES',
  '0x100',
];
const ranges = [
  ['0', '4096'],
  ['100', '50'],
  ['0', '10000'],
  ['4096', '4096'],
  ['8192', '100000'],
  ['20000', '100'],
  ['0', '0'],
  ['-1', '10'],
  ['0', '-1'],
  ['10', 'LONG_MAX'],
  ['LONG_MAX', '1'],
];

const seeks = ['SEEK_SET', 'SEEK_CUR', 'SEEK_END', 'SEEK_DATA', 'SEEK_HOLE', '5', '-1'];
const offsets = [
  '0',
  '1',
  '4096',
  '8191',
  '9999',
  '10000',
  '10001',
  '40960',
  '-1',
  '-10000',
  '-20001',
  'LONG_MAX',
  'LONG_MIN',
];

export const ioCases: readonly Case[] = [
  ...fallocateModes.flatMap((mode) =>
    family('fallocate', {
      [`mode ${mode}`]: ranges
        .map(
          ([at, length], i) => `
            f = open("x${i}", O_CREAT|O_RDWR, 0644)
            write(f, "0123456789"*1000)
            ${i === 0 ? 'snapshot' : ''}
            fallocate(f, ${mode}, ${at}, ${length})
            fstat(f)
            pread(f, 20, 4090)
            lseek(f, 0, SEEK_CUR)
            close(f)`,
        )
        .join('\n'),
    }),
  ),
  ...seeks.flatMap((whence) =>
    family('lseek', {
      [`${whence} in a file`]: `${file}
        ${offsets.map((offset) => `lseek(f, 5, SEEK_SET)\nlseek(f, ${offset}, ${whence})\nlseek(f, 0, SEEK_CUR)`).join('\n')}`,
      [`${whence} in a file with holes`]: `
        f = open("x", O_CREAT|O_RDWR, 0644)
        pwrite(f, "a", 5000)
        pwrite(f, "b", 50000)
        ftruncate(f, 100000)
        ${offsets.map((offset) => `lseek(f, ${offset}, ${whence})`).join('\n')}
        lseek(f, 8192, ${whence})
        lseek(f, 49152, ${whence})
        lseek(f, 53248, ${whence})
        lseek(f, 99999, ${whence})
        lseek(f, 100000, ${whence})`,
      [`${whence} in a directory`]: `
        mkdir("d", 0755)
        d = open("d", O_DIRECTORY)
        ${offsets
          .slice(0, 6)
          .map((offset) => `lseek(d, ${offset}, ${whence})`)
          .join('\n')}
        lseek(d, -1, ${whence})
        list(d)`,
      [`${whence} in a pipe and an empty file`]: `
        p, q = pipe()
        lseek(p, 0, ${whence})
        e = open("e", O_CREAT|O_RDWR, 0600)
        ${offsets.map((offset) => `lseek(e, ${offset}, ${whence})`).join('\n')}`,
    }),
  ),
  ...family('io', {
    'read to, at and past the end': `${file}
      lseek(f, 9995, SEEK_SET)
      read(f, 3)
      read(f, 100)
      read(f, 100)
      read(f, 0)
      pread(f, 10, 10000)
      pread(f, 10, 1 << 40)
      pread(f, 10, LONG_MAX)
      pread(f, 10, -1)
      pread(f, 0, 5)
      pread(f, 0, -1)`,
    'a count of 2 GiB and more': `${file}
      read(f, LONG_MAX)
      lseek(f, 0, SEEK_SET)
      read(f, buf(10), -1)
      pread(f, buf(100000), 0x7ffff000, 0)`,
    'write past the end leaves a hole': `${file}
      pwrite(f, "end", 50000)
      fstat(f)
      pread(f, 20, 9990)
      lseek(f, 0, SEEK_CUR)
      lseek(f, 100000, SEEK_SET)
      write(f, "")
      fstat(f)
      write(f, "x")
      fstat(f)`,
    'write of nothing': `${file}
      write(f, "")
      pwrite(f, "", 50000)
      writev(f, iov(""))
      write(f, NULL, 0)
      read(f, NULL, 0)`,
    'write at negative and largest offsets': `${file}
      pwrite(f, "a", -1)
      pwrite(f, "a", LONG_MAX)
      pwrite(f, "ab", LONG_MAX-1)
      pwrite(f, "a", LONG_MAX-1)
      fstat(f)
      lseek(f, LONG_MAX-1, SEEK_SET)
      write(f, "abc")
      write(f, "abc")
      lseek(f, 0, SEEK_CUR)`,
    vectors: `${file}
      lseek(f, 0, SEEK_SET)
      readv(f, iov(3, 0, 5))
      writev(f, iov("abc", "", "de"))
      preadv(f, iov(3, 3), 2, 0)
      preadv(f, iov(3, 10), 2, 9995)
      preadv(f, iov(3), 1, -1)
      pwritev(f, iov("AB", "CD"), 2, 20000)
      lseek(f, 0, SEEK_CUR)
      readv(f, iov(3), 0)
      readv(f, iov(3), -1)
      readv(f, iov(3), 1025)
      readv(f, NULL, 1)
      readv(f, BADPTR, 2)
      readv(f, iov(-1), 1)
      readv(f, iov(5, -1), 2)
      readv(f, NULL, 0)`,
    'preadv2 and pwritev2': `${file}
      preadv2(f, iov(5), 1, 3, 0, 0)
      preadv2(f, iov(5), 1, -1, 0, 0)
      lseek(f, 0, SEEK_CUR)
      lseek(f, 0, SEEK_SET)
      preadv2(f, iov(5), 1, -1, 0, 0)
      lseek(f, 0, SEEK_CUR)
      pwritev2(f, iov("zz"), 1, -1, 0, 0)
      pwritev2(f, iov("end"), 1, 0, 0, RWF_APPEND)
      fstat(f)
      lseek(f, 0, SEEK_CUR)
      pwritev2(f, iov("end"), 1, -1, 0, RWF_APPEND)
      lseek(f, 0, SEEK_CUR)
      pwritev2(f, iov("s"), 1, 0, 0, RWF_DSYNC|RWF_SYNC)
      preadv2(f, iov(3), 1, 0, 0, RWF_HIPRI)
      preadv2(f, iov(3), 1, 0, 0, RWF_NOWAIT)
      pwritev2(f, iov("n"), 1, 0, 0, RWF_NOWAIT)
      preadv2(f, iov(3), 1, 0, 0, RWF_APPEND)
      preadv2(f, iov(3), 1, 0, 0, 0x1000)
      pwritev2(f, iov("n"), 1, 0, 0, RWF_NOAPPEND)
      pwritev2(f, iov("n"), 1, 0, 0, RWF_ATOMIC)
      pwritev2(f, iov("n"), 1, 0, 0, RWF_DONTCACHE)`,
    'RWF_NOAPPEND of an appending descriptor': `${file}
      g = open("x", O_WRONLY|O_APPEND)
      pwritev2(g, iov("n"), 1, 0, 0, RWF_NOAPPEND)
      pwritev2(g, iov("n"), 1, 0, 0, RWF_NOAPPEND|RWF_APPEND)
      pwritev2(g, iov("n"), 1, 0, 0, 0)
      pread(f, 5, 0)
      fstat(f)`,
    RLIMIT_FSIZE: `${file}
      setrlimit(RLIMIT_FSIZE, 12000)
      lseek(f, 0, SEEK_END)
      write(f, "a"*1000)
      write(f, "b"*1500)
      write(f, "c")
      fstat(f)
      pwrite(f, "d", 11999)
      pwrite(f, "d", 12000)
      pwrite(f, "de", 11999)
      pwrite(f, "d", 50000)
      pwrite(f, "", 50000)
      writev(f, iov("a", "b"))
      ftruncate(f, 12001)
      ftruncate(f, 12000)
      truncate("x", 20000)
      fallocate(f, 0, 0, 20000)
      fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 20000)
      sendfile(f, f, longs(0), 10)
      p, q = pipe()
      write(q, "to splice")
      splice(p, NULL, f, longs(12000), 5)
      copy_file_range(f, longs(0), f, longs(12000), 5)
      copy_file_range(f, longs(0), f, longs(11998), 5)
      ftruncate(f, 100)
      g = open("new", O_CREAT|O_RDWR, 0600)
      write(g, "e"*20000)
      setrlimit(RLIMIT_FSIZE, 0)
      h = open("none", O_CREAT|O_RDWR, 0600)
      write(h, "x")
      write(h, "")
      symlink("target", "link")
      mkdir("dir", 0700)`,
    'sparse files of 1 TiB and more': `
      f = open("x", O_CREAT|O_RDWR, 0600)
      ftruncate(f, 1<<40)
      fstat(f)
      pwrite(f, "middle", 1<<39)
      fallocate(f, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 1<<40)
      fstat(f)
      lseek(f, 0, SEEK_DATA)
      lseek(f, 0, SEEK_HOLE)
      ftruncate(f, LONG_MAX)
      fstat(f)
      pwrite(f, "z", LONG_MAX-1)
      pread(f, 10, LONG_MAX-2)
      ftruncate(f, 5)
      fstat(f)`,
    'descriptors of the wrong kind': `
      r = open("x", O_CREAT|O_RDONLY, 0644)
      w = open("x", O_WRONLY)
      p = open("x", O_PATH)
      d = open(".", O_DIRECTORY)
      ${['r', 'w', 'p', 'd', '99', '-1']
        .map(
          (fd) => `
        read(${fd}, 5)
        write(${fd}, "a")
        pread(${fd}, 5, 0)
        pwrite(${fd}, "a", 0)
        readv(${fd}, iov(5))
        writev(${fd}, iov("a"))
        lseek(${fd}, 0, SEEK_SET)
        ftruncate(${fd}, 0)
        fallocate(${fd}, 0, 0, 10)
        fsync(${fd})
        fdatasync(${fd})
        syncfs(${fd})
        sync_file_range(${fd}, 0, 10, 0)
        fadvise64(${fd}, 0, 0, POSIX_FADV_NORMAL)
        readahead(${fd}, 0, 10)
        sendfile(w, ${fd}, NULL, 10)
        sendfile(${fd}, r, NULL, 10)
        copy_file_range(${fd}, NULL, w, NULL, 10)
        copy_file_range(r, NULL, ${fd}, NULL, 10)
        getdents(${fd}, 1000)
        fchdir(${fd})
        fstatfs(${fd})
        fchmod(${fd}, 0600)
        fchown(${fd}, -1, -1)
        futimens(${fd}, NULL)
        flock(${fd}, LOCK_EX|LOCK_NB)
        fcntl(${fd}, F_GETFL)
        fcntl(${fd}, F_SETFL, O_APPEND)
        fcntl(${fd}, F_SETLK, flock(F_RDLCK, SEEK_SET, 0, 1))
        fcntl(${fd}, F_SETLK, flock(F_WRLCK, SEEK_SET, 0, 1))
        poll(${fd})
        flistxattr(${fd}, 100)
        ioctl(${fd}, FIONREAD, ints(0))`,
        )
        .join('\n')}`,
    'sync_file_range, fadvise and readahead': `${file}
      sync_file_range(f, 0, 0, SYNC_FILE_RANGE_WRITE)
      sync_file_range(f, -1, 0, SYNC_FILE_RANGE_WRITE)
      sync_file_range(f, 0, 10, 8)
      fadvise64(f, 0, 0, POSIX_FADV_DONTNEED)
      fadvise64(f, 0, -1, POSIX_FADV_NORMAL)
      fadvise64(f, 0, 0, 9)
      readahead(f, 0, 100)
      readahead(f, -1, 100)
      sync()
      syncfs(f)`,
    sendfile: `${file}
      g = open("y", O_CREAT|O_RDWR, 0600)
      lseek(f, 5, SEEK_SET)
      sendfile(g, f, NULL, 10)
      lseek(f, 0, SEEK_CUR)
      sendfile(g, f, longs(9995), 100)
      lseek(f, 0, SEEK_CUR)
      sendfile(g, f, longs(20000), 100)
      sendfile(g, f, longs(-1), 100)
      sendfile(g, f, BADPTR, 100)
      sendfile(g, f, NULL, 0)
      p, q = pipe()
      sendfile(q, f, longs(0), 7)
      read(p, 10)
      sendfile(g, p, NULL, 7)
      a = open("y", O_WRONLY|O_APPEND)
      sendfile(a, f, NULL, 3)
      pread(g, 100, 0)`,
    copy_file_range: `${file}
      g = open("y", O_CREAT|O_RDWR, 0600)
      lseek(f, 5, SEEK_SET)
      copy_file_range(f, NULL, g, NULL, 10)
      copy_file_range(f, longs(100), g, longs(50), 10)
      copy_file_range(f, longs(9990), g, NULL, 100)
      copy_file_range(f, longs(10000), g, NULL, 100)
      copy_file_range(f, longs(0), f, longs(5), 10)
      copy_file_range(f, longs(0), f, longs(20000), 10)
      copy_file_range(f, longs(0), g, longs(0), 10, 1)
      copy_file_range(f, longs(-1), g, longs(0), 10)
      copy_file_range(f, longs(0), g, longs(LONG_MAX), 10)
      copy_file_range(f, BADPTR, g, longs(0), 10)
      copy_file_range(f, longs(0), g, longs(0), 0)
      a = open("y", O_WRONLY|O_APPEND)
      copy_file_range(f, NULL, a, NULL, 10)
      p, q = pipe()
      copy_file_range(f, NULL, q, NULL, 10)
      pread(g, 100, 0)
      fstat(g)`,
    'splice, tee and vmsplice': `${file}
      g = open("y", O_CREAT|O_RDWR, 0600)
      p, q = pipe()
      splice(f, longs(3), q, NULL, 10)
      splice(p, NULL, g, longs(100), 4)
      splice(p, NULL, g, NULL, 100)
      splice(f, NULL, g, NULL, 10)
      splice(f, longs(3), q, longs(1), 10)
      splice(f, longs(20000), q, NULL, 10)
      tee(f, q, 10)
      vmsplice(q, iov("mem"))
      splice(p, NULL, g, NULL, 3)
      a = open("y", O_WRONLY|O_APPEND)
      write(q, "more")
      splice(p, NULL, a, NULL, 4)
      vmsplice(f, iov("mem"))
      fstat(g)
      pread(g, 20, 95)`,
    'two descriptors of one description share the offset': `${file}
      g = dup(f)
      lseek(g, 10, SEEK_SET)
      read(f, 5)
      read(g, 5)
      fork b
      b: read(f, 5)
      read(f, 5)
      h = open("x", O_RDONLY)
      read(h, 5)
      fcntl(g, F_SETFL, O_APPEND)
      fcntl(f, F_GETFL)
      b: fcntl(f, F_GETFL)`,
    'an unlinked file lives on': `${file}
      unlink("x")
      fstat(f)
      pread(f, 5, 0)
      pwrite(f, "new", 0)
      ftruncate(f, 20000)
      fstat(f)
      fchmod(f, 0600)
      fork b
      close(f)
      b: pread(f, 5, 0)
      b: fstat(f)`,
    'a file truncated under a reader': `${file}
      g = open("x", O_RDONLY)
      lseek(g, 5000, SEEK_SET)
      ftruncate(f, 100)
      read(g, 10)
      ftruncate(f, 6000)
      read(g, 10)
      open("x", O_TRUNC|O_WRONLY)
      read(g, 10)
      fstat(g)`,
  }),
  ...family('truncate', {
    'up, down and to the same size': `${file}
      ftruncate(f, 10000)
      changes
      ftruncate(f, 5000)
      changes
      snapshot
      truncate("x", 5000)
      changes
      ftruncate(f, 9000)
      pread(f, 10, 4995)
      ftruncate(f, 4096)
      fstat(f)
      ftruncate(f, 0)
      fstat(f)
      lseek(f, 0, SEEK_CUR)`,
    'sizes that are none': `${file}
      ftruncate(f, -1)
      truncate("x", -1)
      ftruncate(f, LONG_MIN)
      truncate("missing", -1)
      ftruncate(99, -1)
      ftruncate(f, LONG_MAX)
      fstat(f)`,
    'without the right to write': `${file}
      chmod("x", 0444)
      become(1000)
      truncate("x", 5)
      ftruncate(f, 5)
      g = open("x", O_RDONLY)
      ftruncate(g, 5)
      become(0)
      truncate("x", 6)`,
    'of what is no file': `
      mkdir("d", 0755)
      mknod("p", S_IFIFO|0600)
      symlink("d", "l")
      truncate("d", 0)
      truncate("p", 0)
      truncate("l", 0)
      truncate(".", 0)
      truncate("", 0)
      p, q = pipe()
      ftruncate(q, 0)
      d = open("d", O_RDONLY)
      ftruncate(d, 0)`,
  }),
];
