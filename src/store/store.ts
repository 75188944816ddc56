/**
 * The store: the whole file tree as tables in two shared segments (DESIGN D5).
 *
 * Only the server writes. Other processes may read the store segment at any time, so every change of
 * an inode or dentry record stands between beginWrite and endWrite (inodes.ts).
 */
import {
  DENTRY_COOKIE,
  DENTRY_HASH_NEXT,
  DENTRY_LEFT,
  DENTRY_RECORD_WORDS,
  DESCRIPTIONS_MAX,
  EXTENT_FILE_BLOCK,
  EXTENT_LEFT,
  EXTENT_RECORD_WORDS,
  INODE_LINK,
  INODE_RECORD_WORDS,
  LOCKS_MAX,
  PAGE_SIZE,
  ROOT_INO,
  SUPERBLOCK_BITMAP_OFFSET,
  SUPERBLOCK_BLOCK_CAPACITY,
  SUPERBLOCK_BLOCK_LIMIT,
  SUPERBLOCK_BUCKET_CAPACITY,
  SUPERBLOCK_BUCKETS_OFFSET,
  SUPERBLOCK_DENTRIES_FREE_HEAD,
  SUPERBLOCK_DENTRIES_FRESH,
  SUPERBLOCK_DENTRIES_OFFSET,
  SUPERBLOCK_DENTRIES_USED,
  SUPERBLOCK_DENTRY_CAPACITY,
  SUPERBLOCK_DESCRIPTIONS_FRESH,
  SUPERBLOCK_DESCRIPTIONS_OFFSET,
  SUPERBLOCK_EXTENT_CAPACITY,
  SUPERBLOCK_EXTENTS_FREE_HEAD,
  SUPERBLOCK_EXTENTS_FRESH,
  SUPERBLOCK_EXTENTS_OFFSET,
  SUPERBLOCK_EXTENTS_USED,
  SUPERBLOCK_INODE_CAPACITY,
  SUPERBLOCK_INODE_LIMIT,
  SUPERBLOCK_INODES_FREE_HEAD,
  SUPERBLOCK_INODES_FRESH,
  SUPERBLOCK_INODES_OFFSET,
  SUPERBLOCK_INODES_USED,
  SUPERBLOCK_LOCK_CAPACITY,
  SUPERBLOCK_LOCKS_FRESH,
  SUPERBLOCK_LOCKS_OFFSET,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_RECORD_SIZE,
  SUPERBLOCK_TEXT_CAPACITY,
  SUPERBLOCK_TEXT_USED,
  SUPERBLOCK_TEXTS_FREE_HEAD,
  SUPERBLOCK_TEXTS_FRESH,
  SUPERBLOCK_TEXTS_OFFSET,
  SUPERBLOCK_XATTR_CAPACITY,
  SUPERBLOCK_XATTRS_FREE_HEAD,
  SUPERBLOCK_XATTRS_FRESH,
  SUPERBLOCK_XATTRS_OFFSET,
  SUPERBLOCK_XATTRS_USED,
  TEXT_NEXT,
  TEXT_RECORD_WORDS,
  XATTR_NEXT,
  XATTR_RECORD_WORDS,
} from '../../ringbuf/layout.gen.ts';
import type { Native } from '../../ringbuf/native.ts';
import { native } from '../../ringbuf/native.ts';
import type { StoreCapacities } from '../../ringbuf/schema.ts';
import { storeLayout } from '../../ringbuf/schema.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { type Blocks, createBlocks } from './blocks.ts';
import { type Clock, createClock, now } from './clock.ts';
import type { Grant } from './grants.ts';
import { createBuckets } from './hash.ts';
import { allocateInode, inodeWord } from './inodes.ts';
import { createSpares, type Spares } from './spares.ts';
import type { Table } from './tables.ts';
import { createTree, type Tree } from './tree.ts';
import type { Unwritten } from './unwritten.ts';
import { setWide } from './wide.ts';

/** What the store needs of the addon; tests may give a stand-in. */
export type Memory = Pick<Native, 'allocate' | 'punch' | 'copy' | 'zero' | 'clockRealtime'>;

