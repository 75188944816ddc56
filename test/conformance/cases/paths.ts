/** Every way to name something, for every call that takes a path. */
import { type Case, family, menagerie, paths } from '../case.ts';

/** Calls that change nothing; P is the path. One case asks them all. */
const questions = `
  stat(P)
  lstat(P)
  fstatat(AT_FDCWD, P, 0)
  fstatat(AT_FDCWD, P, AT_SYMLINK_NOFOLLOW)
  fstatat(AT_FDCWD, P, AT_EMPTY_PATH)
  fstatat(AT_FDCWD, P, 0x4000000)
  statx(AT_FDCWD, P, 0, STATX_BASIC_STATS)
  statx(AT_FDCWD, P, AT_SYMLINK_NOFOLLOW|AT_STATX_DONT_SYNC, STATX_TYPE|STATX_SIZE)
  statx(AT_FDCWD, P, 0, STATX__RESERVED)
  statx(-1, P, 0, STATX_BASIC_STATS)
  access(P, F_OK)
  access(P, R_OK|W_OK)
  access(P, X_OK)
  access(P, 8)
  faccessat2(AT_FDCWD, P, W_OK, AT_EACCESS)
  faccessat2(AT_FDCWD, P, F_OK, AT_SYMLINK_NOFOLLOW)
  faccessat2(AT_FDCWD, P, F_OK, 0x8000)
  readlink(P, 100)
  readlink(P, 3)
  readlink(P, 0)
  readlink(P, BADPTR, 10)
  readlinkat(AT_FDCWD, P, 100)
  statfs(P)
  listxattr(P, 1000)
  llistxattr(P, 1000)
  getxattr(P, "user.none", 100)
  lgetxattr(P, "user.none", 0)
  f = open(P, O_RDONLY|O_NONBLOCK)
  close(f)
  f = open(P, O_DIRECTORY)
  list(f)
  close(f)
  f = open(P, O_RDONLY|O_NOFOLLOW|O_NONBLOCK)
  close(f)
  f = open(P, O_PATH)
  fstat(f)
  read(f, 1)
  close(f)
  f = open(P, O_PATH|O_NOFOLLOW)
  fstat(f)
  readlinkat(f, "", 100)
  close(f)
  f = open(P, O_PATH|O_NOFOLLOW|O_DIRECTORY)
  close(f)
  f = open(P, O_RDWR|O_NONBLOCK)
  close(f)
  f = open(P, O_WRONLY|O_DIRECTORY)
  close(f)
  f = open(P, O_RDONLY|O_EXCL|O_NONBLOCK)
  close(f)
  f = open(P, 3|O_NONBLOCK)
  close(f)
  f = openat2(AT_FDCWD, P, how(O_RDONLY|O_NONBLOCK))
  close(f)
  f = openat2(AT_FDCWD, P, how(O_PATH|O_NOFOLLOW, 0, RESOLVE_BENEATH))
  close(f)
  f = openat2(AT_FDCWD, P, how(O_RDONLY|O_NONBLOCK, 0, RESOLVE_NO_SYMLINKS))
  close(f)
  f = openat2(AT_FDCWD, P, how(O_RDONLY|O_NONBLOCK, 0, RESOLVE_IN_ROOT))
  close(f)
  d = open("dir", O_DIRECTORY)
  f = openat2(d, P, how(O_PATH, 0, RESOLVE_IN_ROOT))
  close(f)
  fstatat(d, P, AT_SYMLINK_NOFOLLOW)
  fstatat(-1, P, 0)
  fstatat(-1, P, AT_EMPTY_PATH)
  f = open("file", O_RDONLY)
  fstatat(f, P, AT_SYMLINK_NOFOLLOW)
  fstatat(f, P, AT_EMPTY_PATH)
  faccessat2(f, P, R_OK, AT_EMPTY_PATH)
  chdir(P)
  getcwd(5000)
`;

