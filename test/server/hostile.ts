/** What a client that lies puts into a slot: everything at random, with a liking for boundaries. */
import * as layout from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import { opcodes } from '../../ringbuf/schema.ts';
import { setWide } from '../../src/store/wide.ts';

export interface Random {
  /** An unsigned 32-bit number. */
  next(): number;
  /** One of 0 … n-1. */
  below(n: number): number;
}

/** mulberry32 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { next, below: (n) => next() % n };
}

export const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)]!;

const NARROW = [
  0, 1, 2, 3, 4, 7, 8, 16, 64, 255, 256, 257, 1023, 1024, 3584, 3585, 4095, 4096, 4097, 65535,
  65536, 65537, 0xfffff, 0x100000, 0x100001, 0x7fffffff, -0x80000000, -1, -2, -4096,
];
const WIDE = [
  0,
  1,
  511,
  512,
  4095,
  4096,
  4097,
  8192,
  65536,
  2 ** 20,
  2 ** 31,
  2 ** 32,
  2 ** 32 - 4096,
  2 ** 43,
  2 ** 44,
  2 ** 53,
  2 ** 62,
  2 ** 63 - 4096,
  2 ** 63,
  -1,
  -4096,
  -(2 ** 63),
];

export function wideOrNarrow(random: Random): number {
  switch (random.below(4)) {
    case 0:
      return random.next() | 0;
    case 1:
      return random.below(64);
    default:
      return pick(random, NARROW);
  }
}

function wide(random: Random): number {
  if (random.below(4) === 0) return random.next() * 2 ** random.below(32);
  return random.below(2) === 0 ? random.below(20000) : pick(random, WIDE);
}

const NAMES = [
  'a',
  'b',
  'c',
  'd',
  'e',
  'f',
  'link',
  'fifo',
  'sock',
  '.',
  '..',
  '',
  'x'.repeat(255),
  'x'.repeat(256),
  'y'.repeat(120),
  'good',
  'n\0ul',
  '\xff\xfe',
  '/bt',
  '/etc',
] as const;
const TARGETS = ['/etc/passwd', '/bt/h/a', '..', 'a', 'link', '', '/bt', 'z'.repeat(4000)] as const;
const XATTRS = [
  'user.a',
  'user.b',
  'user.',
  'trusted.t',
  'security.capability',
  'security.x',
  'nonsense',
  '',
  'system.posix_acl_access',
  'system.posix_acl_default',
  `user.${'n'.repeat(250)}`,
] as const;
const MODES = [0o755, 0o644, 0o7777, 0, 0o10644, 0o140777, 0o20600, 0o60600, 0o40755, 0o120777];
const FLAGS = [
  0,
  1,
  2,
  0o100,
  0o101,
  0o302,
  0o1002,
  0o2002,
  0o200000,
  0o400000,
  0o10000000,
  0o20200002,
  0x100,
  0x400,
  0x1000,
  0x20,
  0x8000000,
  0x10000000,
  1 | (1 << 24),
  3,
] as const;
export const OPCODES: readonly number[] = Object.values(opcodes);
const DATA_OPCODES: readonly number[] = [
  layout.OP_OPEN,
  layout.OP_CREATE,
  layout.OP_READ,
  layout.OP_WRITE,
  layout.OP_WRITE_PREPARE,
  layout.OP_WRITE_COMMIT,
  layout.OP_READ_DIRECT,
  layout.OP_SETUPMAPPING,
  layout.OP_FALLOCATE,
  layout.OP_COPY_FILE_RANGE,
  layout.OP_SETATTR,
  layout.OP_SETXATTR,
  layout.OP_GETXATTR,
  layout.OP_SETLK,
  layout.OP_SETLKW,
  layout.OP_RENAME2,
  layout.OP_UNLINK,
  layout.OP_MKNOD,
];

function somePath(random: Random): string {
  const parts = random.below(10) === 0 ? random.below(40) : 1 + random.below(3);
  const names = Array.from({ length: parts }, () => pick(random, NAMES));
  const path = names.join('/');
  return random.below(50) === 0 ? path.padEnd(4090 + random.below(12), '/q') : path;
}

/** An ACL that may be one. */
function someAcl(random: Random): Buffer {
  const entries = random.below(6);
  const bytes = Buffer.alloc(4 + 8 * entries);
  bytes.writeUInt32LE(random.below(8) === 0 ? random.next() : 2, 0);
  for (let i = 0; i < entries; i++) {
    bytes.writeUInt16LE(pick(random, [1, 2, 4, 8, 16, 32, 3]), 4 + 8 * i);
    bytes.writeUInt16LE(random.below(9), 6 + 8 * i);
    bytes.writeInt32LE(pick(random, [-1, 0, 1000, 1001]), 8 + 8 * i);
  }
  return bytes;
}

