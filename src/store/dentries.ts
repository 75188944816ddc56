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
  ROOT_INO,
  SUPERBLOCK_DENTRIES_USED,
  SUPERBLOCK_HASH_LEVEL,
  SUPERBLOCK_HASH_SPLIT,
  SUPERBLOCK_NAMESPACE_EPOCH,
} from '../../ringbuf/layout.gen.ts';
import { CTIME, MTIME, stamp } from './clock.ts';
import { ENAMETOOLONG, ENOENT, ENOSPC } from './errno.ts';
import {
  BOGO_DIRENT_SIZE,
  beginWrite,
  endWrite,
  FIRST_COOKIE,
  freeIfUnused,
  inodeWord,
  isDirectory,
  nlinkOf,
  S_IFDIR,
  S_IFMT,
} from './inodes.ts';
import type { Store } from './store.ts';
import { backTable, giveRecord, takeRecord } from './tables.ts';
import { freeText, readText, textEquals, writeText } from './texts.ts';
import { treeAfter, treeFirst, treeInsert, treeNext, treeRemove } from './tree.ts';
import { getWide, setWide } from './wide.ts';

/** The smallest table has 2^10 buckets; every store has room for that many. */
const FIRST_LEVEL = 10;
/** Cookies are 32-bit; when a directory has used them up, its entries are numbered anew. */
const COOKIE_END = 0xfffffff0;
/** Levels of directories that pathOf climbs: no path of PATH_MAX bytes has more. */
const DEPTH_MAX = 2048;

/** Word index of the record of `dentry` in store.i32. */
export function dentryWord(store: Store, dentry: number): number {
  return store.dentriesWord + dentry * DENTRY_RECORD_WORDS;
}
/** The inode that the dentry names. */
export function inoOf(store: Store, dentry: number): number {
  return store.i32[dentryWord(store, dentry) + DENTRY_INO];
}
/** The directory that the dentry stands in. */
export function directoryOf(store: Store, dentry: number): number {
  return store.i32[dentryWord(store, dentry) + DENTRY_PARENT];
}
/** Its position in the directory (≥ 3): what comes after it is after(store, dir, cookie). */
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

/** Backs the first buckets of a new store → false when memory is out. */
export function createBuckets(store: Store): boolean {
  store.i32[store.superblockWord + SUPERBLOCK_HASH_LEVEL] = FIRST_LEVEL;
  return backTable(store, store.buckets, 4 << FIRST_LEVEL);
}

/** Word index of the chain head for this hash. */
function bucketWord(store: Store, hash: number): number {
  const { i32, superblockWord } = store;
  const level = i32[superblockWord + SUPERBLOCK_HASH_LEVEL];
  let bucket = hash & ((1 << level) - 1);
  if (bucket < i32[superblockWord + SUPERBLOCK_HASH_SPLIT]) bucket = hash & ((2 << level) - 1);
  return store.bucketsWord + bucket;
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
  const parentWord = inodeWord(store, i32[word + DENTRY_PARENT]);
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
  unlinkInode(store, ino);
}

/**
 * Moves a dentry to a name that is not there yet (rename) → 0 or -ENOSPC with nothing changed. It
 * gets the next cookie of the directory, as tmpfs does. The caller has excluded that a directory
 * moves below itself.
 */
export function move(
  store: Store,
  dentry: number,
  parent: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  hash: number,
): number {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const oldParent = i32[word + DENTRY_PARENT];
  const ino = i32[word + DENTRY_INO];
  const directory = isDirectory(store, ino);
  const text = overflowText(store, bytes, offset, length);
  if (text < 0) return text;
  if (directory) flipEpoch(store);
  beginParents(store, oldParent, parent);
  beginWrite(store, word);
  unhang(store, dentry);
  dropName(store, word);
  setName(store, word, bytes, offset, length, text);
  hang(store, dentry, parent, hash);
  endWrite(store, word);
  if (oldParent !== parent) {
    addEntries(store, inodeWord(store, oldParent), -1);
    addEntries(store, inodeWord(store, parent), 1);
    if (directory) {
      i32[inodeWord(store, oldParent) + INODE_NLINK]--;
      i32[inodeWord(store, parent) + INODE_NLINK]++;
    }
  }
  renamed(store, ino, parent, dentry);
  endParents(store, oldParent, parent);
  if (directory) flipEpoch(store);
  return 0;
}

/**
 * Renames `source` over `target`: the target's dentry keeps its name and cookie and now names the
 * source's inode; the source's dentry is gone; the old inode loses a link and is freed when unused.
 * Both are directories (the target empty) or neither; they name different inodes.
 */
