/** Calls on descriptors. */
import type { Call, Calls } from './generate.ts';
import { at, IDS, MODES } from './names.ts';
import { argument, existing, fresh, type Kind, remember, VARIABLES, type World } from './world.ts';

const variable = (w: World) => w.random.pick(VARIABLES);

/** A descriptor that is most likely open, of this kind where there is one. */
export function descriptor(w: World, kind?: Kind): string {
  const some = [...w.descriptors.values()].filter((d) => kind === undefined || d.kind === kind);
  return some.length > 0 && !w.random.chance(0.06) ? w.random.pick(some).name : variable(w);
}

/** A name for a new descriptor: a free one, rather. */
export function target(w: World, kind: Kind, path: string): string {
  const free = VARIABLES.filter((name) => !w.descriptors.has(name));
  const name = free.length > 0 && !w.random.chance(0.2) ? free[0]! : variable(w);
  w.descriptors.set(name, { name, kind, path });
  return name;
}

const EXTRA = [
  'O_CLOEXEC',
  'O_NOFOLLOW',
  'O_APPEND',
  'O_TRUNC',
  'O_EXCL',
  'O_DIRECTORY',
  'O_NOATIME',
  'O_SYNC',
  'O_NONBLOCK',
  'O_PATH',
  'O_DIRECT',
  'O_ASYNC',
  'O_NOCTTY',
] as const;

function extra(w: World): string {
  let flags = '';
  while (w.random.chance(0.18)) flags += `|${w.random.pick(EXTRA)}`;
  return flags;
}

const access = (w: World) =>
  w.random.weighted([
    [3, 'O_RDONLY'],
    [6, 'O_RDWR'],
    [2, 'O_WRONLY'],
    [0.3, '3'],
  ]);

/** Never without O_NONBLOCK where a fifo may stand: the open would wait for somebody. */
const open: Call = (w) => {
  const path = w.random.chance(0.45) ? fresh(w) : existing(w, 'file');
  const creates = w.random.chance(w.entries.has(path) ? 0.3 : 0.85);
  const flags = `${access(w)}|O_NONBLOCK${creates ? '|O_CREAT' : ''}${extra(w)}`;
  const line = `${target(w, w.entries.get(path) ?? 'file', path)} = openat(${at(w, path)}, ${flags}, ${w.random.pick(MODES)})`;
  if (creates) remember(w, path, 'file');
  return line;
};

const openDirectory: Call = (w) => {
  const path = existing(w, 'directory');
  const flags = w.random.pick([
    'O_DIRECTORY',
    'O_DIRECTORY',
    'O_PATH',
    'O_DIRECTORY|O_PATH|O_CLOEXEC',
  ]);
  return `${target(w, 'directory', path)} = open(${argument(w, path)}, O_RDONLY|O_NONBLOCK|${flags})`;
};

const openPath: Call = (w) => {
  const path = existing(w);
  return `${target(w, w.entries.get(path) ?? 'file', path)} = open(${argument(w, path)}, O_PATH${w.random.chance(0.5) ? '|O_NOFOLLOW' : ''})`;
};

const openTemporary: Call = (w) => {
  const path = existing(w, 'directory');
  const flags = `${w.random.pick(['O_RDWR', 'O_RDWR', 'O_WRONLY', 'O_RDONLY'])}|O_TMPFILE${w.random.chance(0.2) ? '|O_EXCL' : ''}`;
  return `${target(w, 'file', '')} = open(${argument(w, path)}, ${flags}, ${w.random.pick(MODES)})`;
};

const size = (w: World) => w.random.pick([0, 1, 5, 100, 511, 512, 4096, 5000, 32768, 40000]);
const offset = (w: World) => w.random.pick([0, 0, 1, 3, 100, 4095, 4096, 10000, -1, '1<<40']);
const bytes = (w: World) => `"${w.random.pick(['x', 'abc', 'hello'])}"*${size(w)}`;

const read: Call = (w) =>
  w.random.pick([
    () => `read(${descriptor(w, 'file')}, ${size(w)})`,
    () => `pread(${descriptor(w, 'file')}, ${size(w)}, ${offset(w)})`,
    () => `readv(${descriptor(w, 'file')}, iov(${size(w)}, ${size(w)}))`,
    () =>
      `preadv2(${descriptor(w, 'file')}, iov(${size(w)}), 1, ${offset(w)}, 0, ${w.random.pick(['0', 'RWF_NOWAIT', 'RWF_HIPRI'])})`,
  ])();

const write: Call = (w) =>
  w.random.weighted<() => string>([
    [4, () => `write(${descriptor(w, 'file')}, ${bytes(w)})`],
    [3, () => `pwrite(${descriptor(w, 'file')}, ${bytes(w)}, ${offset(w)})`],
    [1, () => `writev(${descriptor(w, 'file')}, iov(${bytes(w)}, "z", ${bytes(w)}))`],
    [
      1,
      () =>
        `pwritev2(${descriptor(w, 'file')}, iov(${bytes(w)}), 1, ${offset(w)}, 0, ${w.random.pick(['0', 'RWF_APPEND', 'RWF_DSYNC', 'RWF_NOWAIT'])})`,
    ],
  ])();

