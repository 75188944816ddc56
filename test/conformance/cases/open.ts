/** open, creat, O_TMPFILE, O_PATH and openat2: flags, descriptors, permissions. */
import { type Case, family } from '../case.ts';

const accesses = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', '3'];
const others = [
  '0',
  'O_APPEND',
  'O_TRUNC',
  'O_NONBLOCK',
  'O_SYNC',
  'O_DSYNC',
  'O_ASYNC',
  'O_DIRECT',
  'O_NOATIME',
  'O_CLOEXEC',
  'O_PATH',
  'O_NOCTTY',
  'O_CREAT|O_EXCL',
  'O_APPEND|O_TRUNC',
  'O_DIRECTORY',
  'O_NOFOLLOW',
  'O_LARGEFILE',
  'O_CREAT|O_DIRECTORY',
  'O_PATH|O_TRUNC',
  'O_PATH|O_CLOEXEC',
  'O_TMPFILE',
  'O_TMPFILE|O_EXCL',
  '0x80000000',
  '0x40000000',
];

/** What a descriptor answers, whatever it was opened with. */
const uses = `
  fcntl(f, F_GETFL)
  fcntl(f, F_GETFD)
  read(f, 4)
  write(f, "WW")
  pread(f, 10, 0)
  lseek(f, 0, SEEK_CUR)
  ftruncate(f, 9)
  fstat(f)
  fchmod(f, 0600)
  fchown(f, 1, 1)
  futimens(f, ts(5, 0, 6, 0))
  fsync(f)
  getdents(f, 1000)
  fchdir(f)
  flock(f, LOCK_SH|LOCK_NB)
  ioctl(f, FIONREAD, ints(0))
  fallocate(f, 0, 0, 20)
  mmap(4096, PROT_READ, MAP_SHARED, f, 0)
  mmap(4096, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)
  mmap(4096, PROT_READ|PROT_WRITE, MAP_PRIVATE, f, 0)
  g = dup(f)
  fcntl(g, F_GETFL)
  fstatfs(f)
  fgetxattr(f, "user.a", 10)
  faccessat2(f, "", R_OK, AT_EMPTY_PATH)
  linkat(f, "", AT_FDCWD, "linked", AT_EMPTY_PATH)
  close(f)
  close(f)
`;

const flagCases = accesses.flatMap((access) =>
  others.flatMap((other) => [
    ...family('open', {
      [`${access}|${other} of a file and its uses`]: `
        f = open("x", O_CREAT|O_WRONLY, 0644)
        write(f, "0123456789abcdef")
        close(f)
        snapshot
        f = open("${other.startsWith('O_TMPFILE') ? '.' : other.includes('EXCL') ? 'y' : 'x'}", ${access}|${other}, 0640)
        ${uses}`,
      [`${access}|${other} of a directory and its uses`]: `
        mkdir("d", 0755)
        snapshot
        f = open("d", ${access}|${other}, 0640)
        ${uses}`,
    }),
  ]),
);

const modes = ['0', '0777', '07777', '0170777', '-1'].map((mode) => [
  `mode ${mode} under umask`,
  `umask(027)
   f = open("x", O_CREAT|O_RDWR, ${mode})
   write(f, "written in spite of the mode")
   g = creat("y", ${mode})
   openat(AT_FDCWD, ".", O_TMPFILE|O_RDWR, ${mode})
   mkdir("d", ${mode})
   mknod("n", S_IFREG|(${mode}&0777))`,
]);

