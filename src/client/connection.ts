/** connect(): the operations of connect.ts over a Channel. */

import * as layout from '../../ringbuf/layout.gen.ts';
import {
  DESCRIPTION_STATE_RECORD_WORDS,
  DESCRIPTION_STATE_REFERENCES,
  FATTR_ATIME,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_SIZE,
  FATTR_UID,
  OP_CREATE,
  OP_GETXATTR,
  OP_LINK,
  OP_LISTXATTR,
  OP_LOOKUP,
  OP_MKDIR,
  OP_MKNOD,
  OP_OPEN,
  OP_READ,
  OP_READDIR,
  OP_READLINK,
  OP_RELEASE,
  OP_RENAME2,
  OP_RMDIR,
  OP_SETATTR,
  OP_SETXATTR,
  OP_STATFS,
  OP_SYMLINK,
  OP_UNLINK,
  OP_WRITE,
  PAGE_SIZE,
  REQUEST_POSITION,
  RING_DESCRIPTIONS_OFFSET,
  SLAB_SIZE,
  SLOT_ATIME,
  SLOT_ATIMENSEC,
  SLOT_ATTR_BYTES,
  SLOT_DESCRIPTION,
  SLOT_FILE_SIZE_LIMIT,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_MTIME,
  SLOT_MTIMENSEC,
  SLOT_OFFSET,
  SLOT_RDEV,
  SLOT_REPLY_DESCRIPTION,
  SLOT_REPLY_FLAGS,
  SLOT_REQUEST_FLAGS,
  SLOT_RESULT,
  SLOT_SET_GID,
  SLOT_SET_UID,
  SLOT_SIZE,
  SLOT_VALID,
  STATFS_REPLY_BLOCKS,
  STATFS_REPLY_BLOCKS_FREE,
  STATFS_REPLY_FILES,
  STATFS_REPLY_FILES_FREE,
  XATTR_LIST_MAX,
  XATTR_SIZE_MAX,
} from '../../ringbuf/layout.gen.ts';
import { ELOOP } from '../store/errno.ts';
import { AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_RDONLY, O_TRUNC, O_WRONLY } from '../store/posix.ts';
import {
  backSlab,
  beginRequest,
  type Channel,
  closeChannel,
  openChannel,
  replyPayload,
  setPayload,
  transact,
} from './channel.ts';
import type { Connection, DirectoryEntry, FileWriter, PathLike, Stat, StatFs } from './connect.ts';
import { FsError } from './fs-error.ts';

const WORD = 2 ** 32;
const NS = 1_000_000_000n;
const XATTRS = layout.INODE_XATTRS | layout.INODE_ACL | layout.INODE_DEFAULT_ACL;
const CROSSED = layout.REPLY_CROSSED_UP | layout.REPLY_CROSSED_ABSOLUTE;

/** "/a/b" → the bytes of "a/b": walks begin at the root of the tree. */
function relative(path: PathLike): Uint8Array {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  let start = 0;
  while (start < bytes.length && bytes[start] === 0x2f) start++;
  return start === bytes.length ? Buffer.from('.') : bytes.subarray(start);
}

const shown = (path: PathLike): string =>
  typeof path === 'string' ? path : Buffer.from(path).toString();

function set64(channel: Channel, field: number, value: number): void {
  channel.i32[channel.word + field] = (value % WORD) | 0;
  channel.i32[channel.word + field + 1] = Math.floor(value / WORD);
}

function get64(i32: Int32Array, word: number): number {
  return i32[word + 1] * WORD + (i32[word] >>> 0);
}

/** Sends what has been filled in; throws FsError unless the status is 0 or more. */
function perform(channel: Channel, call: string, path: PathLike = ''): void {
  const { i32, word } = channel;
  i32[word + SLOT_FILE_SIZE_LIMIT] = -1;
  i32[word + SLOT_FILE_SIZE_LIMIT + 1] = -1;
  const status = transact(channel);
  if (status < 0) throw new FsError(-status, call, shown(path));
  // A link that leads out of the tree: nothing here follows it onto the host.
  if ((i32[word + SLOT_REPLY_FLAGS] & CROSSED) !== 0) throw new FsError(ELOOP, call, shown(path));
}

