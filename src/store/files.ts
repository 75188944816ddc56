/**
 * File contents: bytes in the data segment, moved by the addon's copy between segments. Offsets and
 * lengths are Numbers that the caller has checked to be ≥ 0. Only regular files come here.
 *
 * Times are not stamped here (the operations know which), size and blocks are kept.
 */
import type { Store } from './store.ts';

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
/** Data beyond this offset cannot be held (file blocks are 32-bit words): -EFBIG. Sizes may be larger. */
export const DATA_END = 2 ** 32 * 4096;

/** Copies to segment `toSegment` at byte `toOffset` → bytes read, 0 at or past the end of file. */
export function read(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  toSegment: number,
  toOffset: number,
): number {
  throw new Error(`not written yet: ${[store, ino, offset, length, toSegment, toOffset].length}`);
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
  throw new Error(
    `not written yet: ${[store, ino, offset, length, fromSegment, fromOffset].length}`,
  );
}

/** Sets the size (up to 2^63-1) → 0. Blocks past the end go, what grows reads as zeros. */
export function truncate(store: Store, ino: number, size: number): number {
  throw new Error(`not written yet: ${[store, ino, size].length}`);
}

/**
 * fallocate(2) with the modes that tmpfs knows: 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE → 0, -EOPNOTSUPP,
 * -EINVAL (length 0), -EFBIG, -ENOSPC (then nothing of it was allocated).
 */
export function fallocate(
  store: Store,
  ino: number,
  mode: number,
  offset: number,
  length: number,
): number {
  throw new Error(`not written yet: ${[store, ino, mode, offset, length].length}`);
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE → offset or -ENXIO. The offset may be negative. */
export function seek(store: Store, ino: number, offset: number, whence: number): number {
  throw new Error(`not written yet: ${[store, ino, offset, whence].length}`);
}

/**
 * Copies between two files, or within one where the ranges do not overlap → bytes copied (up to the
 * end of the source, fewer at ENOSPC) or -errno. Holes of the source are written as zeros.
 */
export function copyRange(
  store: Store,
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
): number {
  throw new Error(`not written yet: ${[store, from, fromOffset, to, toOffset, length].length}`);
}

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
  throw new Error(`not written yet: ${[store, ino, offset, length, out].length}`);
}

/**
 * As directExtents for a mapping: offset is a multiple of the page size, pairs cover whole pages up to
 * the page of the end of file, holes are given blocks first, few runs where the file may be moved
 * → count of pairs or -ENOSPC. Calls addMap: no; the caller does.
 */
export function mapExtents(
  store: Store,
  ino: number,
  offset: number,
  length: number,
  out: Float64Array,
): number {
  throw new Error(`not written yet: ${[store, ino, offset, length, out].length}`);
}

/** Frees every block of a file that goes away. */
export function dropBlocks(store: Store, ino: number): void {
  throw new Error(`not written yet: ${[store, ino].length}`);
}

/** The last mapping is gone: blocks past the end of file, kept for its sake, are freed. */
export function dropDetached(store: Store, ino: number): void {
  throw new Error(`not written yet: ${[store, ino].length}`);
}
