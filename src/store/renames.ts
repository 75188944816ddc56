/**
 * Names that move: rename to a free name, over another file, and RENAME_EXCHANGE. All in constant time,
 * whatever hangs below a directory. The callers (operations/rename.ts) have checked what rename(2) forbids.
 */
import {
  DENTRY_INO,
  DENTRY_PARENT,
  DENTRY_TEXT,
  INODE_EXTENT_COUNT,
  INODE_LINK,
  INODE_MODE,
  INODE_NLINK,
} from '../../ringbuf/layout.gen.ts';
import { CTIME, MTIME, stamp } from './clock.ts';
import {
  addEntries,
  dentryWord,
  dropName,
  hang,
  overflowText,
  renew,
  setName,
  unhang,
  unlinkInode,
} from './dentries.ts';
import { flipEpoch } from './hash.ts';
import { beginWrite, endWrite, inodeWord, isDirectory } from './inodes.ts';
import { S_IFDIR, S_IFMT } from './posix.ts';
import type { Store } from './store.ts';
import { giveRecord } from './tables.ts';

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
 * Renames `source` over `target`: the target's dentry keeps its name, now names the source's inode
 * and comes first in listings; the source's dentry is gone; the old inode loses a link and is freed when unused.
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
  renew(store, target);
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
  unlinkInode(store, replaced, parent, target, i32[targetWord + DENTRY_TEXT]);
}

/** RENAME_EXCHANGE: the two dentries swap their inodes, keep their names, and come first in listings. */
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
  renew(store, first);
  renew(store, second);
  endWrite(store, secondWord);
  endWrite(store, firstWord);
  i32[inodeWord(store, firstParent) + INODE_NLINK] += gained;
  i32[inodeWord(store, secondParent) + INODE_NLINK] -= gained;
  renamed(store, secondIno, firstParent, first);
  if (firstIno !== secondIno) renamed(store, firstIno, secondParent, second);
  endParents(store, firstParent, secondParent);
  flipEpoch(store);
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