export interface Store {
  readonly storeSegment: Segment;
  readonly dataSegment: Segment;
  /** The store segment. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly memory: Memory;
  readonly capacities: StoreCapacities;
  /** Word indices in `i32` where each table starts. */
  readonly superblockWord: number;
  readonly inodesWord: number;
  readonly dentriesWord: number;
  readonly bucketsWord: number;
  readonly textsWord: number;
  readonly extentsWord: number;
  readonly descriptionsWord: number;
  readonly bitmapWord: number;
  readonly locksWord: number;
  readonly inodes: Table;
  readonly dentries: Table;
  readonly buckets: Table;
  readonly texts: Table;
  readonly extents: Table;
  readonly xattrs: Table;
  /** Ordered trees: dentries of a directory by cookie, extents of a file by file block. */
  readonly dentryTree: Tree;
  readonly extentTree: Tree;
  readonly blocks: Blocks;
  readonly spares: Spares;
  readonly unwritten: Unwritten;
  readonly clock: Clock;
  /** Open WRITE_PREPAREs by grant number; entries are made once and reused. */
  readonly grants: (Grant | undefined)[];
  /** Time of the request under way, set by now(store). */
  nowSeconds: number;
  nowNanoseconds: number;
  /** File position after the last commitWrite. */
  committedEnd: number;
  /**
   * Set by the server: is any READ_DIRECT or WRITE_PREPARE grant outstanding? While one is, freed
   * blocks are kept from reuse. The default says no.
   */
  grantsOut: () => boolean;
  /** Inodes that lost their last name while something referred to them; the server empties it. */
  readonly orphans: number[];
  /** The name that the last of them has lost, whose record is free: for keepLastPath (paths.ts). */
  readonly lost: { parent: number; dentry: number; text: number };
  /** Set by the server: an inode with INODE_NODE is about to be freed. */
  nodeGone: (ino: number) => void;
  /** Told before a regular file goes, after its last name and reference. */
  fileGone: (ino: number) => void;
  /** Set by the server: an inode with INODE_WATCHED is about to be freed. */
  watchedGone: (ino: number) => void;
  /** Set by the server: blocks of a mapped file are about to go; is it mapped still? (dropMap if not) */
  settleMaps: (ino: number) => void;
}

export interface StoreOptions {
  /** Most bytes of file data (--memory). */
  readonly bytes: number;
  /** Most inodes, the root counted (--inodes). */
  readonly inodes: number;
  /** Owner and permission bits of the root directory. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** A stand-in for the addon (tests). */
  readonly memory?: Memory;
}

/** Texts beyond two per inode: long symlinks are few, but take up to 17 records each. */
const SPARE_TEXTS = 65536;
/** Attributes beyond two per inode. */
const SPARE_XATTRS = 65536;
/** Blocks beyond the limit, so that runs can be found although the limit is nearly reached. */
const SPARE_BLOCKS = 1024;
/** Blocks are addressed by 32-bit words. */
const BLOCKS_MAX = 0x7fff0000;
const S_IFDIR = 0o040000;

function ceilPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

/** Capacities for these limits. The segments are sparse, so generous tables cost address space only. */
export function storeCapacities(limits: { bytes: number; inodes: number }): StoreCapacities {
  const blocks = Math.min(Math.ceil(limits.bytes / PAGE_SIZE) + 1 + SPARE_BLOCKS, BLOCKS_MAX);
  const dentries = limits.inodes * 2 + 1;
  return {
    inodes: limits.inodes + 1,
    dentries,
    buckets: Math.max(ceilPowerOfTwo(Math.ceil(dentries / 2)), 1024),
    texts: limits.inodes * 2 + SPARE_TEXTS,
    extents: blocks + 1,
    xattrs: limits.inodes * 2 + SPARE_XATTRS,
    descriptions: DESCRIPTIONS_MAX,
    locks: LOCKS_MAX,
    blocks,
  };
}

/** Bytes that the two segments must have for these limits. */
export function segmentSizes(limits: { bytes: number; inodes: number }): {
  store: number;
  data: number;
} {
  const capacities = storeCapacities(limits);
  return { store: storeLayout(capacities).size, data: capacities.blocks * PAGE_SIZE };
}

