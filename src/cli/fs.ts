/** `btfuse fs …`: files of a running session, from the outside. */
import { readFileSync, statSync } from 'node:fs';
import { type Connection, connect, type Stat } from '../client/connect.ts';

import { complain, exits, Failure } from './failure.ts';
import { formatEntry, formatStat } from './listing.ts';
import { escapeName, escapeText } from './names.ts';
import { print, printBytes } from './output.ts';
import type { Parsed } from './parse.ts';
import { isUnder } from './program.ts';
import { chooseSession } from './sessions.ts';
import { basename, join } from './transfer/bytes.ts';
import { exportDirectory, exportFile } from './transfer/export.ts';
import { importDirectory, importFile } from './transfer/import.ts';
import { isDirectory, isSymlink } from './transfer/modes.ts';
import { lstat } from './transfer/tree-writer.ts';

const STDIN = 0;
const NEW_FILE = 0o644;
const root = Buffer.from('/');

export function ls(parsed: Parsed): Promise<number> {
  const paths = parsed.operands.length === 0 ? ['/'] : parsed.operands;
  return eachPath(parsed, paths, (connection, path) => {
    const stat = connection.stat(path, false);
    if (!isDirectory(stat.mode)) {
      printEntry(connection, parsed, path, path, stat);
      return;
    }
    if (paths.length > 1) print(`${escapeName(path)}:\n`);
    const names = connection.readdir(path).map((entry) => entry.name);
    for (const name of names.sort(Buffer.compare)) {
      const child = join(path, name);
      printEntry(connection, parsed, child, name, connection.stat(child, false));
    }
  });
}

function printEntry(
  connection: Connection,
  parsed: Parsed,
  path: Buffer,
  name: Buffer,
  stat: Stat,
): void {
  if (!parsed.values.long) {
    print(`${escapeName(name)}\n`);
    return;
  }
  const target = isSymlink(stat.mode) ? ` -> ${escapeName(connection.readlink(path))}` : '';
  print(`${formatEntry(stat)} ${escapeName(name)}${target}\n`);
}

export function tree(parsed: Parsed): Promise<number> {
  return eachPath(parsed, [parsed.operands[0] ?? '/'], (connection, path) => {
    print(`${escapeName(path)}\n`);
    printBranches(connection, path, '');
  });
}

function printBranches(connection: Connection, path: Buffer, indent: string): void {
  const names = connection.readdir(path).map((entry) => entry.name);
  for (const [index, name] of names.sort(Buffer.compare).entries()) {
    const isLast = index === names.length - 1;
    const child = join(path, name);
    const { mode } = connection.stat(child, false);
    const target = isSymlink(mode) ? ` -> ${escapeName(connection.readlink(child))}` : '';
    const slash = isDirectory(mode) ? '/' : '';
    print(`${indent}${isLast ? '└── ' : '├── '}${escapeName(name)}${slash}${target}\n`);
    if (isDirectory(mode)) printBranches(connection, child, indent + (isLast ? '    ' : '│   '));
  }
}

export function stat(parsed: Parsed): Promise<number> {
  return eachPath(parsed, parsed.operands, (connection, path) => {
    print(formatStat(path, connection.stat(path, false)));
  });
}

export function cat(parsed: Parsed): Promise<number> {
  return eachPath(parsed, parsed.operands, (connection, path) => {
    connection.readChunks(path, printBytes);
  });
}

export function rm(parsed: Parsed): Promise<number> {
  return eachPath(parsed, parsed.operands, (connection, path) => {
    const { mode } = connection.stat(path, false);
    if (!isDirectory(mode)) connection.unlink(path);
    else if (parsed.values.recursive) removeAll(connection, path);
    else throw new Failure(`${escapeName(path)} is a directory: remove it with --recursive`);
  });
}

