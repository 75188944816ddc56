/** chmod, chown, utimensat, truncate: fs/attr.c (setattr_prepare, setattr_copy) and shmem_setattr. */
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_FH,
  FATTR_GID,
  FATTR_INODE_FLAGS,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  INODE_APPEND,
  INODE_FLAGS,
  INODE_IMMUTABLE,
  INODE_NOATIME,
  INODE_NODUMP,
} from '../../../ringbuf/layout.gen.ts';
import { chmodAcl } from '../acl.ts';
import { CAP_CHOWN, CAP_LINUX_IMMUTABLE, type Caller, inGroup } from '../caller.ts';
import { ATIME, MTIME, now, setTime, touch } from '../clock.ts';
import { EFBIG, EINVAL, EISDIR, EOPNOTSUPP, EPERM } from '../errno.ts';
import { truncate } from '../files.ts';
import {
  beginWrite,
  blocksOf,
  endWrite,
  getSize,
  gidOf,
  hasAcl,
  hasCapability,
  inodeWord,
  isDirectory,
  isRegular,
  isSymlink,
  modeOf,
  setMode,
  setOwner,
  uidOf,
} from '../inodes.ts';
import {
  isAppendOnly,
  isGuarded,
  isImmutable,
  isOwner,
  may,
  modeAfterChown,
  modeAfterWrite,
  ownsGroup,
} from '../permission.ts';
import { MAY_WRITE, S_IALLUGO, S_ISGID } from '../posix.ts';
import type { Store } from '../store.ts';
import { dropCapability } from '../xattrs.ts';
import { changed, modified } from './times.ts';

/** What SETATTR carries; one object per worker, refilled. */
export interface AttributeChange {
  /** FATTR_*; 0 is chown(path, -1, -1), which still drops set-id bits and moves ctime. */
  valid: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atime: number;
  atimensec: number;
  mtime: number;
  mtimensec: number;
}

export function createAttributeChange(): AttributeChange {
  return {
    valid: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atime: 0,
    atimensec: 0,
    mtime: 0,
    mtimensec: 0,
  };
}

const TIMES = FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW;
const BOTH_NOW = FATTR_ATIME_NOW | FATTR_MTIME_NOW;
const NS_PER_S = 1e9;

/** Every check comes before the first change. */
export function setattr(
  store: Store,
  caller: Caller,
  ino: number,
  change: AttributeChange,
): number {
  const { valid } = change;
  if ((valid & FATTR_INODE_FLAGS) !== 0) return setFlags(store, caller, ino, change.mode);
  const status = check(store, caller, ino, change);
  if (status !== 0) return status;
  now(store);
  if ((valid & FATTR_SIZE) !== 0) {
    const resized = resize(store, caller, ino, change.size, (valid & FATTR_FH) !== 0);
    if (resized !== 0) return resized;
  }
  if ((valid & (FATTR_UID | FATTR_GID)) !== 0 || valid === 0) chown(store, caller, ino, change);
  if ((valid & FATTR_MODE) !== 0) chmod(store, caller, ino, change.mode);
  if ((valid & TIMES) !== 0) setTimes(store, ino, change);
  return 0;
}

function check(store: Store, caller: Caller, ino: number, change: AttributeChange): number {
  const { valid } = change;
  if ((valid & FATTR_SIZE) !== 0) {
    const status = checkSize(store, caller, ino, change);
    if (status !== 0) return status;
  }
  if ((valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) !== 0 && isGuarded(store, ino)) return -EPERM;
  if ((valid & FATTR_UID) !== 0 && (caller.capabilities & CAP_CHOWN) === 0) {
    const owner = uidOf(store, ino);
    if (owner !== caller.uid || owner !== change.uid) return -EPERM;
  }
  if ((valid & FATTR_GID) !== 0 && (caller.capabilities & CAP_CHOWN) === 0) {
    if (uidOf(store, ino) !== caller.uid) return -EPERM;
    if (gidOf(store, ino) !== change.gid && !inGroup(caller, change.gid)) return -EPERM;
  }
  // Dropping set-id bits is a chmod, which is the owner's even when nothing else changes.
  if (valid === 0 && !isOwner(store, caller, ino)) {
    const mode = modeOf(store, ino);
    if (modeAfterChown(caller, mode, gidOf(store, ino)) !== mode) return -EPERM;
  }
  if ((valid & FATTR_MODE) !== 0) {
    if (isSymlink(store, ino)) return -EOPNOTSUPP;
    if (!isOwner(store, caller, ino)) return -EPERM;
  }
  return (valid & TIMES) !== 0 ? checkTimes(store, caller, ino, change) : 0;
}

function checkSize(store: Store, caller: Caller, ino: number, change: AttributeChange): number {
  if (change.size < 0) return -EINVAL;
  if (isDirectory(store, ino)) return -EISDIR;
  if (!isRegular(store, ino)) return -EINVAL;
  if ((change.valid & FATTR_FH) === 0) {
    const status = may(store, caller, ino, MAY_WRITE);
    if (status !== 0) return status;
  }
  if (isAppendOnly(store, ino)) return -EPERM;
  // Only growth meets RLIMIT_FSIZE; the client raises SIGXFSZ.
  if (change.size > caller.fileSizeLimit && change.size > getSize(store, ino)) return -EFBIG;
  return 0;
}

