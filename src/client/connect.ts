/**
 * A client of a running session for TypeScript: claims a process record and a slot in the ring, performs requests and
 * waits for them (synchronously: a request takes about a microsecond). Used by `btfuse fs`, import, export and tests.
 * Paths are those inside the tree: "/a/b" is <prefix>/a/b. Errors are thrown as FsError with the errno's name in `code`.
 */

export interface Stat {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  /** Of 512 bytes, as st_blocks. */
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly btimeNs: bigint;
  /** Are there extended attributes or ACLs? */
  readonly hasXattrs: boolean;
}

export interface DirectoryEntry {
  readonly name: Buffer;
  readonly ino: number;
  /** DT_* */
  readonly type: number;
}

export interface StatFs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
}

/** Paths are strings (UTF-8) or bytes. */
export type PathLike = string | Uint8Array;

export interface Connection {
  readonly name: string;
  readonly prefix: string;
  /** lstat with follow = false (the default is true). */
  stat(path: PathLike, follow?: boolean): Stat;
  /** Without "." and "..". */
  readdir(path: PathLike): DirectoryEntry[];
  readFile(path: PathLike): Buffer;
  /** Calls `chunk` with every piece of at most 1 MiB, in order; the piece is valid during the call only. */
  readChunks(path: PathLike, chunk: (piece: Uint8Array) => void): void;
  writeFile(path: PathLike, data: Uint8Array | string, mode?: number): void;
  /** Creates or truncates the file; `write` appends, `close` ends. Holes: `skip`. */
  createFile(path: PathLike, mode?: number): FileWriter;
  mkdir(path: PathLike, mode?: number): void;
  mknod(path: PathLike, mode: number, rdev?: number): void;
  unlink(path: PathLike): void;
  rmdir(path: PathLike): void;
  link(existing: PathLike, path: PathLike): void;
  symlink(target: PathLike, path: PathLike): void;
  readlink(path: PathLike): Buffer;
  rename(from: PathLike, to: PathLike): void;
  chmod(path: PathLike, mode: number): void;
  /** Does not follow links. */
  chown(path: PathLike, uid: number, gid: number): void;
  /** Does not follow links. */
  utimes(path: PathLike, atimeNs: bigint, mtimeNs: bigint): void;
  truncate(path: PathLike, size: number): void;
  /** Names; like the two below it does not follow links. */
  listxattr(path: PathLike): Buffer[];
  getxattr(path: PathLike, name: PathLike): Buffer;
  setxattr(path: PathLike, name: PathLike, value: Uint8Array): void;
  statfs(): StatFs;
  close(): void;
}

export interface FileWriter {
  write(data: Uint8Array): void;
  /** Leaves a hole of so many bytes. */
  skip(bytes: number): void;
  close(): void;
}

export { connect } from './connection.ts';
export { FsError } from './fs-error.ts';
