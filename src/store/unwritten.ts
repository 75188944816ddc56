/**
 * Blocks that fallocate gave a file and nobody has written since: they count for st_blocks, read as
 * zeros, and are holes to SEEK_DATA and SEEK_HOLE, as on tmpfs.
 *
 * Which they are is kept here, per inode, as sorted ranges of file blocks [from, to). INODE_UNWRITTEN
 * says that there are any: clients then leave overwriting to the server, which calls wrote().
 */
import { INODE_FLAGS, INODE_UNWRITTEN } from '../../ringbuf/layout.gen.ts';
import { FILE_BLOCKS_END, findRun, found } from './extents.ts';
import { beginWrite, endWrite } from './inodes.ts';
import type { Store } from './store.ts';

/** By word index of the inode's record: from, to, from, to, … */
export type Unwritten = Map<number, number[]>;

export function hasUnwritten(store: Store, word: number): boolean {
  return (store.i32[word + INODE_FLAGS] & INODE_UNWRITTEN) !== 0;
}

/** The holes among file blocks [first, end): from, to, from, to, … */
export function holesOf(store: Store, word: number, first: number, end: number): number[] {
  const holes: number[] = [];
  for (let block = first; block < end; block += found.count) {
    if (findRun(store, word, block) === 0) holes.push(block, Math.min(block + found.count, end));
  }
  return holes;
}

/** fallocate has filled these ranges, which were holes. */
export function addUnwritten(store: Store, word: number, ranges: readonly number[]): void {
  if (ranges.length === 0) return;
  const all = pairs([...(store.unwritten.get(word) ?? []), ...ranges]);
  all.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [from, to] of all) {
    if (merged.length > 0 && merged[merged.length - 1] >= from) merged[merged.length - 1] = to;
    else merged.push(from, to);
  }
  store.unwritten.set(word, merged);
  setFlag(store, word, true);
}

/** File blocks [first, end) were written, or are gone. */
export function wrote(store: Store, word: number, first: number, end: number): void {
  if (!hasUnwritten(store, word) || first >= end) return;
  const left: number[] = [];
  for (const [from, to] of pairs(store.unwritten.get(word) ?? [])) {
    if (from < first) left.push(from, Math.min(to, first));
    if (to > end) left.push(Math.max(from, end), to);
  }
  if (left.length > 0) {
    store.unwritten.set(word, left);
    return;
  }
  store.unwritten.delete(word);
  setFlag(store, word, false);
}

/** The file goes away. */
export function forgetUnwritten(store: Store, word: number): void {
  wrote(store, word, 0, FILE_BLOCKS_END);
}

/** Is `block` unwritten? run.count: for how many blocks from there on the same is true. */
export function isUnwritten(store: Store, word: number, block: number): boolean {
  run.count = FILE_BLOCKS_END - block;
  for (const [from, to] of pairs(store.unwritten.get(word) ?? [])) {
    if (block >= to) continue;
    run.count = (block < from ? from : to) - block;
    return block >= from;
  }
  return false;
}
export const run = { count: 0 };

function pairs(flat: readonly number[]): [number, number][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2], flat[at * 2 + 1]]);
}

function setFlag(store: Store, word: number, on: boolean): void {
  beginWrite(store, word);
  if (on) store.i32[word + INODE_FLAGS] |= INODE_UNWRITTEN;
  else store.i32[word + INODE_FLAGS] &= ~INODE_UNWRITTEN;
  endWrite(store, word);
}
