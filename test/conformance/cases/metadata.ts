/** Which times each call moves; chmod, chown and utimensat; statfs. */
import { type Case, family } from '../case.ts';

const setting = `
  mkdir("d", 0755)
  mkdir("d/e", 0755)
  f = open("f", O_CREAT|O_RDWR, 0644)
  write(f, "contents")
  lseek(f, 0, SEEK_SET)
  g = open("d/g", O_CREAT|O_RDWR, 0644)
  symlink("f", "l")
  link("f", "h")
  dirfd = open("d", O_DIRECTORY)
  utimensat(AT_FDCWD, "f", ts(100, 0, 200, 0))
  utimensat(AT_FDCWD, "d", ts(100, 0, 200, 0))
  utimensat(AT_FDCWD, "l", ts(100, 0, 200, 0), AT_SYMLINK_NOFOLLOW)
  snapshot
`;
const movers = [
  'read(f, 4)',
  'read(f, 0)',
  'pread(f, 4, 100)',
  'readv(f, iov(2, 2))',
  'write(f, "x")',
  'write(f, "")',
  'pwrite(f, "x", 100)',
  'ftruncate(f, 3)',
  'ftruncate(f, 8)',
  'ftruncate(f, 100)',
  'truncate("f", 3)',
  'truncate("f", 8)',
  'open("f", O_RDONLY)',
  'open("f", O_RDWR|O_TRUNC)',
  'open("d/g", O_RDWR|O_TRUNC)',
  'open("f", O_CREAT|O_RDWR, 0600)',
  'open("new", O_CREAT|O_RDWR, 0600)',
  'open("d/new", O_CREAT|O_EXCL, 0600)',
  'open(".", O_TMPFILE|O_RDWR, 0600)',
  'close(f)',
  'chmod("f", 0600)',
  'chmod("f", 0644)',
  'fchmod(f, 0600)',
  'chown("f", 1, 1)',
  'chown("f", -1, -1)',
  'chown("f", 0, 0)',
  'lchown("l", 1, 1)',
  'link("f", "d/n")',
  'unlink("h")',
  'unlink("f")',
  'unlink("l")',
  'mkdir("d/n", 0755)',
  'rmdir("d/e")',
  'rename("f", "d/f")',
  'rename("f", "h")',
  'rename("f", "f")',
  'rename("d/g", "f")',
  'rename("d", "d2")',
  'rename("d/e", "e")',
  'rename("l", "d/l")',
  'renameat2(AT_FDCWD, "f", AT_FDCWD, "d/g", RENAME_EXCHANGE)',
  'renameat2(AT_FDCWD, "f", AT_FDCWD, "d/e", RENAME_EXCHANGE)',
  'symlink("x", "d/s")',
  'readlink("l", 10)',
  'stat("l")',
  'open("l", O_RDONLY)',
  'list(dirfd)',
  'getdents(dirfd, 0)',
  'lseek(dirfd, 0, SEEK_END)',
  'access("f", R_OK)',
  'mknod("d/p", S_IFIFO|0600)',
  'chdir("d")',
  'fsync(f)',
  'fallocate(f, 0, 0, 8)',
  'fallocate(f, 0, 0, 100)',
  'fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 100000)',
  'fallocate(f, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 4)',
  'lseek(f, 0, SEEK_HOLE)',
  'flock(f, LOCK_EX)',
  'fcntl(f, F_SETLK, flock(F_WRLCK, SEEK_SET, 0, 0))',
  'sendfile(g, f, NULL, 4)',
  'sendfile(f, g, NULL, 4)',
  'copy_file_range(f, NULL, g, NULL, 4)',
  'copy_file_range(f, longs(100), g, NULL, 4)',
  'm = mmap(4096, PROT_READ, MAP_SHARED, f, 0)',
  'm = mmap(4096, PROT_READ, MAP_PRIVATE, f, 0)\npeek(m, 1)',
  'm = mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)\npeek(m, 1)',
  'm = mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)\npoke(m, "X")',
  'm = mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)\npoke(m, "X")\nmsync(m, 4096, MS_SYNC)\nmunmap(m, 4096)',
  'utimensat(AT_FDCWD, "f", NULL)',
  'utimensat(AT_FDCWD, "f", ts(1, 0, 2, 0))',
  'utimensat(AT_FDCWD, "f", ts(0, UTIME_OMIT, 2, 0))',
  'utimensat(AT_FDCWD, "f", ts(1, 0, 0, UTIME_OMIT))',
  'utimensat(AT_FDCWD, "f", ts(0, UTIME_NOW, 0, UTIME_OMIT))',
  'utimensat(AT_FDCWD, "f", ts(0, UTIME_OMIT, 0, UTIME_OMIT))',
  'utimensat(AT_FDCWD, "l", NULL, AT_SYMLINK_NOFOLLOW)',
  'utime("f", longs(1, 2))',
  'utimes("f", longs(1, 0, 2, 0))',
  'futimens(f, NULL)',
  'futimesat(AT_FDCWD, "f", NULL)',
  'setxattr("f", "user.a", "1")',
  'setxattr("d", "user.a", "1")',
  'getxattr("f", "user.a", 10)',
  'listxattr("f", 100)',
  'removexattr("f", "user.a")',
  'statx(AT_FDCWD, "f", 0, STATX_ALL)',
  'statfs("f")',
  'getcwd(100)',
  'run("/bin/cat", "f")',
  'h2 = open("f", O_RDONLY|O_NOATIME)\nread(h2, 4)',
  'd2 = open("d", O_DIRECTORY|O_NOATIME)\nlist(d2)',
  's = socket(AF_UNIX, SOCK_STREAM)\nbind(s, sun("d/s"))',
  'pwrite(f, "x", -1)',
  'rename("f", "missing/x")',
  'mkdir("d", 0755)',
  'link("f", "h")',
  'unlink("d")',
];

