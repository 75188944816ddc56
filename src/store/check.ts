/**
 * The consistency check of a store: every invariant that the tables must keep. Used by tests after
 * every run; it allocates freely and is not for hot paths.
 */
import {
  DENTRY_COOKIE,
  DENTRY_HASH,
  DENTRY_HASH_NEXT,
  DENTRY_INO,
  DENTRY_NAME_CAPACITY,
  DENTRY_NAME_LENGTH,
  DENTRY_PARENT,
  DENTRY_TEXT,
  EXTENT_COUNT,
  EXTENT_DATA_BLOCK,
  EXTENT_FILE_BLOCK,
  EXTENT_RECORD_WORDS,
  INODE_ACL,
  INODE_BLOCKS,
  INODE_CAPABILITY,
  INODE_DEFAULT_ACL,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_DATA_BLOCK,
  INODE_EXTENT_FILE_BLOCK,
  INODE_FLAGS,
  INODE_LINK,
  INODE_MODE,
  INODE_NLINK,
  INODE_NODE,
  INODE_REFERENCES,
  INODE_ROOT,
  INODE_SIZE,
  INODE_XATTR,
  INODE_XATTRS,
  LOCK_END,
  LOCK_INO,
  LOCK_KIND,
  LOCK_KIND_FLOCK,
  LOCK_KIND_FREE,
  LOCK_KIND_POSIX,
  LOCK_NEXT_FREE,
  LOCK_OWNER,
  LOCK_OWNER_GENERATION,
  LOCK_RANK,
  LOCK_RECORD_WORDS,
  LOCK_START,
  LOCK_TYPE,
  NAME_MAX,
  ROOT_INO,
  SUPERBLOCK_BLOCK_LIMIT,
  SUPERBLOCK_BLOCKS_BACKED,
  SUPERBLOCK_BLOCKS_USED,
  SUPERBLOCK_HASH_LEVEL,
  SUPERBLOCK_HASH_SPLIT,
  SUPERBLOCK_LOCKS_FREE_HEAD,
  SUPERBLOCK_LOCKS_FRESH,
  SUPERBLOCK_LOCKS_USED,
  SUPERBLOCK_NAMESPACE_EPOCH,
  SUPERBLOCK_XATTR_INODES,
  SUPERBLOCK_XATTR_SPACE,
  TEXT_BYTES_CAPACITY,
  TEXT_NEXT,
  XATTR_BYTES_CAPACITY,
  XATTR_KIND,
  XATTR_KIND_ACCESS_ACL,
  XATTR_KIND_PLAIN,
  XATTR_NAME_LENGTH,
  XATTR_NAME_MAX,
  XATTR_SIZE_MAX,
  XATTR_TEXT,
  XATTR_VALUE_LENGTH,
} from '../../ringbuf/layout.gen.ts';
import { checkAcl, modeOfAcl, parseAcl } from './acl.ts';
import { CHUNK_BLOCKS } from './blocks.ts';
import { dentryWord, nameInto } from './dentries.ts';
import { RUN_COUNT, RUN_DATA_BLOCK, RUN_OWN, RUN_WORDS } from './grants.ts';
import { BOGO_DIRENT_SIZE, inodeWord } from './inodes.ts';
import { F_RDLCK, F_WRLCK, getExact } from './locks.ts';
import { hashName } from './names.ts';
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from './posix.ts';
import type { Store } from './store.ts';
import type { Table } from './tables.ts';
import { textLength } from './texts.ts';
import type { Tree } from './tree.ts';
import { getWide } from './wide.ts';
import { nextXattr, xattrBytes, xattrWord } from './xattrs.ts';

interface Check {
  readonly store: Store;
  readonly faults: string[];
  /** Records seen in use, by table. */
  readonly texts: Set<number>;
  readonly extents: Set<number>;
  readonly xattrs: Set<number>;
  /** Bytes that attributes take out of the inode limit. */
  xattrSpace: number;
  /** Who holds each block. */
  readonly blocks: Map<number, string>;
}