export function replace(store: Store, target: number, source: number): void {
  const { i32 } = store;
  const targetWord = dentryWord(store, target);
  const sourceWord = dentryWord(store, source);
  const oldParent = i32[sourceWord + DENTRY_PARENT];
  const parent = i32[targetWord + DENTRY_PARENT];
  const ino = i32[sourceWord + DENTRY_INO];
  const replaced = i32[targetWord + DENTRY_INO];
  const directory = isDirectory(store, ino);
  if (directory) flipEpoch(store);
  beginParents(store, oldParent, parent);
  beginWrite(store, targetWord);
  i32[targetWord + DENTRY_INO] = ino;
  endWrite(store, targetWord);
  beginWrite(store, sourceWord);
  unhang(store, source);
  dropName(store, sourceWord);
  giveRecord(store, store.dentries, source);
  endWrite(store, sourceWord);
  addEntries(store, inodeWord(store, oldParent), -1);
  if (directory) i32[inodeWord(store, oldParent) + INODE_NLINK]--;
  renamed(store, ino, parent, target);
  endParents(store, oldParent, parent);
  if (directory) flipEpoch(store);
  unlinkInode(store, replaced);
}

/** RENAME_EXCHANGE: the two dentries swap their inodes and keep names and cookies. */
export function exchange(store: Store, first: number, second: number): void {
  const { i32 } = store;
  const firstWord = dentryWord(store, first);
  const secondWord = dentryWord(store, second);
  const firstParent = i32[firstWord + DENTRY_PARENT];
  const secondParent = i32[secondWord + DENTRY_PARENT];
  const firstIno = i32[firstWord + DENTRY_INO];
  const secondIno = i32[secondWord + DENTRY_INO];
  const gained = Number(isDirectory(store, secondIno)) - Number(isDirectory(store, firstIno));
  flipEpoch(store);
  beginParents(store, firstParent, secondParent);
  beginWrite(store, firstWord);
  beginWrite(store, secondWord);
  i32[firstWord + DENTRY_INO] = secondIno;
  i32[secondWord + DENTRY_INO] = firstIno;
  endWrite(store, secondWord);
  endWrite(store, firstWord);
  i32[inodeWord(store, firstParent) + INODE_NLINK] += gained;
  i32[inodeWord(store, secondParent) + INODE_NLINK] -= gained;
  renamed(store, secondIno, firstParent, first);
  if (firstIno !== secondIno) renamed(store, firstIno, secondParent, second);
  endParents(store, firstParent, secondParent);
  flipEpoch(store);
}

/** The first entry of the directory with a cookie greater than `cookie`, or 0. */
export function after(store: Store, directory: number, cookie: number): number {
  return treeAfter(store.dentryTree, store.i32[inodeWord(store, directory) + INODE_ROOT], cookie);
}

