/**
 * Where a file's blocks are: runs in file order. The first run stands in the inode itself, which is
 * all that most files need; the others in the ordered tree of extents, and all of them lie behind it.
 * Neighbours that continue each other, in the file and in the segment, are one run.
 *
 * Functions take the word index of the inode's record, whose seqlock the caller holds for changes.
 */
import {
  EXTENT_COUNT,
  EXTENT_DATA_BLOCK,
  EXTENT_FILE_BLOCK,
  EXTENT_RECORD_WORDS,
  INODE_BLOCKS,
  INODE_EXTENT_COUNT,
  INODE_EXTENT_DATA_BLOCK,
  INODE_EXTENT_FILE_BLOCK,
  INODE_ROOT,
} from '../../ringbuf/layout.gen.ts';
import { freeRun } from './blocks.ts';
import { ENOSPC } from './errno.ts';
import type { Store } from './store.ts';
import { giveRecord, takeRecord } from './tables.ts';
import { treeFirst, treeFloor, treeInsert, treeNext, treeRemove } from './tree.ts';

/** One more than the greatest file block. */
export const FILE_BLOCKS_END = 2 ** 32;

/** Blocks from the asked one on that findRun's answer holds for. One thread, so one place will do. */
export const found = { count: 0 };

function extentWord(store: Store, extent: number): number {
  return store.extentsWord + extent * EXTENT_RECORD_WORDS;
}

/** The data block of `fileBlock`, 0 in a hole. found.count: how many blocks on the same is true. */
export function findRun(store: Store, word: number, fileBlock: number): number {
  const { i32 } = store;
  const count = i32[word + INODE_EXTENT_COUNT];
  if (count === 0) {
    found.count = FILE_BLOCKS_END - fileBlock;
    return 0;
  }
  const first = i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0;
  if (fileBlock < first) {
    found.count = first - fileBlock;
    return 0;
  }
  if (fileBlock < first + count) {
    found.count = first + count - fileBlock;
    return i32[word + INODE_EXTENT_DATA_BLOCK] + (fileBlock - first);
  }
  const root = i32[word + INODE_ROOT];
  if (root === 0) {
    found.count = FILE_BLOCKS_END - fileBlock;
    return 0;
  }
  return findInTree(store, root, fileBlock);
}

function findInTree(store: Store, root: number, fileBlock: number): number {
  const { i32, extentTree } = store;
  const extent = treeFloor(extentTree, root, fileBlock);
  let follower: number;
  if (extent !== 0) {
    const at = extentWord(store, extent);
    const first = i32[at + EXTENT_FILE_BLOCK] >>> 0;
    const count = i32[at + EXTENT_COUNT];
    if (fileBlock < first + count) {
      found.count = first + count - fileBlock;
      return i32[at + EXTENT_DATA_BLOCK] + (fileBlock - first);
    }
    follower = treeNext(extentTree, extent);
  } else {
    follower = treeFirst(extentTree, root);
  }
  const end =
    follower === 0 ? FILE_BLOCKS_END : i32[extentWord(store, follower) + EXTENT_FILE_BLOCK] >>> 0;
  found.count = end - fileBlock;
  return 0;
}

/** Makes a run of data blocks part of the file, where it has a hole → 0, or -ENOSPC. */
export function attach(
  store: Store,
  word: number,
  fileBlock: number,
  dataBlock: number,
  count: number,
): number {
  const { i32 } = store;
  const inlineCount = i32[word + INODE_EXTENT_COUNT];
  const inlineFirst = i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0;
  const inlineData = i32[word + INODE_EXTENT_DATA_BLOCK];
  if (inlineCount === 0) {
    setInline(store, word, fileBlock, dataBlock, count);
  } else if (fileBlock === inlineFirst + inlineCount && dataBlock === inlineData + inlineCount) {
    i32[word + INODE_EXTENT_COUNT] += count;
    joinFirst(store, word);
  } else if (fileBlock < inlineFirst) {
    if (fileBlock + count === inlineFirst && dataBlock + count === inlineData) {
      setInline(store, word, fileBlock, dataBlock, inlineCount + count);
    } else {
      if (addExtent(store, word, inlineFirst, inlineData, inlineCount) < 0) return -ENOSPC;
      setInline(store, word, fileBlock, dataBlock, count);
    }
  } else if (attachInTree(store, word, fileBlock, dataBlock, count) < 0) {
    return -ENOSPC;
  }
  i32[word + INODE_BLOCKS] += count;
  return 0;
}

