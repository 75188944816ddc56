/**
 * Large writes without a second copy: WRITE_PREPARE hands out blocks, the client copies into them,
 * WRITE_COMMIT makes them part of the file.
 *
 * Blocks for holes and past the end of file belong to the grant until the commit and are seen by
 * nobody; blocks that the file has already are overwritten in place. A grant number is a slot index:
 * one open grant per slot.
 */
import type { Store } from './store.ts';

/** An open WRITE_PREPARE. */
export interface Grant {
  open: boolean;
  ino: number;
  offset: number;
  length: number;
  /** Runs: file block, data block, count, 1 when new. RUN_WORDS each. */
  readonly runs: Int32Array;
  runCount: number;
}

/**
 * Prepares to write [offset, offset + length) of regular file `ino` under grant number `grant` → pairs
 * (byte offset in the data segment, length) written to `out`, as a count of pairs, or -errno. Their
 * lengths sum up to less than `length` when the memory limit or the number of runs (EXTENTS_PER_REPLY,
 * or out.length / 2) was reached. An open grant of that number is abandoned first.
 */
export function prepareWrite(
  store: Store,
  grant: number,
  ino: number,
  offset: number,
  length: number,
  out: Float64Array,
): number {
  throw new Error(`not written yet: ${[store, grant, ino, offset, length, out].length}`);
}

/**
 * Ends the grant: `bytes` of it were really written (0 abandons). With `append`, the bytes go to what
 * is the end of file now. → bytes, with the file position after them in store.committedEnd, or -errno
 * (-EBADF: no such grant). The caller holds a reference on the inode, and grantsOut() still says true.
 */
export function commitWrite(store: Store, grant: number, bytes: number, append: boolean): number {
  throw new Error(`not written yet: ${[store, grant, bytes, append].length}`);
}

/** The client died or wrote nothing: the grant's own blocks are freed. No open grant: nothing happens. */
export function abandonWrite(store: Store, grant: number): void {
  throw new Error(`not written yet: ${[store, grant].length}`);
}
