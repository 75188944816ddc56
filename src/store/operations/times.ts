/** Which operation moves which time stamp, as tmpfs mounted with relatime does. */
import {
  INODE_ATIME,
  INODE_ATIMENSEC,
  INODE_CTIME,
  INODE_CTIMENSEC,
  INODE_FLAGS,
  INODE_MTIME,
  INODE_MTIMENSEC,
  INODE_NOATIME,
} from '../../../ringbuf/layout.gen.ts';
import { ATIME, CTIME, MTIME, now, touch } from '../clock.ts';
import { inodeWord } from '../inodes.ts';
import type { Store } from '../store.ts';
import { getWide } from '../wide.ts';

const SECONDS_PER_DAY = 24 * 3600;
/** The clock costs more than the rest of a small read, so reads look at it only so often. */
const READS_PER_CLOCK = 256;

let reads = 0;

/** A read: atime moves only when it is not newer than mtime and ctime, or a day old. */
export function accessed(store: Store, ino: number): void {
  if ((++reads & (READS_PER_CLOCK - 1)) === 0) now(store);
  if (!isStale(store, ino)) return;
  now(store);
  touch(store, ino, ATIME);
}

/** As accessed, at the end of a write by the same request: not newer than what it wrote. */
export function accessedMeanwhile(store: Store, ino: number): void {
  if (isStale(store, ino)) touch(store, ino, ATIME);
}

/** relatime_need_update of fs/inode.c. */
function isStale(store: Store, ino: number): boolean {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const seconds = getWide(i32, word + INODE_ATIME);
  const nanoseconds = i32[word + INODE_ATIMENSEC];
  const mtime = getWide(i32, word + INODE_MTIME);
  const ctime = getWide(i32, word + INODE_CTIME);
  const newer =
    (seconds > mtime || (seconds === mtime && nanoseconds > i32[word + INODE_MTIMENSEC])) &&
    (seconds > ctime || (seconds === ctime && nanoseconds > i32[word + INODE_CTIMENSEC]));
  if (newer && store.nowSeconds - seconds < SECONDS_PER_DAY) return false;
  return (i32[word + INODE_FLAGS] & INODE_NOATIME) === 0;
}

/** Contents changed: a write, or an entry made or removed in a directory. The caller has called now(). */
export function modified(store: Store, ino: number): void {
  touch(store, ino, MTIME | CTIME);
}

/** Only the inode itself changed: mode, owner, links. */
export function changed(store: Store, ino: number): void {
  touch(store, ino, CTIME);
}