export const openCases: readonly Case[] = [
  ...flagCases,
  ...family('open', Object.fromEntries(modes)),
  ...family('open', {
    'ENOENT, ENOTDIR, EBADF of the directory descriptor': `
      f = open("x", O_CREAT|O_RDWR, 0600)
      openat(f, "y", O_RDONLY)
      openat(f, "", O_RDONLY)
      openat(-1, "x", O_RDONLY)
      openat(99, "x", O_RDONLY)
      openat(-1, "$D/x", O_RDONLY)
      openat(-1, "", O_RDONLY)
      mkdirat(f, "d", 0700)
      unlinkat(99, "x")
      symlinkat("a", f, "b")
      renameat(f, "x", AT_FDCWD, "z")`,
    'EMFILE at the limit of descriptors': `
      setrlimit(RLIMIT_NOFILE, 5)
      a = open(".", O_RDONLY)
      b = open("x", O_CREAT|O_RDWR, 0600)
      c = open("y", O_CREAT|O_RDWR, 0600)
      dup(a)
      dup2(a, 4)
      dup2(a, 5)
      fcntl(a, F_DUPFD, 0)
      fcntl(a, F_DUPFD, 10)
      open(".", O_TMPFILE|O_RDWR, 0600)
      open("z", O_CREAT|O_TRUNC|O_RDWR, 0600)
      close(b)
      open("z", O_CREAT|O_RDWR, 0600)`,
    'the lowest free number': `
      a = open("x", O_CREAT|O_RDWR, 0600)
      b = open("x", O_RDWR)
      c = open("x", O_RDWR)
      close(b)
      open(".", O_RDONLY)
      close(0)
      open("x", O_RDONLY)
      open("x", O_RDONLY)`,
    'of a directory for writing, with and without O_CREAT': `
      mkdir("d", 0755)
      open("d", O_WRONLY)
      open("d", O_RDWR|O_CREAT, 0600)
      open("d", O_CREAT|O_EXCL, 0600)
      open("d", O_CREAT, 0600)
      open("d/", O_CREAT, 0600)
      creat("d", 0600)`,
    'in an unlinked directory': `
      mkdir("d", 0755)
      d = open("d", O_DIRECTORY)
      chdir("d")
      rmdir("../d")
      openat(d, "x", O_CREAT|O_RDWR, 0600)
      open("x", O_CREAT|O_RDWR, 0600)
      mkdir("e", 0700)
      symlink("a", "b")
      open(".", O_RDONLY)
      open("..", O_RDONLY)
      stat(".")
      fstat(d)
      getcwd(100)
      list(d)
      openat(d, "", O_TMPFILE|O_RDWR, 0600)
      openat(d, ".", O_TMPFILE|O_RDWR, 0600)
      rename("../missing", "x")`,
    'O_TMPFILE gets a name by linkat': `
      f = open(".", O_TMPFILE|O_RDWR, 0644)
      fstat(f)
      write(f, "content")
      linkat(f, "", AT_FDCWD, "named", AT_EMPTY_PATH)
      fstat(f)
      linkat(f, "", AT_FDCWD, "again", AT_EMPTY_PATH)
      unlink("named")
      unlink("again")
      fstat(f)
      linkat(f, "", AT_FDCWD, "later", AT_EMPTY_PATH)
      pread(f, 10, 0)`,
    'O_TMPFILE|O_EXCL never gets a name': `
      f = open(".", O_TMPFILE|O_EXCL|O_RDWR, 0644)
      linkat(f, "", AT_FDCWD, "named", AT_EMPTY_PATH)`,
    'O_TMPFILE of a file, a link and a missing name': `
      symlink(".", "l")
      open("l", O_TMPFILE|O_RDWR, 0600)
      open("l", O_TMPFILE|O_RDWR|O_NOFOLLOW, 0600)
      open("missing", O_TMPFILE|O_RDWR, 0600)
      f = open("x", O_CREAT|O_RDWR, 0600)
      open("x", O_TMPFILE|O_RDWR, 0600)`,
    'linkat of an unlinked file by descriptor': `
      f = open("x", O_CREAT|O_RDWR, 0644)
      unlink("x")
      linkat(f, "", AT_FDCWD, "y", AT_EMPTY_PATH)
      linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "z", AT_SYMLINK_FOLLOW)`,
    'O_NOATIME belongs to the owner': `
      f = open("x", O_CREAT|O_RDWR, 0666)
      chmod("x", 0666)
      become(1000)
      open("x", O_RDONLY|O_NOATIME)
      open("x", O_RDONLY)`,
    'O_TRUNC of a read-only open, and without the right to write': `
      f = open("x", O_CREAT|O_RDWR, 0644)
      write(f, "abc")
      open("x", O_RDONLY|O_TRUNC)
      fstat(f)
      write(f, "d")
      chmod("x", 0444)
      become(1000)
      open("x", O_RDONLY|O_TRUNC)`,
    'ETXTBSY of a running program': `
      copyin("/bin/sleep", "prog")
      f = open("prog", O_WRONLY)
      run("./prog", "0")
      close(f)
      run("./prog", "0")
      f = open("prog", O_RDONLY)
      run("./prog", "0")`,
    'O_APPEND follows the end, pwrite too': `
      f = open("x", O_CREAT|O_RDWR|O_APPEND, 0644)
      write(f, "abc")
      pwrite(f, "XY", 0)
      lseek(f, 0, SEEK_SET)
      write(f, "d")
      lseek(f, 0, SEEK_CUR)
      pread(f, 10, 0)
      fcntl(f, F_SETFL, 0)
      pwrite(f, "Z", 0)
      pread(f, 10, 0)`,
  }),
  ...family('openat2', {
    'sizes of the structure': `
      f = open("x", O_CREAT|O_RDWR, 0644)
      openat2(AT_FDCWD, "x", how(O_RDONLY), 0)
      openat2(AT_FDCWD, "x", how(O_RDONLY), 23)
      openat2(AT_FDCWD, "x", how(O_RDONLY), 24)
      openat2(AT_FDCWD, "x", how(O_RDONLY), 32)
      openat2(AT_FDCWD, "x", how(O_RDONLY, 0, 0, 1), 32)
      openat2(AT_FDCWD, "x", how(O_RDONLY), 4097)
      openat2(AT_FDCWD, "x", NULL, 24)
      openat2(AT_FDCWD, "x", BADPTR, 24)
      openat2(AT_FDCWD, BADPTR, how(O_RDONLY))`,
    'flags and modes that do not belong': `
      f = open("x", O_CREAT|O_RDWR, 0644)
      openat2(AT_FDCWD, "x", how(O_RDONLY, 0644))
      openat2(AT_FDCWD, "x", how(O_RDONLY|0x40000000))
      openat2(AT_FDCWD, "x", how(O_RDONLY|(1<<40)))
      openat2(AT_FDCWD, "y", how(O_CREAT|O_RDWR, 010000))
      openat2(AT_FDCWD, "y", how(O_CREAT|O_RDWR, 0640))
      openat2(AT_FDCWD, "x", how(O_PATH|O_RDWR))
      openat2(AT_FDCWD, "x", how(O_RDONLY, 0, 0x100))
      openat2(AT_FDCWD, "x", how(O_RDONLY, 0, RESOLVE_BENEATH|RESOLVE_IN_ROOT))
      openat2(AT_FDCWD, "x", how(O_RDONLY, 0, RESOLVE_CACHED))
      openat2(AT_FDCWD, "x", how(O_TRUNC|O_RDWR, 0, RESOLVE_CACHED))
      openat2(AT_FDCWD, ".", how(O_TMPFILE|O_RDWR, 0600))
      openat2(AT_FDCWD, ".", how(O_TMPFILE|O_RDONLY, 0600))
      openat2(AT_FDCWD, "x", how(O_DIRECTORY|O_CREAT, 0600))`,
    RESOLVE_BENEATH: `
      mkdir("d", 0755)
      mkdir("d/e", 0755)
      f = open("d/x", O_CREAT|O_RDWR, 0644)
      symlink("x", "d/in")
      symlink("../d/x", "d/out")
      symlink("$D/d/x", "d/absolute")
      symlink("e/../x", "d/around")
      d = open("d", O_DIRECTORY)
      openat2(d, "x", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "in", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "out", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "absolute", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "around", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "..", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "../d", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "e/..", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "$D/d/x", how(O_RDONLY, 0, RESOLVE_BENEATH))
      openat2(d, "new", how(O_CREAT|O_RDWR, 0600, RESOLVE_BENEATH))
      openat2(d, "../new", how(O_CREAT|O_RDWR, 0600, RESOLVE_BENEATH))`,
    RESOLVE_IN_ROOT: `
      mkdir("d", 0755)
      mkdir("d/e", 0755)
      f = open("d/x", O_CREAT|O_RDWR, 0644)
      write(f, "inside")
      symlink("/x", "d/e/absolute")
      symlink("../../../../x", "d/e/up")
      symlink("/missing", "d/e/nowhere")
      d = open("d", O_DIRECTORY)
      f = openat2(d, "e/absolute", how(O_RDONLY, 0, RESOLVE_IN_ROOT))
      read(f, 10)
      f = openat2(d, "e/up", how(O_RDONLY, 0, RESOLVE_IN_ROOT))
      read(f, 10)
      openat2(d, "/x", how(O_RDONLY, 0, RESOLVE_IN_ROOT))
      openat2(d, "../../x", how(O_RDONLY, 0, RESOLVE_IN_ROOT))
      openat2(d, "e/nowhere", how(O_RDONLY, 0, RESOLVE_IN_ROOT))
      openat2(d, "e/nowhere", how(O_CREAT|O_RDWR, 0600, RESOLVE_IN_ROOT))
      openat2(d, "/", how(O_RDONLY, 0, RESOLVE_IN_ROOT))`,
    'RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS': `
      mkdir("d", 0755)
      f = open("d/x", O_CREAT|O_RDWR, 0644)
      symlink("d", "l")
      symlink("x", "d/m")
      openat2(AT_FDCWD, "d/x", how(O_RDONLY, 0, RESOLVE_NO_SYMLINKS))
      openat2(AT_FDCWD, "l/x", how(O_RDONLY, 0, RESOLVE_NO_SYMLINKS))
      openat2(AT_FDCWD, "d/m", how(O_RDONLY, 0, RESOLVE_NO_SYMLINKS))
      openat2(AT_FDCWD, "d/m", how(O_PATH|O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS))
      openat2(AT_FDCWD, "l/m", how(O_RDONLY, 0, RESOLVE_NO_MAGICLINKS))
      openat2(AT_FDCWD, "d/x", how(O_RDONLY, 0, RESOLVE_NO_XDEV))
      openat2(AT_FDCWD, "l/x", how(O_RDONLY, 0, RESOLVE_NO_XDEV))`,
  }),
];