function someData(random: Random): Buffer {
  if (random.below(4) === 0) return someAcl(random);
  const length = random.below(100) === 0 ? random.below(layout.SLAB_SIZE) : random.below(600);
  return Buffer.alloc(length, random.below(256));
}

export interface Hostile {
  readonly random: Random;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  readonly slot: number;
  /** What its opens gave, in the last 64. */
  readonly held: number[];
  /** Where its walks begin: a directory of its own. */
  readonly home: number;
}

/** Fills the slot with a request that may make sense here and there. */
export function fillRequest(hostile: Hostile): void {
  const { random, i32, u8, slot } = hostile;
  const word = slotWord(slot);
  const put = (field: number, value: number): void => {
    i32[word + field] = value;
  };
  const description = (): number => {
    if (random.below(8) === 0) return wideOrNarrow(random);
    return random.below(3) === 0 || hostile.held.length === 0
      ? hostile.home
      : pick(random, hostile.held);
  };
  const opcode =
    random.below(2) === 0
      ? pick(random, DATA_OPCODES)
      : random.below(50) === 0
        ? wideOrNarrow(random)
        : pick(random, OPCODES);
  const xattr = opcode >= layout.OP_SETXATTR && opcode <= layout.OP_REMOVEXATTR;
  const path = Buffer.from(somePath(random), 'latin1');
  const second = xattr
    ? pick(random, XATTRS)
    : opcode === layout.OP_SYMLINK
      ? pick(random, TARGETS)
      : somePath(random);
  const path2 = Buffer.from(second, 'latin1');
  const empty = random.below(3) === 0;
  const data = someData(random);
  const payload = Buffer.concat([empty ? Buffer.alloc(0) : path, path2, data]);
  const slab = payload.length > layout.INLINE_SIZE;
  const at = slab
    ? layout.RING_SLABS_OFFSET + slot * layout.SLAB_SIZE
    : word * 4 + layout.SLOT_PAYLOAD_BYTES;
  u8.set(payload.subarray(0, layout.SLAB_SIZE), at);
  put(layout.SLOT_OPCODE, opcode);
  const requestFlags = random.below(4) === 0 ? random.below(32) : 0;
  put(layout.SLOT_REQUEST_FLAGS, slab ? requestFlags | layout.REQUEST_SLAB : requestFlags);
  put(layout.SLOT_PATH_LENGTH, empty ? 0 : path.length);
  put(layout.SLOT_PATH2_LENGTH, path2.length);
  put(layout.SLOT_PAYLOAD_LENGTH, payload.length);
  put(layout.SLOT_DESCRIPTION, description());
  put(layout.SLOT_DESCRIPTION2, description());
  put(layout.SLOT_FLAGS, empty ? 0x1000 | pick(random, FLAGS) : pick(random, FLAGS));
  put(layout.SLOT_MODE, random.below(2) === 0 ? pick(random, MODES) : random.below(8));
  put(layout.SLOT_UMASK, 0o22);
  put(layout.SLOT_VALID, random.below(512));
  put(layout.SLOT_SET_UID, pick(random, [0, 1000, -1]));
  put(layout.SLOT_SET_GID, pick(random, [0, 1000, -1]));
  put(layout.SLOT_UID, 1000);
  put(layout.SLOT_GID, 1000);
  put(layout.SLOT_RDEV, pick(random, [0, 0x103, 0x10005, -1]));
  put(layout.SLOT_SYMLINKS, random.below(20) === 0 ? wideOrNarrow(random) : 0);
  put(layout.SLOT_PROCESS, random.below(8) === 0 ? wideOrNarrow(random) : 3);
  put(layout.SLOT_LOCK_TYPE, random.below(4));
  setWide(i32, word + layout.SLOT_LOCK_START, wide(random));
  setWide(i32, word + layout.SLOT_LOCK_END, wide(random));
  setWide(i32, word + layout.SLOT_OFFSET, wide(random));
  setWide(i32, word + layout.SLOT_OFFSET2, wide(random));
  setWide(i32, word + layout.SLOT_SIZE, xattr ? data.length : wide(random));
  setWide(i32, word + layout.SLOT_ATIME, wide(random));
  setWide(i32, word + layout.SLOT_MTIME, wide(random));
  setWide(i32, word + layout.SLOT_FILE_SIZE_LIMIT, random.below(8) === 0 ? wide(random) : -1);
  // A lie or two about anything; never that it is root, whom it could harm.
  for (let lies = random.below(6) - 3; lies > 0; lies--) {
    const field = 64 / 4 + random.below((376 - 64) / 4);
    if (field !== layout.SLOT_UID) put(field, wideOrNarrow(random));
  }
}