/** The entry that follows `dentry` in its directory, or 0: cheaper than after() in a listing. */
export function next(store: Store, dentry: number): number {
  return treeNext(store.dentryTree, dentry);
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

/**
 * Writes the path of a directory from the root of the tree, "/a/b" or "/", to out[0…) → its length,
 * -ENOENT when the directory has been removed, -ENAMETOOLONG when out is too small.
 */
export function pathOf(store: Store, directory: number, out: Uint8Array): number {
  const { i32 } = store;
  if (!isDirectory(store, directory)) return -ENOENT;
  let start = out.length;
  let ino = directory;
  for (let depth = 0; ino !== ROOT_INO; depth++) {
    if (nlinkOf(store, ino) === 0) return -ENOENT;
    const dentry = i32[inodeWord(store, ino) + INODE_EXTENT_COUNT];
    if (dentry === 0) return -ENOENT;
    const length = nameLengthOf(store, dentry);
    start -= length + 1;
    if (start < 0 || depth >= DEPTH_MAX) return -ENAMETOOLONG;
    out[start] = 0x2f;
    nameInto(store, dentry, out, start + 1);
    ino = i32[inodeWord(store, ino) + INODE_LINK];
  }
  if (start === out.length) {
    if (out.length === 0) return -ENAMETOOLONG;
    out[--start] = 0x2f;
  }
  out.copyWithin(0, start);
  return out.length - start;
}

/** The part of a name beyond the inline bytes → its Text chain, 0 for none, or -ENOSPC. */
function overflowText(store: Store, bytes: Uint8Array, offset: number, length: number): number {
  if (length > NAME_MAX) return -ENAMETOOLONG;
  if (length <= DENTRY_NAME_CAPACITY) return 0;
  return writeText(store, bytes, offset + DENTRY_NAME_CAPACITY, length - DENTRY_NAME_CAPACITY);
}

function setName(
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

function dropName(store: Store, word: number): void {
  const text = store.i32[word + DENTRY_TEXT];
  if (text === 0) return;
  store.i32[word + DENTRY_TEXT] = 0;
  freeText(store, text);
}

/** Puts the dentry into the hash chain and, with a fresh cookie, into the tree of `parent`. */
function hang(store: Store, dentry: number, parent: number, hash: number): void {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const parentWord = inodeWord(store, parent);
  const head = bucketWord(store, hash);
  i32[word + DENTRY_PARENT] = parent;
  i32[word + DENTRY_HASH] = hash;
  i32[word + DENTRY_HASH_NEXT] = i32[head];
  i32[head] = dentry;
  if (i32[parentWord + INODE_EXTENT_DATA_BLOCK] >>> 0 >= COOKIE_END) renumber(store, parentWord);
  i32[word + DENTRY_COOKIE] = i32[parentWord + INODE_EXTENT_DATA_BLOCK]++;
  i32[parentWord + INODE_ROOT] = treeInsert(store.dentryTree, i32[parentWord + INODE_ROOT], dentry);
}

/** Takes the dentry out of its chain and its tree; parent becomes 0. */
function unhang(store: Store, dentry: number): void {
  const { i32 } = store;
  const word = dentryWord(store, dentry);
  const parentWord = inodeWord(store, i32[word + DENTRY_PARENT]);
  let link = bucketWord(store, i32[word + DENTRY_HASH]);
  while (i32[link] !== dentry) link = dentryWord(store, i32[link]) + DENTRY_HASH_NEXT;
  i32[link] = i32[word + DENTRY_HASH_NEXT];
  i32[parentWord + INODE_ROOT] = treeRemove(store.dentryTree, i32[parentWord + INODE_ROOT], dentry);
  i32[word + DENTRY_PARENT] = 0;
}

function addEntries(store: Store, directoryWord: number, count: number): void {
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

/** The inode has lost a name; a directory its only one. */
function unlinkInode(store: Store, ino: number): void {
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
  freeIfUnused(store, ino);
}

function holdParent(store: Store, parent: number): void {
  const word = inodeWord(store, parent);
  beginWrite(store, word);
  store.i32[word + INODE_REFERENCES]++;
  endWrite(store, word);
}

/** After a rename: a directory learns its new parent and dentry; ctime. */
function renamed(store: Store, ino: number, parent: number, dentry: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  if ((i32[word + INODE_MODE] & S_IFMT) === S_IFDIR) {
    i32[word + INODE_LINK] = parent;
    i32[word + INODE_EXTENT_COUNT] = dentry;
  }
  stamp(store, word, CTIME);
  endWrite(store, word);
}

/** Opens the seqlocks of the directories of a rename, which may be one and the same. */
function beginParents(store: Store, first: number, second: number): void {
  beginWrite(store, inodeWord(store, first));
  if (first !== second) beginWrite(store, inodeWord(store, second));
}

/** Stamps both directories and closes their seqlocks. */
function endParents(store: Store, first: number, second: number): void {
  stamp(store, inodeWord(store, first), MTIME | CTIME);
  if (first !== second) {
    stamp(store, inodeWord(store, second), MTIME | CTIME);
    endWrite(store, inodeWord(store, second));
  }
  endWrite(store, inodeWord(store, first));
}

/** Called before and after a change of the shape of the tree: odd while it lasts. */
function flipEpoch(store: Store): void {
  Atomics.add(store.i32, store.superblockWord + SUPERBLOCK_NAMESPACE_EPOCH, 1);
}

/** Splits one bucket when there are more dentries than buckets. */
function splitIfFull(store: Store): void {
  const { i32, superblockWord, bucketsWord, buckets } = store;
  const level = i32[superblockWord + SUPERBLOCK_HASH_LEVEL];
  const split = i32[superblockWord + SUPERBLOCK_HASH_SPLIT];
  const count = (1 << level) + split;
  if (i32[superblockWord + SUPERBLOCK_DENTRIES_USED] <= count) return;
  if (count >= buckets.capacity || !backTable(store, buckets, (count + 1) * 4)) return;
  flipEpoch(store);
  let keepLink = bucketsWord + split;
  let moveLink = bucketsWord + count;
  let dentry = i32[keepLink];
  while (dentry !== 0) {
    const word = dentryWord(store, dentry);
    if (i32[word + DENTRY_HASH] & (1 << level)) {
      i32[moveLink] = dentry;
      moveLink = word + DENTRY_HASH_NEXT;
    } else {
      i32[keepLink] = dentry;
      keepLink = word + DENTRY_HASH_NEXT;
    }
    dentry = i32[word + DENTRY_HASH_NEXT];
  }
  i32[keepLink] = 0;
  i32[moveLink] = 0;
  const wrapped = split + 1 === 1 << level;
  i32[superblockWord + SUPERBLOCK_HASH_LEVEL] = wrapped ? level + 1 : level;
  i32[superblockWord + SUPERBLOCK_HASH_SPLIT] = wrapped ? 0 : split + 1;
  flipEpoch(store);
}
