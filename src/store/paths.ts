/** The path of an inode, for getcwd and readlink of /proc/self/fd/N: up from dentry to dentry. */
import {
  DENTRY_INO,
  DENTRY_PARENT,
  INODE_EXTENT_COUNT,
  ROOT_INO,
  SUPERBLOCK_DENTRIES_FRESH,
} from '../../ringbuf/layout.gen.ts';
import { dentryWord, nameInto, nameLengthOf } from './dentries.ts';
import { ENAMETOOLONG, ENOENT } from './errno.ts';
import { inodeWord, isDirectory, nlinkOf } from './inodes.ts';
import type { Store } from './store.ts';

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
