/** statfs(2): the limits of the session, what is left of them. */
import {
  STATFS_REPLY_BLOCKS,
  STATFS_REPLY_BLOCKS_FREE,
  STATFS_REPLY_FILES,
  STATFS_REPLY_FILES_FREE,
  STATFS_REPLY_FSID,
  SUPERBLOCK_BLOCK_LIMIT,
  SUPERBLOCK_BLOCKS_USED,
  SUPERBLOCK_INODE_LIMIT,
  SUPERBLOCK_INODES_USED,
  SUPERBLOCK_XATTR_INODES,
} from '../../../ringbuf/layout.gen.ts';
import { drainLimbo } from '../blocks.ts';
import type { Store } from '../store.ts';
import { setWide } from '../wide.ts';

/** Writes a StatfsReply record to target[word…). */
export function statfs(store: Store, fsid: number, target: Int32Array, word: number): void {
  drainLimbo(store);
  const { i32, superblockWord } = store;
  const blocks = i32[superblockWord + SUPERBLOCK_BLOCK_LIMIT];
  const files = i32[superblockWord + SUPERBLOCK_INODE_LIMIT];
  const blocksFree = Math.max(0, blocks - i32[superblockWord + SUPERBLOCK_BLOCKS_USED]);
  const filesUsed =
    i32[superblockWord + SUPERBLOCK_INODES_USED] + i32[superblockWord + SUPERBLOCK_XATTR_INODES];
  const filesFree = Math.max(0, files - filesUsed);
  setWide(target, word + STATFS_REPLY_BLOCKS, blocks);
  setWide(target, word + STATFS_REPLY_BLOCKS_FREE, blocksFree);
  setWide(target, word + STATFS_REPLY_FILES, files);
  setWide(target, word + STATFS_REPLY_FILES_FREE, filesFree);
  setWide(target, word + STATFS_REPLY_FSID, fsid);
}
