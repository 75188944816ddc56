/** Filling a tree from a directory of the host, or (import-tar.ts) from a tar file. */
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import type { Connection, FileWriter } from '../../client/connect.ts';
import { Failure } from '../failure.ts';
import { breathe } from '../interrupt.ts';
import { escapeText } from '../names.ts';
import { join } from './bytes.ts';
import { eachRun, isSparse } from './holes.ts';
import { importTar } from './import-tar.ts';
import { isDirectory, isRegular, isSymlink } from './modes.ts';
import { type Progress, startProgress } from './progress.ts';
import { type Attributes, createTreeWriter, type TreeWriter } from './tree-writer.ts';
import { hostXattrs } from './xattrs.ts';

const CHUNK = 1024 * 1024;
/** Entries between two looks at signals and at the progress bar. */
const BREATH = 64;
const nothing = Buffer.alloc(0);

/** DIR or TAR → the root of the tree. */
export async function importTree(connection: Connection, source: string): Promise<void> {
  const status = statSync(source, { throwIfNoEntry: false });
  const name = escapeText(source);
  if (status === undefined) throw new Failure(`cannot import "${name}": there is no such file`);
  if (status.isDirectory()) {
    await importDirectory(connection, Buffer.from(source), Buffer.from('/'));
  } else if (status.isFile()) {
    await importTar(connection, source);
  } else {
    throw new Failure(`cannot import "${name}": it is neither a directory nor a tar file`);
  }
}

/** A directory with all that is in it → the directory `base` of the tree (made if it is missing). */
export async function importDirectory(
  connection: Connection,
  source: Buffer,
  base: Buffer,
): Promise<void> {
  const writer = createTreeWriter(connection, base);
  const progress = await startProgress('importing', 'entries', () => countEntries(source));
  try {
    await copyAll(source, writer, progress);
    writer.finish();
  } finally {
    progress.stop();
  }
}

/** One file of any kind but a directory → the path `target` of the tree. */
export function importFile(connection: Connection, source: Buffer, target: Buffer): void {
  const writer = createTreeWriter(connection, Buffer.from('/'));
  copyEntry(source, target, lstatSync(source, { bigint: true }), writer);
}

async function copyAll(source: Buffer, writer: TreeWriter, progress: Progress): Promise<void> {
  const copied = new Map<string, Buffer>();
  let count = 0;
  for (const { path, relative, status } of walkHost(source)) {
    const identity = `${status.dev}:${status.ino}`;
    const first = status.isDirectory() ? undefined : copied.get(identity);
    if (first !== undefined) {
      writer.link(relative, first);
    } else {
      copyEntry(path, relative, status, writer);
      if (status.nlink > 1n && !status.isDirectory()) copied.set(identity, relative);
    }
    progress.add(1);
    count += 1;
    if (count % BREATH === 0) await breathe();
  }
}

function copyEntry(path: Buffer, relative: Buffer, status: BigIntStats, writer: TreeWriter): void {
  const attributes = attributesOf(path, status);
  if (isDirectory(attributes.mode)) {
    writer.directory(relative, attributes);
  } else if (isRegular(attributes.mode)) {
    copyContent(path, status, writer.file(relative));
    writer.finishFile(relative, attributes);
  } else if (isSymlink(attributes.mode)) {
    writer.symlink(relative, readlinkSync(path, { encoding: 'buffer' }), attributes);
  } else {
    writer.special(relative, attributes, Number(status.rdev));
  }
}

function copyContent(path: Buffer, status: BigIntStats, writer: FileWriter): void {
  const sparse = isSparse(Number(status.size), Number(status.blocks));
  const fd = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const length = readFully(fd, chunk);
      const piece = chunk.subarray(0, length);
      if (sparse) eachRun(piece, writer.write, writer.skip);
      else if (length > 0) writer.write(piece);
      if (length < CHUNK) break;
    }
  } finally {
    closeSync(fd);
    writer.close();
  }
}

/** Short reads would break the block boundaries that holes are found by. */
function readFully(fd: number, chunk: Buffer): number {
  let length = 0;
  while (length < chunk.length) {
    const read = readSync(fd, chunk, length, chunk.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return length;
}

function attributesOf(path: Buffer, status: BigIntStats): Attributes {
  return {
    mode: Number(status.mode),
    uid: Number(status.uid),
    gid: Number(status.gid),
    atimeNs: status.atimeNs,
    mtimeNs: status.mtimeNs,
    xattrs: hostXattrs(path),
  };
}

/** The directory itself (relative: empty), then everything below it, parents first. */
function* walkHost(
  root: Buffer,
  relative: Buffer = nothing,
): Generator<{
  path: Buffer;
  relative: Buffer;
  status: BigIntStats;
}> {
  const path = relative.length === 0 ? root : join(root, relative);
  // The root may be given through a symlink; below it links are copied as links.
  const status =
    relative.length === 0 ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true });
  yield { path, relative, status };
  if (!status.isDirectory()) return;
  for (const name of readdirSync(path, { encoding: 'buffer' })) {
    yield* walkHost(root, relative.length === 0 ? name : join(relative, name));
  }
}

function countEntries(root: Buffer): number {
  return readdirSync(root, { encoding: 'buffer', recursive: false, withFileTypes: true }).reduce(
    (count, entry) => count + (entry.isDirectory() ? countEntries(join(root, entry.name)) : 1),
    1,
  );
}