/** Calls that change something, each in a tree of its own. */
const changes: Readonly<Record<string, string>> = {
  'open O_CREAT': 'g = open(P, O_CREAT|O_WRONLY|O_NONBLOCK, 0640)',
  'open O_CREAT|O_EXCL': 'g = open(P, O_CREAT|O_EXCL|O_RDWR, 0600)',
  'open O_CREAT|O_TRUNC': 'g = open(P, O_CREAT|O_TRUNC|O_RDWR|O_NONBLOCK, 0600)',
  'open O_CREAT|O_NOFOLLOW': 'g = open(P, O_CREAT|O_NOFOLLOW|O_NONBLOCK, 0600)',
  'open O_CREAT|O_DIRECTORY': 'g = open(P, O_CREAT|O_DIRECTORY, 0600)',
  'open O_CREAT|O_PATH': 'g = open(P, O_CREAT|O_PATH, 0600)',
  'open O_TRUNC': 'g = open(P, O_TRUNC|O_NONBLOCK)',
  'open O_TMPFILE': 'g = open(P, O_TMPFILE|O_RDWR, 0600)',
  'open O_TMPFILE|O_CREAT': 'g = open(P, O_TMPFILE|O_CREAT|O_RDWR, 0600)',
  'open O_TMPFILE for reading': 'g = open(P, O_TMPFILE, 0600)',
  creat: 'g = creat(P, 0600)',
  mkdir: 'mkdir(P, 0777)',
  rmdir: 'rmdir(P)',
  unlink: 'unlink(P)',
  unlinkat: 'unlinkat(AT_FDCWD, P, AT_REMOVEDIR)',
  'unlinkat with a wrong flag': 'unlinkat(AT_FDCWD, P, 1)',
  'rename of it': 'rename(P, "new")',
  'rename of it into an empty directory': 'rename(P, "empty/new")',
  'rename of it below itself': 'rename(P, "dir/sub/new")',
  'rename of a file onto it': 'rename("file", P)',
  'rename of a directory onto it': 'rename("dir", P)',
  'rename of a link onto it': 'rename("to-dir", P)',
  'rename of a fifo onto it': 'rename("fifo", P)',
  'rename of an empty directory onto it': 'rename("empty", P)',
  'renameat2 RENAME_NOREPLACE': 'renameat2(AT_FDCWD, "file", AT_FDCWD, P, RENAME_NOREPLACE)',
  'renameat2 RENAME_EXCHANGE': 'renameat2(AT_FDCWD, "file", AT_FDCWD, P, RENAME_EXCHANGE)',
  'renameat2 RENAME_EXCHANGE with a directory':
    'renameat2(AT_FDCWD, P, AT_FDCWD, "dir/sub", RENAME_EXCHANGE)',
  'renameat2 RENAME_WHITEOUT': 'renameat2(AT_FDCWD, P, AT_FDCWD, "new", RENAME_WHITEOUT)',
  'link of it': 'link(P, "new")',
  'link to it': 'link("file", P)',
  'linkat AT_SYMLINK_FOLLOW': 'linkat(AT_FDCWD, P, AT_FDCWD, "new", AT_SYMLINK_FOLLOW)',
  'linkat AT_EMPTY_PATH': 'linkat(AT_FDCWD, P, AT_FDCWD, "new", AT_EMPTY_PATH)',
  'symlink there': 'symlink("target", P)',
  'symlink with it as target': 'symlink(P, "new")',
  'mknod of a file': 'mknod(P, S_IFREG|0666)',
  'mknod of a fifo': 'mknod(P, S_IFIFO|0666)',
  chmod: 'chmod(P, 0604)',
  'fchmodat2 AT_SYMLINK_NOFOLLOW': 'fchmodat2(AT_FDCWD, P, 0604, AT_SYMLINK_NOFOLLOW)',
  chown: 'chown(P, 12, 34)',
  lchown: 'lchown(P, 12, 34)',
  'fchownat AT_EMPTY_PATH': 'fchownat(AT_FDCWD, P, 12, 34, AT_EMPTY_PATH)',
  utimensat: 'utimensat(AT_FDCWD, P, ts(1, 2, 3, 4))',
  'utimensat AT_SYMLINK_NOFOLLOW': 'utimensat(AT_FDCWD, P, NULL, AT_SYMLINK_NOFOLLOW)',
  utime: 'utime(P, NULL)',
  truncate: 'truncate(P, 3)',
  setxattr: 'setxattr(P, "user.a", "1")',
  lsetxattr: 'lsetxattr(P, "trusted.a", "1")',
  removexattr: 'removexattr(P, "user.a")',
  'bind of a socket': 's = socket(AF_UNIX, SOCK_STREAM)\nbind(s, sun(P))',
};

function put(program: string, path: string): string {
  return program.replaceAll(/\bP\b/g, path);
}

export const pathCases: readonly Case[] = Object.entries(paths).flatMap(([name, path]) => [
  ...family('paths', {
    [`questions about ${name}`]: `${menagerie}\nsnapshot\n${put(questions, path)}`,
  }),
  ...family(
    'paths',
    Object.fromEntries(
      Object.entries(changes)
        // creat has no O_NONBLOCK: it waits for a reader.
        .filter(([title]) => title !== 'creat' || path !== '"fifo"')
        // The address of a socket is no pointer to a path, and has 108 bytes.
        .filter(
          ([title]) => !title.startsWith('bind') || (path.startsWith('"') && !path.includes('*')),
        )
        .map(([title, program]) => [
          `${title}: ${name}`,
          `${menagerie}\nsnapshot\n${put(program, path)}`,
        ]),
    ),
  ),
]);
