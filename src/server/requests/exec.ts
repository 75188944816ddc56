/**
 * EXEC and EXEC_KEEP: the kernel runs programs of the tree from copies (memfds) that clients make. The
 * server holds them for as long as the file cannot have changed, so that the next execve, by whomever, needs
 * no copy, and all that run one program share its pages.
 *
 * A client that lies about its copy harms programs of its own session only.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import {
  EXEC_COPIES_BYTES,
  INODE_CTIME,
  INODE_CTIMENSEC,
  SLOT_OFFSET,
  SLOT_REPLY_OFFSET,
  SLOT_RESULT,
  SLOT_SIZE,
} from '../../../ringbuf/layout.gen.ts';
import { EACCES, EBADF, ETXTBSY } from '../../store/errno.ts';
import { generationOf, getSize, inodeWord, isRegular } from '../../store/inodes.ts';
import type { Store } from '../../store/store.ts';
import { getWide, setWide } from '../../store/wide.ts';
import { hasWriter, inodeOf, releaseIdle } from '../descriptions.ts';
import { type Server, takeDescription } from '../request.ts';

/** Each costs a descriptor of the server. */
const COPIES_MAX = 256;

interface Copy {
  /** -1: a client is about to make it. */
  readonly fd: number;
  readonly kernelIno: number;
  readonly bytes: number;
  /** What changes with the file: generation, size and the time of its last change. */
  readonly version: string;
}

export interface Copies {
  /** By inode, the oldest first. */
  readonly byInode: Map<number, Copy>;
  bytes: number;
}

export const createCopies = (): Copies => ({ byInode: new Map(), bytes: 0 });

function versionOf(store: Store, ino: number): string {
  const word = inodeWord(store, ino);
  const time = `${getWide(store.i32, word + INODE_CTIME)}.${store.i32[word + INODE_CTIMENSEC]}`;
  return `${generationOf(store, ino)}:${getSize(store, ino)}:${time}`;
}

/** The file changes or goes. Every open for writing comes here before a byte can be written. */
export function forgetCopy(copies: Copies, ino: number): void {
  const copy = copies.byInode.get(ino);
  if (copy === undefined) return;
  copies.byInode.delete(ino);
  copies.bytes -= copy.bytes;
  if (copy.fd >= 0) closeSync(copy.fd);
}

export function onExec(server: Server, word: number): number {
  const { i32, descriptions, copies, store } = server;
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  const ino = inodeOf(descriptions, id);
  if (!isRegular(store, ino)) return -EACCES;
  // An idle description may be revived without our knowledge: none that could write may stay.
  releaseIdle(descriptions, ino);
  if (hasWriter(descriptions, ino)) return -ETXTBSY;
  const version = versionOf(store, ino);
  let copy = copies.byInode.get(ino);
  if (copy !== undefined && copy.version !== version) {
    forgetCopy(copies, ino);
    copy = undefined;
  }
  if (copy === undefined) copies.byInode.set(ino, { fd: -1, kernelIno: 0, bytes: 0, version });
  setWide(i32, word + SLOT_RESULT, copy?.fd ?? -1);
  setWide(i32, word + SLOT_REPLY_OFFSET, copy?.kernelIno ?? 0);
  return 0;
}

/** The copy, if it is a file of the right size. */
function openCopy(pid: number, fd: number, bytes: number): { fd: number; ino: number } | undefined {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  const name = `/proc/${pid}/fd/${fd}`;
  let opened: number;
  try {
    // To open a device or a file of another file system could do something, or take for ever.
    if (!readlinkSync(name).startsWith('/memfd:')) return undefined;
    opened = openSync(name, flags);
  } catch {
    return undefined;
  }
  const found = fstatSync(opened);
  if (found.isFile() && found.size === bytes) return { fd: opened, ino: found.ino };
  closeSync(opened);
  return undefined;
}

export function onExecKeep(server: Server, word: number): number {
  const { i32, descriptions, copies, store } = server;
  const id = takeDescription(server, word);
  if (id === 0) return -EBADF;
  const ino = inodeOf(descriptions, id);
  const expected = copies.byInode.get(ino);
  const bytes = getSize(store, ino);
  // Opened for writing, or changed, since EXEC; or somebody else was quicker; or it is too large.
  if (expected === undefined || expected.fd >= 0) return 0;
  if (expected.version !== versionOf(store, ino) || bytes > EXEC_COPIES_BYTES) return 0;
  const kept = openCopy(getWide(i32, word + SLOT_OFFSET), getWide(i32, word + SLOT_SIZE), bytes);
  if (kept === undefined) return 0;
  for (const oldest of copies.byInode.keys()) {
    const fits = copies.bytes + bytes <= EXEC_COPIES_BYTES;
    if (fits && copies.byInode.size <= COPIES_MAX) break;
    if (oldest !== ino) forgetCopy(copies, oldest);
  }
  copies.byInode.set(ino, { fd: kept.fd, kernelIno: kept.ino, bytes, version: expected.version });
  copies.bytes += bytes;
  return 0;
}
