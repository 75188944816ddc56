/** Who may do what: modes, sticky and setgid directories, set-id bits, umask, ids. */
import { type Case, family } from '../case.ts';

const people: Readonly<Record<string, string>> = {
  root: 'become(0)',
  owner: 'become(1000, 1000)',
  'group member': 'become(1001, 1000)',
  'supplementary member': 'become(1001, 1001, 7, 1000)',
  stranger: 'become(1002, 1002)',
};
const modes = [
  '0777',
  '0700',
  '0070',
  '0007',
  '0444',
  '0222',
  '0111',
  '0000',
  '01777',
  '02775',
  '0755',
];

/** What only some capability allows. */
const asked = `
  mknod("dev", S_IFCHR|0600, 0x103)
  stat("f")
  setxattr("f", "trusted.a", "1")
  getxattr("f", "trusted.a", 10)
  listxattr("f", 100)
  setxattr("f", "security.a", "1")
  removexattr("f", "security.a")
  removexattr("f", "security.capability")
  setxattr("f", "user.a", "1")
  utimensat(AT_FDCWD, "f", ts(1, 0, 2, 0))
  utimensat(AT_FDCWD, "f", NULL)
  chown("f", 5, 6)
  chmod("f", 02770)
  chown("f", 5, 7)
  stat("f")
  write(f, "x")
  pwrite(g, "x", 0)
  ftruncate(g, 0)
  stat("f")
  stat("g")
  open("f", O_RDONLY|O_NOATIME)
  fcntl(f, F_SETFL, O_NOATIME)
  ioctl(f, FS_IOC_SETFLAGS, ints(FS_NODUMP_FL))
  ioctl(f, FS_IOC_SETFLAGS, ints(FS_APPEND_FL))
  ioctl(f, FS_IOC_SETFLAGS, ints(0))
  access("d", X_OK)
  access("f", W_OK)
  faccessat2(AT_FDCWD, "f", W_OK, AT_EACCESS)
  faccessat2(AT_FDCWD, "f", X_OK, AT_EACCESS)
  list(d)
  open("d/in", O_RDONLY)
  h = open("d", O_RDONLY|O_DIRECTORY)
`;

/** Everything at a file and a directory of mode M that belong to 1000:1000. */
const attempts = `
  access("f", R_OK)
  faccessat2(AT_FDCWD, "f", R_OK, AT_EACCESS)
  faccessat2(AT_FDCWD, "f", W_OK, AT_EACCESS)
  faccessat2(AT_FDCWD, "f", X_OK, AT_EACCESS)
  faccessat2(AT_FDCWD, "d", W_OK|X_OK, AT_EACCESS)
  open("f", O_RDONLY)
  open("f", O_WRONLY)
  open("f", O_RDWR|O_TRUNC)
  open("f", O_PATH)
  open("d", O_DIRECTORY)
  open("d/new", O_CREAT|O_RDWR, 0644)
  open("d/in", O_RDONLY)
  open("d/in", O_CREAT|O_RDWR, 0644)
  open("d/in", O_CREAT|O_EXCL, 0644)
  open("d", O_TMPFILE|O_RDWR, 0644)
  stat("d/in")
  stat("d/missing")
  mkdir("d/sub", 0755)
  symlink("x", "d/link")
  mknod("d/fifo", S_IFIFO|0600)
  link("f", "d/linked")
  link("d/in", "linked")
  rename("d/in", "d/renamed")
  rename("d/renamed", "d/in")
  rename("d/in", "out")
  rename("mine", "d/came")
  unlink("d/in")
  rmdir("d/full")
  chmod("f", 0640)
  chmod("f", 06755)
  chown("f", 1000, 1000)
  chown("f", -1, 1001)
  chown("f", 1002, -1)
  truncate("f", 2)
  utimensat(AT_FDCWD, "f", NULL)
  utimensat(AT_FDCWD, "f", ts(1, 2, 3, 4))
  utimensat(AT_FDCWD, "f", ts(0, UTIME_NOW, 0, UTIME_OMIT))
  utimensat(AT_FDCWD, "f", ts(0, UTIME_OMIT, 0, UTIME_OMIT))
  chdir("d")
  readlink("d/l", 10)
  setxattr("f", "user.a", "1")
  listxattr("f", 100)
`;

