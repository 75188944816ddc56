/** renameat2(2): do_renameat2 and vfs_rename of fs/namei.c, check for check in their order. */
import { ROOT_INO } from '../../../ringbuf/layout.gen.ts';
import type { Caller } from '../caller.ts';
import { now } from '../clock.ts';
import { entries, exchange, move, renew, replace } from '../dentries.ts';
import { EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from '../errno.ts';
import { isDirectory, nlinkOf, parentOf } from '../inodes.ts';
import { may, mayCreate, mayRemove } from '../permission.ts';
import {
  MAY_WRITE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  S_IFCHR,
} from '../posix.ts';
import type { Store } from '../store.ts';
import { CROSSED, LAST_NORMAL, WALK_PARENT, type Walk, walkPath } from '../walk.ts';
import { makeInode, nameInode } from './create.ts';
import { CROSSED_SECOND, type PathArgument } from './path.ts';

const KNOWN = RENAME_EXCHANGE | RENAME_NOREPLACE | RENAME_WHITEOUT;

export function rename(
  store: Store,
  caller: Caller,
  from: Walk,
  fromPath: PathArgument,
  to: Walk,
  toPath: PathArgument,
  flags: number,
): number {
  const swap = (flags & RENAME_EXCHANGE) !== 0;
  const keep = (flags & RENAME_NOREPLACE) !== 0;
  const whiteout = (flags & RENAME_WHITEOUT) !== 0;
  if ((flags & ~KNOWN) !== 0 || (swap && (keep || whiteout))) return -EINVAL;

  const first = walkPath(store, caller, from, fromPath, WALK_PARENT);
  if (first !== 0 && !from.lastTooLong) return first;
  const second = walkPath(store, caller, to, toPath, WALK_PARENT);
  if (second === CROSSED) return CROSSED_SECOND;
  if (second !== 0 && !to.lastTooLong) return second;

  if (from.kind !== LAST_NORMAL) return -EBUSY;
  if (to.kind !== LAST_NORMAL) return keep ? -EEXIST : -EBUSY;
  // The last components are looked up when both directories stand, the source first.
  if (first !== 0) return first;
  if (from.ino === 0) return -ENOENT;
  if (second !== 0) return second;
  if (keep && to.ino !== 0) return -EEXIST;
  if (swap && to.ino === 0) return -ENOENT;

  const directory = isDirectory(store, from.ino);
  const overDirectory = to.ino !== 0 && isDirectory(store, to.ino);
  if (swap && !overDirectory && to.trailingSlash) return -ENOTDIR;
  if (!directory && (from.trailingSlash || (!swap && to.trailingSlash))) return -ENOTDIR;
  if (from.parent !== to.parent) {
    // No directory may come to stand below itself, nor be replaced by something in it.
    if (directory && isWithin(store, to.parent, from.ino)) return -EINVAL;
    if (overDirectory && isWithin(store, from.parent, to.ino)) return swap ? -EINVAL : -ENOTEMPTY;
  }
  if (from.ino === to.ino) return 0;

  const allowed = check(store, caller, from, to, swap, directory, overDirectory);
  if (allowed !== 0) return allowed;
  now(store);
  if (whiteout) return renameWithWhiteout(store, caller, from, to);
  if (swap) exchange(store, from.dentry, to.dentry);
  else if (to.ino !== 0) replace(store, to.dentry, from.dentry);
  else return move(store, from.dentry, to.parent, to.name, 0, to.nameLength, to.hash);
  return 0;
}

/**
 * RENAME_WHITEOUT: character device 0 takes the place of the source, as an overlay file system wants it
 * → 0 or -ENOSPC with nothing changed. The walks keep the inodes that they found.
 */
function renameWithWhiteout(store: Store, caller: Caller, from: Walk, to: Walk): number {
  const ino = makeInode(store, caller, from.parent, S_IFCHR, 0);
  if (ino < 0) return ino;
  const moved = from.ino;
  if (to.ino !== 0) {
    // It gives back the record that the whiteout's name needs.
    replace(store, to.dentry, from.dentry);
    const named = nameInode(store, from, ino);
    // In listings the whiteout is the older of the two.
    renew(store, to.dentry);
    from.ino = moved;
    return named;
  }
  const named = nameInode(store, to, ino);
  to.ino = 0;
  if (named === 0) exchange(store, from.dentry, to.dentry);
  return named;
}

/** may_delete and may_create for both ends, then what only rename asks for. */
function check(
  store: Store,
  caller: Caller,
  from: Walk,
  to: Walk,
  swap: boolean,
  directory: boolean,
  overDirectory: boolean,
): number {
  const source = mayRemove(store, caller, from.parent, from.ino);
  if (source !== 0) return source;
  if (to.ino === 0) {
    if (nlinkOf(store, to.parent) === 0) return -ENOENT;
    const target = mayCreate(store, caller, to.parent);
    if (target !== 0) return target;
  } else {
    const target = mayRemove(store, caller, to.parent, to.ino);
    if (target !== 0) return target;
    if (!swap && directory && !overDirectory) return -ENOTDIR;
    if (!swap && !directory && overDirectory) return -EISDIR;
  }
  if (from.parent !== to.parent) {
    // Its ".." changes.
    const flipped = directory ? may(store, caller, from.ino, MAY_WRITE) : 0;
    if (flipped !== 0) return flipped;
    const back = swap && overDirectory ? may(store, caller, to.ino, MAY_WRITE) : 0;
    if (back !== 0) return back;
  }
  return !swap && overDirectory && entries(store, to.ino) !== 0 ? -ENOTEMPTY : 0;
}

/** Is `directory` the directory `ancestor` or below it? */
function isWithin(store: Store, directory: number, ancestor: number): boolean {
  for (let ino = directory; ; ino = parentOf(store, ino)) {
    if (ino === ancestor) return true;
    if (ino === ROOT_INO || ino === 0) return false;
  }
}