/** Looks at everything → one sentence per fault; empty when the store is sound. */
export function checkStore(store: Store): string[] {
  const check: Check = {
    store,
    faults: [],
    texts: new Set(),
    extents: new Set(),
    xattrs: new Set(),
    xattrSpace: 0,
    blocks: new Map(),
  };
  const dentries = checkHash(check);
  const inodes = checkInodes(check, dentries);
  checkReachable(check, inodes);
  checkBlocks(check);
  checkTable(check, 'inode', store.inodes, inodes);
  checkTable(check, 'dentry', store.dentries, dentries);
  checkTable(check, 'text', store.texts, check.texts);
  checkTable(check, 'extent', store.extents, check.extents);
  checkLocks(check);
  checkTable(check, 'xattr', store.xattrs, check.xattrs);
  checkXattrSpace(check);
  if (store.i32[store.superblockWord + SUPERBLOCK_NAMESPACE_EPOCH] & 1) {
    check.faults.push('namespace_epoch is odd');
  }
  return check.faults;
}

/** Every dentry stands in the bucket of its hash, under the hash of its name → all of them. */
function checkHash({ store, faults, texts }: Check): Set<number> {
  const { i32 } = store;
  const seen = new Set<number>();
  const level = i32[store.superblockWord + SUPERBLOCK_HASH_LEVEL];
  const split = i32[store.superblockWord + SUPERBLOCK_HASH_SPLIT];
  const name = new Uint8Array(NAME_MAX);
  for (let bucket = 0; bucket < (1 << level) + split; bucket++) {
    let dentry = i32[store.bucketsWord + bucket];
    while (dentry !== 0) {
      if (seen.has(dentry)) {
        faults.push(`dentry ${dentry} stands in two chains, or in one twice`);
        break;
      }
      seen.add(dentry);
      const word = dentryWord(store, dentry);
      const length = i32[word + DENTRY_NAME_LENGTH];
      const hash = i32[word + DENTRY_HASH];
      if (length < 1 || length > NAME_MAX) faults.push(`dentry ${dentry}: name of ${length} bytes`);
      else {
        nameInto(store, dentry, name, 0);
        if (hashName(i32[word + DENTRY_PARENT], name, 0, length) !== hash) {
          faults.push(`dentry ${dentry}: its hash is not that of its name`);
        }
      }
      let home = hash & ((1 << level) - 1);
      if (home < split) home = hash & ((2 << level) - 1);
      if (home !== bucket) faults.push(`dentry ${dentry} stands in bucket ${bucket}, not ${home}`);
      const rest = length - DENTRY_NAME_CAPACITY;
      checkText(
        store,
        faults,
        texts,
        i32[word + DENTRY_TEXT],
        Math.max(rest, 0),
        `dentry ${dentry}`,
      );
      if (i32[word] & 1) faults.push(`dentry ${dentry}: seqlock left open`);
      dentry = i32[word + DENTRY_HASH_NEXT];
    }
  }
  return seen;
}

function checkText(
  store: Store,
  faults: string[],
  seen: Set<number>,
  first: number,
  length: number,
  owner: string,
): void {
  let record = first;
  let count = 0;
  while (record !== 0) {
    if (seen.has(record)) {
      faults.push(`${owner}: text ${record} belongs to someone else too`);
      return;
    }
    seen.add(record);
    count++;
    record = store.i32[store.textsWord + record * store.texts.words + TEXT_NEXT];
  }
  if (count !== Math.ceil(length / TEXT_BYTES_CAPACITY)) {
    faults.push(`${owner}: ${count} text records for ${length} bytes`);
  }
}

/** Counts of names, types, sizes, trees and extents of every inode in use → those. */
function checkInodes(check: Check, dentries: ReadonlySet<number>): Set<number> {
  const { store, faults } = check;
  const { i32 } = store;
  const names = new Map<number, number>();
  for (const dentry of dentries) {
    const ino = i32[dentryWord(store, dentry) + DENTRY_INO];
    names.set(ino, (names.get(ino) ?? 0) + 1);
  }
  const used = new Set<number>();
  for (let ino = 1; ino < i32[store.inodes.freshWord]; ino++) {
    const word = inodeWord(store, ino);
    const mode = i32[word + INODE_MODE];
    if (i32[word] & 1) faults.push(`inode ${ino}: seqlock left open`);
    if (mode === 0) {
      if (names.has(ino)) faults.push(`inode ${ino} is free but has a name`);
      continue;
    }
    used.add(ino);
    const nlink = i32[word + INODE_NLINK];
    if (nlink === 0 && i32[word + INODE_REFERENCES] === 0) {
      faults.push(`inode ${ino} is neither named nor held, but not free`);
    }
    const count = names.get(ino) ?? 0;
    checkXattrs(check, ino, word);
    switch (mode & S_IFMT) {
      case S_IFDIR:
        checkDirectory(check, ino, word, count);
        break;
      case S_IFREG:
        checkExtents(check, ino, word);
        break;
      case S_IFLNK:
        checkText(
          store,
          faults,
          check.texts,
          i32[word + INODE_LINK],
          getWide(i32, word + INODE_SIZE),
          `symlink ${ino}`,
        );
        break;
    }
    checkLastPath(check, ino, word);
    if ((mode & S_IFMT) !== S_IFDIR && nlink !== count) {
      faults.push(`inode ${ino}: nlink ${nlink}, but ${count} names`);
    }
  }
  return used;
}

