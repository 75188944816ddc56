/** Random sequences of calls on the bytes of a few files, as lines for worker.c. */
import {
  DIRECT_MIN,
  EXTENTS_PER_REPLY,
  PAGE_SIZE,
  SLAB_SIZE,
  SPARE_MIN,
} from '../../../ringbuf/layout.gen.ts';
import type { Random } from '../random.ts';

export const NAMES = ['a', 'b', 'c'] as const;
const SLOTS = 5;
const MAPS = 3;

/** Sizes around which something changes: a block, a spare, a direct transfer, a slab, a reply of extents. */
const EDGES = [
  0,
  1,
  SPARE_MIN,
  PAGE_SIZE,
  2 * PAGE_SIZE,
  3 * PAGE_SIZE,
  16 * 1024,
  DIRECT_MIN,
  2 * DIRECT_MIN,
  16 * PAGE_SIZE,
  EXTENTS_PER_REPLY * PAGE_SIZE,
  SLAB_SIZE,
] as const;

/** Where the window of a sequence begins: small files mostly, else at the ends of 31, 32 and 44 bits. */
const BASES: readonly (readonly [number, number])[] = [
  [20, 0],
  [1, 2 ** 31 - 8 * PAGE_SIZE],
  [1, 2 ** 32 - 8 * PAGE_SIZE],
  [1, 2 ** 40],
];

const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_CLOEXEC = 0o2000000;

interface State {
  readonly random: Random;
  readonly base: number;
  /** Most bytes that positions go beyond the base. */
  readonly span: number;
  /** Roughly the end of the files. */
  end: number;
  readonly open: Set<number>;
  readonly mapped: Map<number, string>;
  readonly children: Set<number>;
  mapSize: number;
}

export function generate(random: Random, length: number): string[] {
  const state: State = {
    random,
    base: random.weighted(BASES),
    span: random.weighted([
      [3, 16 * PAGE_SIZE],
      [3, 64 * PAGE_SIZE],
      [1, 300 * PAGE_SIZE],
    ]),
    end: 0,
    open: new Set([0]),
    mapped: new Map(),
    children: new Set(),
    mapSize: 0,
  };
  const lines = [`open 0 a ${O_RDWR | O_CREAT}`];
  if (state.base > 0) lines.push(`ftruncate 0 ${state.base}`);
  while (lines.length < length) {
    const line = random.weighted(CALLS)(state);
    const process = state.children.size > 0 && random.chance(0.4) && !/^(fork|exit|@)/.test(line);
    lines.push(process ? `@${random.pick([...state.children])} ${line}` : line);
  }
  for (const slot of state.open) lines.push(check(state, slot));
  return lines;
}

function size(state: State): number {
  const { random, span } = state;
  if (random.chance(0.2)) return random.below(PAGE_SIZE);
  const edges = EDGES.filter((edge) => edge <= span);
  const value = random.pick(edges) + random.pick([-1, 0, 0, 0, 1, 7]);
  return Math.max(0, random.chance(0.2) ? random.below(span) : value);
}

function position(state: State): number {
  const { random, span, base } = state;
  const kind = random.below(10);
  let at: number;
  if (kind < 3) at = random.below(Math.floor(span / PAGE_SIZE)) * PAGE_SIZE;
  else if (kind < 5)
    at = Math.max(0, state.end + random.pick([-PAGE_SIZE, -1, 0, 0, 1, PAGE_SIZE]));
  else if (kind < 8) at = size(state);
  else at = random.below(span);
  return base + Math.min(at, span);
}

function grow(state: State, end: number): void {
  if (end - state.base > state.end) state.end = Math.min(end - state.base, 2 * state.span);
}

function slot(state: State): number {
  const open = [...state.open];
  return open.length > 0 && !state.random.chance(0.03)
    ? state.random.pick(open)
    : state.random.below(SLOTS);
}

const seed = (state: State) => state.random.between(1, 250);
const name = (state: State) => state.random.pick(NAMES);

function parts(state: State): string {
  const count = state.random.between(1, 5);
  const sizes = Array.from({ length: count }, () => Math.floor(size(state) / count));
  return sizes.join(' ');
}

function check(state: State, at: number): string {
  return `check ${at} ${state.base} ${2 * state.span + PAGE_SIZE}`;
}

type Call = (state: State) => string;

const read: Call = (s) =>
  s.random.pick([
    () => `read ${slot(s)} ${size(s)}`,
    () => `pread ${slot(s)} ${size(s)} ${position(s)}`,
    () => `readv ${slot(s)} ${parts(s)}`,
    () => `preadv ${slot(s)} ${position(s)} ${parts(s)}`,
  ])();

const write: Call = (s) => {
  const at = position(s);
  const bytes = size(s);
  return s.random.weighted<() => string>([
    [2, () => `write ${slot(s)} ${bytes} ${seed(s)}`],
    [
      4,
      () => {
        grow(s, at + bytes);
        return `pwrite ${slot(s)} ${bytes} ${at} ${seed(s)}`;
      },
    ],
    [1, () => `writev ${slot(s)} ${seed(s)} ${parts(s)}`],
    [1, () => `pwritev ${slot(s)} ${at} ${seed(s)} ${parts(s)}`],
  ])();
};