const times = [
  '0, 0',
  '-1, 0',
  '-1, 999999999',
  '1, 1000000000',
  '1, -1',
  '1, 999999999',
  '1 << 33, 5',
  '1 << 40, 0',
  'LONG_MAX, 0',
  'LONG_MIN, 0',
  '4294967296, 1',
];

export const metadataCases: readonly Case[] = [
  ...family(
    'times',
    Object.fromEntries(movers.map((call) => [call.replaceAll('\n', '; '), `${setting}\n${call}`])),
  ),
  ...family('times', {
    'a second read moves atime no more': `${setting}
      read(f, 2)
      snapshot
      read(f, 2)
      changes
      write(f, "x")
      snapshot
      read(f, 2)
      changes
      snapshot
      list(dirfd)
      snapshot
      lseek(dirfd, 0, SEEK_SET)
      list(dirfd)
      readlink("l", 10)
      snapshot
      readlink("l", 10)`,
    ...Object.fromEntries(
      times.map((time) => [
        `utimensat to ${time}`,
        `open("f", O_CREAT|O_RDWR, 0644)
         utimensat(AT_FDCWD, "f", ts(7, 0, 8, 0))
         utimensat(AT_FDCWD, "f", ts(${time}, ${time}))
         run("/usr/bin/stat", "-c", "%x %y", "f")`,
      ]),
    ),
    'utimensat: arguments that do not belong': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      utimensat(AT_FDCWD, "f", ts(1, 2, 3, 4), 1)
      utimensat(AT_FDCWD, NULL, ts(1, 2, 3, 4))
      utimensat(f, NULL, ts(1, 2, 3, 4))
      utimensat(f, NULL, ts(1, 2, 3, 4), AT_SYMLINK_NOFOLLOW)
      utimensat(f, "", ts(1, 2, 3, 4), AT_EMPTY_PATH)
      utimensat(f, "", ts(1, 2, 3, 4))
      utimensat(99, NULL, NULL)
      utimensat(AT_FDCWD, "f", BADPTR)
      utimensat(AT_FDCWD, "missing", ts(0, UTIME_OMIT, 0, UTIME_OMIT))
      utimensat(99, "missing", ts(0, UTIME_OMIT, 0, UTIME_OMIT))
      utime("f", BADPTR)
      utimes("f", longs(1, 1000000, 2, 0))
      utimes("f", longs(1, -1, 2, 0))
      futimesat(AT_FDCWD, "f", longs(1, 0, 2, 999999))`,
  }),
  ...family('statfs', {
    'what df asks': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      statfs(".")
      statfs("f")
      fstatfs(f)
      p = open("f", O_PATH)
      fstatfs(p)
      statfs("missing")
      statfs("f/x")
      fstatfs(99)
      statfs(".", BADPTR)
      fstatfs(f, NULL)`,
  }),
  ...family('statx', {
    'masks and flags': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      ${[
        '0',
        'STATX_TYPE',
        'STATX_BTIME',
        'STATX_ALL',
        'STATX_MNT_ID',
        'STATX_DIOALIGN',
        'STATX_BLOCKS',
        '-1',
        '0x7fffffff',
      ]
        .map(
          (mask) =>
            `statx(AT_FDCWD, "f", 0, ${mask})\nstatx(f, "", AT_EMPTY_PATH, ${mask})\nstatx(AT_FDCWD, ".", 0, ${mask})`,
        )
        .join('\n')}
      statx(f, NULL, AT_EMPTY_PATH, STATX_BASIC_STATS)
      statx(f, "", 0, STATX_BASIC_STATS)
      statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC, STATX_BASIC_STATS)
      statx(AT_FDCWD, "f", AT_NO_AUTOMOUNT|AT_STATX_FORCE_SYNC, STATX_BASIC_STATS)
      statx(AT_FDCWD, "f", 0x8000, STATX_BASIC_STATS)
      statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, BADPTR)
      statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, NULL)`,
  }),
];
