/** getdents64(2): records formatted where they are wanted. */
import { INODE_MODE } from '../../../ringbuf/layout.gen.ts';
import { cookieOf, entryAt, inoOf, nameInto, nameLengthOf, next } from '../dentries.ts';
import { EINVAL, ENOENT, ENOTDIR } from '../errno.ts';
import { inodeWord, isDirectory, nlinkOf, parentOf } from '../inodes.ts';
import { DOT, S_IFDIR } from '../posix.ts';
import type { Store } from '../store.ts';
import { accessed } from './times.ts';

/** struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, d_name with its NUL. */
const D_RECLEN = 16;
const D_TYPE = 18;
const D_NAME = 19;
const ALIGNMENT = 8;

/** Positions of a listing, as tmpfs has them (fs/libfs.c): that of an entry is its cookie. */
const POSITION_DOT = 0;
const POSITION_DOTDOT = 1;
const POSITION_FIRST = 2;
const POSITION_END = 0x7fffffff;

/** Where the records go: a payload in the ring, or any memory that is aligned to 4 bytes. */
export interface DirentBuffer {
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  /** Byte offset of the next record, a multiple of 4. */
  at: number;
  end: number;
  /** Directory position: where the next record is to be found. */
  position: number;
}

/**
 * Writes the entries from buffer.position on, "." and ".." first, then the newest, as many as fit, and
 * moves at and position behind them → 0; -EINVAL when not even one fits, -ENOENT in a removed directory.
 */
export function readdir(
  store: Store,
  directory: number,
  noatime: boolean,
  buffer: DirentBuffer,
): number {
  if (!isDirectory(store, directory)) return -ENOTDIR;
  if (nlinkOf(store, directory) === 0) return -ENOENT;
  const start = buffer.at;
  let fits = true;
  if (buffer.position <= POSITION_DOT) fits = addDots(store, directory, POSITION_DOT, buffer);
  if (fits && buffer.position === POSITION_DOTDOT)
    fits = addDots(store, directory, POSITION_DOTDOT, buffer);
  if (fits && buffer.position !== POSITION_END) {
    const { position } = buffer;
    let dentry = entryAt(store, directory, position <= POSITION_FIRST ? Infinity : position);
    while (dentry !== 0) {
      const follower = next(store, dentry);
      if (!addEntry(store, dentry, positionOf(store, follower), buffer)) break;
      dentry = follower;
    }
    fits = dentry === 0;
    if (fits) buffer.position = POSITION_END;
  }
  if (!fits && buffer.at === start) return -EINVAL;
  if (!noatime) accessed(store, directory);
  return 0;
}

/** "." or "..", whichever stands at that position. */
function addDots(store: Store, directory: number, position: number, buffer: DirentBuffer): boolean {
  const dots = position + 1;
  const ino = position === POSITION_DOT ? directory : parentOf(store, directory);
  const follower =
    position === POSITION_DOT
      ? POSITION_DOTDOT
      : positionOf(store, entryAt(store, directory, Infinity));
  const name = beginRecord(buffer, ino, follower, S_IFDIR, dots);
  if (name === 0) return false;
  for (let i = 0; i < dots; i++) buffer.u8[name + i] = DOT;
  return true;
}

/** Where a listing goes on with that entry; 0: it ends. */
function positionOf(store: Store, dentry: number): number {
  return dentry === 0 ? POSITION_END : cookieOf(store, dentry);
}

function addEntry(store: Store, dentry: number, follower: number, buffer: DirentBuffer): boolean {
  const ino = inoOf(store, dentry);
  const mode = store.i32[inodeWord(store, ino) + INODE_MODE];
  const name = beginRecord(buffer, ino, follower, mode, nameLengthOf(store, dentry));
  if (name === 0) return false;
  nameInto(store, dentry, buffer.u8, name);
  return true;
}

/** Writes all but the name, moves `at` on → offset of d_name, 0 when the record does not fit. */
function beginRecord(
  buffer: DirentBuffer,
  ino: number,
  follower: number,
  mode: number,
  nameLength: number,
): number {
  const { i32, u8, at } = buffer;
  const length = (D_NAME + nameLength + ALIGNMENT) & ~(ALIGNMENT - 1);
  if (at + length > buffer.end) return 0;
  const word = at >> 2;
  i32[word] = ino;
  i32[word + 1] = 0;
  i32[word + 2] = follower;
  i32[word + 3] = 0;
  for (let end = (at + length) >> 2, i = word + 4; i < end; i++) i32[i] = 0;
  u8[at + D_RECLEN] = length;
  u8[at + D_RECLEN + 1] = length >> 8;
  u8[at + D_TYPE] = (mode >> 12) & 15;
  buffer.at = at + length;
  buffer.position = follower;
  return at + D_NAME;
}