function setInline(
  store: Store,
  word: number,
  fileBlock: number,
  dataBlock: number,
  count: number,
): void {
  const { i32 } = store;
  i32[word + INODE_EXTENT_FILE_BLOCK] = fileBlock;
  i32[word + INODE_EXTENT_DATA_BLOCK] = dataBlock;
  i32[word + INODE_EXTENT_COUNT] = count;
}

/** The inline run has grown: does it now touch the first of the tree? */
function joinFirst(store: Store, word: number): void {
  const { i32, extentTree } = store;
  const root = i32[word + INODE_ROOT];
  if (root === 0) return;
  const first = treeFirst(extentTree, root);
  const at = extentWord(store, first);
  const count = i32[word + INODE_EXTENT_COUNT];
  const end = (i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0) + count;
  if (i32[at + EXTENT_FILE_BLOCK] >>> 0 !== end) return;
  if (i32[at + EXTENT_DATA_BLOCK] !== i32[word + INODE_EXTENT_DATA_BLOCK] + count) return;
  i32[word + INODE_EXTENT_COUNT] += i32[at + EXTENT_COUNT];
  dropExtent(store, word, first);
}

function attachInTree(
  store: Store,
  word: number,
  fileBlock: number,
  dataBlock: number,
  count: number,
): number {
  const { i32, extentTree } = store;
  const root = i32[word + INODE_ROOT];
  const before = treeFloor(extentTree, root, fileBlock);
  const behind = before === 0 ? treeFirst(extentTree, root) : treeNext(extentTree, before);
  const behindAt = extentWord(store, behind);
  const joinsBehind =
    behind !== 0 &&
    i32[behindAt + EXTENT_FILE_BLOCK] >>> 0 === fileBlock + count &&
    i32[behindAt + EXTENT_DATA_BLOCK] === dataBlock + count;
  if (before !== 0) {
    const at = extentWord(store, before);
    const length = i32[at + EXTENT_COUNT];
    if (
      (i32[at + EXTENT_FILE_BLOCK] >>> 0) + length === fileBlock &&
      i32[at + EXTENT_DATA_BLOCK] + length === dataBlock
    ) {
      i32[at + EXTENT_COUNT] += count;
      if (joinsBehind) {
        i32[at + EXTENT_COUNT] += i32[behindAt + EXTENT_COUNT];
        dropExtent(store, word, behind);
      }
      return 0;
    }
  }
  if (joinsBehind) {
    // The key shrinks, but stays behind that of every extent before it.
    i32[behindAt + EXTENT_FILE_BLOCK] = fileBlock;
    i32[behindAt + EXTENT_DATA_BLOCK] = dataBlock;
    i32[behindAt + EXTENT_COUNT] += count;
    return 0;
  }
  return addExtent(store, word, fileBlock, dataBlock, count);
}

function addExtent(
  store: Store,
  word: number,
  fileBlock: number,
  dataBlock: number,
  count: number,
): number {
  const { i32 } = store;
  const extent = takeRecord(store, store.extents);
  if (extent === 0) return -ENOSPC;
  const at = extentWord(store, extent);
  i32[at + EXTENT_FILE_BLOCK] = fileBlock;
  i32[at + EXTENT_DATA_BLOCK] = dataBlock;
  i32[at + EXTENT_COUNT] = count;
  i32[word + INODE_ROOT] = treeInsert(store.extentTree, i32[word + INODE_ROOT], extent);
  return 0;
}

function dropExtent(store: Store, word: number, extent: number): void {
  const { i32 } = store;
  i32[word + INODE_ROOT] = treeRemove(store.extentTree, i32[word + INODE_ROOT], extent);
  giveRecord(store, store.extents, extent);
}

