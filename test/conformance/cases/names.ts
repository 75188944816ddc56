/** Directories, links and renames: structure, limits, listings. */
import { type Case, family } from '../case.ts';

const kinds: Readonly<Record<string, string>> = {
  'a file': 'file',
  'another name of it': 'again',
  'a directory': 'dir',
  'an empty directory': 'empty',
  'a link to a file': 'to-file',
  'a link to a directory': 'to-dir',
  'a link to nothing': 'dangling',
  'a fifo': 'fifo',
  'a missing name': 'missing',
  dot: '.',
  dots: 'dir/..',
  'a directory below': 'dir/sub',
};
const zoo = `
  mkdir("dir", 0755)
  mkdir("dir/sub", 0755)
  mkdir("empty", 0755)
  open("file", O_CREAT, 0644)
  link("file", "again")
  symlink("file", "to-file")
  symlink("dir", "to-dir")
  symlink("nowhere", "dangling")
  mknod("fifo", S_IFIFO|0600)
  snapshot
`;
const flags = [
  '0',
  'RENAME_NOREPLACE',
  'RENAME_EXCHANGE',
  'RENAME_NOREPLACE|RENAME_EXCHANGE',
  '8',
  'RENAME_WHITEOUT|RENAME_EXCHANGE',
];

const renames = flags.flatMap((flag) =>
  Object.entries(kinds).flatMap(([from, a]) =>
    Object.entries(kinds)
      .filter(() => flag !== '8' || from === 'a file')
      .map(([to, b]) => [
        `${flag}: ${from} to ${to}`,
        `${zoo}\nrenameat2(AT_FDCWD, "${a}", AT_FDCWD, "${b}", ${flag})`,
      ]),
  ),
);

/** A byte string with every byte that a name may have. */
const oddNames = [
  '"\\x01\\x02"',
  '"a b"',
  '"\\xff\\xfe"',
  '"\\n"',
  '"-"',
  '"*?[]"',
  '"\\\\"',
  '"..."',
  '".hidden"',
  '"\\xc3\\xa4"',
  '" "',
  '"\\x7f"',
  '"$"',
];

