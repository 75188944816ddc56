/**
 * Record tables of the store segment: taking a record, giving it back, and backing.
 *
 * A table is sparse and as large as it can ever become. `fallocate` backs it ahead of use, so that a
 * full /dev/shm is ENOSPC for one operation and never SIGBUS for the server.
 */
import type { Store } from './store.ts';

/** One table. Free records are chained through `linkWord`; record 0 is never used. */
export interface Table {
  /** Word index of record 0 in the store segment. */
  readonly base: number;
  /** Words of one record. */
  readonly words: number;
  /** Records, counted with the unused record 0. */
  readonly capacity: number;
  /** Word of a record that chains free ones. */
  readonly linkWord: number;
  /** Words of the superblock (index in the segment): counters and head of the free chain. */
  readonly usedWord: number;
  readonly freeWord: number;
  readonly freshWord: number;
  /** Bytes of the table that are backed; private, since fallocate on backed pages is harmless. */
  backed: number;
}

const BACKING_MIN = 64 * 1024;
const BACKING_MAX = 1024 * 1024;

/** Backs the table up to `bytes` at least, in doubling steps → false when memory is out. */
export function backTable(store: Store, table: Table, bytes: number): boolean {
  if (bytes <= table.backed) return true;
  const whole = table.capacity * table.words * 4;
  for (
    let step = Math.min(Math.max(table.backed, BACKING_MIN), BACKING_MAX);
    step >= 4096;
    step = Math.floor(step / 8192) * 4096
  ) {
    const end = Math.min(Math.max(bytes, table.backed + step), whole);
    const start = table.base * 4 + table.backed;
    if (store.memory.allocate(store.storeSegment.fd, start, end - table.backed) === 0) {
      table.backed = end;
      return true;
    }
  }
  return false;
}

/** A record to use, or 0 when the table is full or memory is out. Its old contents still stand in it. */
export function takeRecord(store: Store, table: Table): number {
  const { i32 } = store;
  let record = i32[table.freeWord];
  if (record !== 0) {
    i32[table.freeWord] = i32[table.base + record * table.words + table.linkWord];
  } else {
    record = i32[table.freshWord];
    if (record >= table.capacity) return 0;
    const end = (record + 1) * table.words * 4;
    if (end > table.backed && !backTable(store, table, end)) return 0;
    i32[table.freshWord] = record + 1;
  }
  i32[table.usedWord]++;
  return record;
}

export function giveRecord(store: Store, table: Table, record: number): void {
  const { i32 } = store;
  i32[table.base + record * table.words + table.linkWord] = i32[table.freeWord];
  i32[table.freeWord] = record;
  i32[table.usedWord]--;
}