const seek: Call = (w) =>
  `lseek(${descriptor(w)}, ${w.random.pick([0, 1, 10, 4096, -1, 100000])}, ${w.random.pick(['SEEK_SET', 'SEEK_CUR', 'SEEK_END', 'SEEK_DATA', 'SEEK_HOLE', '7'])})`;

const allocate: Call = (w) =>
  w.random.weighted<() => string>([
    [
      2,
      () =>
        `ftruncate(${descriptor(w, 'file')}, ${w.random.pick([0, 1, 4096, 9999, '1<<41', -1])})`,
    ],
    [
      2,
      () =>
        `fallocate(${descriptor(w, 'file')}, ${w.random.pick(['0', 'FALLOC_FL_KEEP_SIZE', 'FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE', 'FALLOC_FL_ZERO_RANGE', 'FALLOC_FL_PUNCH_HOLE', 'FALLOC_FL_COLLAPSE_RANGE'])}, ${w.random.pick([0, 100, 4096, -1])}, ${w.random.pick([0, 1, 4096, 20000])})`,
    ],
  ])();

const copies: Call = (w) =>
  w.random.pick([
    () =>
      `copy_file_range(${descriptor(w, 'file')}, ${w.random.pick(['NULL', 'longs(0)', 'longs(7)', 'longs(-1)'])}, ${descriptor(w, 'file')}, ${w.random.pick(['NULL', 'longs(50000)'])}, ${size(w)}, 0)`,
    () =>
      `sendfile(${descriptor(w, 'file')}, ${descriptor(w, 'file')}, ${w.random.pick(['NULL', 'longs(0)', 'longs(7)'])}, ${size(w)})`,
  ])();

const metadata: Call = (w) =>
  w.random.pick([
    () => `fstat(${descriptor(w)})`,
    () => `fchmod(${descriptor(w)}, ${w.random.pick(MODES)})`,
    () => `fchown(${descriptor(w)}, ${w.random.pick(IDS)}, ${w.random.pick(IDS)})`,
    () =>
      `futimens(${descriptor(w)}, ${w.random.pick(['NULL', 'ts(1, 2, 3, 4)', 'ts(0, UTIME_OMIT, 0, UTIME_NOW)'])})`,
    () => `fsync(${descriptor(w)})`,
    () => `fdatasync(${descriptor(w)})`,
    () => `fadvise64(${descriptor(w)}, 0, 10, ${w.random.below(8)})`,
    () => `fstatfs(${descriptor(w)})`,
  ])();

const list: Call = (w) =>
  w.random.weighted<() => string>([
    [3, () => `list(${descriptor(w, 'directory')})`],
    [
      2,
      () =>
        `getdents_raw(${descriptor(w, 'directory')}, ${w.random.pick([10, 24, 60, 100, 4096])})`,
    ],
    [2, () => `lseek(${descriptor(w, 'directory')}, 0, SEEK_SET)`],
  ])();

const close: Call = (w) => {
  const name = descriptor(w);
  w.descriptors.delete(name);
  return `close(${name})`;
};

const duplicate: Call = (w) => {
  const from = descriptor(w);
  const known = w.descriptors.get(from);
  const to = () => target(w, known?.kind ?? 'file', known?.path ?? '');
  return w.random.pick([
    () => `${to()} = dup(${from})`,
    () => `dup2(${from}, ${descriptor(w)})`,
    () => `dup3(${from}, ${descriptor(w)}, ${w.random.pick(['0', 'O_CLOEXEC', '1'])})`,
    () =>
      `${to()} = fcntl(${from}, ${w.random.pick(['F_DUPFD', 'F_DUPFD_CLOEXEC'])}, ${w.random.pick([0, 10, 60, -1])})`,
  ])();
};

const control: Call = (w) =>
  w.random.pick([
    () => `fcntl(${descriptor(w)}, F_GETFL)`,
    () =>
      `fcntl(${descriptor(w)}, F_SETFL, O_NONBLOCK${w.random.pick(['', '|O_APPEND', '|O_NOATIME', '|O_APPEND|O_DIRECT'])})`,
    () => `fcntl(${descriptor(w)}, F_GETFD)`,
    () => `fcntl(${descriptor(w)}, F_SETFD, ${w.random.pick(['0', 'FD_CLOEXEC'])})`,
    () => `poll(${descriptor(w)}, POLLIN|POLLOUT)`,
    () => `close_range(${descriptor(w)}, 100, ${w.random.pick(['0', '4'])})`,
  ])();

export const descriptorCalls: Calls = [
  [14, open],
  [4, openDirectory],
  [2, openPath],
  [2, openTemporary],
  [7, read],
  [9, write],
  [3, seek],
  [4, allocate],
  [3, copies],
  [6, metadata],
  [4, list],
  [4, close],
  [4, duplicate],
  [4, control],
];