const byMode = Object.entries(people).flatMap(([who, become]) =>
  modes.map((mode) => [
    `${who} at mode ${mode}`,
    `umask(0)
     chmod(".", 0777)
     f = open("f", O_CREAT|O_RDWR, 0644)
     write(f, "contents")
     close(f)
     chown("f", 1000, 1000)
     mkdir("d", 0777)
     g = open("d/in", O_CREAT|O_RDWR, 0666)
     chown("d/in", 1001, 1000)
     mkdir("d/full", 0777)
     mkdir("d/full/x", 0777)
     symlink("target", "d/l")
     h = open("mine", O_CREAT|O_RDWR, 0666)
     chown("d", 1000, 1000)
     chmod("f", ${mode})
     chmod("d", ${mode})
     snapshot
     ${become}
     ${attempts}`,
  ]),
);

const sticky = Object.entries(people).flatMap(([who, become]) =>
  [
    ['own', '1001'],
    ["the owner's", '1000'],
    ["root's", '0'],
  ].map(([whose, uid]) => [
    `${who} and ${whose} entries`,
    `umask(0)
     mkdir("t", 0777)
     chown("t", 1000, 1000)
     mkdir("t/d", 0777)
     mkdir("t/e", 0777)
     open("t/f", O_CREAT|O_RDWR, 0666)
     open("t/g", O_CREAT|O_RDWR, 0666)
     mkdir("u", 0777)
     open("u/x", O_CREAT|O_RDWR, 0666)
     chown("u/x", 1001, 1001)
     chown("t/d", ${uid}, 1000)
     chown("t/e", ${uid}, 1000)
     chown("t/f", ${uid}, 1000)
     chown("t/g", ${uid}, 1000)
     chmod("t", 01777)
     ${become}
     rename("t/f", "t/f2")
     rename("t/f2", "u/f2")
     rename("u/x", "t/g")
     renameat2(AT_FDCWD, "t/g", AT_FDCWD, "u/x", RENAME_EXCHANGE)
     rename("t/d", "t/d2")
     rename("t/d", "t/e")
     unlink("t/f")
     unlink("t/g")
     rmdir("t/e")
     open("t/f", O_CREAT|O_RDWR, 0666)
     open("t/f", O_RDWR|O_TRUNC)
     link("t/f", "t/l")`,
  ]),
);

const setIds = ['04755', '02755', '06777', '02644', '06000', '02010', '07777'];
const clearing: Readonly<Record<string, string>> = {
  write: 'write(f, "x")',
  'write of nothing': 'write(f, "")',
  pwritev: 'pwritev(f, iov("a", "b"), 2, 0)',
  ftruncate: 'ftruncate(f, 1)',
  'ftruncate to the same size': 'ftruncate(f, 8)',
  truncate: 'truncate("f", 1)',
  'open O_TRUNC': 'open("f", O_WRONLY|O_TRUNC)',
  fallocate: 'fallocate(f, 0, 0, 100)',
  'punch hole': 'fallocate(f, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 4)',
  'chown of the owner': 'chown("f", 1001, -1)',
  'chown of the group': 'chown("f", -1, 1001)',
  'chown of nothing': 'chown("f", -1, -1)',
  'fchown to the same': 'fchown(f, 1000, 1000)',
  'chmod of the same': 'fchmod(f, 06755)',
  link: 'link("f", "l")',
  rename: 'rename("f", "g")',
  utimensat: 'utimensat(AT_FDCWD, "f", NULL)',
  copy_file_range: 'copy_file_range(h, NULL, f, NULL, 3)',
  sendfile: 'sendfile(f, h, longs(0), 3)',
  splice: 'write(q, "abc")\nsplice(p, NULL, f, NULL, 3)',
  'write through a map':
    'm = mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)\npoke(m, "X")\nmsync(m, 4096, MS_SYNC)',
};
const killing = Object.entries(clearing).flatMap(([what, call]) =>
  ['become(0)', 'become(1000, 1000)', 'become(1000, 1002)', 'become(1001, 1001)'].map((become) => [
    `${what} after ${become}`,
    `umask(0)
     chmod(".", 0777)
     ${setIds
       .map(
         (mode, i) => `
     mkdir("${i}", 0777)
     chdir("${i}")
     h = open("other", O_CREAT|O_RDWR, 0666)
     write(h, "from")
     lseek(h, 0, SEEK_SET)
     p, q = pipe()
     f = open("f", O_CREAT|O_RDWR, 0666)
     write(f, "contents")
     lseek(f, 0, SEEK_SET)
     chown("f", 1000, 1000)
     chmod("f", ${mode})
     ${become}
     ${call}
     become(0)
     stat("f")
     close(f)
     close(h)
     close(p)
     close(q)
     chdir("..")`,
       )
       .join('\n')}`,
  ]),
);

