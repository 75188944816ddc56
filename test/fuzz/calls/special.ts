/** Attributes, locks, handles, openat2, fifos and sockets, messages. */
import { descriptor, target } from './descriptors.ts';
import type { Call, Calls } from './generate.ts';
import { at, start } from './names.ts';
import { argument, existing, fresh, remember, type World } from './world.ts';

// ---- extended attributes ----------------------------------------------------------------------

const ATTRIBUTES = [
  'user.a',
  'user.a',
  'user.b',
  'trusted.a',
  'security.a',
  'user.',
  'system.a',
  'nothing.a',
  'a',
] as const;

const KINDS = ['access', 'default'] as const;

/** One entry: tag, rights, id. */
const entry = (tag: number, rights: number, id = 0xffffffff): string =>
  [tag, 0, rights, 0, ...[0, 8, 16, 24].map((shift) => (id >>> shift) & 0xff)]
    .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    .join('');

/** Mostly valid: owner, perhaps a user and a group with a mask, others. */
function acl(w: World): string {
  const { random } = w;
  const rights = () => random.below(8);
  const named = random.chance(0.6);
  const parts = [
    entry(1, rights()),
    ...(named && random.chance(0.7) ? [entry(2, rights(), random.pick([1000, 1001]))] : []),
    entry(4, rights()),
    ...(named && random.chance(0.5) ? [entry(8, rights(), random.pick([1000, 2000]))] : []),
    ...(named && random.chance(0.95) ? [entry(16, rights())] : []),
    entry(32, rights()),
  ];
  if (random.chance(0.05)) parts.splice(random.below(parts.length), 1);
  return `"\\x02\\x00\\x00\\x00${parts.join('')}"`;
}

const setAttribute: Call = (w) => {
  const path = existing(w);
  const call = w.random.pick(['setxattr', 'setxattr', 'lsetxattr', 'fsetxattr']);
  const place = call === 'fsetxattr' ? descriptor(w) : argument(w, path);
  if (w.random.chance(0.5)) {
    const name = `system.posix_acl_${w.random.pick(KINDS)}`;
    return `${call}(${place}, "${name}", ${acl(w)})`;
  }
  const value = w.random.pick(['""', '"1"', '"value"', '"x"*300', '"x"*5000', '"x"*65537']);
  const flags = w.random.pick(['0', '0', 'XATTR_CREATE', 'XATTR_REPLACE', '4']);
  const size = value.includes('*') ? Number(value.split('*')[1]) : value.length - 2;
  return `${call}(${place}, "${w.random.pick(ATTRIBUTES)}", ${value}, ${size}, ${flags})`;
};

const lookAtAttributes: Call = (w) => {
  const path = argument(w, existing(w));
  const name = w.random.chance(0.3)
    ? `system.posix_acl_${w.random.pick(KINDS)}`
    : w.random.pick(ATTRIBUTES);
  const size = w.random.pick([0, 3, 1000]);
  return w.random.pick([
    () => `getxattr(${path}, "${name}", ${size})`,
    () => `lgetxattr(${path}, "${name}", ${size})`,
    () => `fgetxattr(${descriptor(w)}, "${name}", ${size})`,
    () => `listxattr(${path}, ${size})`,
    () => `flistxattr(${descriptor(w)}, ${size})`,
    () => `removexattr(${path}, "${name}")`,
    () => `lremovexattr(${path}, "${name}")`,
    () => `fremovexattr(${descriptor(w)}, "${name}")`,
  ])();
};

// ---- locks ------------------------------------------------------------------------------------

const lock: Call = (w) => {
  const { random } = w;
  if (random.chance(0.3)) {
    const operation = random.pick(['LOCK_SH', 'LOCK_EX', 'LOCK_UN', 'LOCK_EX']);
    return `flock(${descriptor(w, 'file')}, ${operation}|LOCK_NB)`;
  }
  const command = random.pick(['F_SETLK', 'F_SETLK', 'F_GETLK', 'F_OFD_SETLK', 'F_OFD_GETLK']);
  const type = random.pick(['F_RDLCK', 'F_WRLCK', 'F_WRLCK', 'F_UNLCK']);
  const whence = random.pick(['SEEK_SET', 'SEEK_SET', 'SEEK_SET', 'SEEK_CUR', 'SEEK_END']);
  const range = `${random.pick([0, 0, 5, 10, -3, 4096])}, ${random.pick([0, 1, 5, 100, -2])}`;
  return `fcntl(${descriptor(w, 'file')}, ${command}, flock(${type}, ${whence}, ${range}))`;
};

// ---- other ways to open -----------------------------------------------------------------------

const RESOLVE = [
  '0',
  'RESOLVE_BENEATH',
  'RESOLVE_IN_ROOT',
  'RESOLVE_NO_SYMLINKS',
  'RESOLVE_NO_MAGICLINKS',
  'RESOLVE_NO_XDEV',
  'RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS',
  'RESOLVE_BENEATH|RESOLVE_IN_ROOT',
] as const;