function pathRequest(channel: Channel, opcode: number, path: PathLike, second?: PathLike): void {
  beginRequest(channel, opcode);
  const parts = [relative(path)];
  if (second !== undefined) parts.push(relative(second));
  setPayload(channel, parts, parts.length);
}

function readStat(channel: Channel): Stat {
  const { i32 } = channel;
  const at = channel.word + SLOT_ATTR_BYTES / 4;
  const time = (seconds: number, nanoseconds: number): bigint =>
    BigInt(get64(i32, at + seconds)) * NS + BigInt(i32[at + nanoseconds] >>> 0);
  return {
    ino: i32[at + layout.ATTRIBUTES_INO] >>> 0,
    mode: i32[at + layout.ATTRIBUTES_MODE] >>> 0,
    nlink: i32[at + layout.ATTRIBUTES_NLINK] >>> 0,
    uid: i32[at + layout.ATTRIBUTES_UID] >>> 0,
    gid: i32[at + layout.ATTRIBUTES_GID] >>> 0,
    rdev: i32[at + layout.ATTRIBUTES_RDEV] >>> 0,
    size: get64(i32, at + layout.ATTRIBUTES_SIZE),
    blocks: get64(i32, at + layout.ATTRIBUTES_BLOCKS) * (PAGE_SIZE / 512),
    atimeNs: time(layout.ATTRIBUTES_ATIME, layout.ATTRIBUTES_ATIMENSEC),
    mtimeNs: time(layout.ATTRIBUTES_MTIME, layout.ATTRIBUTES_MTIMENSEC),
    ctimeNs: time(layout.ATTRIBUTES_CTIME, layout.ATTRIBUTES_CTIMENSEC),
    btimeNs: time(layout.ATTRIBUTES_BTIME, layout.ATTRIBUTES_BTIMENSEC),
    hasXattrs: (i32[at + layout.ATTRIBUTES_FLAGS] & XATTRS) !== 0,
  };
}

function open(channel: Channel, path: PathLike, flags: number): number {
  pathRequest(channel, OP_OPEN, path);
  channel.i32[channel.word + SLOT_FLAGS] = flags;
  perform(channel, 'open', path);
  return channel.i32[channel.word + SLOT_REPLY_DESCRIPTION];
}

function create(channel: Channel, path: PathLike, mode: number): number {
  pathRequest(channel, OP_CREATE, path);
  channel.i32[channel.word + SLOT_FLAGS] = O_WRONLY | 0o100 | O_TRUNC;
  channel.i32[channel.word + SLOT_MODE] = mode;
  perform(channel, 'open', path);
  return channel.i32[channel.word + SLOT_REPLY_DESCRIPTION];
}

function release(channel: Channel, description: number): void {
  const state = RING_DESCRIPTIONS_OFFSET / 4 + description * DESCRIPTION_STATE_RECORD_WORDS;
  if (Atomics.sub(channel.i32, state + DESCRIPTION_STATE_REFERENCES, 1) !== 1) return;
  beginRequest(channel, OP_RELEASE);
  channel.i32[channel.word + SLOT_DESCRIPTION] = description;
  transact(channel);
}

/** Repeats READ or READDIR until it gives nothing more. */
function drain(
  channel: Channel,
  opcode: number,
  path: PathLike,
  flags: number,
  chunk: (piece: Uint8Array) => void,
): void {
  const description = open(channel, path, flags);
  try {
    for (;;) {
      beginRequest(channel, opcode);
      backSlab(channel, SLAB_SIZE);
      channel.i32[channel.word + SLOT_DESCRIPTION] = description;
      channel.i32[channel.word + SLOT_REQUEST_FLAGS] = REQUEST_POSITION;
      set64(channel, SLOT_SIZE, SLAB_SIZE);
      perform(channel, 'read', path);
      const payload = replyPayload(channel);
      if (payload.length === 0) return;
      chunk(payload);
    }
  } finally {
    release(channel, description);
  }
}

