/**
 * File contents: bytes in the data segment, moved by the addon's copy between segments. Offsets and
 * lengths are Numbers that the caller has checked to be ≥ 0. Only regular files come here.
 *
 * Size and block count are kept here; times are the operations' part.
 *
 * Zeros: the bytes of a new block that a write does not cover are zeroed before the block is attached.
 * Bytes past the end of file may be anything (a shared mapping can store there), so every growth zeroes
 * from the old end to the end of its block.
 */
import {
  INODE_EXTENT_COUNT,
  INODE_EXTENT_DATA_BLOCK,
  INODE_EXTENT_FILE_BLOCK,
  INODE_FLAGS,
  INODE_MAPPED,
  INODE_RECORD_WORDS,
  INODE_SIZE,
  PAGE_SIZE,
} from '../../ringbuf/layout.gen.ts';
import { allocateRun, freeRun } from './blocks.ts';
import { EFBIG, ENOSPC, ENXIO } from './errno.ts';
import { attach, detach, detachAll, FILE_BLOCKS_END, findRun, found } from './extents.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { forgetUnwritten, hasUnwritten, isUnwritten, run, wrote } from './unwritten.ts';
import { getWide, setWide } from './wide.ts';

export { copyRange, copyWithin } from './copy.ts';
export { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fallocate } from './fallocate.ts';
export { abandonWrite, commitWrite, prepareWrite } from './grants.ts';
export { directExtents, mapExtents } from './ranges.ts';

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
/** Data beyond this offset cannot be held (file blocks are 32-bit words): -EFBIG. Sizes may be larger. */
export const DATA_END = FILE_BLOCKS_END * PAGE_SIZE;
/** As `fromSegment` of write: zeros. */
export const ZEROS = -1;

export function blockOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE);
}

/** The first block that lies wholly at or behind `offset`, at most FILE_BLOCKS_END. */
export function blockUp(offset: number): number {
  return Math.min(Math.ceil(offset / PAGE_SIZE), FILE_BLOCKS_END);
}

/** Copies to segment `toSegment` at byte `toOffset` → bytes read, 0 at or past the end of file. */
export function read(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  toSegment: number,
  toOffset: number,
): number {
  const { i32, memory, dataSegment } = store;
  const word = inodeWord(store, ino);
  const size = getWide(i32, word + INODE_SIZE);
  if (offset >= size) return 0;
  const bytes = offset + length > size ? size - offset : length;
  // Most files are one run, and most reads lie in it.
  const start = offset - (i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0) * PAGE_SIZE;
  if (start >= 0 && start + bytes <= i32[word + INODE_EXTENT_COUNT] * PAGE_SIZE) {
    const from = i32[word + INODE_EXTENT_DATA_BLOCK] * PAGE_SIZE + start;
    memory.copy(toSegment, toOffset, dataSegment.id, from, bytes);
    return bytes;
  }
  for (let done = 0; done < bytes; ) {
    const at = offset + done;
    const inBlock = at % PAGE_SIZE;
    const data = at < DATA_END ? findRun(store, word, blockOf(at)) : 0;
    const here = at < DATA_END ? found.count * PAGE_SIZE - inBlock : bytes;
    const piece = Math.min(here, bytes - done);
    if (data === 0) memory.zero(toSegment, toOffset + done, piece);
    else memory.copy(toSegment, toOffset + done, dataSegment.id, data * PAGE_SIZE + inBlock, piece);
    done += piece;
  }
  return bytes;
}

/**
 * Copies from segment `fromSegment` at byte `fromOffset` into the file, which grows as needed → bytes
 * written, fewer than `length` when memory ran out on the way, or -ENOSPC, -EFBIG with none written.
 */
