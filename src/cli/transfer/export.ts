/** Writing a tree to a directory of the host, or (export-tar.ts) to a tar file. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { native } from '../../../ringbuf/native.ts';
import type { Connection, Stat } from '../../client/connect.ts';
import * as posix from '../../store/posix.ts';
import { Failure } from '../failure.ts';
import { breathe } from '../interrupt.ts';
import { escapeName, escapeText } from '../names.ts';
import { join } from './bytes.ts';
import { exportTar, isTarName } from './export-tar.ts';
import { eachRun, isSparse } from './holes.ts';
import * as modes from './modes.ts';
import { startProgress } from './progress.ts';
import { type TreeEntry, walkTree } from './tree-walk.ts';
import { setHostXattrs, treeXattrs, type Xattr } from './xattrs.ts';

const BREATH = 64;
const root = Buffer.from('/');

/** The root of the tree → DIR, or TAR where the name says so. */
export async function exportTree(connection: Connection, target: string): Promise<void> {
  const status = statSync(target, { throwIfNoEntry: false });
  if (status?.isDirectory() !== true && isTarName(target)) {
    await exportTar(connection, target);
    return;
  }
  if (status !== undefined && !status.isDirectory()) {
    throw new Failure(`cannot export to "${escapeText(target)}": it is there and no directory`);
  }
  await exportDirectory(connection, root, Buffer.from(target));
}

/** A directory of the tree with all that is in it → a directory of the host, made if it is missing. */
export async function exportDirectory(
  connection: Connection,
  base: Buffer,
  target: Buffer,
): Promise<void> {
  const written = new Map<number, Buffer>();
  const directories: { path: Buffer; stat: Stat; xattrs: Xattr[] }[] = [];
  const progress = await startProgress('exporting', 'entries', () => usedInodes(connection));
  let count = 0;
  try {
    for (const entry of walkTree(connection, base)) {
      const path = entry.relative.length === 0 ? target : join(target, entry.relative);
      const first = written.get(entry.stat.ino);
      if (modes.isDirectory(entry.stat.mode)) {
        makeDirectory(path, entry.relative.length === 0);
        const xattrs = treeXattrs(connection, entry.path, entry.stat);
        directories.push({ path, stat: entry.stat, xattrs });
      } else if (first !== undefined) {
        rmSync(path, { force: true });
        linkSync(first, path);
      } else {
        exportFile(connection, entry, path);
        if (entry.stat.nlink > 1) written.set(entry.stat.ino, path);
      }
      progress.add(1);
      count += 1;
      if (count % BREATH === 0) await breathe();
    }
    // Filling a directory changes its times, and its own mode may forbid filling it.
    for (const { path, stat, xattrs } of directories.reverse()) setAttributes(path, stat, xattrs);
  } finally {
    progress.stop();
  }
}

/** Anything but a directory. What stands in the way goes, unless it is a directory. */
export function exportFile(connection: Connection, entry: TreeEntry, path: Buffer): void {
  const { stat } = entry;
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing?.isDirectory()) {
    throw new Failure(`"${escapeName(path)}" is a directory and cannot become a file`);
  }
  if (existing !== undefined) rmSync(path);
  switch (stat.mode & posix.S_IFMT) {
    case posix.S_IFREG:
      exportContent(connection, entry, path);
      break;
    case posix.S_IFLNK:
      symlinkSync(connection.readlink(entry.path), path);
      break;
    default:
      makeNode(path, stat);
  }
  setAttributes(path, stat, treeXattrs(connection, entry.path, stat));
}

function exportContent(connection: Connection, { path: from, stat }: TreeEntry, to: Buffer): void {
  const sparse = isSparse(stat.size, stat.blocks);
  const fd = openSync(to, 'wx', 0o600);
  let position = 0;
  const write = (run: Uint8Array): void => {
    for (let done = 0; done < run.length; ) {
      done += writeSync(fd, run, done, run.length - done, position + done);
    }
    position += run.length;
  };
  const skip = (bytes: number): void => {
    position += bytes;
  };
  try {
    connection.readChunks(from, (piece) => {
      if (sparse) eachRun(piece, write, skip);
      else write(piece);
    });
    if (sparse) ftruncateSync(fd, position);
  } finally {
    closeSync(fd);
  }
}

function makeNode(path: Buffer, stat: Stat): void {
  check(native().makeNode(path, stat.mode, stat.rdev), 'be made', path);
}

/** The addon answers -errno. */
function check(result: number, what: string, path: Buffer): void {
  if (result >= 0) return;
  const reason = getSystemErrorMessage(result);
  throw new Failure(`"${escapeName(path)}" cannot ${what}: ${reason}`);
}

function makeDirectory(path: Buffer, isRoot: boolean): void {
  const existing = isRoot
    ? statSync(path, { throwIfNoEntry: false })
    : lstatSync(path, { throwIfNoEntry: false });
  if (existing?.isDirectory()) return;
  if (existing !== undefined) rmSync(path);
  mkdirSync(path, { mode: 0o700, recursive: isRoot });
}

function setAttributes(path: Buffer, stat: Stat, xattrs: readonly Xattr[]): void {
  if (modes.keepsOwners) lchownSync(path, stat.uid, stat.gid);
  if (!modes.isSymlink(stat.mode)) chmodSync(path, stat.mode & modes.PERMISSIONS);
  setHostXattrs(path, xattrs);
  // Node's own utimes rounds to microseconds.
  check(native().setTimes(path, stat.atimeNs, stat.mtimeNs), 'be given its times', path);
}

function usedInodes(connection: Connection): number {
  const { files, filesFree } = connection.statfs();
  return files - filesFree;
}
