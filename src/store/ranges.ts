/** Where the bytes of a file stand in the data segment: for direct reads and for mappings. */
import { INODE_MAPS, INODE_SIZE, PAGE_SIZE } from '../../ringbuf/layout.gen.ts';
import { allocateRun, blocksLeft, freeRun } from './blocks.ts';
import { attach, detach, findRun, found } from './extents.ts';
import { allocateHoles } from './fallocate.ts';
import { blockOf, blockUp, DATA_END, zeroTail } from './files.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { wrote } from './unwritten.ts';
import { getWide } from './wide.ts';

/** A mapped range of more runs than this is moved together, where that can be done. */
const RUNS_TOLERATED = 4;
/** Ranges up to this many blocks (64 MiB) are moved together for a mapping. */
const MOVE_MAX = 16384;
/** Holes of more blocks than this (256 MiB), or than half of what is free, get blocks when they are touched. */
const HOLES_FILLED = 65536;

/**
 * Where the bytes [offset, offset + length) stand, cut at the end of file: pairs (byte offset in the
 * data segment, 0 for a hole; length) written to `out` → count of pairs, at most out.length / 2. What
 * does not fit is left out.
 */
export function directExtents(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  out: Float64Array,
): number {
  const word = inodeWord(store, ino);
  const size = getWide(store.i32, word + INODE_SIZE);
  return listRuns(store, word, offset, Math.min(offset + length, size), out);
}

function listRuns(
  store: Store,
  word: number,
  offset: number,
  end: number,
  out: Float64Array,
): number {
  let pairs = 0;
  for (let at = offset; at < end && pairs * 2 + 1 < out.length; pairs++) {
    const inBlock = at % PAGE_SIZE;
    const data = at < DATA_END ? findRun(store, word, blockOf(at)) : 0;
    const here = at < DATA_END ? found.count * PAGE_SIZE - inBlock : end - at;
    const piece = Math.min(here, end - at);
    out[pairs * 2] = data === 0 ? 0 : data * PAGE_SIZE + inBlock;
    out[pairs * 2 + 1] = piece;
    at += piece;
  }
  return pairs;
}

/**
 * As directExtents for a mapping: `offset` is a multiple of the page size, the pairs cover whole pages
 * up to that of the end of file, holes are given blocks first, and runs are few where the file may be
 * moved → count of pairs, 0 past the end, or -ENOSPC. Very large holes stay holes unless `touched`. The
 * caller calls addMap (inodes.ts) afterwards.
 */
export function mapExtents(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  out: Float64Array,
  touched = false,
): number {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const first = blockOf(offset);
  const size = getWide(i32, word + INODE_SIZE);
  const end = Math.min(blockUp(offset + length), blockUp(size));
  if (first >= end) return 0;
  const mapped = i32[word + INODE_MAPS] !== 0;
  const holes = touched ? 0 : countHoles(store, word, first, end);
  const sparse = holes > HOLES_FILLED || holes > blocksLeft(store) / 2;
  const status = sparse ? 0 : allocateHoles(store, word, first, end);
  if (status < 0) return status;
  wrote(store, word, first, end);
  if (!mapped && !sparse && countRuns(store, word, first, end) > RUNS_TOLERATED) {
    gather(store, word, first, end);
  }
  // The rest of the last page is part of the map, and reads as zeros when the first one is made.
  if (!mapped) zeroTail(store, word, size, Number.POSITIVE_INFINITY);
  return listRuns(store, word, offset, end * PAGE_SIZE, out);
}

function countHoles(store: Store, word: number, first: number, end: number): number {
  let holes = 0;
  for (let block = first; block < end; block += found.count) {
    if (findRun(store, word, block) === 0) holes += Math.min(found.count, end - block);
  }
  return holes;
}

function countRuns(store: Store, word: number, first: number, end: number): number {
  let runs = 0;
  for (let block = first; block < end; block += found.count) {
    findRun(store, word, block);
    runs++;
  }
  return runs;
}

/** Moves the blocks of file blocks [first, end), none of them a hole, into one run if there is room. */
function gather(store: Store, word: number, first: number, end: number): void {
  const { memory, dataSegment } = store;
  const count = end - first;
  if (count > MOVE_MAX || count > blocksLeft(store)) return;
  const data = allocateRun(store, count, 0);
  if (data === 0) return;
  if (store.blocks.runCount < count) {
    freeRun(store, data, store.blocks.runCount);
    return;
  }
  for (let block = first; block < end; block += found.count) {
    const from = findRun(store, word, block);
    const bytes = Math.min(found.count, end - block) * PAGE_SIZE;
    const to = (data + (block - first)) * PAGE_SIZE;
    memory.copy(dataSegment.id, to, dataSegment.id, from * PAGE_SIZE, bytes);
  }
  beginWrite(store, word);
  const status = detach(store, word, first, end);
  // Cutting several runs out frees at least one record, so attaching one cannot fail.
  if (status === 0) attach(store, word, first, data, count);
  endWrite(store, word);
  if (status < 0) freeRun(store, data, count);
}
