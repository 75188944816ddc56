/** The inode table: allocation, attributes, references, and the seqlock that guards a record. */
import {
  ATTRIBUTES_GENERATION,
  ATTRIBUTES_INO,
  ATTRIBUTES_RECORD_WORDS,
  INODE_ACL,
  INODE_BLOCKS,
  INODE_BTIME,
  INODE_BTIMENSEC,
  INODE_CAPABILITY,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_DATA_BLOCK,
  INODE_EXTENT_FILE_BLOCK,
  INODE_FLAGS,
  INODE_GENERATION,
  INODE_GID,
  INODE_LINK,
  INODE_MAPPED,
  INODE_MAPS,
  INODE_MODE,
  INODE_NLINK,
  INODE_NODE,
  INODE_RDEV,
  INODE_RECORD_WORDS,
  INODE_REFERENCES,
  INODE_ROOT,
  INODE_SIZE,
  INODE_UID,
  INODE_WATCHED,
  INODE_XATTR,
  SUPERBLOCK_INODE_LIMIT,
  SUPERBLOCK_INODES_USED,
  SUPERBLOCK_XATTR_INODES,
} from '../../ringbuf/layout.gen.ts';
import { ATIME, CTIME, MTIME, stamp } from './clock.ts';
import { ENOSPC } from './errno.ts';
import { dropBlocks, dropDetached } from './files.ts';
import { dropLastPath } from './paths.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './posix.ts';
import type { Store } from './store.ts';
import { giveRecord, takeRecord } from './tables.ts';
import { dropTarget } from './texts.ts';
import { getWide, setWide } from './wide.ts';
import { dropXattrs } from './xattrs.ts';

/** Bytes that tmpfs counts per directory entry, "." and ".." included. */
export const BOGO_DIRENT_SIZE = 20;
/** Cookies 1 and 2 are "." and "..". */
export const FIRST_COOKIE = 3;

/** Word index of the record of `ino` in store.i32. */
export function inodeWord(store: Store, ino: number): number {
  return store.inodesWord + ino * INODE_RECORD_WORDS;
}

/**
 * Opens the seqlock of the inode or dentry record at `word`: its first word becomes odd, and readers
 * in other processes wait. Sections must not nest on one record.
 */
export function beginWrite(store: Store, word: number): void {
  Atomics.add(store.i32, word, 1);
}

/** Closes what beginWrite opened; the record is whole again. */
export function endWrite(store: Store, word: number): void {
  Atomics.add(store.i32, word, 1);
}

/**
 * A new inode with all its times now. A directory begins with nlink 2 (its name and "."), anything
 * else with nlink 0, which insert() raises; it has no references. → inode number or -ENOSPC.
 * `mode` holds type and permission bits.
 */
export function allocateInode(
  store: Store,
  mode: number,
  uid: number,
  gid: number,
  rdev: number,
): number {
  const { i32, superblockWord } = store;
  if (
    i32[superblockWord + SUPERBLOCK_INODES_USED] + i32[superblockWord + SUPERBLOCK_XATTR_INODES] >=
    i32[superblockWord + SUPERBLOCK_INODE_LIMIT]
  ) {
    return -ENOSPC;
  }
  const ino = takeRecord(store, store.inodes);
  if (ino === 0) return -ENOSPC;
  const word = inodeWord(store, ino);
  const directory = (mode & S_IFMT) === S_IFDIR;
  beginWrite(store, word);
  i32[word + INODE_MODE] = mode;
  i32[word + INODE_NLINK] = directory ? 2 : 0;
  i32[word + INODE_UID] = uid;
  i32[word + INODE_GID] = gid;
  i32[word + INODE_RDEV] = rdev;
  i32[word + INODE_FLAGS] = 0;
  setWide(i32, word + INODE_SIZE, directory ? 2 * BOGO_DIRENT_SIZE : 0);
  setWide(i32, word + INODE_BLOCKS, 0);
  stamp(store, word, ATIME | MTIME | CTIME);
  setWide(i32, word + INODE_BTIME, store.nowSeconds);
  i32[word + INODE_BTIMENSEC] = store.nowNanoseconds;
  i32[word + INODE_REFERENCES] = 0;
  i32[word + INODE_MAPS] = 0;
  i32[word + INODE_LINK] = 0;
  i32[word + INODE_ROOT] = 0;
  i32[word + INODE_EXTENT_FILE_BLOCK] = 0;
  i32[word + INODE_EXTENT_DATA_BLOCK] = directory ? FIRST_COOKIE : 0;
  i32[word + INODE_EXTENT_COUNT] = 0;
  i32[word + INODE_XATTR] = 0;
  endWrite(store, word);
  return ino;
}

/**
 * Frees an inode that has no name and no reference, and what hangs on it: blocks, symlink target, and,
 * for a removed directory that was held (dentries.ts, unlinkInode), the reference on its parent, which
 * may free that in turn.
 */
export function freeInode(store: Store, ino: number): void {
  let parent = freeRecord(store, ino);
  // A loop, since removed directories that hold each other may be nested deeper than the stack is.
  while (parent !== 0) {
    dropReference(store, parent);
    parent = isUnused(store, parent) ? freeRecord(store, parent) : 0;
  }
}