export const permissionCases: readonly Case[] = [
  ...family('permissions', Object.fromEntries(byMode)),
  ...family('sticky', Object.fromEntries(sticky)),
  ...family('set-id bits', Object.fromEntries(killing)),
  ...family('set-id bits', {
    'chmod sets the setgid bit for members only': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      chown("f", 1000, 5)
      mkdir("d", 0755)
      chown("d", 1000, 5)
      become(1000, 1000)
      chmod("f", 02755)
      chmod("d", 02755)
      stat("f")
      stat("d")
      become(1000, 1000, 5)
      chmod("f", 02755)
      chmod("d", 02755)
      stat("f")
      stat("d")`,
    'sticky bit of a file': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      chown("f", 1000, 1000)
      become(1000, 1000)
      chmod("f", 01644)
      stat("f")`,
    'setuid programs in the tree do not gain rights': `
      copyin("/usr/bin/id", "id")
      chmod("id", 0755)
      run("./id", "-u")`,
  }),
  ...family('setgid directories', {
    'new entries take the group': `
      umask(0)
      mkdir("d", 0777)
      chown("d", 1000, 1005)
      chmod("d", 02777)
      become(1000, 1000)
      open("d/f", O_CREAT|O_RDWR, 0666)
      open("d/x", O_CREAT|O_RDWR, 02777)
      mkdir("d/d", 0777)
      mkdir("d/d/e", 0700)
      symlink("t", "d/l")
      mknod("d/p", S_IFIFO|02666)
      f = open("d", O_TMPFILE|O_RDWR, 02770)
      fstat(f)
      become(1001, 1001, 1005)
      open("d/g", O_CREAT|O_RDWR, 02771)
      open("d/h", O_CREAT|O_RDWR, 02761)
      mkdir("d/i", 0)
      become(0)
      open("d/j", O_CREAT|O_RDWR, 02771)`,
    'rename and link keep the group': `
      mkdir("d", 0777)
      chown("d", 0, 1005)
      chmod("d", 02777)
      open("f", O_CREAT|O_RDWR, 0644)
      mkdir("e", 0755)
      link("f", "d/l")
      rename("f", "d/f")
      rename("e", "d/e")`,
  }),
  ...family('umask', {
    'what it takes away': `
      umask(0777)
      open("a", O_CREAT|O_RDWR, 0777)
      mkdir("b", 0777)
      mknod("c", S_IFIFO|0777)
      symlink("x", "d")
      umask(07027)
      open("e", O_CREAT|O_RDWR, 0666)
      mkdir("f", 07777)
      open(".", O_TMPFILE|O_RDWR, 0666)
      umask(-1)
      umask(0)
      umask(01000)
      umask(0)`,
    'is shared by threads and copied by fork': `
      umask(077)
      thread t
      fork b
      t: umask(0)
      open("a", O_CREAT|O_RDWR, 0666)
      b: open("b", O_CREAT|O_RDWR, 0666)
      b: exec
      b: open("c", O_CREAT|O_RDWR, 0666)`,
  }),
  ...family('ids', {
    'access asks for the real ids': `
      f = open("f", O_CREAT|O_RDWR, 0600)
      become(1000)
      access("f", R_OK)
      faccessat2(AT_FDCWD, "f", R_OK, 0)
      faccessat2(AT_FDCWD, "f", R_OK, AT_EACCESS)
      open("f", O_RDONLY)`,
    'setfsuid and setfsgid': `
      chmod(".", 0777)
      f = open("f", O_CREAT|O_RDWR, 0600)
      setfsgid(1005)
      open("g", O_CREAT|O_RDWR, 0600)
      setfsuid(1000)
      open("f", O_RDONLY)
      open("h", O_CREAT|O_RDWR, 0600)
      setfsuid(0)
      open("f", O_RDONLY)`,
    'setreuid and the real id': `
      chmod(".", 0777)
      f = open("f", O_CREAT|O_RDWR, 0600)
      setreuid(1000, 0)
      access("f", R_OK)
      open("f", O_RDONLY)
      setreuid(-1, 1000)
      open("f", O_RDONLY)
      open("g", O_CREAT|O_RDWR, 0600)`,
    'a process that gave up root for good': `
      chmod(".", 0777)
      f = open("f", O_CREAT|O_RDWR, 0600)
      setgroups(1007)
      setgid(1000)
      setuid(1000)
      open("f", O_RDONLY)
      read(f, 1)
      open("g", O_CREAT|O_RDWR, 0640)
      exec
      open("g", O_RDWR)
      open("f", O_RDONLY)
      mknod("dev", S_IFCHR|0600, 0x103)
      chown("g", 1001, -1)
      chown("g", -1, 1007)
      chroot(".")`,
    'ids of one thread': `
      chmod(".", 0777)
      f = open("f", O_CREAT|O_RDWR, 0600)
      thread t
      t: setfsuid(1000)
      t: open("f", O_RDONLY)
      open("f", O_RDONLY)
      t: open("g", O_CREAT|O_RDWR, 0600)`,
    ...Object.fromEntries(
      [-1, 0, 1, 2, 3, 4, 9, 21, 27, 31].map((capability) => [
        `root without capability ${capability}`,
        `chmod(".", 0777)
         f = open("f", O_CREAT|O_RDWR, 0000)
         chown("f", 1000, 1000)
         mkdir("d", 0000)
         chown("d", 1000, 1000)
         dropcap(${capability})
         ${attempts}
         ${asked}`,
      ]),
    ),
    ...Object.fromEntries(
      [0, 1, 2, 3, 4, 9, 21, 27, 31].map((capability) => [
        `a user with capability ${capability}`,
        `chmod(".", 0777)
         f = open("f", O_CREAT|O_RDWR, 0000)
         g = open("g", O_CREAT|O_RDWR, 06070)
         mkdir("d", 0000)
         open("d/in", O_CREAT|O_RDWR, 0600)
         seteuid(1000)
         raisecap(${capability})
         ${attempts}
         ${asked}
         seteuid(0)
         open("f", O_RDWR)`,
      ]),
    ),
    'capabilities through fork, threads and exec': `
      chmod(".", 0777)
      f = open("f", O_CREAT|O_RDWR, 0000)
      chown("f", 1000, 1000)
      dropcap(1)
      dropcap(2)
      open("f", O_RDONLY)
      access("f", R_OK)
      umask(027)
      open("f", O_RDONLY)
      open("made", O_CREAT|O_RDWR, 0666)
      fork b
      b: open("f", O_RDONLY)
      b: raisecap(1)
      b: open("f", O_RDONLY)
      open("f", O_RDONLY)
      raisecap(1)
      open("f", O_RDONLY)
      dropcap(1)
      exec
      open("f", O_RDONLY)`,
  }),
];