/** struct linux_dirent64: ino u64, off i64, reclen u16, type u8, name. */
function parseEntries(bytes: Buffer, out: DirectoryEntry[]): void {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16LE(at + 16);
    const end = bytes.indexOf(0, at + 19);
    const name = Buffer.from(bytes.subarray(at + 19, end));
    const dots = name.length <= 2 && (name.equals(DOT) || name.equals(DOTS));
    if (!dots) out.push({ name, ino: bytes.readUInt32LE(at), type: bytes[at + 18] });
    at += length;
  }
}
const DOT = Buffer.from('.');
const DOTS = Buffer.from('..');

function setattr(channel: Channel, path: PathLike, valid: number, nofollow: boolean): void {
  pathRequest(channel, OP_SETATTR, path);
  channel.i32[channel.word + SLOT_VALID] = valid;
  channel.i32[channel.word + SLOT_FLAGS] = nofollow ? AT_SYMLINK_NOFOLLOW : 0;
}

function writer(channel: Channel, path: PathLike, mode: number): FileWriter {
  const description = create(channel, path, mode);
  let offset = 0;
  let skipped = false;
  return {
    write(data) {
      if (data.length > 0) skipped = false;
      for (let at = 0; at < data.length; ) {
        const piece = data.subarray(at, at + SLAB_SIZE);
        beginRequest(channel, OP_WRITE);
        setPayload(channel, [piece], 0);
        channel.i32[channel.word + SLOT_DESCRIPTION] = description;
        set64(channel, SLOT_OFFSET, offset);
        set64(channel, SLOT_SIZE, piece.length);
        perform(channel, 'write', path);
        const written = get64(channel.i32, channel.word + SLOT_RESULT);
        at += written;
        offset += written;
      }
    },
    skip(bytes) {
      offset += bytes;
      skipped = true;
    },
    close() {
      // A hole at the end has no write behind it that would make the file so long.
      if (skipped) {
        setattr(channel, path, FATTR_SIZE, false);
        set64(channel, SLOT_SIZE, offset);
        perform(channel, 'truncate', path);
      }
      release(channel, description);
    },
  };
}

/** A request on the attribute `name` of the file itself, never of what a link leads to. */
function xattrRequest(
  channel: Channel,
  opcode: number,
  path: PathLike,
  name: PathLike,
  value: Uint8Array = new Uint8Array(),
): void {
  beginRequest(channel, opcode);
  const bytes = typeof name === 'string' ? Buffer.from(name) : name;
  setPayload(channel, [relative(path), bytes, value], 2);
  channel.i32[channel.word + SLOT_FLAGS] = AT_SYMLINK_NOFOLLOW;
}

