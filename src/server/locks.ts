/**
 * flock(2): whole-file locks that belong to open file descriptions. Only locked files have an entry here,
 * and a lock is gone with its description, however its holders ended. Nobody waits in the server: a
 * client that wants to wait asks again (preload/calls/flock.cpp).
 */
import { EAGAIN, EINVAL } from '../store/errno.ts';

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_UN = 8;

interface FileLock {
  /** Holders; more than one only while `exclusive` is false. */
  readonly holders: Set<number>;
  exclusive: boolean;
}

export interface Locks {
  readonly files: Map<number, FileLock>;
  /** True while somebody still refers to the description: a close that is under way is as good as done. */
  readonly isHeld: (description: number) => boolean;
}

export function createLocks(isHeld: Locks['isHeld']): Locks {
  return { files: new Map(), isHeld };
}

/** Takes, changes or gives back the lock of `description` on `ino` → 0 or -errno. */
export function setLock(locks: Locks, ino: number, description: number, type: number): number {
  if (type === LOCK_UN) {
    dropLock(locks, ino, description);
    return 0;
  }
  if (type !== LOCK_SH && type !== LOCK_EX) return -EINVAL;
  const exclusive = type === LOCK_EX;
  const held = locks.files.get(ino);
  if (held?.holders.has(description) && held.exclusive === exclusive) return 0;
  // As in the kernel, a change of type gives the old lock up first, whatever comes of it.
  dropLock(locks, ino, description);
  const file = locks.files.get(ino);
  if (file === undefined) {
    locks.files.set(ino, { holders: new Set([description]), exclusive });
    return 0;
  }
  if (!exclusive && !file.exclusive) {
    file.holders.add(description);
    return 0;
  }
  if ([...file.holders].some(locks.isHeld)) return -EAGAIN;
  locks.files.set(ino, { holders: new Set([description]), exclusive });
  return 0;
}

/** At the end of every description; costs nothing while nothing is locked. */
export function dropLock({ files }: Locks, ino: number, description: number): void {
  if (files.size === 0) return;
  const file = files.get(ino);
  if (file?.holders.delete(description) && file.holders.size === 0) files.delete(ino);
}