/** The root itself cannot go, only what is in it. */
function removeAll(connection: Connection, path: Buffer): void {
  for (const { name } of connection.readdir(path)) {
    const child = join(path, name);
    if (isDirectory(connection.stat(child, false).mode)) removeAll(connection, child);
    else connection.unlink(child);
  }
  if (!path.equals(root)) connection.rmdir(path);
}

/** Into an existing directory it goes under its own name, as with cp. */
export async function put(parsed: Parsed): Promise<number> {
  const [source, target] = parsed.operands as [string, string | undefined];
  if (source === '-' && target === undefined) throw new Failure('`fs put -` wants a PATH');
  return eachPathAsync(parsed, [target ?? '/'], async (connection, path) => {
    if (source === '-') {
      connection.writeFile(path, readFileSync(STDIN), NEW_FILE);
      return;
    }
    const status = statSync(source, { throwIfNoEntry: false });
    if (status === undefined) throw new Failure(`there is no file "${escapeText(source)}"`);
    const host = Buffer.from(source);
    const existing = lstat(connection, path);
    const into = existing !== undefined && isDirectory(existing.mode);
    const place = into ? join(path, ownName(host)) : path;
    if (status.isDirectory()) await importDirectory(connection, host, place);
    else importFile(connection, host, place);
  });
}

export async function get(parsed: Parsed): Promise<number> {
  const [source, target] = parsed.operands as [string, string | undefined];
  return eachPathAsync(parsed, [source], async (connection, path) => {
    if (target === '-') {
      connection.readChunks(path, printBytes);
      return;
    }
    const found = connection.stat(path, false);
    const host = Buffer.from(target ?? '.');
    const into = statSync(host, { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (into && path.equals(root) && target === undefined) {
      throw new Failure('`fs get` of the root wants a HOST directory');
    }
    const place = into ? join(host, basename(path)) : host;
    if (isDirectory(found.mode)) await exportDirectory(connection, path, place);
    else exportFile(connection, { path, relative: path, stat: found }, place);
  });
}

/** "." and ".." have no name to go under: their contents go into the directory itself. */
function ownName(host: Buffer): Buffer {
  const name = basename(host);
  return ['.', '..', '/'].includes(name.toString()) ? Buffer.alloc(0) : name;
}

type Operation = (connection: Connection, path: Buffer) => void;

function eachPath(parsed: Parsed, paths: readonly string[], operation: Operation) {
  return eachPathAsync(parsed, paths, async (connection, path) => operation(connection, path));
}

/** One path that fails does not keep the others from being done. */
async function eachPathAsync(
  parsed: Parsed,
  paths: readonly string[],
  operation: (connection: Connection, path: Buffer) => Promise<void>,
): Promise<number> {
  const session = chooseSession(parsed);
  const connection = connect(session.name);
  let status: number = exits.OK;
  try {
    for (const path of paths) {
      try {
        await operation(connection, treePath(path, session.prefix));
      } catch (error) {
        if (!isFileError(error)) throw error;
        complain(`${escapeText(path)}: ${describe(error)}`);
        status = exits.FAILED;
      }
    }
  } finally {
    connection.close();
  }
  return status;
}

/** As programs see it ("/bt/a"), or relative to the root of the tree ("a"). */
function treePath(path: string, prefix: string): Buffer {
  if (!path.startsWith('/')) return Buffer.from(`/${path}`);
  if (path === '/') return root;
  if (isUnder(path, prefix)) return Buffer.from(path.slice(prefix.length) || '/');
  throw new Failure(`it is not under ${prefix}`, exits.FAILED);
}

function isFileError(error: unknown): error is Error {
  if (error instanceof Failure) return true;
  return error instanceof Error && 'code' in error && /^E[A-Z0-9]+$/.test(String(error.code));
}

function describe(error: Error): string {
  return 'code' in error ? (sentences[String(error.code)] ?? error.message) : error.message;
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOSPC: 'the tree is full',
  ENOTEMPTY: 'directory not empty',
  EEXIST: 'file exists',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EBUSY: 'it is in use',
};
