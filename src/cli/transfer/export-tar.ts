/** Writing a tree to a .tar, .tar.gz or .tgz file, in the pax format (exact times, long names). */
import { randomBytes } from 'node:crypto';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import type { Connection } from '../../client/connect.ts';
import * as posix from '../../store/posix.ts';
import { complain, Failure } from '../failure.ts';
import { breathe } from '../interrupt.ts';
import { escapeName } from '../names.ts';
import * as modes from './modes.ts';
import { startProgress } from './progress.ts';
import type { EntryType, Headers } from './tar-header.ts';
import { type TreeEntry, walkTree } from './tree-walk.ts';
import { paxBody, treeXattrs, type Xattr, xattrRecords } from './xattrs.ts';

const BREATH = 64;
const NS_PER_S = 1_000_000_000n;
/** What the octal fields of a ustar header hold. */
const USTAR_ID_MAX = 0o777777;
const SECONDS_MAX = 0x7fffffffn;

export function isTarName(path: string): boolean {
  return /\.(tar|tar\.gz|tgz)$/.test(path);
}

/** Under a temporary name first: an export that fails leaves the old archive as it was. */
export async function exportTar(connection: Connection, target: string): Promise<void> {
  const temporary = `${target}.${randomBytes(4).toString('hex')}.part`;
  const archive = pack();
  const output = createWriteStream(temporary, { flags: 'wx' });
  const compressed = target.endsWith('gz');
  const streams = compressed ? [archive, createGzip(), output] : [archive, output];
  const written = pipeline(streams as unknown as [NodeJS.ReadableStream, typeof output]);
  try {
    // Whichever fails first; packing waits for ever when nobody reads any more.
    await Promise.race([packAll(connection, archive), written.then(() => {})]);
    await written;
    renameSync(temporary, target);
  } catch (error) {
    archive.destroy();
    await written.catch(() => {});
    rmSync(temporary, { force: true });
    throw error;
  }
}

async function packAll(connection: Connection, archive: Pack): Promise<void> {
  const written = new Map<number, string>();
  const { files, filesFree } = connection.statfs();
  const progress = await startProgress('exporting', 'entries', () => files - filesFree);
  let count = 0;
  try {
    for (const entry of walkTree(connection, Buffer.from('/'))) {
      await packEntry(connection, archive, entry, written);
      progress.add(1);
      count += 1;
      if (count % BREATH === 0) await breathe();
    }
    archive.finalize();
  } finally {
    progress.stop();
  }
}

async function packEntry(
  connection: Connection,
  archive: Pack,
  entry: TreeEntry,
  written: Map<number, string>,
): Promise<void> {
  const { stat } = entry;
  const type = types[stat.mode & posix.S_IFMT];
  if (type === undefined) {
    complain(`"${escapeName(entry.path)}" is a socket and is not exported`);
    return;
  }
  const suffix = type === 'directory' ? '/' : '';
  const name = (entry.relative.length === 0 ? '.' : text(entry.relative)) + suffix;
  const first = type === 'directory' ? undefined : written.get(stat.ino);
  if (stat.nlink > 1 && type !== 'directory' && first === undefined) written.set(stat.ino, name);
  const header = headerOf(entry, name, first === undefined ? type : 'link');
  if (first !== undefined) header.linkname = first;
  else if (type === 'symlink') header.linkname = text(connection.readlink(entry.path));
  const xattrs = first === undefined ? treeXattrs(connection, entry.path, stat) : [];
  if (xattrs.length > 0) await packXattrs(archive, header, xattrs);
  if (header.type === 'file') await packContent(archive, header, connection.readFile(entry.path));
  else await packContent(archive, header);
}

/**
 * A pax header of our own before the entry: values are bytes, which tar-stream would write as UTF-8. All that
 * it would put into one of its own goes along, and the entry itself gets a name that needs none.
 */
async function packXattrs(archive: Pack, header: Headers, xattrs: readonly Xattr[]): Promise<void> {
  const records: [string, Buffer][] = [['path', Buffer.from(header.name)]];
  if (header.linkname) records.push(['linkpath', Buffer.from(header.linkname)]);
  for (const [key, value] of Object.entries(header.pax ?? {}))
    records.push([key, Buffer.from(value)]);
  const body = paxBody([...records, ...xattrRecords(xattrs)]);
  await new Promise<void>((done, fail) => {
    const before = { name: 'PaxHeader', type: 'file', size: body.length, mtime: header.mtime };
    const argument = before as Parameters<Pack['entry']>[0];
    const sink = archive.entry(argument, (error) => (error ? fail(error) : done()));
    // tar-stream takes content for files only; it writes the header when the sink opens, after this.
    before.type = 'pax-header';
    sink.end(body);
  });
  header.name = header.type === 'directory' ? 'entry/' : 'entry';
  if (header.linkname) header.linkname = 'entry';
  delete header.pax;
}

/** `content` is one snapshot: a program that still writes to the file must not break the archive. */
function packContent(archive: Pack, header: Headers, content?: Uint8Array): Promise<void> {
  return new Promise((done, fail) => {
    const argument = { ...header, size: content?.length ?? 0 } as Parameters<Pack['entry']>[0];
    const sink = archive.entry(argument, (error) => (error ? fail(error) : done()));
    if (content !== undefined) sink.end(content);
  });
}

const types: Readonly<Record<number, EntryType>> = {
  [posix.S_IFREG]: 'file',
  [posix.S_IFDIR]: 'directory',
  [posix.S_IFLNK]: 'symlink',
  [posix.S_IFCHR]: 'character-device',
  [posix.S_IFBLK]: 'block-device',
  [posix.S_IFIFO]: 'fifo',
};

function headerOf({ stat }: TreeEntry, name: string, type: EntryType): Headers {
  const seconds = stat.mtimeNs / NS_PER_S;
  const inRange = seconds >= 0n && seconds <= SECONDS_MAX;
  const pax: Record<string, string> = {};
  if (!inRange || stat.mtimeNs % NS_PER_S !== 0n) pax.mtime = decimal(stat.mtimeNs);
  if (stat.uid > USTAR_ID_MAX) pax.uid = String(stat.uid);
  if (stat.gid > USTAR_ID_MAX) pax.gid = String(stat.gid);
  return {
    name,
    type,
    mode: stat.mode & modes.PERMISSIONS,
    uid: stat.uid,
    gid: stat.gid,
    mtime: new Date(inRange ? Number(seconds) * 1000 : 0),
    devmajor: modes.majorOf(stat.rdev),
    devminor: modes.minorOf(stat.rdev),
    size: 0,
    ...(Object.keys(pax).length > 0 && { pax }),
  };
}

function decimal(ns: bigint): string {
  const positive = ns < 0n ? -ns : ns;
  const fraction = String(positive % NS_PER_S).padStart(9, '0');
  return `${ns < 0n ? '-' : ''}${positive / NS_PER_S}.${fraction}`;
}

/** A pax archive holds names as UTF-8. */
function text(name: Uint8Array): string {
  const bytes = Buffer.from(name);
  const string = bytes.toString('utf8');
  if (Buffer.from(string).equals(bytes)) return string;
  throw new Failure(`the name "${escapeName(bytes)}" is not UTF-8: export to a directory instead`);
}