export const nameCases: readonly Case[] = [
  ...family('rename', Object.fromEntries(renames)),
  ...family('names', {
    'any byte but NUL and slash': oddNames
      .map(
        (name) =>
          `open(${name}, O_CREAT|O_RDWR, 0644)\nstat(${name})\nmkdir(${name}+"d", 0755)\nsymlink(${name}, ${name}+"l")\nreadlink(${name}+"l", 100)\nrename(${name}, ${name}+"r")`,
      )
      .join('\n'),
    '255 bytes and more': `
      open("n"*255, O_CREAT|O_RDWR, 0644)
      open("n"*256, O_CREAT|O_RDWR, 0644)
      mkdir("d"*255, 0755)
      mkdir("d"*256, 0755)
      symlink("t", "s"*255)
      symlink("t", "s"*256)
      link("n"*255, "l"*255)
      link("n"*255, "l"*256)
      rename("n"*255, "r"*256)
      rename("n"*256, "r")
      rename("n"*255, "r"*255)
      unlink("u"*256)
      rmdir("u"*256)
      d = open(".", O_DIRECTORY)
      list(d)`,
    'targets of symlinks': `
      symlink("", "a")
      symlink("t"*4095, "b")
      symlink("t"*4096, "c")
      symlink("t"*127, "d")
      symlink("t"*128, "e")
      symlink("t"*2000, "f")
      readlink("b", 5000)
      readlink("d", 127)
      readlink("e", 5)
      lstat("b")
      stat("b")
      stat("f")`,
    'chains of symlinks': `
      open("s0", O_CREAT, 0644)
      ${Array.from({ length: 41 }, (_, i) => `symlink("s${i}", "s${i + 1}")`).join('\n')}
      stat("s39")
      stat("s40")
      stat("s41")
      open("s40", O_RDONLY)
      open("s41", O_RDONLY)
      open("s41", O_RDONLY|O_NOFOLLOW)
      symlink(".", "here")
      stat("here/"*40+"s0")
      stat("here/"*41+"s0")
      lstat("here/"*40+"s40")
      chdir("here/"*40)
      getcwd(500)`,
    'symlinks that lead out and back': `
      mkdir("d", 0755)
      open("d/f", O_CREAT, 0644)
      symlink("$D/d", "abs")
      symlink("../"*30+"$D/d/f", "d/up")
      symlink("/proc/self/cwd/d", "proc")
      symlink("/dev/null", "null")
      symlink("/", "root")
      stat("abs/f")
      stat("d/up")
      stat("proc/f")
      f = open("null", O_WRONLY)
      write(f, "x")
      stat("root$D/d/f")
      stat("abs/../d/f")
      chdir("abs")
      getcwd(500)
      stat("../d/f")`,
    'linkat and rename with empty names': `
      open("f", O_CREAT, 0644)
      d = open(".", O_DIRECTORY)
      rename("f", "")
      rename("", "f")
      link("f", "")
      link("", "f")
      linkat(d, "", AT_FDCWD, "x", 0)
      linkat(d, "", AT_FDCWD, "x", AT_EMPTY_PATH)
      linkat(d, "f", d, "y", 0x8)
      mkdir("", 0755)
      symlink("f", "")
      unlink("")
      rmdir("")
      chdir("")
      truncate("", 0)`,
    'rmdir of full, busy and odd directories': `
      mkdir("d", 0755)
      mkdir("d/e", 0755)
      rmdir("d")
      rmdir("d/e/.")
      rmdir("d/e/..")
      rmdir(".")
      rmdir("..")
      rmdir("d/e/")
      chdir("d")
      rmdir("../d")
      rmdir(".")
      stat(".")
      getcwd(100)
      chdir("..")`,
    'unlinkat flags': `
      mkdir("d", 0755)
      open("f", O_CREAT, 0644)
      unlinkat(AT_FDCWD, "d", 0)
      unlinkat(AT_FDCWD, "f", AT_REMOVEDIR)
      unlinkat(AT_FDCWD, "d", AT_REMOVEDIR|1)
      unlinkat(AT_FDCWD, "d", AT_SYMLINK_NOFOLLOW)
      unlinkat(AT_FDCWD, "d", AT_REMOVEDIR)
      unlinkat(AT_FDCWD, "f", 0)`,
    'rename into itself and below': `
      mkdir("a", 0755)
      mkdir("a/b", 0755)
      mkdir("a/b/c", 0755)
      open("a/b/f", O_CREAT, 0644)
      rename("a", "a/b/c/d")
      rename("a", "a/b")
      rename("a/b", "a")
      rename("a/b/c", "a/b/f")
      rename("a/b/f", "a/b/c")
      rename("a/b/c", "a/b/c")
      rename("a/b/c/.", "x")
      rename("a/b/..", "x")
      rename("a/b/c", "a/x/")
      rename("a/b/f", "a/y/")
      rename("a/b/f/", "a/y")
      renameat2(AT_FDCWD, "a", AT_FDCWD, "a/b", RENAME_EXCHANGE)
      renameat2(AT_FDCWD, "a/b", AT_FDCWD, "a", RENAME_EXCHANGE)`,
    'across the boundary': `
      open("f", O_CREAT, 0644)
      mkdir("d", 0755)
      rename("f", "/dev/null/x")
      rename("f", "/proc/x")
      rename("/proc/version", "x")
      link("/proc/version", "x")
      renameat2(AT_FDCWD, "/proc/version", AT_FDCWD, "f", RENAME_EXCHANGE)`,
    'a directory moved while it is the working directory': `
      mkdir("a", 0755)
      mkdir("a/b", 0755)
      chdir("a/b")
      open("f", O_CREAT, 0644)
      rename("../../a", "../../c")
      getcwd(100)
      stat("f")
      stat("../b/f")
      fork b
      b: getcwd(100)
      b: exec
      b: getcwd(100)
      b: stat("f")`,
    'deep directories and long paths': `
      ${Array.from({ length: 20 }, () => 'mkdir("d"*200, 0755)\nchdir("d"*200)').join('\n')}
      open("f", O_CREAT, 0644)
      stat("f")
      getcwd(4096)
      getcwd(100)
      stat("../"*19+"d"*200)`,
  }),
  ...family('getcwd', {
    'sizes and pointers': `
      mkdir("d", 0755)
      chdir("d")
      getcwd(1000)
      getcwd(5)
      getcwd(0)
      getcwd(NULL, 100)
      getcwd(BADPTR, 100)
      getcwd(edge(5), 100)`,
    fchdir: `
      mkdir("d", 0755)
      f = open("f", O_CREAT|O_RDWR, 0644)
      d = open("d", O_PATH)
      fchdir(d)
      getcwd(100)
      fchdir(f)
      fchdir(99)
      open("x", O_CREAT, 0644)
      close(d)
      stat("x")`,
    'chdir without the right to search': `
      mkdir("d", 0700)
      mkdir("e", 0644)
      become(1000)
      chdir("d")
      chdir("e")
      chdir("missing")`,
  }),
  ...family('directories', {
    listings: `
      mkdir("d", 0755)
      ${Array.from({ length: 40 }, (_, i) => `open("d/f${i}", O_CREAT, 0644)`)
        .join('\n')
        .replaceAll('O_CREAT, 0644)', 'O_CREAT|O_CLOEXEC, 0644)')}
      symlink("x", "d/link")
      mkdir("d/dir", 0755)
      mknod("d/fifo", S_IFIFO|0600)
      d = open("d", O_DIRECTORY)
      list(d)
      list(d)
      lseek(d, 0, SEEK_CUR)
      lseek(d, 0, SEEK_SET)
      getdents(d, 10)
      getdents(d, 23)
      getdents(d, 24)
      getdents(d, 0)
      getdents(d, BADPTR, 1000)
      getdents(d, -1)
      count(d)
      stat("d")`,
    'entries made and removed while reading': `
      mkdir("d", 0755)
      open("d/a", O_CREAT, 0644)
      open("d/b", O_CREAT, 0644)
      d = open("d", O_DIRECTORY)
      e = open("d", O_DIRECTORY)
      list(d)
      open("d/c", O_CREAT, 0644)
      lseek(d, 0, SEEK_SET)
      list(d)
      unlink("d/a")
      list(e)
      lseek(e, 0, SEEK_SET)
      rename("d/b", "d/z")
      list(e)`,
    '3000 entries': `
      mkdir("d", 0755)
      chdir("d")
      ${Array.from({ length: 3000 }, (_, i) => `mknod("entry-${i}", S_IFREG|0600)`).join('\n')}
      d = open(".", O_DIRECTORY)
      count(d)
      stat(".")
      lseek(d, 0, SEEK_SET)
      unlink("entry-1500")
      count(d)`,
    'nlink counts subdirectories': `
      mkdir("d", 0755)
      mkdir("d/a", 0755)
      mkdir("d/b", 0755)
      stat("d")
      rename("d/a", "x")
      stat("d")
      rename("x", "d/b")
      stat("d")
      rmdir("d/b")
      stat("d")
      f = open("d", O_DIRECTORY)
      rmdir("d")
      fstat(f)`,
  }),
];
