/** Calls on names: making, moving, removing, looking, and changing attributes by path. */
import { isConfined } from '../confine.ts';
import type { Call, Calls } from './generate.ts';
import {
  argument,
  existing,
  forget,
  fresh,
  moved,
  remember,
  VARIABLES,
  type World,
} from './world.ts';

export const MODES = [
  '0644',
  '0755',
  '0600',
  '0700',
  '0000',
  '0444',
  '0222',
  '0111',
  '0777',
  '01777',
  '02755',
  '04755',
  '06777',
  '02770',
  '02640',
  '06711',
  '070',
  '07',
  '010644',
  '0177777',
] as const;

export const IDS = ['0', '1000', '1001', '2000', '-1'] as const;

const mode = (w: World) => w.random.pick(MODES);
const newOne = (w: World) => (w.random.chance(0.75) ? fresh(w) : existing(w));

/** Where a path begins, and the rest of it: "dirfd, path". */
export function at(w: World, path: string): string {
  const above = [...w.descriptors.values()].filter(
    (d) => d.kind === 'directory' && (d.path === '' || path.startsWith(`${d.path}/`)),
  );
  if (above.length > 0 && w.random.chance(0.3)) {
    const from = w.random.pick(above);
    const rest = from.path === '' ? path : path.slice(from.path.length + 1);
    return `${from.name}, ${argument(w, rest)}`;
  }
  return `${w.random.chance(0.95) ? 'AT_FDCWD' : start(w)}, ${argument(w, path)}`;
}

/** AT_FDCWD mostly, else a descriptor: a directory where the world knows one. */
export function start(w: World): string {
  if (w.random.chance(0.75)) return 'AT_FDCWD';
  const directories = [...w.descriptors.values()].filter((d) => d.kind === 'directory');
  return directories.length > 0 && w.random.chance(0.8)
    ? w.random.pick(directories).name
    : w.random.pick(VARIABLES);
}

const mkdir: Call = (w) => {
  const path = newOne(w);
  const line = w.random.chance(0.7)
    ? `mkdir(${argument(w, path)}, ${mode(w)})`
    : `mkdirat(${at(w, path)}, ${mode(w)})`;
  remember(w, path, 'directory');
  return line;
};

const mknod: Call = (w) => {
  const path = newOne(w);
  const kind = w.random.weighted([
    [6, 'S_IFREG'],
    [2, 'S_IFIFO'],
    [1, 'S_IFCHR'],
    [1, 'S_IFBLK'],
    [1, 'S_IFSOCK'],
    [1, '0'],
    [0.5, 'S_IFDIR'],
    [0.5, 'S_IFLNK'],
  ]);
  remember(w, path, kind === 'S_IFREG' || kind === '0' ? 'file' : 'fifo');
  return `mknod(${argument(w, path)}, ${kind}|${mode(w)}, ${kind === 'S_IFCHR' && w.random.chance(0.5) ? 259 : 0})`;
};

/** To something there, to itself, to nothing, up, to the whole directory, nowhere. */
const symlink: Call = (w) => {
  const path = newOne(w);
  const target = w.random.weighted<() => string>([
    [6, () => argument(w, existing(w))],
    [1, () => '"l"'],
    [1, () => (isConfined() ? '"../l"' : '"a/l"')],
    [1, () => '"nothing"'],
    [1, () => (isConfined() ? '".."' : '"."')],
    [1, () => '"$D"'],
    [1, () => '"b/l"'],
    [0.3, () => '""'],
    [0.3, () => '"x"*4095'],
    [0.3, () => '"x"*4096'],
    [0.3, () => '"/dev/null"'],
  ])();
  remember(w, path, 'symlink');
  return w.random.chance(0.7)
    ? `symlink(${target}, ${argument(w, path)})`
    : `symlinkat(${target}, ${at(w, path)})`;
};

const link: Call = (w) => {
  const from = existing(w, 'file', 'symlink', 'fifo');
  const to = newOne(w);
  const line = w.random.weighted<() => string>([
    [5, () => `link(${argument(w, from)}, ${argument(w, to)})`],
    [
      2,
      () =>
        `linkat(${at(w, from)}, ${at(w, to)}, ${w.random.pick(['0', 'AT_SYMLINK_FOLLOW', '1'])})`,
    ],
    [
      1,
      () => `linkat(${w.random.pick(VARIABLES)}, "", AT_FDCWD, ${argument(w, to)}, AT_EMPTY_PATH)`,
    ],
  ])();
  const kind = w.entries.get(from);
  if (kind !== undefined && kind !== 'directory') remember(w, to, kind);
  return line;
};