/** Only what has no name keeps the path that it had. */
function checkLastPath({ store, faults, texts }: Check, ino: number, word: number): void {
  const { i32 } = store;
  const type = i32[word + INODE_MODE] & S_IFMT;
  if (type === S_IFLNK || (type === S_IFDIR && i32[word + INODE_NLINK] !== 0)) return;
  const first = i32[word + (type === S_IFDIR ? INODE_EXTENT_COUNT : INODE_LINK)];
  if (first === 0) return;
  if (i32[word + INODE_NLINK] !== 0) faults.push(`inode ${ino} has a name and a last path`);
  checkText(store, faults, texts, first, textLength(store, first) + 1, `last path of ${ino}`);
}

/** Records in order, ACLs whole and in step with the mode, flags that tell the truth. */
function checkXattrs(check: Check, ino: number, word: number): void {
  const { store, faults } = check;
  const { i32 } = store;
  const bytes = new Uint8Array(XATTR_NAME_MAX + XATTR_SIZE_MAX);
  let kindBefore = 0;
  let before = '';
  let flags = 0;
  for (let record = i32[word + INODE_XATTR]; record !== 0; record = nextXattr(store, record)) {
    const owner = `inode ${ino}: xattr ${record}`;
    if (check.xattrs.has(record)) {
      faults.push(`${owner} belongs to someone else too, or the chain is a cycle`);
      break;
    }
    check.xattrs.add(record);
    const at = xattrWord(store, record);
    const kind = i32[at + XATTR_KIND];
    const nameLength = i32[at + XATTR_NAME_LENGTH];
    const total = nameLength + i32[at + XATTR_VALUE_LENGTH];
    const rest = Math.max(total - XATTR_BYTES_CAPACITY, 0);
    checkText(store, faults, check.texts, i32[at + XATTR_TEXT], rest, owner);
    xattrBytes(store, record, 0, total, bytes, 0);
    const name = Buffer.from(bytes.buffer, 0, nameLength).toString('latin1');
    const plain = kind === XATTR_KIND_PLAIN && kindBefore === kind;
    if (plain ? name >= before : kind <= kindBefore) faults.push(`${owner}: out of order`);
    kindBefore = kind;
    before = name;
    if (kind === XATTR_KIND_PLAIN) {
      flags |= INODE_XATTRS | (name === 'security.capability' ? INODE_CAPABILITY : 0);
      if (nameLength === 0) faults.push(`${owner} has no name`);
      check.xattrSpace += 40 + total;
      continue;
    }
    flags |= kind === XATTR_KIND_ACCESS_ACL ? INODE_ACL : INODE_DEFAULT_ACL;
    const acl = new Uint8Array(total + 4);
    acl[0] = 2;
    acl.set(bytes.subarray(0, total), 4);
    const count = nameLength === 0 ? parseAcl(acl, 0, acl.length) : -1;
    if (count <= 0 || checkAcl(count) !== 0) faults.push(`${owner}: no valid ACL`);
    else if (kind === XATTR_KIND_ACCESS_ACL) {
      const mode = i32[word + INODE_MODE];
      if (modeOfAcl(count, mode) !== mode) faults.push(`${owner}: another mode than the inode`);
    }
  }
  const all = INODE_ACL | INODE_DEFAULT_ACL | INODE_XATTRS | INODE_CAPABILITY;
  if ((i32[word + INODE_FLAGS] & all) !== flags) faults.push(`inode ${ino}: wrong xattr flags`);
  const type = i32[word + INODE_MODE] & S_IFMT;
  if ((i32[word + INODE_FLAGS] & INODE_NODE) !== 0 && type !== S_IFIFO && type !== S_IFSOCK)
    faults.push(`inode ${ino}: a node behind what is neither fifo nor socket`);
}

