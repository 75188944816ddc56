/**
 * The hash table of all names: buckets of dentry chains that grow by linear hashing. Buckets in use are
 * 2^level + split; when there are more dentries than that, the next bucket is split in two.
 */
import {
  DENTRY_HASH,
  DENTRY_HASH_NEXT,
  DENTRY_RECORD_WORDS,
  SUPERBLOCK_DENTRIES_USED,
  SUPERBLOCK_HASH_LEVEL,
  SUPERBLOCK_HASH_SPLIT,
  SUPERBLOCK_NAMESPACE_EPOCH,
} from '../../ringbuf/layout.gen.ts';
import type { Store } from './store.ts';
import { backTable } from './tables.ts';

/** The smallest table has 2^10 buckets; every store has room for that many. */
const FIRST_LEVEL = 10;

/** Backs the first buckets of a new store → false when memory is out. */
export function createBuckets(store: Store): boolean {
  store.i32[store.superblockWord + SUPERBLOCK_HASH_LEVEL] = FIRST_LEVEL;
  return backTable(store, store.buckets, 4 << FIRST_LEVEL);
}

/** Word index of the chain head for this hash. */
export function bucketWord(store: Store, hash: number): number {
  const { i32, superblockWord } = store;
  const level = i32[superblockWord + SUPERBLOCK_HASH_LEVEL];
  let bucket = hash & ((1 << level) - 1);
  if (bucket < i32[superblockWord + SUPERBLOCK_HASH_SPLIT]) bucket = hash & ((2 << level) - 1);
  return store.bucketsWord + bucket;
}

/** Called before and after a change of the shape of the tree: odd while it lasts. */
export function flipEpoch(store: Store): void {
  Atomics.add(store.i32, store.superblockWord + SUPERBLOCK_NAMESPACE_EPOCH, 1);
}

/** Splits one bucket when there are more dentries than buckets. */
export function splitIfFull(store: Store): void {
  const { i32, superblockWord, bucketsWord, buckets } = store;
  const level = i32[superblockWord + SUPERBLOCK_HASH_LEVEL];
  const split = i32[superblockWord + SUPERBLOCK_HASH_SPLIT];
  const count = (1 << level) + split;
  if (i32[superblockWord + SUPERBLOCK_DENTRIES_USED] <= count) return;
  if (count >= buckets.capacity || !backTable(store, buckets, (count + 1) * 4)) return;
  flipEpoch(store);
  let keepLink = bucketsWord + split;
  let moveLink = bucketsWord + count;
  let dentry = i32[keepLink];
  while (dentry !== 0) {
    const word = store.dentriesWord + dentry * DENTRY_RECORD_WORDS;
    if (i32[word + DENTRY_HASH] & (1 << level)) {
      i32[moveLink] = dentry;
      moveLink = word + DENTRY_HASH_NEXT;
    } else {
      i32[keepLink] = dentry;
      keepLink = word + DENTRY_HASH_NEXT;
    }
    dentry = i32[word + DENTRY_HASH_NEXT];
  }
  i32[keepLink] = 0;
  i32[moveLink] = 0;
  const wrapped = split + 1 === 1 << level;
  i32[superblockWord + SUPERBLOCK_HASH_LEVEL] = wrapped ? level + 1 : level;
  i32[superblockWord + SUPERBLOCK_HASH_SPLIT] = wrapped ? 0 : split + 1;
  flipEpoch(store);
}
