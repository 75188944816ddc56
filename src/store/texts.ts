/** Chains of Text records: symlink targets, and the part of a long name that its dentry cannot hold. */
import {
  INODE_BLOCKS,
  INODE_LINK,
  INODE_SIZE,
  TEXT_BYTES_BYTES,
  TEXT_BYTES_CAPACITY,
  TEXT_NEXT,
  TEXT_RECORD_SIZE,
  TEXT_RECORD_WORDS,
} from '../../ringbuf/layout.gen.ts';
import { ENOSPC } from './errno.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import type { Store } from './store.ts';
import { giveRecord, takeRecord } from './tables.ts';
import { getWide, setWide } from './wide.ts';

/** tmpfs keeps targets from this length on in a page of their own, which st_blocks shows. */
const SHORT_SYMLINK_LENGTH = 128;

/** Stores the bytes in a new chain → its first record, or -ENOSPC with nothing kept. length > 0. */
export function writeText(store: Store, bytes: Uint8Array, offset: number, length: number): number {
  const { i32, u8, texts } = store;
  let first = 0;
  let last = 0;
  for (let done = 0; done < length; done += TEXT_BYTES_CAPACITY) {
    const record = takeRecord(store, texts);
    if (record === 0) {
      if (first !== 0) freeText(store, first);
      return -ENOSPC;
    }
    const word = texts.base + record * TEXT_RECORD_WORDS;
    i32[word + TEXT_NEXT] = 0;
    if (last === 0) first = record;
    else i32[texts.base + last * TEXT_RECORD_WORDS + TEXT_NEXT] = record;
    last = record;
    const to = texts.base * 4 + record * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES;
    const piece = Math.min(TEXT_BYTES_CAPACITY, length - done);
    for (let at = 0; at < piece; at++) u8[to + at] = bytes[offset + done + at];
  }
  return first;
}

/** Copies `length` bytes of the chain to out[offset…). */
export function readText(
  store: Store,
  first: number,
  out: Uint8Array,
  offset: number,
  length: number,
): void {
  const { i32, u8, texts } = store;
  let record = first;
  for (let done = 0; done < length; done += TEXT_BYTES_CAPACITY) {
    const from = texts.base * 4 + record * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES;
    const piece = Math.min(TEXT_BYTES_CAPACITY, length - done);
    for (let at = 0; at < piece; at++) out[offset + done + at] = u8[from + at];
    record = i32[texts.base + record * TEXT_RECORD_WORDS + TEXT_NEXT];
  }
}

/** Bytes of the chain before the first NUL. */
export function textLength(store: Store, first: number): number {
  const { i32, u8, texts } = store;
  let length = 0;
  for (let record = first; record !== 0; ) {
    const from = texts.base * 4 + record * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES;
    for (let at = 0; at < TEXT_BYTES_CAPACITY; at++, length++)
      if (u8[from + at] === 0) return length;
    record = i32[texts.base + record * TEXT_RECORD_WORDS + TEXT_NEXT];
  }
  return length;
}

/** Are the chain's first `length` bytes these? */
export function textEquals(
  store: Store,
  first: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
  const { i32, u8, texts } = store;
  let record = first;
  for (let done = 0; done < length; done += TEXT_BYTES_CAPACITY) {
    const from = texts.base * 4 + record * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES;
    const piece = Math.min(TEXT_BYTES_CAPACITY, length - done);
    for (let at = 0; at < piece; at++) {
      if (u8[from + at] !== bytes[offset + done + at]) return false;
    }
    record = i32[texts.base + record * TEXT_RECORD_WORDS + TEXT_NEXT];
  }
  return true;
}

/** Gives every record of the chain back. */
export function freeText(store: Store, first: number): void {
  const { i32, texts } = store;
  let record = first;
  while (record !== 0) {
    const next = i32[texts.base + record * TEXT_RECORD_WORDS + TEXT_NEXT];
    giveRecord(store, texts, record);
    record = next;
  }
}

/** Gives a fresh symlink inode its target (length > 0) → 0 or -ENOSPC. */
export function setTarget(
  store: Store,
  ino: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const { i32 } = store;
  const first = writeText(store, bytes, offset, length);
  if (first < 0) return first;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  i32[word + INODE_LINK] = first;
  setWide(i32, word + INODE_SIZE, length);
  setWide(i32, word + INODE_BLOCKS, length >= SHORT_SYMLINK_LENGTH ? 1 : 0);
  endWrite(store, word);
  return 0;
}

/** Copies the target to out[offset, offset + capacity) as far as it fits → its full length. */
export function targetInto(
  store: Store,
  ino: number,
  out: Uint8Array,
  offset: number,
  capacity: number,
): number {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const length = getWide(i32, word + INODE_SIZE);
  readText(store, i32[word + INODE_LINK], out, offset, Math.min(length, capacity));
  return length;
}

/** Frees the target of a symlink that goes away. The caller has opened the inode's seqlock. */
export function dropTarget(store: Store, ino: number): void {
  const { i32 } = store;
  const word = inodeWord(store, ino);
  const first = i32[word + INODE_LINK];
  i32[word + INODE_LINK] = 0;
  if (first !== 0) freeText(store, first);
}