const rename: Call = (w) => {
  const from = existing(w);
  const to = w.random.chance(0.5) ? fresh(w) : existing(w);
  const flags = w.random.weighted([
    [4, '0'],
    [2, 'RENAME_NOREPLACE'],
    [3, 'RENAME_EXCHANGE'],
    [1, 'RENAME_WHITEOUT'],
    [0.5, 'RENAME_EXCHANGE|RENAME_NOREPLACE'],
    [0.3, '8'],
  ]);
  const line = w.random.chance(0.6)
    ? `rename(${argument(w, from)}, ${argument(w, to)})`
    : `renameat2(${at(w, from)}, ${at(w, to)}, ${flags})`;
  moved(w, from, to);
  return line;
};

const unlink: Call = (w) => {
  const path = existing(w, 'file', 'symlink', 'fifo');
  const line = w.random.chance(0.7)
    ? `unlink(${argument(w, path)})`
    : `unlinkat(${at(w, path)}, ${w.random.pick(['0', '0', 'AT_REMOVEDIR', '1'])})`;
  if (w.entries.get(path) !== 'directory') forget(w, path);
  return line;
};

const rmdir: Call = (w) => {
  const path = existing(w, 'directory');
  if (![...w.entries.keys()].some((other) => other.startsWith(`${path}/`))) forget(w, path);
  return `rmdir(${argument(w, path)})`;
};

const look: Call = (w) => {
  const given = existing(w);
  const path = argument(w, given);
  return w.random.pick([
    () => `stat(${path})`,
    () => `lstat(${path})`,
    () =>
      `fstatat(${at(w, given)}, ${w.random.pick(['0', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH', 'AT_NO_AUTOMOUNT', '8'])})`,
    () =>
      `statx(${at(w, given)}, ${w.random.pick(['0', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'])}, STATX_BASIC_STATS|STATX_BTIME)`,
    () => `access(${path}, ${w.random.below(9)})`,
    () =>
      `faccessat2(${at(w, given)}, ${w.random.below(8)}, ${w.random.pick(['0', 'AT_EACCESS', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH', 'AT_EACCESS|AT_SYMLINK_NOFOLLOW'])})`,
    () => `readlink(${argument(w, existing(w, 'symlink'))}, ${w.random.pick([0, 1, 10, 5000])})`,
    () => `readlinkat(${at(w, existing(w, 'symlink'))}, 100)`,
  ])();
};

const chmod: Call = (w) => {
  const given = existing(w);
  const path = argument(w, given);
  return w.random.weighted<() => string>([
    [4, () => `chmod(${path}, ${mode(w)})`],
    [1, () => `fchmodat(${at(w, given)}, ${mode(w)})`],
    [
      1,
      () =>
        `fchmodat2(${at(w, given)}, ${mode(w)}, ${w.random.pick(['0', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'])})`,
    ],
  ])();
};

const id = (w: World) => w.random.pick(IDS);

const chown: Call = (w) => {
  const given = existing(w);
  const path = argument(w, given);
  return w.random.weighted<() => string>([
    [3, () => `chown(${path}, ${id(w)}, ${id(w)})`],
    [1, () => `lchown(${path}, ${id(w)}, ${id(w)})`],
    [
      1,
      () =>
        `fchownat(${at(w, given)}, ${id(w)}, ${id(w)}, ${w.random.pick(['0', 'AT_SYMLINK_NOFOLLOW', 'AT_EMPTY_PATH'])})`,
    ],
  ])();
};

/** One time: a moment, now, left alone, or no time at all. */
function time(w: World): string {
  return w.random.weighted<string>([
    [
      4,
      `${w.random.pick([0, 1, 1_000_000_000, -5, 4_294_967_296])}, ${w.random.below(1_000_000_000)}`,
    ],
    [2, '0, UTIME_NOW'],
    [2, '0, UTIME_OMIT'],
    [0.5, '1, 1000000000'],
    [0.5, '1, -1'],
  ]);
}

const utimes: Call = (w) => {
  const times = w.random.chance(0.3) ? 'NULL' : `ts(${time(w)}, ${time(w)})`;
  return w.random.chance(0.7)
    ? `utimensat(${at(w, existing(w))}, ${times}, ${w.random.pick(['0', '0', 'AT_SYMLINK_NOFOLLOW'])})`
    : `utimensat(${w.random.pick(VARIABLES)}, NULL, ${times}, 0)`;
};

const truncate: Call = (w) =>
  `truncate(${argument(w, existing(w, 'file'))}, ${w.random.pick([0, 1, 10, 4095, 4096, 4097, 100000, -1, '1<<40'])})`;

export const nameCalls: Calls = [
  [9, mkdir],
  [3, mknod],
  [5, symlink],
  [6, link],
  [10, rename],
  [6, unlink],
  [4, rmdir],
  [9, look],
  [5, chmod],
  [4, chown],
  [4, utimes],
  [3, truncate],
];
