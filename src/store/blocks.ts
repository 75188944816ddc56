/**
 * Data blocks: which are free, which are backed by memory, and which must wait before reuse.
 *
 * A bitmap in the store segment marks the blocks in use. Searching begins at the lowest block that may
 * be free, so that blocks freed a moment ago, whose pages are mapped and in cache, are used first.
 *
 * Memory: blocks are backed in chunks, by fallocate, before they are handed out; a full /dev/shm is
 * thus -ENOSPC and never SIGBUS. When much is free, whole chunks go back to the system; the bits of
 * such a chunk are set, so that no search finds them, until it is backed again.
 *
 * Limbo: while a client holds a grant to copy straight from or to blocks, freed blocks are not reused.
 */
import {
  PAGE_SIZE,
  SUPERBLOCK_BLOCK_HINT,
  SUPERBLOCK_BLOCK_LIMIT,
  SUPERBLOCK_BLOCKS_BACKED,
  SUPERBLOCK_BLOCKS_USED,
  SUPERBLOCK_INODE_LIMIT,
  SUPERBLOCK_INODES_USED,
} from '../../ringbuf/layout.gen.ts';
import type { Store } from './store.ts';
import { backTable, type Table } from './tables.ts';

/** Blocks that are backed and given back together; a multiple of 32. */
export const CHUNK_BLOCKS = 64;
/** Backing grows by as much as there is already, up to this many blocks (16 MiB) at a time. */
const GROWTH_MAX = 4096;
/** Free blocks (64 MiB) that stay backed for the next writes. */
const KEEP_BACKED = 16384;
/** Bitmap words that a search looks at before it takes fresh memory instead. */
const SEARCH_WORDS = 1024;

/** Private to the server: nothing of this is needed after a restart but chunkBacked. */
export interface Blocks {
  readonly capacity: number;
  readonly bitmap: Table;
  /** 1: the chunk is backed. */
  readonly chunkBacked: Uint8Array;
  /** Blocks in chunks that were given back; their bits are set though nobody uses them. */
  unbacked: number;
  /** Blocks from here on were never handed out, so they hold zeros. */
  dirtyEnd: number;
  /** Results of allocateRun: blocks in the run, and whether they are known to hold zeros. */
  runCount: number;
  runClean: boolean;
  /** Runs (first, count) that wait for the grants to end. */
  limbo: Int32Array;
  limboCount: number;
  limboBlocks: number;
  /** Open WRITE_PREPAREs; they count as grants that are out. */
  openGrants: number;
}

export function createBlocks(capacity: number, bitmap: Table): Blocks {
  return {
    capacity,
    bitmap,
    chunkBacked: new Uint8Array(Math.ceil(capacity / CHUNK_BLOCKS)),
    unbacked: 0,
    dirtyEnd: 1,
    runCount: 0,
    runClean: false,
    limbo: new Int32Array(64),
    limboCount: 0,
    limboBlocks: 0,
    openGrants: 0,
  };
}

