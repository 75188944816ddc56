/**
 * Extended attributes: a chain of Xattr records per inode, ACLs first, the rest by name from the
 * last to the first, as listxattr of tmpfs gives them. This file stores; who may do what is operations/xattr.ts's.
 *
 * Other processes read none of this but Inode.flags, which tell whether there is anything to find.
 */
import {
  INODE_CAPABILITY,
  INODE_FLAGS,
  INODE_XATTR,
  INODE_XATTRS,
  SUPERBLOCK_INODE_LIMIT,
  SUPERBLOCK_INODES_USED,
  SUPERBLOCK_XATTR_INODES,
  SUPERBLOCK_XATTR_SPACE,
  TEXT_BYTES_BYTES,
  TEXT_BYTES_CAPACITY,
  TEXT_NEXT,
  TEXT_RECORD_SIZE,
  TEXT_RECORD_WORDS,
  XATTR_BYTES_BYTES,
  XATTR_BYTES_CAPACITY,
  XATTR_KIND,
  XATTR_KIND_PLAIN,
  XATTR_NAME_LENGTH,
  XATTR_NAME_MAX,
  XATTR_NEXT,
  XATTR_RECORD_WORDS,
  XATTR_SIZE_MAX,
  XATTR_TEXT,
  XATTR_VALUE_LENGTH,
} from '../../ringbuf/layout.gen.ts';
import { EEXIST, ENODATA, ENOSPC } from './errno.ts';
import { beginWrite, endWrite, inodeWord } from './inodes.ts';
import { XATTR_CREATE, XATTR_REPLACE } from './posix.ts';
import type { Store } from './store.ts';
import { giveRecord, takeRecord } from './tables.ts';
import { freeText, writeText } from './texts.ts';
import { getWide, setWide } from './wide.ts';

/** What tmpfs takes for an inode out of its limit (BOGO_INODE_SIZE), and for an attribute itself. */
const INODE_SPACE = 1024;
const XATTR_SPACE = 40;

const CAPABILITY = new TextEncoder().encode('security.capability');

/** Name and value of the attribute that is being written: no client can change them any more. */
const room = new Uint8Array(XATTR_NAME_MAX + XATTR_SIZE_MAX);

export function xattrWord(store: Store, record: number): number {
  return store.xattrs.base + record * XATTR_RECORD_WORDS;
}

/** The first record of an inode, 0 for none. */
export function firstXattr(store: Store, ino: number): number {
  return store.i32[inodeWord(store, ino) + INODE_XATTR];
}

export function nextXattr(store: Store, record: number): number {
  return store.i32[xattrWord(store, record) + XATTR_NEXT];
}

/** The ACL of this kind, or 0. */
export function findAcl(store: Store, ino: number, kind: number): number {
  for (let record = firstXattr(store, ino); record !== 0; record = nextXattr(store, record)) {
    const its = store.i32[xattrWord(store, record) + XATTR_KIND];
    if (its === kind) return record;
    if (its > kind) return 0;
  }
  return 0;
}

/** The plain attribute of this name, or 0. */
export function findXattr(store: Store, ino: number, name: Uint8Array, length: number): number {
  for (let record = firstXattr(store, ino); record !== 0; record = nextXattr(store, record)) {
    if (compare(store, record, XATTR_KIND_PLAIN, name, length) === 0) return record;
  }
  return 0;
}

/** Copies bytes [from, from + length) of the record's name and value to out[at…). */
export function xattrBytes(
  store: Store,
  record: number,
  from: number,
  length: number,
  out: Uint8Array,
  at: number,
): void {
  const { i32, u8, texts } = store;
  const word = xattrWord(store, record);
  const inline = word * 4 + XATTR_BYTES_BYTES;
  let done = 0;
  for (; done < length && from + done < XATTR_BYTES_CAPACITY; done++)
    out[at + done] = u8[inline + from + done];
  if (done === length) return;
  let skip = from + done - XATTR_BYTES_CAPACITY;
  let text = i32[word + XATTR_TEXT];
  for (; skip >= TEXT_BYTES_CAPACITY; skip -= TEXT_BYTES_CAPACITY)
    text = i32[texts.base + text * TEXT_RECORD_WORDS + TEXT_NEXT];
  while (done < length) {
    const bytes = texts.base * 4 + text * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES;
    const piece = Math.min(TEXT_BYTES_CAPACITY - skip, length - done);
    for (let i = 0; i < piece; i++) out[at + done + i] = u8[bytes + skip + i];
    done += piece;
    skip = 0;
    text = i32[texts.base + text * TEXT_RECORD_WORDS + TEXT_NEXT];
  }
}

/** Copies the value to out[at…) → its length. */
export function xattrValue(store: Store, record: number, out: Uint8Array, at: number): number {
  const word = xattrWord(store, record);
  const length = store.i32[word + XATTR_VALUE_LENGTH];
  xattrBytes(store, record, store.i32[word + XATTR_NAME_LENGTH], length, out, at);
  return length;
}