function checkXattrSpace({ store, faults, xattrSpace }: Check): void {
  const { i32, superblockWord } = store;
  const counted = getWide(i32, superblockWord + SUPERBLOCK_XATTR_SPACE);
  if (counted !== xattrSpace) faults.push(`xattrs take ${xattrSpace} bytes, counted ${counted}`);
  if (i32[superblockWord + SUPERBLOCK_XATTR_INODES] !== Math.ceil(counted / 1024))
    faults.push('the inodes that xattrs stand for are wrong');
}

function checkDirectory(check: Check, ino: number, word: number, names: number): void {
  const { store, faults } = check;
  const { i32 } = store;
  const tree = walkTree(check, store.dentryTree, i32[word + INODE_ROOT], `directory ${ino}`);
  let subdirectories = 0;
  for (const dentry of tree) {
    const at = dentryWord(store, dentry);
    if (i32[at + DENTRY_PARENT] !== ino) {
      faults.push(`directory ${ino}: dentry ${dentry} belongs to ${i32[at + DENTRY_PARENT]}`);
    }
    const child = inodeWord(store, i32[at + DENTRY_INO]);
    if ((i32[child + INODE_MODE] & S_IFMT) === S_IFDIR) subdirectories++;
  }
  const last = tree.at(-1);
  const next = i32[word + INODE_EXTENT_DATA_BLOCK] >>> 0;
  if (last !== undefined && i32[dentryWord(store, last) + DENTRY_COOKIE] >>> 0 >= next) {
    faults.push(`directory ${ino}: next cookie ${next} is used already`);
  }
  const entries = i32[word + INODE_EXTENT_FILE_BLOCK];
  if (entries !== tree.length) {
    faults.push(`directory ${ino}: says ${entries} entries, has ${tree.length}`);
  }
  if (getWide(i32, word + INODE_SIZE) !== (entries + 2) * BOGO_DIRENT_SIZE) {
    faults.push(`directory ${ino}: size does not fit its entries`);
  }
  const nlink = i32[word + INODE_NLINK];
  if (nlink !== 0 && nlink !== 2 + subdirectories) {
    faults.push(`directory ${ino}: nlink ${nlink} with ${subdirectories} subdirectories`);
  }
  if (nlink === 0 && entries !== 0) faults.push(`directory ${ino} was removed with entries in it`);
  if (ino === ROOT_INO) return;
  if (names !== (nlink === 0 ? 0 : 1)) faults.push(`directory ${ino} has ${names} names`);
  if (nlink === 0) return;
  const naming = dentryWord(store, i32[word + INODE_EXTENT_COUNT]);
  if (i32[naming + DENTRY_INO] !== ino || i32[naming + DENTRY_PARENT] !== i32[word + INODE_LINK]) {
    faults.push(`directory ${ino}: its dentry or its parent is wrong`);
  }
}

/** Keys ascend, links agree, heights are right and differ by one at most → nodes in order. */
function walkTree({ faults }: Check, tree: Tree, root: number, owner: string): number[] {
  const { i32, links, keys, words } = tree;
  const nodes: number[] = [];
  const visit = (node: number, up: number, depth: number): number => {
    if (node === 0) return 0;
    if (depth > 64) {
      faults.push(`${owner}: tree is too deep or a cycle`);
      return 0;
    }
    const at = links + node * words;
    if (i32[at + 2] !== up) faults.push(`${owner}: node ${node} has the wrong parent`);
    const left = visit(i32[at], node, depth + 1);
    nodes.push(node);
    const right = visit(i32[at + 1], node, depth + 1);
    const height = Math.max(left, right) + 1;
    if (i32[at + 3] !== height) faults.push(`${owner}: node ${node} has the wrong height`);
    if (Math.abs(left - right) > 1) faults.push(`${owner}: node ${node} is out of balance`);
    return height;
  };
  visit(root, 0, 0);
  for (let at = 1; at < nodes.length; at++) {
    const before = i32[keys + nodes[at - 1] * words] >>> 0;
    if (before >= i32[keys + nodes[at] * words] >>> 0) faults.push(`${owner}: keys do not ascend`);
  }
  return nodes;
}

