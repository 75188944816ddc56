/** fallocate(2) with the modes that tmpfs knows: allocate, allocate beyond the end, punch a hole. */
import { INODE_SIZE, PAGE_SIZE } from '../../ringbuf/layout.gen.ts';
import { allocateRun, blocksLeft } from './blocks.ts';
import { EFBIG, EINVAL, ENOSPC, EOPNOTSUPP } from './errno.ts';
import { detach, findRun, found } from './extents.ts';
import {
  blockOf,
  blockUp,
  DATA_END,
  discard,
  link,
  placeAfter,
  setSize,
  zeroAround,
  zeroRange,
  zeroTail,
} from './files.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { addUnwritten, holesOf, wrote } from './unwritten.ts';
import { getWide, INT64_MAX } from './wide.ts';

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

/**
 * fallocate(2) with mode 0, KEEP_SIZE or PUNCH_HOLE | KEEP_SIZE → 0, -EOPNOTSUPP, -EINVAL (negative
 * offset, length not positive), -EFBIG, -ENOSPC (then nothing of it was allocated).
 */
export function fallocate(
  store: Store,
  ino: number,
  mode: number,
  offset: number,
  length: number,
): number {
  if (offset < 0 || length <= 0) return -EINVAL;
  if (
    mode !== 0 &&
    mode !== FALLOC_FL_KEEP_SIZE &&
    mode !== (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)
  ) {
    return -EOPNOTSUPP;
  }
  const end = offset + length;
  if (end >= INT64_MAX) return -EFBIG;
  const word = inodeWord(store, ino);
  if (mode & FALLOC_FL_PUNCH_HOLE) return punch(store, word, offset, end);
  if (
    end - offset > blocksLeft(store) * PAGE_SIZE &&
    blocksMissing(store, word, offset, end) > blocksLeft(store)
  ) {
    return -ENOSPC;
  }
  if (end > DATA_END) return -EFBIG;
  const holes = holesOf(store, word, blockOf(offset), blockUp(end));
  const status = allocateHoles(store, word, blockOf(offset), blockUp(end));
  if (status < 0) return status;
  // As on tmpfs, blocks that were there and unwritten count as written from the second time on.
  wrote(store, word, blockOf(offset), blockUp(end));
  addUnwritten(store, word, holes);
  const size = getWide(store.i32, word + INODE_SIZE);
  if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size) {
    zeroTail(store, word, size, end);
    setSize(store, word, end);
  }
  return 0;
}

function punch(store: Store, word: number, offset: number, end: number): number {
  const first = blockUp(offset);
  const last = Math.min(blockOf(end), blockUp(DATA_END));
  if (first >= last) {
    zeroRange(store, word, offset, end);
    return 0;
  }
  zeroRange(store, word, offset, first * PAGE_SIZE);
  zeroRange(store, word, last * PAGE_SIZE, end);
  return discard(store, word, first, last);
}

function blocksMissing(store: Store, word: number, offset: number, end: number): number {
  if (end > DATA_END) return Math.ceil((end - offset) / PAGE_SIZE);
  let missing = 0;
  const last = blockUp(end);
  for (let block = blockOf(offset); block < last; block += found.count) {
    if (findRun(store, word, block) === 0) missing += Math.min(found.count, last - block);
  }
  return missing;
}

/**
 * Gives the holes among file blocks [first, end) blocks of zeros → 0, or -ENOSPC with the file as it
 * was before.
 */
export function allocateHoles(store: Store, word: number, first: number, end: number): number {
  /** Runs (file block, count) attached so far, to be undone. */
  let added: number[] | undefined;
  for (let block = first; block < end; ) {
    if (findRun(store, word, block) !== 0) {
      block += found.count;
      continue;
    }
    const wanted = Math.min(found.count, end - block);
    const data = allocateRun(store, wanted, placeAfter(store, word, block));
    const count = store.blocks.runCount;
    if (data !== 0) zeroAround(store, data, count, 0, 0);
    if (data === 0 || !link(store, word, block, data, count)) {
      if (added !== undefined) undo(store, word, added);
      return -ENOSPC;
    }
    added ??= [];
    added.push(block, count);
    block += count;
  }
  return 0;
}

function undo(store: Store, word: number, added: readonly number[]): void {
  beginWrite(store, word);
  // Backwards: what was attached last is cut off first, so that hardly a run needs splitting.
  for (let at = added.length - 2; at >= 0; at -= 2) {
    detach(store, word, added[at], added[at] + added[at + 1]);
  }
  endWrite(store, word);
}
