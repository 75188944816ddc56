/**
 * Large writes without a second copy: WRITE_PREPARE hands out blocks, the client copies into them,
 * WRITE_COMMIT makes them part of the file.
 *
 * Blocks that lie wholly below the end of file are overwritten in place, as write would do. For holes,
 * and for everything from the block of the end of file on, the grant has blocks of its own that nobody
 * sees before the commit; so two writers that append at once do not overwrite each other. Where the
 * file has got a block there in the meantime, the commit copies.
 *
 * A grant number is a slot index: one open grant per slot. While any is open, freed blocks go to limbo
 * (blocks.ts), so what a client still writes to is never somebody else's.
 */
import { EXTENTS_PER_REPLY, INODE_SIZE, PAGE_SIZE } from '../../ringbuf/layout.gen.ts';
import { allocateRun, freeRun } from './blocks.ts';
import { EBADF, EFBIG, ENOSPC } from './errno.ts';
import { findRun, found } from './extents.ts';
import {
  blockOf,
  blockUp,
  DATA_END,
  link,
  placeAfter,
  setSize,
  write,
  zeroAround,
  zeroTail,
} from './files.ts';
import { inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { wrote } from './unwritten.ts';
import { getWide } from './wide.ts';

/** An open WRITE_PREPARE. */
export interface Grant {
  open: boolean;
  ino: number;
  offset: number;
  /** Bytes that the runs cover from `offset` on. */
  length: number;
  /** Where the last run that is overwritten in place ends: below the end of file, at prepare. */
  inPlaceEnd: number;
  /** Runs of RUN_WORDS words: file block (unsigned), data block, count, OWN or 0. */
  readonly runs: Int32Array;
  runCount: number;
}

export const RUN_WORDS = 4;
export const RUN_FILE_BLOCK = 0;
export const RUN_DATA_BLOCK = 1;
export const RUN_COUNT = 2;
/** 1: the block belongs to the grant, 0: to the file. */
export const RUN_OWN = 3;

/**
 * Prepares to write [offset, offset + length) of regular file `ino` under grant number `grant` → pairs
 * (byte offset in the data segment, length) written to `out`, as a count of pairs, or -ENOSPC, -EFBIG.
 * Their lengths sum up to less than `length` when the memory limit or the number of runs
 * (EXTENTS_PER_REPLY, out.length / 2) was reached. An open grant of that number is abandoned first.
 */
export function prepareWrite(
  store: Store,
  grant: number,
  ino: number,
  offset: number,
  length: number,
  out: Float64Array,
): number {
  abandonWrite(store, grant);
  if (length <= 0) return 0;
  if (offset >= DATA_END) return -EFBIG;
  store.grants[grant] ??= {
    open: false,
    ino: 0,
    offset: 0,
    length: 0,
    inPlaceEnd: 0,
    runs: new Int32Array(EXTENTS_PER_REPLY * RUN_WORDS),
    runCount: 0,
  };
  const record = store.grants[grant];
  const end = Math.min(offset + length, DATA_END);
  record.runCount = 0;
  record.inPlaceEnd = 0;
  let at = offset;
  while (at < end && record.runCount < EXTENTS_PER_REPLY && record.runCount * 2 + 1 < out.length) {
    const bytes = prepareRun(store, record, inodeWord(store, ino), at, end, out);
    if (bytes === 0) break;
    at += bytes;
  }
  if (at === offset) return -ENOSPC;
  record.open = true;
  record.ino = ino;
  record.offset = offset;
  record.length = at - offset;
  store.blocks.openGrants++;
  return record.runCount;
}

/** Adds one run for the bytes from `at` on → bytes that it covers, 0 when no block is left. */
function prepareRun(
  store: Store,
  record: Grant,
  word: number,
  at: number,
  end: number,
  out: Float64Array,
): number {
  const { runs, runCount } = record;
  const block = blockOf(at);
  const inBlock = at % PAGE_SIZE;
  const inPlaceEnd = blockOf(getWide(store.i32, word + INODE_SIZE));
  let data = findRun(store, word, block);
  let count = Math.min(found.count, blockUp(end) - block);
  const own = data === 0 || block >= inPlaceEnd;
  if (own) {
    // Behind the end of file it does not matter what is there already: all of it is the grant's own.
    if (block >= inPlaceEnd) count = blockUp(end) - block;
    else if (data !== 0) count = Math.min(count, inPlaceEnd - block);
    data = allocateRun(store, count, ownPlace(store, record, word, block));
    if (data === 0) return 0;
    count = store.blocks.runCount;
  } else {
    count = Math.min(count, inPlaceEnd - block);
    // What is written in place is seen at once.
    wrote(store, word, block, block + count);
  }
  const bytes = Math.min(count * PAGE_SIZE - inBlock, end - at);
  if (own) zeroAround(store, data, count, inBlock, bytes);
  else record.inPlaceEnd = at + bytes;
  const run = runCount * RUN_WORDS;
  runs[run + RUN_FILE_BLOCK] = block;
  runs[run + RUN_DATA_BLOCK] = data;
  runs[run + RUN_COUNT] = count;
  runs[run + RUN_OWN] = own ? 1 : 0;
  out[runCount * 2] = data * PAGE_SIZE + inBlock;
  out[runCount * 2 + 1] = bytes;
  record.runCount++;
  return bytes;
}

/** The best place for new blocks: behind those of the grant's last run, or of the file. */
function ownPlace(store: Store, record: Grant, word: number, block: number): number {
  if (record.runCount === 0) return placeAfter(store, word, block);
  const run = (record.runCount - 1) * RUN_WORDS;
  return record.runs[run + RUN_DATA_BLOCK] + record.runs[run + RUN_COUNT];
}

/**
 * Ends the grant: `bytes` of it were really written (0 abandons). With `append`, the bytes go to what
 * is the end of file now → bytes, with the file position behind them in store.committedEnd, or -errno
 * (-EBADF: no such grant). The caller holds a reference on the inode.
 */
export function commitWrite(store: Store, grant: number, bytes: number, append: boolean): number {
  const record = store.grants[grant];
  if (record === undefined || !record.open) return -EBADF;
  const wanted = Math.min(bytes, record.length);
  if (wanted <= 0) {
    store.committedEnd = record.offset;
    abandonWrite(store, grant);
    return 0;
  }
  const word = inodeWord(store, record.ino);
  wrote(store, word, blockOf(record.offset), blockUp(record.offset + wanted));
  const size = getWide(store.i32, word + INODE_SIZE);
  const target = append ? size : record.offset;
  const done =
    target === record.offset
      ? place(store, record, word, size, wanted)
      : moveRuns(store, record, target, wanted);
  close(store, record);
  if (done <= 0) return done < 0 ? done : -ENOSPC;
  store.committedEnd = target + done;
  return done;
}

/** Commits bytes where they were prepared for, and lets the file grow by them → bytes or -errno. */
function place(store: Store, record: Grant, word: number, size: number, wanted: number): number {
  const { offset } = record;
  if (size < record.inPlaceEnd) {
    // The file was cut meanwhile, which zeroed bytes already written in place: so the write came
    // before the cut, and what was cut stays away.
    if (size > offset) linkRuns(store, record, word, Math.min(wanted, size - offset));
    return wanted;
  }
  if (offset > size) zeroTail(store, word, size, offset);
  return linkRuns(store, record, word, wanted);
}

/** The bytes stay where they were prepared for: attach own blocks; copy where that cannot be. */
function linkRuns(store: Store, record: Grant, word: number, wanted: number): number {
  const { runs, offset } = record;
  const end = offset + wanted;
  let at = offset;
  for (let run = 0; run < record.runCount * RUN_WORDS && at < end; run += RUN_WORDS) {
    const last = (runs[run + RUN_FILE_BLOCK] >>> 0) + runs[run + RUN_COUNT];
    const runEnd = Math.min(last * PAGE_SIZE, end);
    while (at < runEnd) {
      const bytes = linkPiece(store, record, run, word, at, runEnd);
      if (bytes <= 0) return at === offset ? bytes : at - offset;
      at += bytes;
      // At once, since a later piece that is copied zeroes what lies behind the end of file.
      if (at > getWide(store.i32, word + INODE_SIZE)) setSize(store, word, at);
    }
  }
  return wanted;
}

/** Commits the bytes from `at` on as far as one state of the file reaches → bytes, or -errno. */
function linkPiece(
  store: Store,
  record: Grant,
  run: number,
  word: number,
  at: number,
  end: number,
): number {
  const { runs } = record;
  const block = blockOf(at);
  const mine = runs[run + RUN_DATA_BLOCK] + (block - (runs[run + RUN_FILE_BLOCK] >>> 0));
  const theirs = findRun(store, word, block);
  if (theirs === mine) return Math.min((block + found.count) * PAGE_SIZE, end) - at;
  const count = Math.min(found.count, blockUp(end) - block);
  const bytes = Math.min((block + count) * PAGE_SIZE, end) - at;
  const own = runs[run + RUN_OWN] !== 0;
  const from = mine * PAGE_SIZE + (at % PAGE_SIZE);
  if (own) shorten(record, run, count);
  if (own && theirs === 0) {
    // The client may have written less than it asked for, or more than it says.
    const rest = (mine + count) * PAGE_SIZE - (from + bytes);
    if (rest > 0) store.memory.zero(store.dataSegment.id, from + bytes, rest);
    return link(store, word, block, mine, count) ? bytes : -ENOSPC;
  }
  const written = write(store, record.ino, at, bytes, store.dataSegment.id, from);
  if (own) freeRun(store, mine, count);
  return written;
}

/** The first `count` blocks of an own run are no longer the grant's. */
function shorten(record: Grant, run: number, count: number): void {
  const { runs } = record;
  runs[run + RUN_FILE_BLOCK] += count;
  runs[run + RUN_DATA_BLOCK] += count;
  runs[run + RUN_COUNT] -= count;
}

/**
 * The end of file has moved since an append was prepared: copy the bytes to where it is now. For that
 * the grant's own blocks and the new ones are in use at once, so close to the limit it may be short.
 */
function moveRuns(store: Store, record: Grant, target: number, wanted: number): number {
  const { runs } = record;
  let done = 0;
  for (let run = 0; run < record.runCount * RUN_WORDS && done < wanted; run += RUN_WORDS) {
    const at = record.offset + done;
    const first = (runs[run + RUN_FILE_BLOCK] >>> 0) * PAGE_SIZE;
    const bytes = Math.min(first + runs[run + RUN_COUNT] * PAGE_SIZE - at, wanted - done);
    const from = runs[run + RUN_DATA_BLOCK] * PAGE_SIZE + (at - first);
    const written = write(store, record.ino, target + done, bytes, store.dataSegment.id, from);
    if (written < 0) return done === 0 ? written : done;
    done += written;
    if (written < bytes) break;
  }
  return done;
}

/** The client died or wrote nothing: the grant's own blocks are freed. No open grant: nothing happens. */
export function abandonWrite(store: Store, grant: number): void {
  const record = store.grants[grant];
  if (record?.open) close(store, record);
}

/** Frees the own blocks that the grant still has. */
function close(store: Store, record: Grant): void {
  const { runs } = record;
  store.blocks.openGrants--;
  for (let run = 0; run < record.runCount * RUN_WORDS; run += RUN_WORDS) {
    if (runs[run + RUN_OWN] === 0 || runs[run + RUN_COUNT] === 0) continue;
    freeRun(store, runs[run + RUN_DATA_BLOCK], runs[run + RUN_COUNT]);
  }
  record.open = false;
  record.runCount = 0;
}
