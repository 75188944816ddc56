/** stat, access, readlink: operations that only look. */
import type { Caller } from '../caller.ts';
import { EINVAL, ENOENT } from '../errno.ts';
import { isSymlink } from '../inodes.ts';
import { may } from '../permission.ts';
import type { Store } from '../store.ts';
import { targetInto } from '../texts.ts';
import { WALK_FOLLOW, type Walk, walkPath } from '../walk.ts';
import type { PathArgument } from './path.ts';
import { accessed } from './times.ts';

/** stat(2), lstat(2): walk.ino. */
export function lookup(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  follow: boolean,
): number {
  return walkPath(store, caller, walk, path, follow ? WALK_FOLLOW : 0);
}

/** access(2): the caller carries the ids to check with. `mask`: MAY_*, 0 for existence. */
export function access(store: Store, caller: Caller, ino: number, mask: number): number {
  if ((mask & ~7) !== 0) return -EINVAL;
  return mask === 0 ? 0 : may(store, caller, ino, mask);
}

/**
 * readlink(2) of an inode: copies at most `capacity` bytes of the target to out[offset…) → its full length.
 * `empty`: the inode was named by AT_EMPTY_PATH, where readlinkat(2) has another errno for "no link".
 */
export function readlink(
  store: Store,
  ino: number,
  empty: boolean,
  out: Uint8Array,
  offset: number,
  capacity: number,
): number {
  if (!isSymlink(store, ino)) return empty ? -ENOENT : -EINVAL;
  accessed(store, ino);
  return targetInto(store, ino, out, offset, capacity);
}
