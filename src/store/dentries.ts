/**
 * Names: every dentry stands in a chain of one global hash table, by (parent, name), and in the
 * ordered tree of its directory, by cookie. Nothing below a directory refers to its dentry, so moving
 * a directory is O(1).
 *
 * The hash table grows by linear hashing: one bucket is split whenever there are more dentries than
 * buckets, so no insertion ever pays for a rehash of the whole.
 *
 * For readers in other processes: the directory's inode record is under its seqlock for the whole of
 * an insertion, removal or move, and the dentry's own for as long as it changes. Splits and moves of
 * directories hold namespace_epoch odd. A reader that comes to a dentry whose hash belongs to another
 * bucket, or whose parent is 0, has followed a record into its next life and begins anew.
 *
 * Times: each function stamps what tmpfs stamps, with the time of the last now(store).
 */
import {
  DENTRY_COOKIE,
  DENTRY_HASH,
  DENTRY_HASH_NEXT,
  DENTRY_INO,
  DENTRY_NAME_BYTES,
  DENTRY_NAME_CAPACITY,
  DENTRY_NAME_LENGTH,
  DENTRY_PARENT,
  DENTRY_RECORD_WORDS,
  DENTRY_TEXT,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_DATA_BLOCK,
  INODE_EXTENT_FILE_BLOCK,
  INODE_LINK,
  INODE_MODE,
  INODE_NLINK,
  INODE_REFERENCES,
  INODE_ROOT,
  INODE_SIZE,
  NAME_MAX,
} from '../../ringbuf/layout.gen.ts';
import { CTIME, MTIME, stamp } from './clock.ts';
import { ENAMETOOLONG, ENOSPC } from './errno.ts';
import { bucketWord, splitIfFull } from './hash.ts';
import {
  BOGO_DIRENT_SIZE,
  beginWrite,
  endWrite,
  FIRST_COOKIE,
  freeIfUnused,
  inodeWord,
  isDirectory,
} from './inodes.ts';
import { S_IFDIR, S_IFMT } from './posix.ts';
import type { Store } from './store.ts';
import { giveRecord, takeRecord } from './tables.ts';
import { freeText, readText, textEquals, writeText } from './texts.ts';
import { treeFirst, treeFloor, treeInsert, treeNext, treePrevious, treeRemove } from './tree.ts';
import { getWide, setWide } from './wide.ts';

export { keepLastPath, lastPathOf, pathOf } from './paths.ts';
export { exchange, move, replace } from './renames.ts';

/** Cookies stay below DIR_OFFSET_EOD; when a directory has used them up, its entries are numbered anew. */
const COOKIE_END = 0x7ffffff0;

/** Word index of the record of `dentry` in store.i32. */
export function dentryWord(store: Store, dentry: number): number {
  return store.dentriesWord + dentry * DENTRY_RECORD_WORDS;
}
/** The inode that the dentry names. */
export function inoOf(store: Store, dentry: number): number {
  return store.i32[dentryWord(store, dentry) + DENTRY_INO];
}
/** Its position in the directory (≥ 3), by which entryAt finds it again. Newer entries have greater ones. */
export function cookieOf(store: Store, dentry: number): number {
  return store.i32[dentryWord(store, dentry) + DENTRY_COOKIE] >>> 0;
}
export function nameLengthOf(store: Store, dentry: number): number {
  return store.i32[dentryWord(store, dentry) + DENTRY_NAME_LENGTH];
}
/** The cookie that the next entry created in the directory will get. */
export function nextCookie(store: Store, directory: number): number {
  return store.i32[inodeWord(store, directory) + INODE_EXTENT_DATA_BLOCK] >>> 0;
}
/** Entries of the directory, "." and ".." not counted. */
export function entries(store: Store, directory: number): number {
  return store.i32[inodeWord(store, directory) + INODE_EXTENT_FILE_BLOCK];
}

/**
 * The dentry of that name in directory `parent`, or 0. `hash` is hashName(parent, …) of the name.
 * "." and ".." are no dentries.
 */
export function find(
  store: Store,
  parent: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  hash: number,
): number {
  const { i32, u8, dentriesWord } = store;
  let dentry = i32[bucketWord(store, hash)];
  while (dentry !== 0) {
    const word = dentriesWord + dentry * DENTRY_RECORD_WORDS;
    if (
      i32[word + DENTRY_HASH] === hash &&
      i32[word + DENTRY_PARENT] === parent &&
      i32[word + DENTRY_NAME_LENGTH] === length
    ) {
      const inline = Math.min(length, DENTRY_NAME_CAPACITY);
      const name = word * 4 + DENTRY_NAME_BYTES;
      let at = 0;
      while (at < inline && u8[name + at] === bytes[offset + at]) at++;
      if (at === inline) {
        if (inline === length) return dentry;
        const text = i32[word + DENTRY_TEXT];
        if (textEquals(store, text, bytes, offset + inline, length - inline)) return dentry;
      }
    }
    dentry = i32[word + DENTRY_HASH_NEXT];
  }
  return 0;
}

