/** Data blocks: which are free, which are backed by memory, and which must wait before reuse. */
import type { Store } from './store.ts';

export interface Blocks {
  readonly capacity: number;
}

export function createBlocks(capacity: number): Blocks {
  return { capacity };
}

export interface SpaceStatistics {
  readonly blocks: number;
  readonly blocksFree: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** What statfs tells: blocks of PAGE_SIZE. */
export function statistics(store: Store): SpaceStatistics {
  throw new Error(`not written yet: ${[store].length}`);
}