/** Both times "now" is touch(1): who may write may do it. Anything else is the owner's (utimensat(2)). */
function checkTimes(store: Store, caller: Caller, ino: number, change: AttributeChange): number {
  const { valid } = change;
  if ((valid & FATTR_ATIME) !== 0 && change.atimensec >= NS_PER_S) return -EINVAL;
  if ((valid & FATTR_MTIME) !== 0 && change.mtimensec >= NS_PER_S) return -EINVAL;
  // An append-only file may be touched, but not dated.
  const now = (valid & BOTH_NOW) === BOTH_NOW;
  if (now ? isImmutable(store, ino) : isGuarded(store, ino)) return -EPERM;
  if (isOwner(store, caller, ino)) return 0;
  if (!now) return -EPERM;
  return may(store, caller, ino, MAY_WRITE);
}

/**
 * Truncates or extends. To the size that the file has, ftruncate moves the times always, truncate(2) where the
 * file has blocks: shmem_truncate_range stamps, whatever there is to cut.
 */
function resize(
  store: Store,
  caller: Caller,
  ino: number,
  size: number,
  described: boolean,
): number {
  const moves = described || size !== getSize(store, ino) || blocksOf(store, ino) > 0;
  const mode = modeOf(store, ino);
  const rest = modeAfterWrite(caller, mode, gidOf(store, ino));
  // Also to the size that it has: blocks that fallocate put behind the end go.
  const status = truncate(store, ino, size);
  if (status < 0) return status;
  if (rest !== mode) setMode(store, ino, rest & S_IALLUGO);
  if (hasCapability(store, ino)) dropCapability(store, ino);
  if (moves) modified(store, ino);
  return 0;
}

/** O_TRUNC of open(2): the times move even when the file is empty already. */
export function truncateOnOpen(store: Store, caller: Caller, ino: number): number {
  const mode = modeOf(store, ino);
  const rest = modeAfterWrite(caller, mode, gidOf(store, ino));
  const status = truncate(store, ino, 0);
  if (status < 0) return status;
  now(store);
  if (rest !== mode) setMode(store, ino, rest & S_IALLUGO);
  if (hasCapability(store, ino)) dropCapability(store, ino);
  modified(store, ino);
  return 0;
}

function chown(store: Store, caller: Caller, ino: number, change: AttributeChange): void {
  const uid = (change.valid & FATTR_UID) !== 0 ? change.uid : uidOf(store, ino);
  const gid = (change.valid & FATTR_GID) !== 0 ? change.gid : gidOf(store, ino);
  const mode = modeOf(store, ino);
  // Set-id bits are judged by the group that the file had.
  const rest = modeAfterChown(caller, mode, gidOf(store, ino));
  setOwner(store, ino, uid, gid);
  if (rest !== mode) setMode(store, ino, rest & S_IALLUGO);
  if (hasCapability(store, ino) && !isDirectory(store, ino)) dropCapability(store, ino);
  changed(store, ino);
}

function chmod(store: Store, caller: Caller, ino: number, mode: number): void {
  let permissions = mode & S_IALLUGO;
  if (!ownsGroup(caller, gidOf(store, ino))) permissions &= ~S_ISGID;
  setMode(store, ino, permissions);
  if (hasAcl(store, ino)) chmodAcl(store, ino);
  changed(store, ino);
}

function setTimes(store: Store, ino: number, change: AttributeChange): void {
  const { valid } = change;
  if ((valid & FATTR_ATIME_NOW) !== 0) touch(store, ino, ATIME);
  else if ((valid & FATTR_ATIME) !== 0) setTime(store, ino, ATIME, change.atime, change.atimensec);
  if ((valid & FATTR_MTIME_NOW) !== 0) touch(store, ino, MTIME);
  else if ((valid & FATTR_MTIME) !== 0) setTime(store, ino, MTIME, change.mtime, change.mtimensec);
  changed(store, ino);
}

/** FS_*_FL of <linux/fs.h> that tmpfs knows (SHMEM_FL_USER_MODIFIABLE), and the bits of Inode.flags for them. */
const FLAGS = [
  [0x10, INODE_IMMUTABLE],
  [0x20, INODE_APPEND],
  [0x40, INODE_NODUMP],
  [0x80, INODE_NOATIME],
] as const;
const FLAGS_KNOWN = 0xf0;
const FLAGS_KEPT = ~(INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP | INODE_NOATIME);

/** FS_IOC_SETFLAGS: vfs_fileattr_set and shmem_fileattr_set. */
function setFlags(store: Store, caller: Caller, ino: number, wanted: number): number {
  if (!isRegular(store, ino) && !isDirectory(store, ino)) return -EOPNOTSUPP;
  if (!isOwner(store, caller, ino)) return -EPERM;
  const word = inodeWord(store, ino) + INODE_FLAGS;
  let flags = store.i32[word] & FLAGS_KEPT;
  for (const [flag, bit] of FLAGS) if ((wanted & flag) !== 0) flags |= bit;
  const guards = INODE_IMMUTABLE | INODE_APPEND;
  if (
    ((flags ^ store.i32[word]) & guards) !== 0 &&
    (caller.capabilities & CAP_LINUX_IMMUTABLE) === 0
  )
    return -EPERM;
  if ((wanted & ~FLAGS_KNOWN) !== 0) return -EOPNOTSUPP;
  now(store);
  beginWrite(store, word - INODE_FLAGS);
  store.i32[word] = flags;
  endWrite(store, word - INODE_FLAGS);
  changed(store, ino);
  return 0;
}
