/** The path of an inode, for getcwd and readlink of /proc/self/fd/N: up from dentry to dentry. */
import {
  DENTRY_INO,
  DENTRY_NAME_BYTES,
  DENTRY_NAME_CAPACITY,
  DENTRY_PARENT,
  INODE_EXTENT_COUNT,
  INODE_LINK,
  INODE_MODE,
  PATH_MAX,
  ROOT_INO,
  SUPERBLOCK_DENTRIES_FRESH,
} from '../../ringbuf/layout.gen.ts';
import { dentryWord, nameInto, nameLengthOf } from './dentries.ts';
import { ENAMETOOLONG, ENOENT } from './errno.ts';
import { beginWrite, endWrite, inodeWord, isDirectory, nlinkOf } from './inodes.ts';
import { S_IFDIR, S_IFLNK, S_IFMT } from './posix.ts';
import type { Store } from './store.ts';
import { freeText, readText, textLength, writeText } from './texts.ts';

/** Levels of directories that pathOf climbs: no path of PATH_MAX bytes has more. */
const DEPTH_MAX = 2048;

/**
 * Writes the path of an inode from the root of the tree, "/a/b" or "/", to out[0…) → its length,
 * -ENOENT when it has no name any more, -ENAMETOOLONG when out is too small. Of several links of a
 * file it gives any one.
 */
export function pathOf(store: Store, inode: number, out: Uint8Array): number {
  const { i32 } = store;
  let start = out.length;
  let ino = inode;
  for (let depth = 0; ino !== ROOT_INO; depth++) {
    if (nlinkOf(store, ino) === 0) return -ENOENT;
    const dentry = isDirectory(store, ino)
      ? i32[inodeWord(store, ino) + INODE_EXTENT_COUNT]
      : anyName(store, ino);
    if (dentry === 0) return -ENOENT;
    const length = nameLengthOf(store, dentry);
    start -= length + 1;
    if (start < 0 || depth >= DEPTH_MAX) return -ENAMETOOLONG;
    out[start] = 0x2f;
    nameInto(store, dentry, out, start + 1);
    ino = i32[dentryWord(store, dentry) + DENTRY_PARENT];
  }
  if (start === out.length) {
    if (out.length === 0) return -ENAMETOOLONG;
    out[--start] = 0x2f;
  }
  out.copyWithin(0, start);
  return out.length - start;
}

/**
 * A name of an inode that is no directory, 0 for none. Such an inode keeps no way back to its names,
 * so the whole table is looked through; programs ask for this once in a while.
 */
function anyName(store: Store, ino: number): number {
  const { i32 } = store;
  const end = i32[store.superblockWord + SUPERBLOCK_DENTRIES_FRESH];
  for (let dentry = 1; dentry < end; dentry++) {
    const word = dentryWord(store, dentry);
    if (i32[word + DENTRY_INO] === ino && i32[word + DENTRY_PARENT] !== 0) return dentry;
  }
  return 0;
}

/**
 * Where an inode without a name keeps the path that it had last: a Text chain that ends in NUL. A symlink has
 * its target there and keeps none.
 */
function lastPathWord(store: Store, ino: number): number {
  const word = inodeWord(store, ino);
  const type = store.i32[word + INODE_MODE] & S_IFMT;
  if (type === S_IFLNK) return 0;
  return word + (type === S_IFDIR ? INODE_EXTENT_COUNT : INODE_LINK);
}

const scratch = new Uint8Array(PATH_MAX + 1);

/** After the last name of an inode is gone that is held still: what /proc/self/fd/N tells from now on. */
export function keepLastPath(store: Store, ino: number): void {
  const { parent, dentry, text } = store.lost;
  const at = pathOf(store, parent, scratch.subarray(0, PATH_MAX));
  if (at < 0) return;
  const length = nameLengthOf(store, dentry);
  const from = at === 1 ? 0 : at;
  if (from + 1 + length > PATH_MAX) return;
  scratch[from] = 0x2f;
  const inline = Math.min(length, DENTRY_NAME_CAPACITY);
  const name = dentryWord(store, dentry) * 4 + DENTRY_NAME_BYTES;
  scratch.set(store.u8.subarray(name, name + inline), from + 1);
  if (inline < length) readText(store, text, scratch, from + 1 + inline, length - inline);
  storeLastPath(store, ino, from + 1 + length);
}

/** The name that O_TMPFILE gives, which nobody can find. */
export function keepTemporaryPath(store: Store, ino: number, directory: number): void {
  const at = pathOf(store, directory, scratch.subarray(0, PATH_MAX));
  const name = `/#${ino}`;
  if (at < 0 || at + name.length > PATH_MAX) return;
  const from = at === 1 ? 0 : at;
  for (let i = 0; i < name.length; i++) scratch[from + i] = name.charCodeAt(i);
  storeLastPath(store, ino, from + name.length);
}

function storeLastPath(store: Store, ino: number, length: number): void {
  const at = lastPathWord(store, ino);
  if (at === 0 || store.i32[at] !== 0) return;
  scratch[length] = 0;
  const first = writeText(store, scratch, 0, length + 1);
  if (first < 0) return;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  store.i32[at] = first;
  endWrite(store, word);
}

/** The inode goes, or has a name again. Inside the inode's seqlock. */
export function dropLastPath(store: Store, ino: number): void {
  const at = lastPathWord(store, ino);
  if (at === 0 || store.i32[at] === 0) return;
  freeText(store, store.i32[at]);
  store.i32[at] = 0;
}

/** The path that an inode without a name had last → its length, -ENOENT when nobody kept it. */
export function lastPathOf(store: Store, ino: number, out: Uint8Array): number {
  const at = nlinkOf(store, ino) === 0 ? lastPathWord(store, ino) : 0;
  if (at === 0 || store.i32[at] === 0) return -ENOENT;
  const length = textLength(store, store.i32[at]);
  if (length > out.length) return -ENAMETOOLONG;
  readText(store, store.i32[at], out, 0, length);
  return length;
}