/** Writes an empty tree with its root directory into two fresh, zero-filled segments. */
export function createStore(
  storeSegment: Segment,
  dataSegment: Segment,
  options: StoreOptions,
): Store {
  const capacities = storeCapacities(options);
  const placement = storeLayout(capacities);
  if (storeSegment.size < placement.size || dataSegment.size < capacities.blocks * PAGE_SIZE) {
    throw new RangeError('createStore: a segment is smaller than segmentSizes() asks for');
  }
  const memory = options.memory ?? native();
  const { i32 } = storeSegment;
  const at = SUPERBLOCK_OFFSET / 4;
  if (memory.allocate(storeSegment.fd, 0, SUPERBLOCK_OFFSET + SUPERBLOCK_RECORD_SIZE) !== 0) {
    throw new Error('createStore: no memory for the superblock (BTFUSE_ERR_NO_SHARED_MEMORY)');
  }
  i32[at + SUPERBLOCK_INODE_CAPACITY] = capacities.inodes;
  i32[at + SUPERBLOCK_DENTRY_CAPACITY] = capacities.dentries;
  i32[at + SUPERBLOCK_BUCKET_CAPACITY] = capacities.buckets;
  i32[at + SUPERBLOCK_TEXT_CAPACITY] = capacities.texts;
  i32[at + SUPERBLOCK_EXTENT_CAPACITY] = capacities.extents;
  i32[at + SUPERBLOCK_XATTR_CAPACITY] = capacities.xattrs;
  i32[at + SUPERBLOCK_BLOCK_CAPACITY] = capacities.blocks;
  i32[at + SUPERBLOCK_BLOCK_LIMIT] = Math.min(
    Math.ceil(options.bytes / PAGE_SIZE),
    capacities.blocks - 1,
  );
  i32[at + SUPERBLOCK_INODE_LIMIT] = options.inodes;
  setWide(i32, at + SUPERBLOCK_INODES_OFFSET, placement.inodes);
  setWide(i32, at + SUPERBLOCK_DENTRIES_OFFSET, placement.dentries);
  setWide(i32, at + SUPERBLOCK_BUCKETS_OFFSET, placement.buckets);
  setWide(i32, at + SUPERBLOCK_TEXTS_OFFSET, placement.texts);
  setWide(i32, at + SUPERBLOCK_EXTENTS_OFFSET, placement.extents);
  setWide(i32, at + SUPERBLOCK_XATTRS_OFFSET, placement.xattrs);
  setWide(i32, at + SUPERBLOCK_DESCRIPTIONS_OFFSET, placement.descriptions);
  setWide(i32, at + SUPERBLOCK_BITMAP_OFFSET, placement.bitmap);
  setWide(i32, at + SUPERBLOCK_LOCKS_OFFSET, placement.locks);
  i32[at + SUPERBLOCK_LOCK_CAPACITY] = capacities.locks;
  i32[at + SUPERBLOCK_INODES_FRESH] = ROOT_INO;
  i32[at + SUPERBLOCK_DENTRIES_FRESH] = 1;
  i32[at + SUPERBLOCK_TEXTS_FRESH] = 1;
  i32[at + SUPERBLOCK_EXTENTS_FRESH] = 1;
  i32[at + SUPERBLOCK_XATTRS_FRESH] = 1;
  i32[at + SUPERBLOCK_DESCRIPTIONS_FRESH] = 1;
  i32[at + SUPERBLOCK_LOCKS_FRESH] = 1;

  const store = bindStore(storeSegment, dataSegment, capacities, memory);
  if (!createBuckets(store)) {
    throw new Error('createStore: no memory for the tables (BTFUSE_ERR_NO_SHARED_MEMORY)');
  }
  now(store);
  const root = allocateInode(store, S_IFDIR | (options.mode & 0o7777), options.uid, options.gid, 0);
  if (root !== ROOT_INO) {
    throw new Error('createStore: no memory for the root inode (BTFUSE_ERR_NO_SHARED_MEMORY)');
  }
  // The root is its own parent, as ".." of a root is.
  i32[inodeWord(store, root) + INODE_LINK] = root;
  return store;
}