/**
 * Gives `ino` the name in directory `parent` → the new dentry or -ENOSPC. The caller has seen to it
 * that the name is 1 to NAME_MAX bytes, not there yet, and that `parent` is a live directory.
 * A directory learns its parent, the parent gains a link; anything else gains a link itself.
 */
export function insert(
  store: Store,
  parent: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  hash: number,
  ino: number,
): number {
  const { i32 } = store;
  const dentry = takeRecord(store, store.dentries);
  if (dentry === 0) return -ENOSPC;
  const text = overflowText(store, bytes, offset, length);
  if (text < 0) {
    giveRecord(store, store.dentries, dentry);
    return text;
  }
  splitIfFull(store);
  const parentWord = inodeWord(store, parent);
  const word = dentryWord(store, dentry);
  const target = inodeWord(store, ino);
  const directory = (i32[target + INODE_MODE] & S_IFMT) === S_IFDIR;
  beginWrite(store, parentWord);
  beginWrite(store, word);
  i32[word + DENTRY_INO] = ino;
  setName(store, word, bytes, offset, length, text);
  hang(store, dentry, parent, hash);
  endWrite(store, word);
  addEntries(store, parentWord, 1);
  if (directory) i32[parentWord + INODE_NLINK]++;
  stamp(store, parentWord, MTIME | CTIME);
  beginWrite(store, target);
  if (directory) {
    i32[target + INODE_LINK] = parent;
    i32[target + INODE_EXTENT_COUNT] = dentry;
  } else {
    i32[target + INODE_NLINK]++;
  }
  stamp(store, target, CTIME);
  endWrite(store, target);
  endWrite(store, parentWord);
  return dentry;
}

/**
 * Takes the name away (unlink; rmdir of a directory that the caller knows to be empty). The inode is
 * freed at once when nothing else names or holds it: do not use it after this without a reference.
 */
export function remove(store: Store, dentry: number): void {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const ino = i32[word + DENTRY_INO];
  const parent = i32[word + DENTRY_PARENT];
  const text = i32[word + DENTRY_TEXT];
  const parentWord = inodeWord(store, parent);
  beginWrite(store, parentWord);
  beginWrite(store, word);
  unhang(store, dentry);
  dropName(store, word);
  giveRecord(store, store.dentries, dentry);
  endWrite(store, word);
  addEntries(store, parentWord, -1);
  if (isDirectory(store, ino)) i32[parentWord + INODE_NLINK]--;
  stamp(store, parentWord, MTIME | CTIME);
  endWrite(store, parentWord);
  unlinkInode(store, ino, parent, dentry, text);
}

/**
 * The entry of the directory with that cookie or, when it is gone, the next older one; 0 for none.
 * Infinity: the newest, where a listing begins.
 */
export function entryAt(store: Store, directory: number, cookie: number): number {
  return treeFloor(store.dentryTree, store.i32[inodeWord(store, directory) + INODE_ROOT], cookie);
}

/** The entry that follows `dentry` in a listing of its directory, which is the next older one, or 0. */
export function next(store: Store, dentry: number): number {
  return treePrevious(store.dentryTree, dentry);
}

/** Copies the dentry's name to out[offset…) → its length (at most NAME_MAX). */
export function nameInto(store: Store, dentry: number, out: Uint8Array, offset: number): number {
  const { i32, u8 } = store;
  const word = dentryWord(store, dentry);
  const length = i32[word + DENTRY_NAME_LENGTH];
  const inline = Math.min(length, DENTRY_NAME_CAPACITY);
  const name = word * 4 + DENTRY_NAME_BYTES;
  for (let at = 0; at < inline; at++) out[offset + at] = u8[name + at];
  if (inline < length) {
    readText(store, i32[word + DENTRY_TEXT], out, offset + inline, length - inline);
  }
  return length;
}

/** The part of a name beyond the inline bytes → its Text chain, 0 for none, or -ENOSPC. */
export function overflowText(
  store: Store,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  if (length > NAME_MAX) return -ENAMETOOLONG;
  if (length <= DENTRY_NAME_CAPACITY) return 0;
  return writeText(store, bytes, offset + DENTRY_NAME_CAPACITY, length - DENTRY_NAME_CAPACITY);
}

export function setName(
  store: Store,
  word: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  text: number,
): void {
  const { i32, u8 } = store;
  i32[word + DENTRY_NAME_LENGTH] = length;
  i32[word + DENTRY_TEXT] = text;
  const inline = Math.min(length, DENTRY_NAME_CAPACITY);
  const name = word * 4 + DENTRY_NAME_BYTES;
  for (let at = 0; at < inline; at++) u8[name + at] = bytes[offset + at];
}

