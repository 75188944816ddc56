/**
 * Spare blocks (docs/adr/0010): a block that is taken but belongs to no file. A client fills it in place,
 * and a write of one block into a hole then only has to link it: the bytes never cross to the server.
 *
 * A spare number is a slot index. Spares do not count as used, neither for statfs nor for the limit: there
 * are more blocks than the limit allows to use, by SLOTS_MAX and more. What a client stores into its spare,
 * at whatever time, harms nobody but files that it may write anyway.
 */
import {
  INODE_SIZE,
  PAGE_SIZE,
  SLOTS_MAX,
  SUPERBLOCK_BLOCKS_USED,
} from '../../ringbuf/layout.gen.ts';
import { allocateRun, blocksLeft, freeRun, isFree } from './blocks.ts';
import { CTIME, MTIME, stamp } from './clock.ts';
import { ENOSPC } from './errno.ts';
import { attach, findRun } from './extents.ts';
import { blockOf, DATA_END, placeAfter, write, zeroTail } from './files.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { getWide, setWide } from './wide.ts';

export interface Spares {
  /** By slot: its spare block, 0 for none. */
  readonly block: Uint32Array;
  /** How many there are. */
  count: number;
}

export function createSpares(): Spares {
  return { block: new Uint32Array(SLOTS_MAX), count: 0 };
}

/** Gives the slot a spare if it has none, best at block `near` (0: anywhere) → the block, 0: no memory. */
export function giveSpare(store: Store, slot: number, near: number): number {
  const { spares, i32, superblockWord } = store;
  if (spares.block[slot] !== 0) return spares.block[slot];
  const block = allocateRun(store, 1, near);
  if (block === 0) return 0;
  spares.block[slot] = block;
  spares.count++;
  i32[superblockWord + SUPERBLOCK_BLOCKS_USED]--;
  return block;
}

/** The slot's spare, which is now its user's to free or to link. It counts as used again. */
function useSpare(store: Store, slot: number): number {
  const { spares } = store;
  const block = spares.block[slot];
  spares.block[slot] = 0;
  spares.count--;
  store.i32[store.superblockWord + SUPERBLOCK_BLOCKS_USED]++;
  return block;
}

/** Nobody writes to the slot's spare now: its owner is dead, or waits for us. */
export function dropSpare(store: Store, slot: number): void {
  if (store.spares.block[slot] !== 0) freeRun(store, useSpare(store, slot), 1);
}

/**
 * Writes the first `length` bytes of the slot's spare to the file at `offset`, mtime and ctime being those
 * of now(store) → as write. The spare becomes part of the file where that has a hole and a block fits.
 */
export function writeSpare(
  store: Store,
  slot: number,
  ino: number,
  offset: number,
  length: number,
): number {
  const word = inodeWord(store, ino);
  const block = store.spares.block[slot];
  const hole = fillsHole(store, word, offset, length);
  if (!hole || !wellPlaced(store, word, offset, block)) {
    beginWrite(store, word);
    stamp(store, word, MTIME | CTIME);
    endWrite(store, word);
    const from = block * PAGE_SIZE;
    const bytes = write(store, ino, offset, length, store.dataSegment.id, from);
    if (hole && bytes > 0) moveSpare(store, slot, findRun(store, word, blockOf(offset)) + 1);
    return bytes;
  }
  const size = getWide(store.i32, word + INODE_SIZE);
  if (offset > size) zeroTail(store, word, size, offset);
  const rest = PAGE_SIZE - length;
  if (rest > 0) store.memory.zero(store.dataSegment.id, block * PAGE_SIZE + length, rest);
  beginWrite(store, word);
  stamp(store, word, MTIME | CTIME);
  const status = attach(store, word, blockOf(offset), block, 1);
  if (status === 0 && offset + length > size)
    setWide(store.i32, word + INODE_SIZE, offset + length);
  endWrite(store, word);
  if (status !== 0) return -ENOSPC;
  useSpare(store, slot);
  // A file that grows gets the next one right behind; the first block of a file says nothing of a second.
  giveSpare(store, slot, offset === 0 ? 0 : block + 1);
  return length;
}

/** Is it one block, at most, of a hole, and may the file have one more? */
function fillsHole(store: Store, word: number, offset: number, length: number): boolean {
  if (offset % PAGE_SIZE !== 0 || length > PAGE_SIZE || offset >= DATA_END) return false;
  return findRun(store, word, blockOf(offset)) === 0 && blocksLeft(store) > 0;
}

/** Not when the file could have the block right behind its last one instead. */
function wellPlaced(store: Store, word: number, offset: number, block: number): boolean {
  const wanted = placeAfter(store, word, blockOf(offset));
  return wanted === 0 || wanted === block || !isFree(store, wanted);
}

/** Another spare, at `near`: the file grows there. Its owner waits for us and does not write to it. */
function moveSpare(store: Store, slot: number, near: number): void {
  dropSpare(store, slot);
  giveSpare(store, slot, near);
}