/** Frees the one inode → the directory that it held a reference on, or 0. */
function freeRecord(store: Store, ino: number): number {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const type = i32[word + INODE_MODE] & S_IFMT;
  if (type === S_IFREG) {
    dropBlocks(store, ino);
    store.fileGone(ino);
  }
  const held = type === S_IFDIR ? i32[word + INODE_LINK] : 0;
  if ((i32[word + INODE_FLAGS] & INODE_NODE) !== 0) store.nodeGone(ino);
  if ((i32[word + INODE_FLAGS] & INODE_WATCHED) !== 0) store.watchedGone(ino);
  beginWrite(store, word);
  if (type === S_IFLNK) dropTarget(store, ino);
  else dropLastPath(store, ino);
  if (i32[word + INODE_XATTR] !== 0) dropXattrs(store, word);
  i32[word + INODE_MODE] = 0;
  i32[word + INODE_NLINK] = 0;
  i32[word + INODE_GENERATION]++;
  giveRecord(store, store.inodes, ino);
  endWrite(store, word);
  return held;
}

/** Is `ino` (any number) an inode in use? Records never used have no memory behind them yet. */
export function isLive(store: Store, ino: number): boolean {
  const { i32 } = store;
  if (ino <= 0 || ino >= i32[store.inodes.freshWord]) return false;
  return i32[inodeWord(store, ino) + INODE_MODE] !== 0;
}

export function modeOf(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_MODE];
}
export function isDirectory(store: Store, ino: number): boolean {
  return (modeOf(store, ino) & S_IFMT) === S_IFDIR;
}
export function isRegular(store: Store, ino: number): boolean {
  return (modeOf(store, ino) & S_IFMT) === S_IFREG;
}
export function isSymlink(store: Store, ino: number): boolean {
  return (modeOf(store, ino) & S_IFMT) === S_IFLNK;
}
export function uidOf(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_UID] >>> 0;
}
export function gidOf(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_GID] >>> 0;
}
export function nlinkOf(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_NLINK] >>> 0;
}
export function generationOf(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_GENERATION] >>> 0;
}
/** An access ACL, which chmod has to change too. */
export function hasAcl(store: Store, ino: number): boolean {
  return (store.i32[inodeWord(store, ino) + INODE_FLAGS] & INODE_ACL) !== 0;
}
/** security.capability, which a write takes away. */
export function hasCapability(store: Store, ino: number): boolean {
  return (store.i32[inodeWord(store, ino) + INODE_FLAGS] & INODE_CAPABILITY) !== 0;
}
/** Bytes; above 2^53 rounded, 2^63-1 reads as 2^63. */
export function getSize(store: Store, ino: number): number {
  return getWide(store.i32, inodeWord(store, ino) + INODE_SIZE);
}
/** Blocks of PAGE_SIZE; st_blocks is eight times this. */
export function blocksOf(store: Store, ino: number): number {
  return getWide(store.i32, inodeWord(store, ino) + INODE_BLOCKS);
}
/** The directory that holds this directory; the root is its own. */
export function parentOf(store: Store, directory: number): number {
  return store.i32[inodeWord(store, directory) + INODE_LINK];
}

/** Type bits stay; `permissions` are the low twelve bits. The caller stamps ctime. */
export function setMode(store: Store, ino: number, permissions: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  i32[word + INODE_MODE] = (i32[word + INODE_MODE] & S_IFMT) | (permissions & 0o7777);
  endWrite(store, word);
}

/** The caller stamps ctime and clears set-id bits. */
export function setOwner(store: Store, ino: number, uid: number, gid: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  i32[word + INODE_UID] = uid;
  i32[word + INODE_GID] = gid;
  endWrite(store, word);
}

/** Writes the Attributes record of `ino` (words 0 and 1: ino, generation) to target[word…]. */
export function copyAttributes(store: Store, ino: number, target: Int32Array, word: number): void {
  const { i32 } = store;
  const from = inodeWord(store, ino);
  target[word + ATTRIBUTES_INO] = ino;
  target[word + ATTRIBUTES_GENERATION] = i32[from + INODE_GENERATION];
  for (let at = 2; at < ATTRIBUTES_RECORD_WORDS; at++) target[word + at] = i32[from + at];
}

/** An open description (or cwd) holds the inode. */
export function reference(store: Store, ino: number): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  store.i32[word + INODE_REFERENCES]++;
  endWrite(store, word);
}

/** Gives a reference back; frees the inode when nothing names or holds it any more. */
export function dereference(store: Store, ino: number): void {
  dropReference(store, ino);
  freeIfUnused(store, ino);
}

function dropReference(store: Store, ino: number): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  store.i32[word + INODE_REFERENCES]--;
  endWrite(store, word);
}

function isUnused(store: Store, ino: number): boolean {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  return i32[word + INODE_NLINK] === 0 && i32[word + INODE_REFERENCES] === 0;
}

/** Frees the inode when it has neither a name nor a reference → true when it did. */
export function freeIfUnused(store: Store, ino: number): boolean {
  if (!isUnused(store, ino)) return false;
  freeInode(store, ino);
  return true;
}

/** A description begins to map the file: from now on its blocks stay with it (INODE_MAPPED). */
export function addMap(store: Store, ino: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  i32[word + INODE_MAPS]++;
  i32[word + INODE_FLAGS] |= INODE_MAPPED;
  endWrite(store, word);
}

/** The last reference to a mapping description is gone; blocks past the end of file go with the last. */
export function dropMap(store: Store, ino: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  const left = --i32[word + INODE_MAPS];
  if (left === 0) i32[word + INODE_FLAGS] &= ~INODE_MAPPED;
  endWrite(store, word);
  if (left === 0) dropDetached(store, ino);
}