const truncate: Call = (s) => {
  const at = position(s);
  s.end = at - s.base;
  return s.random.chance(0.7) ? `ftruncate ${slot(s)} ${at}` : `truncate ${name(s)} ${at}`;
};

/** Plain, KEEP_SIZE, punch, and those that tmpfs does not know: collapse, zero, insert, unshare. */
const allocate: Call = (s) => {
  const mode = s.random.weighted([
    [3, 0],
    [3, 1],
    [8, 3],
    [1, s.random.pick([2, 8, 16, 17, 32, 64, 4, 3 | 16])],
  ]);
  return `fallocate ${slot(s)} ${mode} ${position(s)} ${size(s)}`;
};

const seek: Call = (s) =>
  s.random.weighted<() => string>([
    [4, () => `lseek ${slot(s)} ${position(s)} 0`],
    [1, () => `lseek ${slot(s)} ${s.random.between(-5000, 5000)} 1`],
    [1, () => `lseek ${slot(s)} ${s.random.between(-5000, 5000)} 2`],
    [2, () => `lseek ${slot(s)} ${position(s)} 3`],
    [2, () => `lseek ${slot(s)} ${position(s)} 4`],
  ])();

const copy: Call = (s) => {
  const from = s.random.chance(0.7) ? `${position(s)}` : '-';
  const to = s.random.chance(0.7) ? `${position(s)}` : '-';
  return s.random.chance(0.6)
    ? `copy ${slot(s)} ${from} ${slot(s)} ${to} ${size(s)}`
    : `sendfile ${slot(s)} ${slot(s)} ${from} ${size(s)}`;
};

const open: Call = (s) => {
  const at = s.random.below(SLOTS);
  s.open.add(at);
  if (s.random.chance(0.25)) return `dup ${at} ${slot(s)}`;
  const access = s.random.weighted([
    [6, O_RDWR],
    [1, O_WRONLY],
    [1, 0],
  ]);
  const extra = s.random.weighted([
    [6, O_CREAT],
    [2, 0],
    [1, O_CREAT | O_TRUNC],
    [1, O_CREAT | O_EXCL],
  ]);
  const also = (s.random.chance(0.2) ? O_APPEND : 0) | (s.random.chance(0.2) ? O_CLOEXEC : 0);
  return `open ${at} ${name(s)} ${access | extra | also}`;
};

const close: Call = (s) => {
  const at = slot(s);
  s.open.delete(at);
  return `close ${at}`;
};

const names: Call = (s) =>
  s.random.pick([
    () => `rename ${name(s)} ${name(s)}`,
    () => `unlink ${name(s)}`,
    () => `link ${name(s)} ${name(s)}`,
    () => `stat ${name(s)}`,
  ])();

const map: Call = (s) => {
  const at = s.random.below(MAPS);
  const kind = s.random.pick(['sw', 'sw', 'sr', 'pw', 'pw', 'pr']);
  s.mapped.set(at, kind);
  const pages = s.random.between(1, Math.min(40, s.span / PAGE_SIZE));
  s.mapSize = pages * PAGE_SIZE - (s.random.chance(0.3) ? s.random.below(PAGE_SIZE) : 0);
  const start = s.base + s.random.below(Math.max(1, s.span / PAGE_SIZE / 2)) * PAGE_SIZE;
  const where = s.random.chance(0.5) ? s.base : start;
  return `mmap ${at} ${slot(s)} ${kind} ${where} ${s.mapSize}`;
};

const touch: Call = (s) => {
  if (s.mapped.size === 0) return map(s);
  const at = s.random.pick([...s.mapped.keys()]);
  const start = s.random.below(Math.max(1, s.mapSize));
  const bytes = Math.min(size(s), s.mapSize - start);
  return s.random.chance(0.5)
    ? `mread ${at} ${start} ${bytes}`
    : `mwrite ${at} ${start} ${bytes} ${seed(s)}`;
};

const unmap: Call = (s) => {
  if (s.mapped.size === 0) return map(s);
  const at = s.random.pick([...s.mapped.keys()]);
  return s.random.weighted<() => string>([
    [2, () => `msync ${at}`],
    [
      2,
      () => {
        s.mapped.delete(at);
        return `munmap ${at}`;
      },
    ],
    // A private one: exclusion of mode.ts.
    [
      s.mapped.get(at)!.startsWith('s') ? 2 : 0,
      () => `mremap ${at} ${s.random.between(1, 20) * PAGE_SIZE}`,
    ],
  ])();
};

const processes: Call = (s) => {
  const process = s.random.between(1, 2);
  if (!s.children.has(process)) {
    s.children.add(process);
    return `fork ${process}`;
  }
  if (s.random.chance(0.5)) return `@${process} exec`;
  s.children.delete(process);
  return `exit ${process}`;
};

const CALLS: readonly (readonly [number, Call])[] = [
  [14, read],
  [22, write],
  [8, truncate],
  [10, allocate],
  [6, seek],
  [8, copy],
  [8, open],
  [3, close],
  [4, names],
  [5, map],
  [10, touch],
  [3, unmap],
  [3, processes],
  [1, (s) => `append ${slot(s)} ${s.random.below(2)}`],
  [1, (s) => `fsync ${slot(s)}`],
  [8, (s) => check(s, slot(s))],
];
