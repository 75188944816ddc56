/**
 * Who may do what: the rules of fs/namei.c (generic_permission, may_delete), fs/inode.c
 * (inode_init_owner) and fs/attr.c (setattr_prepare, should_remove_suid). What an ACL allows is acl.ts's.
 */
import {
  INODE_ACL,
  INODE_APPEND,
  INODE_FLAGS,
  INODE_GID,
  INODE_IMMUTABLE,
  INODE_LINKABLE,
  INODE_MODE,
  INODE_NLINK,
  INODE_UID,
} from '../../ringbuf/layout.gen.ts';
import { aclPermits } from './acl.ts';
import {
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  type Caller,
  inGroup,
} from './caller.ts';
import { EACCES, EPERM } from './errno.ts';
import { inodeWord } from './inodes.ts';
import {
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  S_IRWXG,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
  S_IXGRP,
  S_IXUGO,
} from './posix.ts';
import { protections } from './protections.ts';
import type { Store } from './store.ts';

/** What chattr has taken from everybody: with +i and +a nothing but the contents can change. */
export function isGuarded(store: Store, ino: number): boolean {
  const flags = store.i32[inodeWord(store, ino) + INODE_FLAGS];
  return (flags & (INODE_IMMUTABLE | INODE_APPEND)) !== 0;
}
export function isImmutable(store: Store, ino: number): boolean {
  return (store.i32[inodeWord(store, ino) + INODE_FLAGS] & INODE_IMMUTABLE) !== 0;
}
export function isAppendOnly(store: Store, ino: number): boolean {
  return (store.i32[inodeWord(store, ino) + INODE_FLAGS] & INODE_APPEND) !== 0;
}

/** 0 when the caller has all of `mask` (MAY_*) on the inode, else -EACCES, or -EPERM of an immutable one. */
export function may(store: Store, caller: Caller, ino: number, mask: number): number {
  const word = inodeWord(store, ino);
  const mode = store.i32[word + INODE_MODE];
  if ((mask & MAY_WRITE) !== 0 && (store.i32[word + INODE_FLAGS] & INODE_IMMUTABLE) !== 0)
    return -EPERM;
  if ((caller.capabilities & CAP_DAC_OVERRIDE) !== 0) {
    // Everything but running a file that nobody may run.
    if ((mask & MAY_EXEC) === 0 || (mode & S_IFMT) === S_IFDIR) return 0;
    return (mode & S_IXUGO) !== 0 ? 0 : -EACCES;
  }
  let bits = mode;
  if (store.i32[word + INODE_UID] >>> 0 === caller.uid) bits = mode >> 6;
  // The group bits are the mask of an ACL: none of them, and the kernel does not look at it.
  else if ((store.i32[word + INODE_FLAGS] & INODE_ACL) !== 0 && (mode & S_IRWXG) !== 0)
    return aclPermits(store, caller, word, mask) || searches(caller, mode, mask) ? 0 : -EACCES;
  // Where group and others have the same rights it does not matter who is in the group.
  else if (((mode >> 3) ^ mode) & mask && inGroup(caller, store.i32[word + INODE_GID] >>> 0))
    bits = mode >> 3;
  return (bits & mask) === mask || searches(caller, mode, mask) ? 0 : -EACCES;
}

/** CAP_DAC_READ_SEARCH: reads all files, and lists and walks through all directories. */
function searches(caller: Caller, mode: number, mask: number): boolean {
  if ((caller.capabilities & CAP_DAC_READ_SEARCH) === 0) return false;
  return (mode & S_IFMT) === S_IFDIR ? (mask & MAY_WRITE) === 0 : mask === MAY_READ;
}

/** inode_owner_or_capable. */
export function isOwner(store: Store, caller: Caller, ino: number): boolean {
  if ((caller.capabilities & CAP_FOWNER) !== 0) return true;
  return store.i32[inodeWord(store, ino) + INODE_UID] >>> 0 === caller.uid;
}