export function write(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  fromSegment: number,
  fromOffset: number,
): number {
  const { i32 } = store;
  if (length === 0) return 0;
  if (offset >= DATA_END) return -EFBIG;
  const end = Math.min(offset + length, DATA_END);
  const word = inodeWord(store, ino);
  const size = getWide(i32, word + INODE_SIZE);
  if (offset > size) zeroTail(store, word, size, offset);
  if (hasUnwritten(store, word)) wrote(store, word, blockOf(offset), blockUp(end));
  let at = offset;
  const start = offset - (i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0) * PAGE_SIZE;
  if (start >= 0 && start + (end - offset) <= i32[word + INODE_EXTENT_COUNT] * PAGE_SIZE) {
    const to = i32[word + INODE_EXTENT_DATA_BLOCK] * PAGE_SIZE + start;
    put(store, to, end - offset, fromSegment, fromOffset);
    at = end;
  }
  while (at < end) {
    const data = findRun(store, word, blockOf(at));
    const piece =
      data !== 0
        ? overwrite(store, data, at, end, fromSegment, fromOffset + (at - offset))
        : fill(store, word, at, end, fromSegment, fromOffset + (at - offset));
    if (piece === 0) break;
    at += piece;
  }
  if (at === offset) return -ENOSPC;
  if (at > size) setSize(store, word, at);
  return at - offset;
}

/** Writes into the run that begins at data block `data` and has found.count blocks → bytes. */
function overwrite(
  store: Store,
  data: number,
  at: number,
  end: number,
  fromSegment: number,
  fromOffset: number,
): number {
  const inBlock = at % PAGE_SIZE;
  const piece = Math.min(found.count * PAGE_SIZE - inBlock, end - at);
  put(store, data * PAGE_SIZE + inBlock, piece, fromSegment, fromOffset);
  return piece;
}

/** Writes into the hole of found.count blocks at `at` → bytes, 0 when no block is left. */
function fill(
  store: Store,
  word: number,
  at: number,
  end: number,
  fromSegment: number,
  fromOffset: number,
): number {
  const first = blockOf(at);
  const wanted = Math.min(found.count, blockUp(end) - first);
  const data = allocateRun(store, wanted, placeAfter(store, word, first));
  if (data === 0) return 0;
  const count = store.blocks.runCount;
  const inBlock = at % PAGE_SIZE;
  const piece = Math.min(count * PAGE_SIZE - inBlock, end - at);
  zeroAround(store, data, count, inBlock, piece);
  put(store, data * PAGE_SIZE + inBlock, piece, fromSegment, fromOffset);
  return link(store, word, first, data, count) ? piece : 0;
}

/** Attaches a new run under the seqlock → false, with the run freed, when extents have run out. */
export function link(
  store: Store,
  word: number,
  fileBlock: number,
  dataBlock: number,
  count: number,
): boolean {
  beginWrite(store, word);
  const status = attach(store, word, fileBlock, dataBlock, count);
  endWrite(store, word);
  if (status < 0) freeRun(store, dataBlock, count);
  return status === 0;
}

/** The data block behind that of the file block before `fileBlock`: the best place for it. */
export function placeAfter(store: Store, word: number, fileBlock: number): number {
  if (fileBlock === 0) return 0;
  const before = findRun(store, word, fileBlock - 1);
  return before === 0 ? 0 : before + 1;
}

/** Zeros what [from, from + length) leaves uncovered in a run of new blocks. */
export function zeroAround(
  store: Store,
  dataBlock: number,
  count: number,
  from: number,
  length: number,
): void {
  if (store.blocks.runClean) return;
  const { memory, dataSegment } = store;
  const start = dataBlock * PAGE_SIZE;
  const rest = count * PAGE_SIZE - from - length;
  if (from > 0) memory.zero(dataSegment.id, start, from);
  if (rest > 0) memory.zero(dataSegment.id, start + from + length, rest);
}

function put(
  store: Store,
  to: number,
  length: number,
  fromSegment: number,
  fromOffset: number,
): void {
  const { memory, dataSegment } = store;
  if (fromSegment === ZEROS) memory.zero(dataSegment.id, to, length);
  else memory.copy(dataSegment.id, to, fromSegment, fromOffset, length);
}

export function setSize(store: Store, word: number, size: number): void {
  beginWrite(store, word);
  setWide(store.i32, word + INODE_SIZE, size);
  endWrite(store, word);
}