export interface SpaceStatistics {
  /** Blocks of PAGE_SIZE. */
  readonly blocks: number;
  readonly blocksFree: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** What statfs tells. */
export function statistics(store: Store): SpaceStatistics {
  if (store.blocks.limboCount !== 0) drainLimbo(store);
  const { i32, superblockWord } = store;
  const blocks = i32[superblockWord + SUPERBLOCK_BLOCK_LIMIT];
  const inodes = i32[superblockWord + SUPERBLOCK_INODE_LIMIT];
  return {
    blocks,
    blocksFree: Math.max(blocks - i32[superblockWord + SUPERBLOCK_BLOCKS_USED], 0),
    inodes,
    inodesFree: Math.max(inodes - i32[superblockWord + SUPERBLOCK_INODES_USED], 0),
  };
}

/** Blocks that may still be allocated under the memory limit. */
export function blocksLeft(store: Store): number {
  if (store.blocks.limboCount !== 0) drainLimbo(store);
  const { i32, superblockWord } = store;
  return (
    i32[superblockWord + SUPERBLOCK_BLOCK_LIMIT] - i32[superblockWord + SUPERBLOCK_BLOCKS_USED]
  );
}

/**
 * Allocates a run of at most `wanted` blocks, where it can right at block `near` (0: no preference)
 * → its first block, 0 when none is left. blocks.runCount and runClean tell the rest.
 */
export function allocateRun(store: Store, wanted: number, near: number): number {
  const { blocks } = store;
  const most = Math.min(wanted, blocksLeft(store));
  if (most <= 0) return 0;
  let first = 0;
  if (near !== 0) {
    if (near === grownEnd(store)) grow(store, most);
    if (near < grownEnd(store) && freeAt(store, near, 1) !== 0) first = near;
  }
  if (first === 0) first = search(store, most);
  if (first === 0) return 0;
  let count = freeAt(store, first, most);
  if (count < most && first + count === grownEnd(store) && grow(store, most - count)) {
    count = freeAt(store, first, most);
  }
  take(store, first, count);
  blocks.runCount = count;
  return first;
}

/** Frees a run. While a grant is out, it goes to limbo first. */
export function freeRun(store: Store, first: number, count: number): void {
  const { blocks } = store;
  if (blocks.openGrants === 0 && !store.grantsOut()) {
    if (blocks.limboCount !== 0) emptyLimbo(store);
    release(store, first, count);
    return;
  }
  if (blocks.limboCount * 2 === blocks.limbo.length) {
    const larger = new Int32Array(blocks.limbo.length * 2);
    larger.set(blocks.limbo);
    blocks.limbo = larger;
  }
  blocks.limbo[blocks.limboCount * 2] = first;
  blocks.limbo[blocks.limboCount * 2 + 1] = count;
  blocks.limboCount++;
  blocks.limboBlocks += count;
}

/** Frees what waits in limbo if no grant is out any more. The idle server may call it. */
export function drainLimbo(store: Store): void {
  const { blocks } = store;
  if (blocks.limboCount === 0 || blocks.openGrants !== 0 || store.grantsOut()) return;
  emptyLimbo(store);
}

function emptyLimbo(store: Store): void {
  const { blocks } = store;
  const { limbo } = blocks;
  for (let at = 0; at < blocks.limboCount; at++) release(store, limbo[at * 2], limbo[at * 2 + 1]);
  blocks.limboCount = 0;
  blocks.limboBlocks = 0;
}

/** Blocks below this have bits in the bitmap; memory above it was never asked for. */
function grownEnd(store: Store): number {
  return store.i32[store.superblockWord + SUPERBLOCK_BLOCKS_BACKED];
}

/** Backed blocks that are free. */
function freeBacked(store: Store): number {
  const end = grownEnd(store);
  if (end === 0) return 0;
  // Block 0, the header, is neither free nor counted as used; spares are not counted either.
  const used = store.i32[store.superblockWord + SUPERBLOCK_BLOCKS_USED];
  return end - 1 - used - store.spares.count - store.blocks.unbacked;
}

/** Could a run at `block` be had, without more memory? */
export function isFree(store: Store, block: number): boolean {
  return block < grownEnd(store) && freeAt(store, block, 1) !== 0;
}

/** Free blocks in a row from `first` on, at most `most`, below grownEnd. */
function freeAt(store: Store, first: number, most: number): number {
  const { i32, bitmapWord } = store;
  const end = Math.min(first + most, grownEnd(store));
  let block = first;
  while (block < end) {
    const bit = block & 31;
    const used = i32[bitmapWord + (block >>> 5)] >>> bit;
    if (used !== 0) {
      block += 31 - Math.clz32(used & -used);
      break;
    }
    block += 32 - bit;
  }
  return Math.min(block, end) - first;
}

/**
 * The place to allocate `wanted` blocks: the first free run that is large enough, else the largest of
 * those looked at, else fresh memory; 0 when there is none at all. One block takes the first free.
 */
function search(store: Store, wanted: number): number {
  const { i32, superblockWord } = store;
  if (freeBacked(store) > 0) {
    const start = i32[superblockWord + SUPERBLOCK_BLOCK_HINT] >>> 5;
    const end = (grownEnd(store) + 31) >>> 5;
    const middle = Math.min(start + SEARCH_WORDS, end);
    const found = scan(store, start, middle, wanted);
    if (found !== 0 && (wanted < CHUNK_BLOCKS || freeAt(store, found, wanted) === wanted)) {
      return found;
    }
    // Better a whole run of fresh memory than many small ones of old.
    const fresh = freshRun(store, wanted);
    if (fresh !== 0) return fresh;
    if (found !== 0) return found;
    i32[superblockWord + SUPERBLOCK_BLOCK_HINT] = Math.max(
      middle * 32,
      i32[superblockWord + SUPERBLOCK_BLOCK_HINT],
    );
    return scan(store, middle, end, wanted) || scan(store, 0, start, wanted);
  }
  return freshRun(store, wanted);
}

/** Searches bitmap words [start, end) for the first run ≥ wanted, or the longest → block or 0. */
function scan(store: Store, start: number, end: number, wanted: number): number {
  const { i32, superblockWord, bitmapWord } = store;
  const last = grownEnd(store);
  const hint = i32[superblockWord + SUPERBLOCK_BLOCK_HINT];
  let best = 0;
  let bestCount = 0;
  let word = start;
  let mask = -1;
  while (word < end) {
    const free = ~i32[bitmapWord + word] & mask;
    if (free === 0) {
      word++;
      mask = -1;
      continue;
    }
    const block = word * 32 + 31 - Math.clz32(free & -free);
    if (block >= last) break;
    // Everything between the hint and the first free block is in use.
    if (best === 0 && start * 32 <= hint && block > hint) {
      i32[superblockWord + SUPERBLOCK_BLOCK_HINT] = block;
    }
    const count = freeAt(store, block, wanted);
    if (count > bestCount) {
      best = block;
      bestCount = count;
      if (count >= wanted) break;
    }
    const after = block + count;
    word = after >>> 5;
    mask = -1 << (after & 31);
  }
  return best;
}

/** Backs more memory → the first block of it that is free, 0 when there is none to be had. */
function freshRun(store: Store, wanted: number): number {
  const end = grownEnd(store);
  const again = backAgain(store, wanted);
  if (again !== 0) return again;
  return grow(store, wanted) ? Math.max(end, 1) : 0;
}

/** Extends the backed part of the segment by at least one chunk → false when that is impossible. */
function grow(store: Store, wanted: number): boolean {
  const { i32, superblockWord, blocks, memory } = store;
  const end = grownEnd(store);
  const room = blocks.capacity - end;
  if (room <= 0) return false;
  const doubled = Math.min(Math.max(end, CHUNK_BLOCKS), GROWTH_MAX);
  // No more than the limit lets anyone use.
  const useful = Math.max(blocksLeft(store) - freeBacked(store), wanted);
  let step = chunkUp(Math.min(Math.max(doubled, Math.min(wanted, GROWTH_MAX)), useful));
  for (; step >= CHUNK_BLOCKS; step = chunkUp((step - 1) >>> 1)) {
    const count = Math.min(step, room);
    if (
      backTable(store, blocks.bitmap, ((end + count + 31) >>> 5) * 4) &&
      memory.allocate(store.dataSegment.fd, end * PAGE_SIZE, count * PAGE_SIZE) === 0
    ) {
      blocks.chunkBacked.fill(
        1,
        Math.floor(end / CHUNK_BLOCKS),
        chunkUp(end + count) / CHUNK_BLOCKS,
      );
      if (end === 0) i32[store.bitmapWord] |= 1;
      i32[superblockWord + SUPERBLOCK_BLOCKS_BACKED] = end + count;
      return true;
    }
    if (step === CHUNK_BLOCKS) break;
  }
  return false;
}

function chunkUp(count: number): number {
  return Math.ceil(count / CHUNK_BLOCKS) * CHUNK_BLOCKS;
}

/** Backs chunks that were given back earlier → the first block of them, or 0. */
function backAgain(store: Store, wanted: number): number {
  const { blocks, memory } = store;
  if (blocks.unbacked === 0) return 0;
  const { chunkBacked } = blocks;
  const first = chunkBacked.indexOf(0);
  const most = Math.min(Math.max(chunkUp(wanted), CHUNK_BLOCKS), GROWTH_MAX) / CHUNK_BLOCKS;
  const wholeChunks = Math.floor(grownEnd(store) / CHUNK_BLOCKS);
  let count = 0;
  while (count < most && first + count < wholeChunks && chunkBacked[first + count] === 0) count++;
  for (; count > 0; count >>>= 1) {
    const at = first * CHUNK_BLOCKS;
    const size = count * CHUNK_BLOCKS;
    if (memory.allocate(store.dataSegment.fd, at * PAGE_SIZE, size * PAGE_SIZE) !== 0) continue;
    chunkBacked.fill(1, first, first + count);
    setBits(store, at, size, false);
    blocks.unbacked -= size;
    lowerHint(store, at);
    return at;
  }
  return 0;
}

function take(store: Store, first: number, count: number): void {
  const { i32, superblockWord, blocks } = store;
  setBits(store, first, count, true);
  i32[superblockWord + SUPERBLOCK_BLOCKS_USED] += count;
  if (i32[superblockWord + SUPERBLOCK_BLOCK_HINT] === first) {
    i32[superblockWord + SUPERBLOCK_BLOCK_HINT] = first + count;
  }
  blocks.runClean = first >= blocks.dirtyEnd;
  if (first + count > blocks.dirtyEnd) blocks.dirtyEnd = first + count;
}

function release(store: Store, first: number, count: number): void {
  const { i32, superblockWord } = store;
  setBits(store, first, count, false);
  i32[superblockWord + SUPERBLOCK_BLOCKS_USED] -= count;
  lowerHint(store, first);
  const excess =
    freeBacked(store) - Math.max(KEEP_BACKED, i32[superblockWord + SUPERBLOCK_BLOCKS_USED]);
  if (excess >= CHUNK_BLOCKS) giveBack(store, first, count, excess);
}

function lowerHint(store: Store, block: number): void {
  const word = store.superblockWord + SUPERBLOCK_BLOCK_HINT;
  if (block < store.i32[word]) store.i32[word] = block;
}

/** Gives chunks around a freed run that are wholly free back to the system, `most` blocks at most. */
function giveBack(store: Store, first: number, count: number, most: number): void {
  const { blocks, memory } = store;
  const wholeEnd = Math.floor(grownEnd(store) / CHUNK_BLOCKS) * CHUNK_BLOCKS;
  let end = Math.min(chunkUp(first + count), wholeEnd);
  const lowest = Math.floor(first / CHUNK_BLOCKS) * CHUNK_BLOCKS;
  let left = most;
  // From the top, since the search for free blocks begins at the bottom.
  while (end > lowest && left >= CHUNK_BLOCKS) {
    let start = end;
    while (start > lowest && left >= CHUNK_BLOCKS && chunkFree(store, start - CHUNK_BLOCKS)) {
      start -= CHUNK_BLOCKS;
      left -= CHUNK_BLOCKS;
    }
    if (start < end) {
      const size = end - start;
      if (memory.punch(store.dataSegment.fd, start * PAGE_SIZE, size * PAGE_SIZE) !== 0) return;
      setBits(store, start, size, true);
      blocks.chunkBacked.fill(0, start / CHUNK_BLOCKS, end / CHUNK_BLOCKS);
      blocks.unbacked += size;
    }
    end = start - CHUNK_BLOCKS;
  }
}

function chunkFree(store: Store, block: number): boolean {
  return block > 0 && freeAt(store, block, CHUNK_BLOCKS) === CHUNK_BLOCKS;
}

function setBits(store: Store, first: number, count: number, used: boolean): void {
  const { i32, bitmapWord } = store;
  let block = first;
  const end = first + count;
  while (block < end) {
    const bit = block & 31;
    const bits = Math.min(32 - bit, end - block);
    const mask = (bits === 32 ? -1 : (1 << bits) - 1) << bit;
    if (used) i32[bitmapWord + (block >>> 5)] |= mask;
    else i32[bitmapWord + (block >>> 5)] &= ~mask;
    block += bits;
  }
}