/** May entries of `directory` be added? A removed directory is the caller's to check (ENOENT). */
export function mayCreate(store: Store, caller: Caller, directory: number): number {
  return may(store, caller, directory, MAY_WRITE | MAY_EXEC);
}

/** May the entry for `victim` be taken out of `directory`? Sticky directories protect others' files. */
export function mayRemove(store: Store, caller: Caller, directory: number, victim: number): number {
  const status = may(store, caller, directory, MAY_WRITE | MAY_EXEC);
  if (status !== 0) return status;
  if (isAppendOnly(store, directory) || isGuarded(store, victim)) return -EPERM;
  if ((caller.capabilities & CAP_FOWNER) !== 0) return 0;
  const word = inodeWord(store, directory);
  if ((store.i32[word + INODE_MODE] & S_ISVTX) === 0) return 0;
  if (store.i32[word + INODE_UID] >>> 0 === caller.uid) return 0;
  return isOwner(store, caller, victim) ? 0 : -EPERM;
}

/** Group of a new inode: that of a setgid directory, else the caller's. */
export function newGroup(store: Store, caller: Caller, directory: number): number {
  const word = inodeWord(store, directory);
  if ((store.i32[word + INODE_MODE] & S_ISGID) === 0) return caller.gid;
  return store.i32[word + INODE_GID] >>> 0;
}

/**
 * Mode of a new inode (mode_strip_sgid, before any umask): directories hand S_ISGID down, others lose it
 * where the group is not theirs.
 */
export function newMode(store: Store, caller: Caller, directory: number, mode: number): number {
  const word = inodeWord(store, directory);
  if ((store.i32[word + INODE_MODE] & S_ISGID) === 0) return mode;
  if ((mode & S_IFMT) === S_IFDIR) return mode | S_ISGID;
  if ((mode & (S_ISGID | S_IXGRP)) !== (S_ISGID | S_IXGRP)) return mode;
  return ownsGroup(caller, store.i32[word + INODE_GID] >>> 0) ? mode : mode & ~S_ISGID;
}

/** in_group_or_capable. */
export function ownsGroup(caller: Caller, gid: number): boolean {
  return (caller.capabilities & CAP_FSETID) !== 0 || inGroup(caller, gid);
}

/** Mode after chown: setuid and setgid go, for root too (setgid without group execute only marks a lock). */
export function modeAfterChown(caller: Caller, mode: number, gid: number): number {
  if ((mode & S_IFMT) === S_IFDIR) return mode;
  let rest = mode & ~S_ISUID;
  if ((mode & S_ISGID) !== 0 && ((mode & S_IXGRP) !== 0 || !ownsGroup(caller, gid)))
    rest &= ~S_ISGID;
  return rest;
}

/** Mode after a write or a truncation by this caller: file_remove_privs. Root keeps all (CAP_FSETID). */
export function modeAfterWrite(caller: Caller, mode: number, gid: number): number {
  if ((caller.capabilities & CAP_FSETID) !== 0 || (mode & S_IFMT) !== S_IFREG) return mode;
  return modeAfterChown(caller, mode, gid);
}

/** may_linkat: fs.protected_hardlinks forbids links to what one could not write anyway. */
export function mayLink(store: Store, caller: Caller, ino: number): number {
  if (protections.hardlinks === 0 || isOwner(store, caller, ino)) return 0;
  const mode = store.i32[inodeWord(store, ino) + INODE_MODE];
  const risky =
    (mode & S_IFMT) !== S_IFREG ||
    (mode & S_ISUID) !== 0 ||
    (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP) ||
    may(store, caller, ino, MAY_READ | MAY_WRITE) !== 0;
  return risky ? -EPERM : 0;
}

/** An inode without a name takes none again, unless O_TMPFILE made it so. */
export function isUnnamed(store: Store, ino: number): boolean {
  const word = inodeWord(store, ino);
  return (
    store.i32[word + INODE_NLINK] === 0 && (store.i32[word + INODE_FLAGS] & INODE_LINKABLE) === 0
  );
}
