/**
 * The kernel's fs.protected_* settings (Documentation/admin-guide/sysctl/fs.rst), which change what an open, a link
 * or a walk may do in sticky directories. The tree follows the machine that it is served on.
 */
import { readFileSync } from 'node:fs';
import { INODE_MODE, INODE_UID } from '../../ringbuf/layout.gen.ts';
import type { Caller } from './caller.ts';
import { EACCES } from './errno.ts';
import { inodeWord } from './inodes.ts';
import { S_IFMT, S_IFREG, S_ISVTX } from './posix.ts';
import type { Store } from './store.ts';

const S_IWOTH = 0o002;
const S_IWGRP = 0o020;

/** One set per worker; the kernel's own defaults until loadProtections(). */
export const protections = { symlinks: 0, hardlinks: 0, regular: 0 };

/** Reads the settings of this machine; what cannot be read stays as it is. */
export function loadProtections(): void {
  for (const name of ['symlinks', 'hardlinks', 'regular'] as const) {
    try {
      const value = Number(readFileSync(`/proc/sys/fs/protected_${name}`, 'utf8'));
      if (Number.isInteger(value)) protections[name] = value;
    } catch {
      // No /proc, or a kernel without the setting.
    }
  }
}

/** may_follow_link, for a link in the last component: 0 or -EACCES. */
export function mayFollow(store: Store, caller: Caller, directory: number, link: number): number {
  if (protections.symlinks === 0) return 0;
  const { i32 } = store;
  const owner = i32[inodeWord(store, link) + INODE_UID] >>> 0;
  const word = inodeWord(store, directory);
  if (owner === caller.uid || owner === i32[word + INODE_UID] >>> 0) return 0;
  const open = S_ISVTX | S_IWOTH;
  return (i32[word + INODE_MODE] & open) === open ? -EACCES : 0;
}

/** may_create_in_sticky, for open(O_CREAT) of a file that is there already: 0 or -EACCES. Root too. */
export function mayReopen(store: Store, caller: Caller, directory: number, ino: number): number {
  if (protections.regular === 0) return 0;
  const { i32 } = store;
  const word = inodeWord(store, directory);
  const mode = i32[word + INODE_MODE];
  if ((mode & S_ISVTX) === 0) return 0;
  const file = inodeWord(store, ino);
  if ((i32[file + INODE_MODE] & S_IFMT) !== S_IFREG) return 0;
  const owner = i32[file + INODE_UID] >>> 0;
  if (owner === caller.uid || owner === i32[word + INODE_UID] >>> 0) return 0;
  if ((mode & S_IWOTH) !== 0) return -EACCES;
  return (mode & S_IWGRP) !== 0 && protections.regular >= 2 ? -EACCES : 0;
}
