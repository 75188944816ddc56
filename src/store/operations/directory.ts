/** getdents64(2): records formatted where they are wanted. */
import { INODE_MODE } from '../../../ringbuf/layout.gen.ts';
import { after, cookieOf, inoOf, nameInto, nameLengthOf, next } from '../dentries.ts';
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

const COOKIE_DOT = 1;
const COOKIE_DOTDOT = 2;

/** Where the records go: a payload in the ring, or any memory that is aligned to 4 bytes. */
export interface DirentBuffer {
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  /** Byte offset of the next record, a multiple of 4. */
  at: number;
  end: number;
  /** Directory position: the cookie of the last record written. */
  position: number;
}

/**
 * Writes the entries after buffer.position, "." and ".." first, as many as fit, and moves at and
 * position behind them → 0; -EINVAL when not even one fits, -ENOENT in a removed directory.
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
  if (buffer.position < COOKIE_DOT) fits = addDots(store, directory, COOKIE_DOT, buffer);
  if (fits && buffer.position < COOKIE_DOTDOT)
    fits = addDots(store, directory, COOKIE_DOTDOT, buffer);
  if (fits) {
    let dentry = after(store, directory, buffer.position);
    while (dentry !== 0 && addEntry(store, dentry, buffer)) dentry = next(store, dentry);
    fits = dentry === 0;
  }
  if (!fits && buffer.at === start) return -EINVAL;
  if (!noatime) accessed(store, directory);
  return 0;
}

/** "." (cookie 1) and ".." (cookie 2). */
function addDots(store: Store, directory: number, cookie: number, buffer: DirentBuffer): boolean {
  const ino = cookie === COOKIE_DOT ? directory : parentOf(store, directory);
  const name = beginRecord(buffer, ino, cookie, S_IFDIR, cookie);
  if (name === 0) return false;
  for (let i = 0; i < cookie; i++) buffer.u8[name + i] = DOT;
  return true;
}

function addEntry(store: Store, dentry: number, buffer: DirentBuffer): boolean {
  const ino = inoOf(store, dentry);
  const mode = store.i32[inodeWord(store, ino) + INODE_MODE];
  const name = beginRecord(buffer, ino, cookieOf(store, dentry), mode, nameLengthOf(store, dentry));
  if (name === 0) return false;
  nameInto(store, dentry, buffer.u8, name);
  return true;
}

/** Writes all but the name, moves `at` on → offset of d_name, 0 when the record does not fit. */
function beginRecord(
  buffer: DirentBuffer,
  ino: number,
  cookie: number,
  mode: number,
  nameLength: number,
): number {
  const { i32, u8, at } = buffer;
  const length = (D_NAME + nameLength + ALIGNMENT) & ~(ALIGNMENT - 1);
  if (at + length > buffer.end) return 0;
  const word = at >> 2;
  i32[word] = ino;
  i32[word + 1] = 0;
  i32[word + 2] = cookie;
  i32[word + 3] = 0;
  for (let end = (at + length) >> 2, i = word + 4; i < end; i++) i32[i] = 0;
  u8[at + D_RECLEN] = length;
  u8[at + D_RECLEN + 1] = length >> 8;
  u8[at + D_TYPE] = (mode >> 12) & 15;
  buffer.at = at + length;
  buffer.position = cookie;
  return at + D_NAME;
}
