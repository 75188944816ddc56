/** chattr: FS_IOC_SETFLAGS and its kin, and what +i, +a, +d and +A change for every other call. */
import { type Case, family } from '../case.ts';

const stage = `
  umask(0)
  f = open("f", O_CREAT|O_RDWR, 0644)
  write(f, "hello")
  h = open("h", O_CREAT|O_RDWR, 0644)
  write(h, "other")
  mkdir("d", 0755)
  open("d/x", O_CREAT|O_RDWR, 0644)
  mkdir("d/y", 0755)
  d = open("d", O_DIRECTORY)
`;
const numbers = `
  ioctl(f, FS_IOC_SETFLAGS, ints(0))
  ioctl(d, FS_IOC_SETFLAGS, ints(0))`;

/** Everything at the file with these flags. */
const onFile = `
  statx(AT_FDCWD, "f", 0, STATX_ALL)
  ioctl(f, FS_IOC_GETFLAGS, ints(0))
  write(f, "x")
  pwrite(f, "x", 0)
  ftruncate(f, 2)
  ftruncate(f, 9)
  fallocate(f, 0, 0, 10)
  fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 10)
  fallocate(f, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 10)
  fallocate(f, FALLOC_FL_ZERO_RANGE, 0, 10)
  fchmod(f, 0600)
  fchown(f, 0, 0)
  fchown(f, -1, -1)
  chown("f", -1, 5)
  utimensat(AT_FDCWD, "f", NULL)
  utimensat(AT_FDCWD, "f", ts(1, 0, 2, 0))
  utimensat(AT_FDCWD, "f", ts(0, UTIME_NOW, 0, UTIME_OMIT))
  setxattr("f", "user.a", "1")
  setxattr("f", "trusted.a", "1")
  setxattr("f", "security.a", "1")
  removexattr("f", "user.a")
  getxattr("f", "user.a", 10)
  removexattr("f", "system.posix_acl_access")
  copy_file_range(h, longs(0), f, longs(0), 2)
  sendfile(f, h, longs(0), 2)
  m = mmap(4096, PROT_READ, MAP_SHARED, f, 0)
  m = mmap(4096, PROT_READ, MAP_PRIVATE, f, 0)
  open("f", O_RDONLY)
  open("f", O_WRONLY)
  open("f", O_RDWR)
  open("f", O_CREAT|O_RDONLY, 0644)
  open("f", O_RDONLY|O_TRUNC)
  open("f", O_WRONLY|O_APPEND|O_TRUNC)
  a = open("f", O_WRONLY|O_APPEND)
  write(a, "more")
  fcntl(a, F_SETFL, 0)
  fcntl(a, F_SETFL, O_APPEND|O_NONBLOCK)
  fcntl(f, F_SETFL, O_APPEND)
  fcntl(f, F_SETFL, 0)
  open("f", O_PATH)
  open("f", O_RDONLY|O_NOATIME)
  access("f", W_OK)
  access("f", R_OK)
  truncate("f", 0)
  truncate("f", 100)
  chmod("f", 0)
  unlink("f")
  rename("f", "g")
  rename("h", "f")
  renameat2(AT_FDCWD, "h", AT_FDCWD, "f", RENAME_EXCHANGE)
  link("f", "g")
  rename("f", "d/f")
  rename("d/f", "f")
  snapshot
`;

const onDirectory = `
  statx(AT_FDCWD, "d", 0, STATX_ALL)
  open("d/new", O_CREAT|O_RDWR, 0644)
  open("d/x", O_CREAT|O_RDWR, 0644)
  open("d/y/new", O_CREAT, 0644)
  open("d", O_TMPFILE|O_RDWR, 0600)
  mkdir("d/m", 0755)
  mkdir("d/x", 0755)
  mknod("d/p", S_IFIFO|0600)
  symlink("a", "d/s")
  link("h", "d/linked")
  unlink("d/x")
  unlink("d/none")
  rmdir("d/y")
  rename("d/x", "d/z")
  rename("d/x", "out")
  rename("h", "d/h")
  rename("f", "d/x")
  renameat2(AT_FDCWD, "f", AT_FDCWD, "d/x", RENAME_EXCHANGE)
  truncate("d/x", 5)
  chmod("d", 0700)
  chmod("d/x", 0600)
  setxattr("d", "user.a", "1")
  setxattr("d/x", "user.a", "1")
  access("d", W_OK)
  access("d/x", W_OK)
  rmdir("d")
  rename("d", "e")
  rename("e", "d")
  snapshot
`;

const flags = ['FS_IMMUTABLE_FL', 'FS_APPEND_FL', 'FS_NODUMP_FL', 'FS_NOATIME_FL', '0xf0'];
const people: Readonly<Record<string, string>> = {
  root: 'become(0)',
  owner: 'become(1000, 1000)',
  stranger: 'become(1001, 1001)',
};
const sets = [
  ...flags,
  '0',
  'FS_NODUMP_FL|FS_NOATIME_FL',
  '0x100',
  '0x40000000',
  '0x1000000|FS_IMMUTABLE_FL',
];
const extended = [
  ...Array.from({ length: 32 }, (_, bit) => `${2 ** bit}, 0, 0, 0, 0, 0, 0`),
  '0, 4096, 0, 0, 0, 0, 0',
  '0x800, 4096, 0, 0, 0, 0, 0',
  '0, 0, 7, 0, 0, 0, 0',
  '0, 0, 0, 5, 0, 0, 0',
  '0, 0, 0, 0, 4096, 0, 0',
  '0xd8, 0, 0, 0, 0, 0, 0',
];