function checkExtents(check: Check, ino: number, word: number): void {
  const { store, faults } = check;
  const { i32 } = store;
  const runs: [number, number, number][] = [];
  if (i32[word + INODE_EXTENT_COUNT] !== 0) {
    runs.push([
      i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0,
      i32[word + INODE_EXTENT_DATA_BLOCK],
      i32[word + INODE_EXTENT_COUNT],
    ]);
  } else if (i32[word + INODE_ROOT] !== 0) faults.push(`file ${ino}: no first run, but a tree`);
  for (const extent of walkTree(check, store.extentTree, i32[word + INODE_ROOT], `file ${ino}`)) {
    if (check.extents.has(extent)) faults.push(`extent ${extent} belongs to two files`);
    check.extents.add(extent);
    const at = store.extentsWord + extent * EXTENT_RECORD_WORDS;
    runs.push([
      i32[at + EXTENT_FILE_BLOCK] >>> 0,
      i32[at + EXTENT_DATA_BLOCK],
      i32[at + EXTENT_COUNT],
    ]);
  }
  let total = 0;
  for (const [at, [fileBlock, dataBlock, count]] of runs.entries()) {
    if (count <= 0) faults.push(`file ${ino}: a run of ${count} blocks`);
    const before = runs[at - 1];
    if (before !== undefined && before[0] + before[2] > fileBlock) {
      faults.push(`file ${ino}: runs overlap`);
    }
    if (
      before !== undefined &&
      before[0] + before[2] === fileBlock &&
      before[1] + before[2] === dataBlock
    ) {
      faults.push(`file ${ino}: two runs that should be one`);
    }
    claim(check, dataBlock, count, `file ${ino}`);
    total += count;
  }
  if (total !== getWide(i32, word + INODE_BLOCKS)) {
    faults.push(`file ${ino}: has ${total} blocks, says ${getWide(i32, word + INODE_BLOCKS)}`);
  }
}

function claim({ blocks, faults }: Check, first: number, count: number, owner: string): void {
  for (let block = first; block < first + count; block++) {
    const other = blocks.get(block);
    if (other !== undefined) faults.push(`block ${block} belongs to ${other} and to ${owner}`);
    blocks.set(block, owner);
  }
}

/** From every directory the way up ends at the root: no cycle. */
function checkReachable({ store, faults }: Check, inodes: ReadonlySet<number>): void {
  const { i32 } = store;
  for (const ino of inodes) {
    const word = inodeWord(store, ino);
    if ((i32[word + INODE_MODE] & S_IFMT) !== S_IFDIR || i32[word + INODE_NLINK] === 0) continue;
    let up = ino;
    for (let steps = 0; up !== ROOT_INO; steps++) {
      up = i32[inodeWord(store, up) + INODE_LINK];
      if (up === 0 || !inodes.has(up) || steps > inodes.size) {
        faults.push(`directory ${ino}: the way up does not end at the root`);
        break;
      }
    }
  }
}

/** Bitmap = extents + grants + limbo + spares + chunks given back; nothing beyond the backed part. */
function checkBlocks(check: Check): void {
  const { store, faults, blocks: owners } = check;
  const { i32, blocks } = store;
  const runs = blocks.limbo;
  for (let at = 0; at < blocks.limboCount; at++) {
    claim(check, runs[at * 2], runs[at * 2 + 1], 'limbo');
  }
  for (const grant of store.grants) {
    if (!grant?.open) continue;
    for (let at = 0; at < grant.runCount * RUN_WORDS; at += RUN_WORDS) {
      if (grant.runs[at + RUN_OWN] === 0) continue;
      claim(check, grant.runs[at + RUN_DATA_BLOCK], grant.runs[at + RUN_COUNT], 'a grant');
    }
  }
  const used = i32[store.superblockWord + SUPERBLOCK_BLOCKS_USED];
  if (used !== owners.size) faults.push(`${owners.size} blocks in use, counted ${used}`);
  const spares = store.spares.block.filter((block) => block !== 0);
  if (spares.length !== store.spares.count) faults.push('the count of spare blocks is wrong');
  for (const block of spares) claim(check, block, 1, 'a spare');
  if (used > i32[store.superblockWord + SUPERBLOCK_BLOCK_LIMIT])
    faults.push('over the block limit');
  const end = i32[store.superblockWord + SUPERBLOCK_BLOCKS_BACKED];
  let unbacked = 0;
  for (let block = 1; block < end; block++) {
    const bit = ((i32[store.bitmapWord + (block >>> 5)] >>> (block & 31)) & 1) === 1;
    const backed = blocks.chunkBacked[Math.floor(block / CHUNK_BLOCKS)] === 1;
    if (!backed) unbacked++;
    if (owners.has(block) && !backed) faults.push(`block ${block} is in use without memory`);
    if (bit !== (owners.has(block) || !backed)) {
      faults.push(`block ${block}: bit ${bit}, owner ${owners.get(block) ?? 'none'}`);
    }
  }
  if (unbacked !== blocks.unbacked) faults.push('the count of blocks without memory is wrong');
  for (const block of owners.keys()) {
    if (block < 1 || block >= end) faults.push(`block ${block} lies outside the backed part`);
  }
}

