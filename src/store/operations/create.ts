/** New names: mknod, mkdir, symlink, link, and the files that open makes (fs/namei.c, mm/shmem.c). */
import {
  INODE_DEFAULT_ACL,
  INODE_FLAGS,
  INODE_LINKABLE,
  INODE_NOATIME,
  INODE_NODUMP,
  LINK_MAX,
  PATH_MAX,
} from '../../../ringbuf/layout.gen.ts';
import { inheritAcl } from '../acl.ts';
import { CAP_MKNOD, type Caller } from '../caller.ts';
import { now } from '../clock.ts';
import { insert } from '../dentries.ts';
import { EEXIST, EINVAL, EMLINK, ENAMETOOLONG, ENOENT, EPERM } from '../errno.ts';
import {
  allocateInode,
  beginWrite,
  endWrite,
  freeInode,
  inodeWord,
  isDirectory,
  nlinkOf,
} from '../inodes.ts';
import { dropLastPath, keepTemporaryPath } from '../paths.ts';
import { isGuarded, isUnnamed, mayCreate, mayLink, newGroup, newMode } from '../permission.ts';
import {
  S_IALLUGO,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISVTX,
} from '../posix.ts';
import type { Store } from '../store.ts';
import { setTarget } from '../texts.ts';
import { CROSSED, LAST_NORMAL, WALK_PARENT, type Walk, walkPath } from '../walk.ts';
import { CROSSED_SECOND, type PathArgument } from './path.ts';

/**
 * Walks to a name that is to be made → 0 with walk.parent and walk.name, else CROSSED or -errno.
 * Only mkdir may write it with a trailing slash (`directory`).
 */
function walkToNew(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  directory: boolean,
): number {
  const status = walkPath(store, caller, walk, path, WALK_PARENT);
  if (status !== 0) return status;
  if (walk.kind !== LAST_NORMAL || walk.ino !== 0) return -EEXIST;
  if (walk.trailingSlash && !directory) return -ENOENT;
  return 0;
}

/** may_create: a removed directory takes no new names. */
function checkParent(store: Store, caller: Caller, parent: number): number {
  return nlinkOf(store, parent) === 0 ? -ENOENT : mayCreate(store, caller, parent);
}

/**
 * A new inode without a name in `directory`'s keeping → ino or -ENOSPC. `mode` has its type; the umask is
 * taken off here, unless the directory has a default ACL, which then stands in for it.
 */
export function makeInode(
  store: Store,
  caller: Caller,
  directory: number,
  mode: number,
  rdev: number,
): number {
  now(store);
  const group = newGroup(store, caller, directory);
  const given = newMode(store, caller, directory, mode);
  const type = mode & S_IFMT;
  const flags = store.i32[inodeWord(store, directory) + INODE_FLAGS];
  if (type === S_IFLNK || (flags & INODE_DEFAULT_ACL) === 0) {
    const left = type === S_IFLNK ? given : given & ~caller.umask;
    const ino = allocateInode(store, left, caller.uid, group, rdev);
    if ((flags & INHERITED) !== 0 && ino >= 0) inheritFlags(store, ino, flags);
    return ino;
  }
  const ino = allocateInode(store, given, caller.uid, group, rdev);
  if (ino < 0) return ino;
  if ((flags & INHERITED) !== 0) inheritFlags(store, ino, flags);
  const status = inheritAcl(store, directory, ino, type === S_IFDIR);
  if (status === 0) return ino;
  freeInode(store, ino);
  return status;
}

const INHERITED = INODE_NODUMP | INODE_NOATIME;

function inheritFlags(store: Store, ino: number, flags: number): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  store.i32[word + INODE_FLAGS] |= flags & INHERITED;
  endWrite(store, word);
}

/** Gives the inode the name that the walk found missing → 0 or -errno, the inode then freed. */
export function nameInode(store: Store, walk: Walk, ino: number): number {
  const dentry = insert(store, walk.parent, walk.name, 0, walk.nameLength, walk.hash, ino);
  if (dentry < 0) {
    freeInode(store, ino);
    return dentry;
  }
  walk.ino = ino;
  walk.dentry = dentry;
  return 0;
}

/**
 * Makes walk.name in walk.parent, which walkPath has found missing. Used by open(O_CREAT) too. `mode` with
 * its type, without the umask.
 */