export function valueLengthOf(store: Store, record: number): number {
  return store.i32[xattrWord(store, record) + XATTR_VALUE_LENGTH];
}

/** Gives a plain attribute a value (≤ XATTR_SIZE_MAX) → 0, -EEXIST, -ENODATA, -ENOSPC with nothing changed. */
export function setXattr(
  store: Store,
  ino: number,
  name: Uint8Array,
  nameLength: number,
  value: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  const old = findXattr(store, ino, name, nameLength);
  // tmpfs wants the room before it looks at the flags.
  const space = XATTR_SPACE + nameLength + length;
  if (space > spaceLeft(store)) return -ENOSPC;
  if (old !== 0 && (flags & XATTR_CREATE) !== 0) return -EEXIST;
  if (old === 0 && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
  room.set(name.subarray(0, nameLength));
  copyIn(value, offset, length, nameLength);
  const record = makeRecord(store, XATTR_KIND_PLAIN, nameLength, length);
  if (record === 0) return -ENOSPC;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  replace(store, word, old, record, name, nameLength);
  store.i32[word + INODE_FLAGS] |= INODE_XATTRS;
  if (isCapability(name, nameLength)) store.i32[word + INODE_FLAGS] |= INODE_CAPABILITY;
  endWrite(store, word);
  if (old !== 0) freeRecord(store, old);
  return 0;
}

/** → 0 or -ENODATA. */
export function removeXattr(
  store: Store,
  ino: number,
  name: Uint8Array,
  nameLength: number,
): number {
  const { i32 } = store;
  const old = findXattr(store, ino, name, nameLength);
  if (old === 0) return -ENODATA;
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  replace(store, word, old, 0, name, nameLength);
  if (isCapability(name, nameLength)) i32[word + INODE_FLAGS] &= ~INODE_CAPABILITY;
  if (!hasPlain(store, ino)) i32[word + INODE_FLAGS] &= ~INODE_XATTRS;
  endWrite(store, word);
  freeRecord(store, old);
  return 0;
}

/** What a write does to a file with INODE_CAPABILITY. */
export function dropCapability(store: Store, ino: number): void {
  removeXattr(store, ino, CAPABILITY, CAPABILITY.length);
}

/** A record for an ACL that setAcl will link: `length` bytes of entries → record, or 0 for no memory. */
export function makeAcl(store: Store, kind: number, entries: Uint8Array, length: number): number {
  copyIn(entries, 0, length, 0);
  return makeRecord(store, kind, 0, length);
}

/** Puts a new record in the place of the ACL of its kind. The caller has opened the inode's seqlock. */
export function linkAcl(store: Store, word: number, kind: number, record: number): void {
  const { i32 } = store;
  let at = word + INODE_XATTR;
  while (i32[at] !== 0 && i32[xattrWord(store, i32[at]) + XATTR_KIND] < kind)
    at = xattrWord(store, i32[at]) + XATTR_NEXT;
  const old = i32[at];
  let next = old;
  if (old !== 0 && i32[xattrWord(store, old) + XATTR_KIND] === kind) {
    next = i32[xattrWord(store, old) + XATTR_NEXT];
    freeRecord(store, old);
  }
  i32[at] = next;
  if (record === 0) return;
  i32[xattrWord(store, record) + XATTR_NEXT] = next;
  i32[at] = record;
}

/** Overwrites one byte of an ACL's entries. */
export function setAclByte(store: Store, record: number, at: number, value: number): void {
  const { i32, u8, texts } = store;
  const word = xattrWord(store, record);
  if (at < XATTR_BYTES_CAPACITY) {
    u8[word * 4 + XATTR_BYTES_BYTES + at] = value;
    return;
  }
  let skip = at - XATTR_BYTES_CAPACITY;
  let text = i32[word + XATTR_TEXT];
  for (; skip >= TEXT_BYTES_CAPACITY; skip -= TEXT_BYTES_CAPACITY)
    text = i32[texts.base + text * TEXT_RECORD_WORDS + TEXT_NEXT];
  u8[texts.base * 4 + text * TEXT_RECORD_SIZE + TEXT_BYTES_BYTES + skip] = value;
}

/** Frees all that the inode at `word` has; its seqlock is open. */
export function dropXattrs(store: Store, word: number): void {
  const { i32 } = store;
  let record = i32[word + INODE_XATTR];
  i32[word + INODE_XATTR] = 0;
  while (record !== 0) {
    const next = nextXattr(store, record);
    freeRecord(store, record);
    record = next;
  }
}

/** Bytes that attributes may still take of the inode limit. */
function spaceLeft(store: Store): number {
  const { i32, superblockWord } = store;
  const inodes =
    i32[superblockWord + SUPERBLOCK_INODE_LIMIT] - i32[superblockWord + SUPERBLOCK_INODES_USED];
  return inodes * INODE_SPACE - getWide(i32, superblockWord + SUPERBLOCK_XATTR_SPACE);
}

function countSpace(store: Store, change: number): void {
  const { i32, superblockWord } = store;
  const space = getWide(i32, superblockWord + SUPERBLOCK_XATTR_SPACE) + change;
  setWide(i32, superblockWord + SUPERBLOCK_XATTR_SPACE, space);
  i32[superblockWord + SUPERBLOCK_XATTR_INODES] = Math.ceil(space / INODE_SPACE);
}

function copyIn(bytes: Uint8Array, offset: number, length: number, at: number): void {
  for (let i = 0; i < length; i++) room[at + i] = bytes[offset + i];
}

/** A record with what stands in `room` → 0 when there is no memory for it. */
function makeRecord(store: Store, kind: number, nameLength: number, length: number): number {
  const { i32, u8 } = store;
  const record = takeRecord(store, store.xattrs);
  if (record === 0) return 0;
  const word = xattrWord(store, record);
  const total = nameLength + length;
  let text = 0;
  if (total > XATTR_BYTES_CAPACITY) {
    text = writeText(store, room, XATTR_BYTES_CAPACITY, total - XATTR_BYTES_CAPACITY);
    if (text < 0) {
      giveRecord(store, store.xattrs, record);
      return 0;
    }
  }
  i32[word + XATTR_NEXT] = 0;
  i32[word + XATTR_KIND] = kind;
  i32[word + XATTR_NAME_LENGTH] = nameLength;
  i32[word + XATTR_VALUE_LENGTH] = length;
  i32[word + XATTR_TEXT] = text;
  const inline = Math.min(total, XATTR_BYTES_CAPACITY);
  const to = word * 4 + XATTR_BYTES_BYTES;
  for (let i = 0; i < inline; i++) u8[to + i] = room[i];
  if (kind === XATTR_KIND_PLAIN) countSpace(store, XATTR_SPACE + total);
  return record;
}

function freeRecord(store: Store, record: number): void {
  const { i32 } = store;
  const word = xattrWord(store, record);
  if (i32[word + XATTR_TEXT] !== 0) freeText(store, i32[word + XATTR_TEXT]);
  if (i32[word + XATTR_KIND] === XATTR_KIND_PLAIN) {
    const total = i32[word + XATTR_NAME_LENGTH] + i32[word + XATTR_VALUE_LENGTH];
    countSpace(store, -(XATTR_SPACE + total));
  }
  giveRecord(store, store.xattrs, record);
}

/** Takes `old` (0: none) out of the chain and puts `record` (0: none) where its name belongs. */
function replace(
  store: Store,
  word: number,
  old: number,
  record: number,
  name: Uint8Array,
  nameLength: number,
): void {
  const { i32 } = store;
  let at = word + INODE_XATTR;
  while (i32[at] !== 0 && compare(store, i32[at], XATTR_KIND_PLAIN, name, nameLength) < 0)
    at = xattrWord(store, i32[at]) + XATTR_NEXT;
  const next = old === 0 ? i32[at] : nextXattr(store, old);
  if (record !== 0) i32[xattrWord(store, record) + XATTR_NEXT] = next;
  i32[at] = record === 0 ? next : record;
}

/** Where the record stands to one of this kind and name: negative before it, 0 the same, positive behind. */
function compare(
  store: Store,
  record: number,
  kind: number,
  name: Uint8Array,
  length: number,
): number {
  const { i32, u8, texts } = store;
  const word = xattrWord(store, record);
  if (i32[word + XATTR_KIND] !== kind) return i32[word + XATTR_KIND] - kind;
  const its = i32[word + XATTR_NAME_LENGTH];
  const both = Math.min(its, length);
  const inline = word * 4 + XATTR_BYTES_BYTES;
  const rest =
    texts.base * 4 +
    i32[word + XATTR_TEXT] * TEXT_RECORD_SIZE +
    TEXT_BYTES_BYTES -
    XATTR_BYTES_CAPACITY;
  for (let i = 0; i < both; i++) {
    // A name never reaches into a second text record.
    const byte = u8[(i < XATTR_BYTES_CAPACITY ? inline : rest) + i];
    if (byte !== name[i]) return name[i] - byte;
  }
  return length - its;
}

function hasPlain(store: Store, ino: number): boolean {
  let record = firstXattr(store, ino);
  while (record !== 0 && store.i32[xattrWord(store, record) + XATTR_KIND] !== XATTR_KIND_PLAIN)
    record = nextXattr(store, record);
  return record !== 0;
}

function isCapability(name: Uint8Array, length: number): boolean {
  if (length !== CAPABILITY.length) return false;
  for (let i = 0; i < length; i++) if (name[i] !== CAPABILITY[i]) return false;
  return true;
}
