/**
 * Building a tree in a session from the outside: entries in any order that names a directory before
 * what is in it. Modes and times of directories wait for the end, because filling them changes both.
 */
import type { Connection, FileWriter } from '../../client/connect.ts';
import { Failure } from '../failure.ts';
import { escapeName } from '../names.ts';
import { components, join } from './bytes.ts';
import { isDirectory, keepsOwners, PERMISSIONS } from './modes.ts';
import { setTreeXattrs, type Xattr } from './xattrs.ts';

export interface Attributes {
  /** Type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly xattrs: readonly Xattr[];
}

export interface TreeWriter {
  directory(path: Buffer, attributes: Attributes): void;
  /** The caller writes and closes, then calls finishFile. */
  file(path: Buffer): FileWriter;
  finishFile(path: Buffer, attributes: Attributes): void;
  symlink(path: Buffer, target: Uint8Array, attributes: Attributes): void;
  link(path: Buffer, existing: Buffer): void;
  special(path: Buffer, attributes: Attributes, rdev: number): void;
  finish(): void;
}

/** While a directory is being filled its owner must be able to write into it. */
const FILLING_MODE = 0o700;

/** Paths are relative to `base`, a path of the tree; ".." in them is refused. */
export function createTreeWriter(connection: Connection, base: Buffer): TreeWriter {
  const directories: { path: Buffer; attributes: Attributes }[] = [];

  const place = (relative: Buffer): Buffer => {
    const parts = components(relative);
    if (parts === undefined) {
      throw new Failure(`the entry "${escapeName(relative)}" has ".." in its name`);
    }
    let path = base;
    for (const [index, part] of parts.entries()) {
      if (index > 0) ensureDirectory(connection, path);
      path = join(path, part);
    }
    return path;
  };

  /** Like tar and cp -a: what stands in the way goes, except a directory. */
  const vacate = (path: Buffer): Buffer => {
    const found = lstat(connection, path);
    if (found !== undefined) {
      if (isDirectory(found.mode)) {
        throw new Failure(`"${escapeName(path)}" is a directory and cannot become a file`);
      }
      connection.unlink(path);
    }
    return path;
  };

  const attributesOf = (path: Buffer, attributes: Attributes, isLink: boolean): void => {
    if (keepsOwners) connection.chown(path, attributes.uid, attributes.gid);
    // After chown, which clears setuid, setgid and capabilities; chmod may take the right to set any.
    setTreeXattrs(connection, path, attributes.xattrs, false);
    if (!isLink) connection.chmod(path, attributes.mode & PERMISSIONS);
    setTreeXattrs(connection, path, attributes.xattrs, true);
    connection.utimes(path, attributes.atimeNs, attributes.mtimeNs);
  };

  return {
    directory(relative, attributes) {
      const path = place(relative);
      ensureDirectory(connection, path);
      directories.push({ path, attributes });
    },
    file(relative) {
      const path = vacate(place(relative));
      return withTrailingHole(connection, path, connection.createFile(path, FILLING_MODE));
    },
    finishFile: (relative, attributes) => attributesOf(place(relative), attributes, false),
    symlink(relative, target, attributes) {
      const path = vacate(place(relative));
      connection.symlink(target, path);
      attributesOf(path, attributes, true);
    },
    link: (relative, existing) => connection.link(place(existing), vacate(place(relative))),
    special(relative, attributes, rdev) {
      const path = vacate(place(relative));
      connection.mknod(path, attributes.mode, rdev);
      attributesOf(path, attributes, false);
    },
    finish() {
      // The deepest first: setting the mode of a parent may close the way to its children.
      for (const { path, attributes } of directories.reverse()) {
        attributesOf(path, attributes, false);
      }
    },
  };
}

/** A hole at the end has no write behind it that would make the file long enough. */
function withTrailingHole(connection: Connection, path: Buffer, file: FileWriter): FileWriter {
  let size = 0;
  let endsInHole = false;
  return {
    write(data) {
      file.write(data);
      size += data.length;
      endsInHole = false;
    },
    skip(bytes) {
      file.skip(bytes);
      size += bytes;
      endsInHole = true;
    },
    close() {
      file.close();
      if (endsInHole) connection.truncate(path, size);
    },
  };
}

function ensureDirectory(connection: Connection, path: Buffer): void {
  const found = lstat(connection, path);
  if (found === undefined) {
    connection.mkdir(path, FILLING_MODE);
    return;
  }
  if (isDirectory(found.mode)) return;
  if (isDirectory(connection.stat(path).mode)) return;
  throw new Failure(`"${escapeName(path)}" is in the way: it is not a directory`);
}

export function lstat(connection: Connection, path: Uint8Array) {
  try {
    return connection.stat(path, false);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