/**
 * Takes the file blocks [from, to) out of the file and frees their data blocks → 0, or -ENOSPC with
 * nothing changed (a run has to be split and there is no record for its second half).
 */
export function detach(store: Store, word: number, from: number, to: number): number {
  const { i32, extentTree } = store;
  if (from >= to || i32[word + INODE_EXTENT_COUNT] === 0) return 0;
  if (cutInline(store, word, from, to) < 0) return -ENOSPC;
  for (;;) {
    const extent = treeFloor(extentTree, i32[word + INODE_ROOT], to - 1);
    if (extent === 0) break;
    const at = extentWord(store, extent);
    const first = i32[at + EXTENT_FILE_BLOCK] >>> 0;
    const end = first + i32[at + EXTENT_COUNT];
    if (end <= from) break;
    const data = i32[at + EXTENT_DATA_BLOCK];
    const start = Math.max(first, from);
    const stop = Math.min(end, to);
    if (stop < end && start > first) {
      if (addExtent(store, word, stop, data + (stop - first), end - stop) < 0) return -ENOSPC;
      i32[at + EXTENT_COUNT] = start - first;
    } else if (start > first) {
      i32[at + EXTENT_COUNT] = start - first;
    } else if (stop < end) {
      i32[at + EXTENT_FILE_BLOCK] = stop;
      i32[at + EXTENT_DATA_BLOCK] = data + (stop - first);
      i32[at + EXTENT_COUNT] = end - stop;
    } else {
      dropExtent(store, word, extent);
    }
    i32[word + INODE_BLOCKS] -= stop - start;
    freeRun(store, data + (start - first), stop - start);
  }
  if (i32[word + INODE_EXTENT_COUNT] === 0) refillInline(store, word);
  return 0;
}

function cutInline(store: Store, word: number, from: number, to: number): number {
  const { i32 } = store;
  const first = i32[word + INODE_EXTENT_FILE_BLOCK] >>> 0;
  const end = first + i32[word + INODE_EXTENT_COUNT];
  const start = Math.max(first, from);
  const stop = Math.min(end, to);
  if (start >= stop) return 0;
  const data = i32[word + INODE_EXTENT_DATA_BLOCK];
  if (start > first) {
    if (stop < end && addExtent(store, word, stop, data + (stop - first), end - stop) < 0) {
      return -ENOSPC;
    }
    i32[word + INODE_EXTENT_COUNT] = start - first;
  } else {
    setInline(store, word, stop, data + (stop - first), end - stop);
  }
  i32[word + INODE_BLOCKS] -= stop - start;
  freeRun(store, data + (start - first), stop - start);
  return 0;
}

/** The first run stands in the inode, if there is any. */
function refillInline(store: Store, word: number): void {
  const { i32, extentTree } = store;
  const root = i32[word + INODE_ROOT];
  if (root === 0) return;
  const first = treeFirst(extentTree, root);
  const at = extentWord(store, first);
  setInline(
    store,
    word,
    i32[at + EXTENT_FILE_BLOCK],
    i32[at + EXTENT_DATA_BLOCK],
    i32[at + EXTENT_COUNT],
  );
  dropExtent(store, word, first);
}

/** Frees all blocks of the file: as detach of everything, without keeping the tree in balance. */
export function detachAll(store: Store, word: number): void {
  const { i32, extentTree } = store;
  const count = i32[word + INODE_EXTENT_COUNT];
  if (count === 0) return;
  freeRun(store, i32[word + INODE_EXTENT_DATA_BLOCK], count);
  const root = i32[word + INODE_ROOT];
  let extent = root === 0 ? 0 : treeFirst(extentTree, root);
  while (extent !== 0) {
    // A record given back loses its left link only; the way on leads over right and up.
    const follower = treeNext(extentTree, extent);
    const at = extentWord(store, extent);
    freeRun(store, i32[at + EXTENT_DATA_BLOCK], i32[at + EXTENT_COUNT]);
    giveRecord(store, store.extents, extent);
    extent = follower;
  }
  i32[word + INODE_ROOT] = 0;
  i32[word + INODE_EXTENT_COUNT] = 0;
  i32[word + INODE_BLOCKS] = 0;
}
