/** Filling a tree from a .tar, .tar.gz or .tgz file. */
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Connection } from '../../client/connect.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../../store/posix.ts';
import { asFailure, Failure } from '../failure.ts';
import { breathe } from '../interrupt.ts';
import { escapeName, escapeText } from '../names.ts';
import { makeDevice, PERMISSIONS } from './modes.ts';
import { startProgress } from './progress.ts';
import { type Entry, extract, type Headers } from './tar-header.ts';
import { type Attributes, createTreeWriter, type TreeWriter } from './tree-writer.ts';
import { xattrsOf } from './xattrs.ts';

const NS_PER_S = 1_000_000_000n;
const BREATH = 64;
const KIB = 1024;

export async function importTar(connection: Connection, source: string): Promise<void> {
  const writer = createTreeWriter(connection, Buffer.from('/'));
  const archive = extract();
  const input = createReadStream(source);
  const progress = await startProgress('importing', 'KiB', () =>
    Math.ceil(statSync(source).size / KIB),
  );
  const streams = isGzip(source) ? [input, createGunzip(), archive] : [input, archive];
  const fed = pipeline(streams as unknown as [typeof input, NodeJS.WritableStream]);
  // Awaited below; until then a failure of it reaches us through the archive.
  fed.catch(() => {});
  let count = 0;
  let shown = 0;
  try {
    for await (const entry of archive as AsyncIterable<Entry>) {
      await unpack(entry, writer);
      count += 1;
      progress.add(Math.floor(input.bytesRead / KIB) - shown);
      shown = Math.floor(input.bytesRead / KIB);
      if (count % BREATH === 0) await breathe();
    }
    await fed;
    writer.finish();
  } catch (error) {
    throw explain(error, source);
  } finally {
    progress.stop();
  }
  if (count === 0) throw new Failure(`"${escapeText(source)}" is an empty archive`);
}

/** Failures of ours and of the tree stand; what the streams throw is about the archive. */
function explain(error: unknown, source: string): Error {
  const isStream = error instanceof Error && !('code' in error && /^E/.test(String(error.code)));
  if (asFailure(error) !== undefined && !isStream) return error as Error;
  if (error instanceof Failure) return error;
  return new Failure(`"${escapeText(source)}" is no whole tar file: ${(error as Error).message}`);
}

async function unpack(entry: Entry, writer: TreeWriter): Promise<void> {
  const { header } = entry;
  const path = nameBytes(header.name, header.pax?.path);
  const attributes = attributesOf(header);
  refuseSparse(path, header);
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      await writeFile(entry, path, attributes, writer);
      return;
    case 'directory':
      writer.directory(path, attributes);
      break;
    case 'symlink':
      writer.symlink(path, nameBytes(header.linkname ?? '', header.pax?.linkpath), attributes);
      break;
    case 'link':
      writer.link(path, nameBytes(header.linkname ?? '', header.pax?.linkpath));
      break;
    case 'character-device':
    case 'block-device':
    case 'fifo':
      writer.special(path, attributes, makeDevice(header.devmajor ?? 0, header.devminor ?? 0));
      break;
    default:
      throw new Failure(`the entry "${escapeName(path)}" is of a kind that is not supported`);
  }
  entry.resume();
}

async function writeFile(entry: Entry, path: Buffer, attributes: Attributes, writer: TreeWriter) {
  const file = writer.file(path);
  try {
    for await (const piece of entry) file.write(piece);
  } finally {
    file.close();
  }
  writer.finishFile(path, attributes);
}

/** GNU's sparse formats put a map of the holes before the data; unpacked as it stands it would be garbage. */
function refuseSparse(path: Buffer, header: Headers): void {
  const sparse = Object.keys(header.pax ?? {}).some((key) => key.startsWith('GNU.sparse.'));
  if (!sparse && header.type !== null) return;
  const name = escapeName(path);
  throw new Failure(`the entry "${name}" is stored in a sparse format: pack without --sparse`);
}

function nameBytes(name: string, pax: string | undefined): Buffer {
  return pax === name ? Buffer.from(name, 'utf8') : Buffer.from(name, 'latin1');
}

const types: Readonly<Record<string, number>> = {
  file: S_IFREG,
  'contiguous-file': S_IFREG,
  directory: S_IFDIR,
  symlink: S_IFLNK,
  'character-device': S_IFCHR,
  'block-device': S_IFBLK,
  fifo: S_IFIFO,
};

function attributesOf(header: Headers): Attributes {
  const mtimeNs =
    nanoseconds(header.pax?.mtime) ?? BigInt(header.mtime?.getTime() ?? 0) * 1_000_000n;
  return {
    mode: (types[header.type ?? ''] ?? 0) | ((header.mode ?? 0) & PERMISSIONS),
    uid: Number(header.pax?.uid ?? header.uid ?? 0),
    gid: Number(header.pax?.gid ?? header.gid ?? 0),
    atimeNs: nanoseconds(header.pax?.atime) ?? mtimeNs,
    mtimeNs,
    xattrs: xattrsOf(header.rawPax),
  };
}

/** "1700000000.25" → ns; pax times are decimal and may be negative. */
function nanoseconds(text: string | undefined): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text ?? '');
  if (match === null) return undefined;
  const fraction = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const value = BigInt(match[2]!) * NS_PER_S + fraction;
  return match[1] === '-' ? -value : value;
}

/** By what it is, not by what it is called. */
function isGzip(path: string): boolean {
  const magic = Buffer.alloc(2);
  const fd = openSync(path, 'r');
  readSync(fd, magic, 0, magic.length, 0);
  closeSync(fd);
  return magic.readUInt16BE() === 0x1f8b;
}