export function dropName(store: Store, word: number): void {
  const text = store.i32[word + DENTRY_TEXT];
  if (text === 0) return;
  store.i32[word + DENTRY_TEXT] = 0;
  freeText(store, text);
}

/** Puts the dentry into the hash chain and, with a fresh cookie, into the tree of `parent`. */
export function hang(store: Store, dentry: number, parent: number, hash: number): void {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const parentWord = inodeWord(store, parent);
  const head = bucketWord(store, hash);
  i32[word + DENTRY_PARENT] = parent;
  i32[word + DENTRY_HASH] = hash;
  i32[word + DENTRY_HASH_NEXT] = i32[head];
  i32[head] = dentry;
  toFront(store, dentry, parentWord);
}

/** A dentry whose name now stands for another inode comes first in listings, as if it had been created. */
export function renew(store: Store, dentry: number): void {
  const { i32, dentryTree } = store;
  const parentWord = inodeWord(store, i32[dentryWord(store, dentry) + DENTRY_PARENT]);
  i32[parentWord + INODE_ROOT] = treeRemove(dentryTree, i32[parentWord + INODE_ROOT], dentry);
  toFront(store, dentry, parentWord);
}

/** Into the tree of its directory, with a fresh cookie. */
function toFront(store: Store, dentry: number, parentWord: number): void {
  const { i32 } = store;
  if (i32[parentWord + INODE_EXTENT_DATA_BLOCK] >>> 0 >= COOKIE_END) renumber(store, parentWord);
  i32[dentryWord(store, dentry) + DENTRY_COOKIE] = i32[parentWord + INODE_EXTENT_DATA_BLOCK]++;
  i32[parentWord + INODE_ROOT] = treeInsert(store.dentryTree, i32[parentWord + INODE_ROOT], dentry);
}

/** Takes the dentry out of its chain and its tree; parent becomes 0. */
export function unhang(store: Store, dentry: number): void {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const parentWord = inodeWord(store, i32[word + DENTRY_PARENT]);
  let link = bucketWord(store, i32[word + DENTRY_HASH]);
  while (i32[link] !== dentry) link = dentryWord(store, i32[link]) + DENTRY_HASH_NEXT;
  i32[link] = i32[word + DENTRY_HASH_NEXT];
  i32[parentWord + INODE_ROOT] = treeRemove(store.dentryTree, i32[parentWord + INODE_ROOT], dentry);
  i32[word + DENTRY_PARENT] = 0;
}

export function addEntries(store: Store, directoryWord: number, count: number): void {
  const { i32 } = store;
  i32[directoryWord + INODE_EXTENT_FILE_BLOCK] += count;
  const size = getWide(i32, directoryWord + INODE_SIZE) + count * BOGO_DIRENT_SIZE;
  setWide(i32, directoryWord + INODE_SIZE, size);
}

/** Cookies of a directory have run out: number its entries anew in their order. */
function renumber(store: Store, directoryWord: number): void {
  const { i32, dentryTree } = store;
  let cookie = FIRST_COOKIE;
  let dentry = treeFirst(dentryTree, i32[directoryWord + INODE_ROOT]);
  while (dentry !== 0) {
    i32[dentryWord(store, dentry) + DENTRY_COOKIE] = cookie++;
    dentry = treeNext(dentryTree, dentry);
  }
  i32[directoryWord + INODE_EXTENT_DATA_BLOCK] = cookie;
}

/**
 * The inode has lost the name that stood in `dentry` of directory `parent`, with its end in `text`; a directory
 * its only one. The record may be free, but nobody has taken it yet.
 */
export function unlinkInode(
  store: Store,
  ino: number,
  parent: number,
  dentry: number,
  text: number,
): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const directory = (i32[word + INODE_MODE] & S_IFMT) === S_IFDIR;
  beginWrite(store, word);
  if (directory) {
    i32[word + INODE_NLINK] = 0;
    i32[word + INODE_EXTENT_COUNT] = 0;
    // ".." of a removed directory that someone still stands in leads on to its parent, which must
    // therefore outlive it: freeInode gives this reference back.
    if (i32[word + INODE_REFERENCES] !== 0) holdParent(store, i32[word + INODE_LINK]);
    else i32[word + INODE_LINK] = 0;
  } else {
    i32[word + INODE_NLINK]--;
  }
  stamp(store, word, CTIME);
  endWrite(store, word);
  if (freeIfUnused(store, ino)) return;
  if (i32[word + INODE_NLINK] !== 0) return;
  store.orphans.push(ino);
  store.lost.parent = parent;
  store.lost.dentry = dentry;
  store.lost.text = text;
}

function holdParent(store: Store, parent: number): void {
  const word = inodeWord(store, parent);
  beginWrite(store, word);
  store.i32[word + INODE_REFERENCES]++;
  endWrite(store, word);
}