export const flagCases: Case[] = family('flags', {
  ...Object.fromEntries(
    flags.map((flag) => [
      `a file with ${flag}`,
      `${stage}ioctl(f, FS_IOC_SETFLAGS, ints(${flag}))\nsnapshot${onFile}${numbers}`,
    ]),
  ),
  ...Object.fromEntries(
    flags.map((flag) => [
      `a file with ${flag}, by its owner`,
      `${stage}fchown(f, 1000, 1000)\nchmod(".", 0777)
       ioctl(f, FS_IOC_SETFLAGS, ints(${flag}))\nbecome(1000, 1000)\nsnapshot${onFile}become(0)${numbers}`,
    ]),
  ),
  ...Object.fromEntries(
    flags.map((flag) => [
      `a directory with ${flag}`,
      `${stage}ioctl(d, FS_IOC_SETFLAGS, ints(${flag}))\nsnapshot${onDirectory}${numbers}`,
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(people).map(([who, become]) => [
      `set by ${who}`,
      `${stage}fchown(f, 1000, 1000)\nfchown(d, 1000, 1000)\n${['f', 'd']
        .flatMap((one) =>
          sets.map(
            (set) => `${become}\nioctl(${one}, FS_IOC_SETFLAGS, ints(${set}))
            ioctl(${one}, FS_IOC_GETFLAGS, ints(0))\nbecome(0)`,
          ),
        )
        .join('\n')}
       ioctl(f, FS_IOC_SETFLAGS, ints(FS_APPEND_FL))
       ${become}
       ioctl(f, FS_IOC_SETFLAGS, ints(FS_APPEND_FL|FS_NODUMP_FL))
       ioctl(f, FS_IOC_SETFLAGS, ints(0))
       ioctl(f, FS_IOC_GETFLAGS, ints(0))
       become(0)${numbers}`,
    ]),
  ),
  'the extended ioctl': `${stage}${['f', 'd']
    .flatMap((one) =>
      extended.map(
        (set) => `ioctl(${one}, FS_IOC_FSSETXATTR, ints(${set}))
        ioctl(${one}, FS_IOC_FSGETXATTR, buf(28))\nioctl(${one}, FS_IOC_GETFLAGS, ints(0))`,
      ),
    )
    .join('\n')}
    ioctl(f, FS_IOC_FSSETXATTR, BADPTR)
    ioctl(f, FS_IOC_SETFLAGS, BADPTR)
    ioctl(f, FS_IOC_GETFLAGS, readonly(4))${numbers}`,
  inheritance: `${stage}
    ioctl(d, FS_IOC_SETFLAGS, ints(0xe0))
    a = open("d/a", O_CREAT|O_RDWR, 0644)
    ioctl(a, FS_IOC_GETFLAGS, ints(0))
    mkdir("d/s", 0755)
    s = open("d/s", O_DIRECTORY)
    ioctl(s, FS_IOC_GETFLAGS, ints(0))
    symlink("x", "d/l")
    mknod("d/p", S_IFIFO|0600)
    statx(AT_FDCWD, "d/l", AT_SYMLINK_NOFOLLOW, STATX_ALL)
    statx(AT_FDCWD, "d/p", 0, STATX_ALL)
    t = open("d", O_TMPFILE|O_RDWR, 0600)
    ioctl(t, FS_IOC_GETFLAGS, ints(0))
    rename("h", "d/h")
    ioctl(h, FS_IOC_GETFLAGS, ints(0))
    p = open("d/p", O_RDWR)
    ioctl(p, FS_IOC_GETFLAGS, ints(0))
    ioctl(p, FS_IOC_SETFLAGS, ints(0))
    readlink("d/l", 10)${numbers}`,
  events: `${stage}
    i = inotify_init1(IN_NONBLOCK)
    inotify_add_watch(i, ".", IN_ALL_EVENTS)
    ioctl(f, FS_IOC_SETFLAGS, ints(FS_NODUMP_FL))
    ioctl(f, FS_IOC_SETFLAGS, ints(0x100))
    ioctl(f, FS_IOC_GETFLAGS, ints(0))
    events(i)`,
  times: `${stage}
    snapshot
    ioctl(f, FS_IOC_SETFLAGS, ints(FS_NOATIME_FL))
    changes
    snapshot
    pread(f, 3, 0)
    changes
    write(f, "y")
    pread(f, 3, 0)
    changes
    snapshot
    ioctl(f, FS_IOC_SETFLAGS, ints(FS_NOATIME_FL))
    changes
    snapshot
    ioctl(f, FS_IOC_SETFLAGS, ints(0))
    changes
    pread(f, 3, 0)
    ioctl(d, FS_IOC_SETFLAGS, ints(FS_NOATIME_FL))
    snapshot
    list(d)
    changes`,
});