export function createNode(
  store: Store,
  caller: Caller,
  walk: Walk,
  mode: number,
  rdev: number,
): number {
  const status = checkParent(store, caller, walk.parent);
  if (status !== 0) return status;
  const ino = makeInode(store, caller, walk.parent, mode, rdev);
  return ino < 0 ? ino : nameInode(store, walk, ino);
}

/** mknod(2): regular files, fifos and sockets for all, device nodes for root. `mode` without the umask. */
export function mknod(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  mode: number,
  rdev: number,
): number {
  const type = mode & S_IFMT;
  const device = type === S_IFCHR || type === S_IFBLK;
  if (type === S_IFDIR) return -EPERM;
  if (!device && type !== 0 && type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK)
    return -EINVAL;
  const status = walkToNew(store, caller, walk, path, false);
  if (status !== 0) return status;
  const allowed = checkParent(store, caller, walk.parent);
  if (allowed !== 0) return allowed;
  // A whiteout, character device 0, is anyone's.
  if (device && (caller.capabilities & CAP_MKNOD) === 0 && !(type === S_IFCHR && rdev === 0))
    return -EPERM;
  const permissions = mode & S_IALLUGO;
  return createNode(store, caller, walk, (type || S_IFREG) | permissions, device ? rdev : 0);
}

/** mkdir(2): set-id bits of `mode` are dropped, as the kernel does. */
export function mkdir(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  mode: number,
): number {
  const status = walkToNew(store, caller, walk, path, true);
  if (status !== 0) return status;
  const permissions = mode & (0o777 | S_ISVTX);
  return createNode(store, caller, walk, S_IFDIR | permissions, 0);
}

/** symlink(2): target = bytes[offset, offset + length), private to the server. */
export function symlink(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  target: Uint8Array,
  offset: number,
  length: number,
): number {
  if (length === 0) return -ENOENT;
  if (length >= PATH_MAX) return -ENAMETOOLONG;
  const status = walkToNew(store, caller, walk, path, false);
  if (status !== 0) return status;
  const allowed = checkParent(store, caller, walk.parent);
  if (allowed !== 0) return allowed;
  const ino = makeInode(store, caller, walk.parent, S_IFLNK | 0o777, 0);
  if (ino < 0) return ino;
  const stored = setTarget(store, ino, target, offset, length);
  if (stored < 0) {
    freeInode(store, ino);
    return stored;
  }
  return nameInode(store, walk, ino);
}

/** link(2): a new name for inode `ino`, which the caller has looked up. */
export function link(
  store: Store,
  caller: Caller,
  ino: number,
  walk: Walk,
  path: PathArgument,
): number {
  const status = walkToNew(store, caller, walk, path, false);
  if (status === CROSSED) return CROSSED_SECOND;
  if (status !== 0) return status;
  const linkable = mayLink(store, caller, ino);
  if (linkable !== 0) return linkable;
  const allowed = checkParent(store, caller, walk.parent);
  if (allowed !== 0) return allowed;
  if (isGuarded(store, ino) || isDirectory(store, ino)) return -EPERM;
  if (isUnnamed(store, ino)) return -ENOENT;
  if (nlinkOf(store, ino) >= LINK_MAX) return -EMLINK;
  now(store);
  const dentry = insert(store, walk.parent, walk.name, 0, walk.nameLength, walk.hash, ino);
  if (dentry >= 0) setLinkable(store, ino, false);
  return Math.min(dentry, 0);
}

/** Whether an inode without a name may get one: only a temporary one, and once. */
function setLinkable(store: Store, ino: number, linkable: boolean): void {
  const word = inodeWord(store, ino);
  const flags = store.i32[word + INODE_FLAGS];
  const wanted = linkable ? flags | INODE_LINKABLE : flags & ~INODE_LINKABLE;
  if (flags === wanted) return;
  beginWrite(store, word);
  store.i32[word + INODE_FLAGS] = wanted;
  if (!linkable) dropLastPath(store, ino);
  endWrite(store, word);
}

/** O_TMPFILE: an inode without a name; `linkable` unless O_EXCL forbids to give it one → ino or -errno. */
export function makeTemporary(
  store: Store,
  caller: Caller,
  directory: number,
  mode: number,
  linkable: boolean,
): number {
  const status = mayCreate(store, caller, directory);
  if (status !== 0) return status;
  const ino = makeInode(store, caller, directory, S_IFREG | (mode & S_IALLUGO), 0);
  if (ino < 0) return ino;
  if (linkable) setLinkable(store, ino, true);
  keepTemporaryPath(store, ino, directory);
  return ino;
}