/** Records in use and records in the free chain are all that were ever taken. */
function checkTable(
  { store, faults }: Check,
  name: string,
  table: Table,
  used: ReadonlySet<number>,
): void {
  const { i32 } = store;
  const fresh = i32[table.freshWord];
  let free = 0;
  for (
    let record = i32[table.freeWord];
    record !== 0 && free <= fresh;
    record = i32[table.base + record * table.words + table.linkWord]
  ) {
    free++;
    if (used.has(record)) faults.push(`${name} ${record} is free and in use`);
  }
  if (i32[table.usedWord] !== used.size) {
    faults.push(`${name} table: ${used.size} in use, counted ${i32[table.usedWord]}`);
  }
  if (free + used.size !== fresh - 1) {
    faults.push(`${name} table: ${fresh - 1 - free - used.size} records lost`);
  }
}

/**
 * File locks: on inodes that somebody has open; those of one owner apart, and merged where they touch; those of
 * different owners in nobody's way; every owner under one rank.
 */
function checkLocks(check: Check): void {
  const { store, faults } = check;
  const { i32 } = store;
  const at = store.superblockWord;
  const table: Table = {
    base: store.locksWord,
    words: LOCK_RECORD_WORDS,
    capacity: store.capacities.locks,
    linkWord: LOCK_NEXT_FREE,
    usedWord: at + SUPERBLOCK_LOCKS_USED,
    freeWord: at + SUPERBLOCK_LOCKS_FREE_HEAD,
    freshWord: at + SUPERBLOCK_LOCKS_FRESH,
    backed: 0,
  };
  const held = [];
  for (let record = 1; record < i32[table.freshWord]; record++) {
    const word = table.base + record * LOCK_RECORD_WORDS;
    const kind = i32[word + LOCK_KIND];
    if (kind === LOCK_KIND_FREE) continue;
    const side = kind === LOCK_KIND_POSIX ? 'process' : 'description';
    held.push({
      record,
      ino: i32[word + LOCK_INO],
      list: kind === LOCK_KIND_FLOCK ? 'flock' : 'record',
      owner: `${side} ${i32[word + LOCK_OWNER]}.${i32[word + LOCK_OWNER_GENERATION]}`,
      type: i32[word + LOCK_TYPE],
      start: getExact(i32, word + LOCK_START),
      end: getExact(i32, word + LOCK_END),
      rank: i32[word + LOCK_RANK],
    });
  }
  checkTable(check, 'lock', table, new Set(held.map((lock) => lock.record)));
  for (const lock of held) {
    const name = `lock ${lock.record}`;
    if (lock.type !== F_RDLCK && lock.type !== F_WRLCK) faults.push(`${name}: type ${lock.type}`);
    if (lock.start < 0n || lock.end < lock.start) faults.push(`${name}: not a range`);
    if (i32[inodeWord(store, lock.ino) + INODE_REFERENCES] === 0)
      faults.push(`${name} is on inode ${lock.ino}, which nobody has open`);
    for (const other of held) {
      if (other.record <= lock.record) continue;
      if (other.ino !== lock.ino || other.list !== lock.list) continue;
      const overlap = lock.start <= other.end && other.start <= lock.end;
      const touch = lock.start === other.end + 1n || other.start === lock.end + 1n;
      const writes = lock.type === F_WRLCK || other.type === F_WRLCK;
      if (lock.owner !== other.owner) {
        if (lock.rank === other.rank) faults.push(`${name} has the rank of another owner`);
        if (overlap && writes) faults.push(`${name} conflicts with lock ${other.record}`);
      } else if (overlap) faults.push(`${name} and ${other.record} of one owner overlap`);
      else if (touch && lock.type === other.type)
        faults.push(`${name} and ${other.record} of one owner are not merged`);
      else if (lock.rank !== other.rank) faults.push(`${name}: its owner has two ranks`);
    }
  }
}