/** Joins a running session. Throws SegmentError or ServerError when that cannot be. */
export function connect(name: string): Connection {
  const channel = openChannel(name);
  const { i32, word } = channel;
  const simple = (opcode: number, call: string, path: PathLike, second?: PathLike): void => {
    pathRequest(channel, opcode, path, second);
    perform(channel, call, path);
  };
  const setTime = (seconds: number, nanoseconds: number, time: bigint): void => {
    const rest = ((time % NS) + NS) % NS;
    set64(channel, seconds, Number((time - rest) / NS));
    i32[word + nanoseconds] = Number(rest);
  };
  const readChunks = (path: PathLike, chunk: (piece: Uint8Array) => void): void =>
    drain(channel, OP_READ, path, O_RDONLY, chunk);
  return {
    name,
    prefix: channel.prefix,
    stat(path, follow = true) {
      pathRequest(channel, OP_LOOKUP, path);
      i32[word + SLOT_FLAGS] = follow ? 0 : AT_SYMLINK_NOFOLLOW;
      perform(channel, 'stat', path);
      return readStat(channel);
    },
    readdir(path) {
      const entries: DirectoryEntry[] = [];
      drain(channel, OP_READDIR, path, O_RDONLY | O_DIRECTORY, (piece) =>
        parseEntries(Buffer.from(piece), entries),
      );
      return entries;
    },
    readFile(path) {
      const pieces: Buffer[] = [];
      readChunks(path, (piece) => pieces.push(Buffer.from(piece)));
      return Buffer.concat(pieces);
    },
    readChunks,
    writeFile(path, data, mode = 0o666 & ~process.umask()) {
      const file = writer(channel, path, mode);
      try {
        file.write(typeof data === 'string' ? Buffer.from(data) : data);
      } finally {
        file.close();
      }
    },
    createFile: (path, mode = 0o666 & ~process.umask()) => writer(channel, path, mode),
    mkdir(path, mode = 0o777 & ~process.umask()) {
      pathRequest(channel, OP_MKDIR, path);
      i32[word + SLOT_MODE] = mode;
      perform(channel, 'mkdir', path);
    },
    mknod(path, mode, rdev = 0) {
      pathRequest(channel, OP_MKNOD, path);
      i32[word + SLOT_MODE] = mode;
      i32[word + SLOT_RDEV] = rdev;
      perform(channel, 'mknod', path);
    },
    unlink: (path) => simple(OP_UNLINK, 'unlink', path),
    rmdir: (path) => simple(OP_RMDIR, 'rmdir', path),
    link: (existing, path) => simple(OP_LINK, 'link', existing, path),
    rename: (from, to) => simple(OP_RENAME2, 'rename', from, to),
    symlink(target, path) {
      beginRequest(channel, OP_SYMLINK);
      const bytes = typeof target === 'string' ? Buffer.from(target) : target;
      setPayload(channel, [relative(path), bytes], 2);
      perform(channel, 'symlink', path);
    },
    readlink(path) {
      pathRequest(channel, OP_READLINK, path);
      set64(channel, SLOT_SIZE, layout.PATH_MAX);
      perform(channel, 'readlink', path);
      return Buffer.from(replyPayload(channel));
    },
    chmod(path, mode) {
      setattr(channel, path, FATTR_MODE, false);
      i32[word + SLOT_MODE] = mode;
      perform(channel, 'chmod', path);
    },
    chown(path, uid, gid) {
      setattr(channel, path, FATTR_UID | FATTR_GID, true);
      i32[word + SLOT_SET_UID] = uid;
      i32[word + SLOT_SET_GID] = gid;
      perform(channel, 'chown', path);
    },
    utimes(path, atimeNs, mtimeNs) {
      setattr(channel, path, FATTR_ATIME | FATTR_MTIME, true);
      setTime(SLOT_ATIME, SLOT_ATIMENSEC, atimeNs);
      setTime(SLOT_MTIME, SLOT_MTIMENSEC, mtimeNs);
      perform(channel, 'utimes', path);
    },
    truncate(path, size) {
      setattr(channel, path, FATTR_SIZE, false);
      set64(channel, SLOT_SIZE, size);
      perform(channel, 'truncate', path);
    },
    listxattr(path) {
      xattrRequest(channel, OP_LISTXATTR, path, '');
      set64(channel, SLOT_SIZE, XATTR_LIST_MAX);
      perform(channel, 'listxattr', path);
      const names = Buffer.from(replyPayload(channel)).toString('latin1').split('\0');
      return names.slice(0, -1).map((name) => Buffer.from(name, 'latin1'));
    },
    getxattr(path, name) {
      xattrRequest(channel, OP_GETXATTR, path, name);
      set64(channel, SLOT_SIZE, XATTR_SIZE_MAX);
      perform(channel, 'getxattr', path);
      return Buffer.from(replyPayload(channel));
    },
    setxattr(path, name, value) {
      xattrRequest(channel, OP_SETXATTR, path, name, value);
      set64(channel, SLOT_SIZE, value.length);
      perform(channel, 'setxattr', path);
    },
    statfs(): StatFs {
      simple(OP_STATFS, 'statfs', '/');
      const payload = Buffer.from(replyPayload(channel));
      const field = (index: number): number => Number(payload.readBigUInt64LE(index * 4));
      return {
        blockSize: PAGE_SIZE,
        blocks: field(STATFS_REPLY_BLOCKS),
        blocksFree: field(STATFS_REPLY_BLOCKS_FREE),
        files: field(STATFS_REPLY_FILES),
        filesFree: field(STATFS_REPLY_FILES_FREE),
      };
    },
    close: () => closeChannel(channel),
  };
}