const openat2: Call = (w) => {
  const creates = w.random.chance(0.4);
  const path = creates ? fresh(w) : existing(w);
  const flags = creates
    ? 'O_RDWR|O_NONBLOCK|O_CREAT'
    : w.random.pick([
        'O_RDONLY|O_NONBLOCK',
        'O_RDWR|O_NONBLOCK',
        'O_PATH',
        'O_PATH|O_NOFOLLOW',
        'O_RDONLY|O_NONBLOCK|O_DIRECTORY',
      ]);
  const from = w.random.chance(0.5) ? at(w, path) : `${start(w)}, ${argument(w, path)}`;
  const line = `openat2(${from}, how(${flags}, ${creates ? '0644' : '0'}, ${w.random.pick(RESOLVE)}))`;
  const name = target(w, w.entries.get(path) ?? 'file', path);
  if (creates) remember(w, path, 'file');
  return `${name} = ${line}`;
};

const handle: Call = (w) => {
  const which = w.random.below(2);
  if (w.random.chance(0.5)) {
    const flags = w.random.pick(['0', 'AT_SYMLINK_FOLLOW', 'AT_EMPTY_PATH', '8']);
    return `name_to_handle_at(${at(w, existing(w))}, handle(${which}, 128), ints(0, 0), ${flags})`;
  }
  const flags = w.random.pick(['O_RDONLY|O_NONBLOCK', 'O_RDWR|O_NONBLOCK', 'O_PATH']);
  return `${target(w, 'file', '?')} = open_by_handle_at(${start(w)}, handle(${which}), ${flags})`;
};

/** A descriptor by its name under /proc. */
const reopen: Call = (w) => {
  const from = descriptor(w);
  const by = w.random.pick(['/proc/self/fd/', '/dev/fd/']);
  const number = w.random.between(3, 8);
  return w.random.pick([
    () => `readlink("${by}${number}", 200)`,
    () => `stat("${by}${number}")`,
    () =>
      `${target(w, w.descriptors.get(from)?.kind ?? 'file', '?')} = open("${by}${number}", ${w.random.pick(['O_RDONLY', 'O_RDWR', 'O_PATH'])}|O_NONBLOCK)`,
    () => `chmod("${by}${number}", 0600)`,
    () =>
      `linkat(AT_FDCWD, "/proc/self/fd/${number}", AT_FDCWD, ${argument(w, fresh(w))}, AT_SYMLINK_FOLLOW)`,
  ])();
};

// ---- fifos, sockets, messages -----------------------------------------------------------------

const fifo: Call = (w) => {
  const path = existing(w, 'fifo');
  const name = () => target(w, 'fifo', path);
  return w.random.weighted<() => string>([
    [2, () => `mknod(${argument(w, path)}, S_IFIFO|0666, 0)`],
    [
      4,
      () =>
        `${name()} = open(${argument(w, path)}, ${w.random.pick(['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_PATH'])}|O_NONBLOCK)`,
    ],
    [3, () => `write(${descriptor(w, 'fifo')}, "abc"*${w.random.pick([1, 100])})`],
    [3, () => `read(${descriptor(w, 'fifo')}, ${w.random.pick([0, 1, 10])})`],
    [1, () => `fstat(${descriptor(w, 'fifo')})`],
    [1, () => `lseek(${descriptor(w, 'fifo')}, 0, SEEK_CUR)`],
    [1, () => `ftruncate(${descriptor(w, 'fifo')}, 0)`],
  ])();
};

const socket: Call = (w) => {
  const path = w.random.chance(0.6) ? fresh(w) : existing(w, 'fifo');
  const short = path.includes('*') ? '"b"' : argument(w, path);
  return w.random.weighted<() => string>([
    [3, () => 's = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK)'],
    [
      4,
      () => {
        if (short.includes(path)) remember(w, path, 'fifo');
        return `bind(s, sun(${short}))`;
      },
    ],
    [3, () => 'listen(s, 5)'],
    [2, () => 't = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK)'],
    [3, () => `connect(t, sun(${short}))`],
    [1, () => 'close(s)'],
  ])();
};

/** A descriptor goes through a pair of sockets, to whoever reads first. */
const message: Call = (w) => {
  const from = descriptor(w);
  const kind = w.descriptors.get(from)?.kind ?? 'file';
  return w.random.weighted<() => string>([
    [2, () => 'm, n = socketpair(SOCK_DGRAM|SOCK_NONBLOCK)'],
    [3, () => `sendfd(m, ${from})`],
    [3, () => `${target(w, kind, '?')} = recvfd(n)`],
  ])();
};

// ---- pointers ---------------------------------------------------------------------------------

const pointers: Call = (w) =>
  w.random.pick([
    () => `write(${descriptor(w, 'file')}, edge(${w.random.pick([10, 100])}), 20)`,
    () => `pwrite(${descriptor(w, 'file')}, edge(5), 5, 3)`,
    () => `read(${descriptor(w, 'file')}, edge(10), ${w.random.pick([10, 20, 5000])})`,
    () => `read(${descriptor(w, 'file')}, BADPTR, 10)`,
    () => `stat(edge("a"))`,
    () => `open(BADPTR, O_RDONLY)`,
    () => `fstat(${descriptor(w)}, BADPTR)`,
    () => `readlink("l", BADPTR, 10)`,
    () => `mkdir(KERNELPTR, 0755)`,
  ])();

export const specialCalls: Calls = [
  [5, setAttribute],
  [4, lookAtAttributes],
  [6, lock],
  [3, openat2],
  [2, handle],
  [2, reopen],
  [4, fifo],
  [2, socket],
  [2, message],
  [1, pointers],
];