function bindStore(
  storeSegment: Segment,
  dataSegment: Segment,
  capacities: StoreCapacities,
  memory: Memory,
): Store {
  const placement = storeLayout(capacities);
  const { i32, u8 } = storeSegment;
  const at = SUPERBLOCK_OFFSET / 4;
  const dentries: Table = {
    base: placement.dentries / 4,
    words: DENTRY_RECORD_WORDS,
    capacity: capacities.dentries,
    linkWord: DENTRY_HASH_NEXT,
    usedWord: at + SUPERBLOCK_DENTRIES_USED,
    freeWord: at + SUPERBLOCK_DENTRIES_FREE_HEAD,
    freshWord: at + SUPERBLOCK_DENTRIES_FRESH,
    backed: 0,
  };
  const extents: Table = {
    base: placement.extents / 4,
    words: EXTENT_RECORD_WORDS,
    capacity: capacities.extents,
    linkWord: EXTENT_LEFT,
    usedWord: at + SUPERBLOCK_EXTENTS_USED,
    freeWord: at + SUPERBLOCK_EXTENTS_FREE_HEAD,
    freshWord: at + SUPERBLOCK_EXTENTS_FRESH,
    backed: 0,
  };
  return {
    storeSegment,
    dataSegment,
    i32,
    u8,
    memory,
    capacities,
    superblockWord: at,
    inodesWord: placement.inodes / 4,
    dentriesWord: placement.dentries / 4,
    bucketsWord: placement.buckets / 4,
    textsWord: placement.texts / 4,
    extentsWord: placement.extents / 4,
    descriptionsWord: placement.descriptions / 4,
    bitmapWord: placement.bitmap / 4,
    locksWord: placement.locks / 4,
    inodes: {
      base: placement.inodes / 4,
      words: INODE_RECORD_WORDS,
      capacity: capacities.inodes,
      linkWord: INODE_LINK,
      usedWord: at + SUPERBLOCK_INODES_USED,
      freeWord: at + SUPERBLOCK_INODES_FREE_HEAD,
      freshWord: at + SUPERBLOCK_INODES_FRESH,
      backed: 0,
    },
    dentries,
    buckets: {
      base: placement.buckets / 4,
      words: 1,
      capacity: capacities.buckets,
      linkWord: 0,
      usedWord: 0,
      freeWord: 0,
      freshWord: 0,
      backed: 0,
    },
    texts: {
      base: placement.texts / 4,
      words: TEXT_RECORD_WORDS,
      capacity: capacities.texts,
      linkWord: TEXT_NEXT,
      usedWord: at + SUPERBLOCK_TEXT_USED,
      freeWord: at + SUPERBLOCK_TEXTS_FREE_HEAD,
      freshWord: at + SUPERBLOCK_TEXTS_FRESH,
      backed: 0,
    },
    extents,
    xattrs: {
      base: placement.xattrs / 4,
      words: XATTR_RECORD_WORDS,
      capacity: capacities.xattrs,
      linkWord: XATTR_NEXT,
      usedWord: at + SUPERBLOCK_XATTRS_USED,
      freeWord: at + SUPERBLOCK_XATTRS_FREE_HEAD,
      freshWord: at + SUPERBLOCK_XATTRS_FRESH,
      backed: 0,
    },
    dentryTree: createTree(i32, dentries.base, DENTRY_RECORD_WORDS, DENTRY_LEFT, DENTRY_COOKIE),
    extentTree: createTree(i32, extents.base, EXTENT_RECORD_WORDS, EXTENT_LEFT, EXTENT_FILE_BLOCK),
    blocks: createBlocks(capacities.blocks, {
      base: placement.bitmap / 4,
      words: 1,
      capacity: Math.ceil(capacities.blocks / 32),
      linkWord: 0,
      usedWord: 0,
      freeWord: 0,
      freshWord: 0,
      backed: 0,
    }),
    spares: createSpares(),
    unwritten: new Map(),
    clock: createClock(memory),
    grants: [],
    nowSeconds: 0,
    nowNanoseconds: 0,
    committedEnd: 0,
    grantsOut: () => false,
    orphans: [],
    lost: { parent: 0, dentry: 0, text: 0 },
    nodeGone: () => {},
    fileGone: () => {},
    watchedGone: () => {},
    settleMaps: () => {},
  };
}