/** The file grows from `size` to `end` or beyond: what its last block holds past `size` becomes zeros. */
export function zeroTail(store: Store, word: number, size: number, end: number): void {
  const inBlock = size % PAGE_SIZE;
  if (inBlock === 0 || size >= DATA_END) return;
  const data = findRun(store, word, blockOf(size));
  if (data === 0) return;
  const length = Math.min(PAGE_SIZE - inBlock, end - size);
  store.memory.zero(store.dataSegment.id, data * PAGE_SIZE + inBlock, length);
}

/** Zeros [from, to) wherever the file has blocks; holes stay holes. */
export function zeroRange(store: Store, word: number, from: number, to: number): void {
  const end = Math.min(to, DATA_END);
  for (let at = from; at < end; ) {
    const inBlock = at % PAGE_SIZE;
    const data = findRun(store, word, blockOf(at));
    const piece = Math.min(found.count * PAGE_SIZE - inBlock, end - at);
    if (data !== 0) store.memory.zero(store.dataSegment.id, data * PAGE_SIZE + inBlock, piece);
    at += piece;
  }
}

/** Does a description map the file? Then its blocks stay with it. */
export function isMapped(store: Store, word: number): boolean {
  return (store.i32[word + INODE_FLAGS] & INODE_MAPPED) !== 0;
}

/**
 * Takes the blocks [from, to) out of the file → 0 or -ENOSPC (splitting a run needs a record). A mapped
 * file keeps them, zeroed, since a client's pages still show them.
 */
export function discard(store: Store, word: number, from: number, to: number): number {
  if (from >= to) return 0;
  if (isMapped(store, word)) store.settleMaps((word - store.inodesWord) / INODE_RECORD_WORDS);
  if (isMapped(store, word)) {
    zeroRange(store, word, from * PAGE_SIZE, to * PAGE_SIZE);
    return 0;
  }
  beginWrite(store, word);
  const status = detach(store, word, from, to);
  endWrite(store, word);
  if (status === 0) wrote(store, word, from, to);
  return status;
}

/** Sets the size (up to 2^63-1) → 0. Blocks past the end go, what grows reads as zeros. */
export function truncate(store: Store, ino: number, size: number): number {
  const word = inodeWord(store, ino);
  const old = getWide(store.i32, word + INODE_SIZE);
  if (size > old) {
    zeroTail(store, word, old, size);
    setSize(store, word, size);
    return 0;
  }
  // The size first: a reader that sees the old blocks then sees a size that does not reach them.
  if (size < old) setSize(store, word, size);
  // Through a map the last page can have been written behind the end of file too.
  zeroTail(store, word, size, isMapped(store, word) ? Number.POSITIVE_INFINITY : old);
  return discard(store, word, blockUp(size), FILE_BLOCKS_END);
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE → offset or -ENXIO. The offset may be negative. */
export function seek(store: Store, ino: number, offset: number, whence: number): number {
  const word = inodeWord(store, ino);
  const size = getWide(store.i32, word + INODE_SIZE);
  if (offset < 0 || offset >= size) return -ENXIO;
  const mixed = hasUnwritten(store, word);
  let at = offset;
  while (at < size && at < DATA_END) {
    const block = blockOf(at);
    const attached = findRun(store, word, block) !== 0;
    let count = found.count;
    const unwritten = attached && mixed && isUnwritten(store, word, block);
    if (attached && mixed) count = Math.min(count, run.count);
    if ((attached && !unwritten) === (whence === SEEK_DATA)) return at;
    at = (block + count) * PAGE_SIZE;
  }
  if (whence === SEEK_DATA) return -ENXIO;
  return Math.min(Math.max(at, offset), size);
}

/** Frees every block of a file that goes away. */
export function dropBlocks(store: Store, ino: number): void {
  const word = inodeWord(store, ino);
  if (store.i32[word + INODE_EXTENT_COUNT] === 0) return;
  forgetUnwritten(store, word);
  beginWrite(store, word);
  detachAll(store, word);
  endWrite(store, word);
}

/** The last mapping is gone: blocks past the end of file, kept for its sake, are freed. */
export function dropDetached(store: Store, ino: number): void {
  const word = inodeWord(store, ino);
  discard(store, word, blockUp(getWide(store.i32, word + INODE_SIZE)), FILE_BLOCKS_END);
}
