/** unlink(2) and rmdir(2): do_unlinkat, do_rmdir and may_delete of fs/namei.c. */
import type { Caller } from '../caller.ts';
import { now } from '../clock.ts';
import { entries, remove } from '../dentries.ts';
import { EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from '../errno.ts';
import { isDirectory } from '../inodes.ts';
import { mayRemove } from '../permission.ts';
import type { Store } from '../store.ts';
import { LAST_DOT, LAST_DOTDOT, LAST_NORMAL, WALK_PARENT, type Walk, walkPath } from '../walk.ts';
import type { PathArgument } from './path.ts';

export function unlink(store: Store, caller: Caller, walk: Walk, path: PathArgument): number {
  const status = walkPath(store, caller, walk, path, WALK_PARENT);
  if (status !== 0) return status;
  if (walk.kind !== LAST_NORMAL) return -EISDIR;
  if (walk.ino === 0) return -ENOENT;
  const directory = isDirectory(store, walk.ino);
  if (walk.trailingSlash) return directory ? -EISDIR : -ENOTDIR;
  const allowed = mayRemove(store, caller, walk.parent, walk.ino);
  if (allowed !== 0) return allowed;
  if (directory) return -EISDIR;
  now(store);
  remove(store, walk.dentry);
  return 0;
}

export function rmdir(store: Store, caller: Caller, walk: Walk, path: PathArgument): number {
  const status = walkPath(store, caller, walk, path, WALK_PARENT);
  if (status !== 0) return status;
  if (walk.kind === LAST_DOTDOT) return -ENOTEMPTY;
  if (walk.kind === LAST_DOT) return -EINVAL;
  if (walk.kind !== LAST_NORMAL) return -EBUSY;
  if (walk.ino === 0) return -ENOENT;
  const allowed = mayRemove(store, caller, walk.parent, walk.ino);
  if (allowed !== 0) return allowed;
  if (!isDirectory(store, walk.ino)) return -ENOTDIR;
  if (entries(store, walk.ino) !== 0) return -ENOTEMPTY;
  now(store);
  remove(store, walk.dentry);
  return 0;
}
