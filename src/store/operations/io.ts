/** read, write, lseek, fallocate, copy_file_range: checks and times round the moves of files.ts. */
import { CAP_FSETID, type Caller } from '../caller.ts';
import { now } from '../clock.ts';
import {
  EBADF,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  ENXIO,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../errno.ts';
import {
  fallocate as allocateRange,
  copyRange,
  copyWithin,
  read as readBytes,
  seek,
  write as writeBytes,
} from '../files.ts';
import {
  getSize,
  gidOf,
  hasCapability,
  isDirectory,
  isRegular,
  modeOf,
  setMode,
} from '../inodes.ts';
import { isAppendOnly, isImmutable, modeAfterWrite } from '../permission.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_WRITE_ZEROES,
  FALLOC_FL_ZERO_RANGE,
  O_ACCMODE,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  S_IALLUGO,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from '../posix.ts';
import { writeSpare as writeSpareBlock } from '../spares.ts';
import type { Store } from '../store.ts';
import { dropCapability } from '../xattrs.ts';
import { accessed, accessedMeanwhile, modified } from './times.ts';

/** Largest file offset + 1: MAX_LFS_FILESIZE of a 64-bit kernel, as a Number. */
export const OFFSET_END = 2 ** 63;

/** May the description be read? O_PATH gives no access at all, and neither does access mode 3. */
export function isReadable(openFlags: number): boolean {
  const access = openFlags & (O_ACCMODE | O_PATH);
  return access === O_RDONLY || access === 2;
}

export function isWritable(openFlags: number): boolean {
  const access = openFlags & (O_ACCMODE | O_PATH);
  return access === O_WRONLY || access === 2;
}

/** read(2) of a readable description → bytes in the segment, or -errno. */
export function read(
  store: Store,
  ino: number,
  noatime: boolean,
  offset: number,
  length: number,
  toSegment: number,
  toOffset: number,
): number {
  if (!isRegular(store, ino)) return isDirectory(store, ino) ? -EISDIR : -EINVAL;
  if (offset < 0) return -EINVAL;
  const bytes = length === 0 ? 0 : readBytes(store, ino, offset, length, toSegment, toOffset);
  // A read at the end of the file, or of nothing, is an access too.
  if (!noatime) accessed(store, ino);
  return bytes;
}

/**
 * How many of `length` bytes may be written at `offset`: RLIMIT_FSIZE cuts a write short and refuses
 * one that begins behind it (the client then raises SIGXFSZ). → bytes, or -EFBIG, -EINVAL.
 */
export function writable(caller: Caller, offset: number, length: number): number {
  if (offset < 0) return -EINVAL;
  const limit = caller.fileSizeLimit;
  if (offset >= limit || offset >= OFFSET_END) return -EFBIG;
  return Math.min(length, limit - offset);
}

/** What a write does to the inode before the bytes move: set-id bits go, mtime and ctime are now. */
export function beforeWrite(store: Store, caller: Caller, ino: number): void {
  dropSetIds(store, caller, ino);
  now(store);
  modified(store, ino);
}

function dropSetIds(store: Store, caller: Caller, ino: number): void {
  if (hasCapability(store, ino)) dropCapability(store, ino);
  if ((caller.capabilities & CAP_FSETID) !== 0) return;
  const mode = modeOf(store, ino);
  const rest = modeAfterWrite(caller, mode, gidOf(store, ino));
  if (rest !== mode) setMode(store, ino, rest & S_IALLUGO);
}

/** write(2) to a writable description → bytes written or -errno. */
export function write(
  store: Store,
  caller: Caller,
  ino: number,
  offset: number,
  length: number,
  fromSegment: number,
  fromOffset: number,
): number {
  if (!isRegular(store, ino)) return -EINVAL;
  if (length === 0) return offset < 0 ? -EINVAL : 0;
  const room = writable(caller, offset, length);
  if (room < 0) return room;
  beforeWrite(store, caller, ino);
  return writeBytes(store, ino, offset, room, fromSegment, fromOffset);
}

/** As write, of the bytes in the spare block of `slot`, which has one (ADR 10). */
export function writeSpare(
  store: Store,
  caller: Caller,
  ino: number,
  offset: number,
  length: number,
  slot: number,
): number {
  if (!isRegular(store, ino)) return -EINVAL;
  if (length === 0) return offset < 0 ? -EINVAL : 0;
  const room = writable(caller, offset, length);
  if (room < 0) return room;
  dropSetIds(store, caller, ino);
  now(store);
  return writeSpareBlock(store, slot, ino, offset, room);
}

/** lseek(2) → new offset or -errno. `position` is the present one. */
export function lseek(
  store: Store,
  ino: number,
  position: number,
  offset: number,
  whence: number,
): number {
  if (whence === SEEK_DATA || whence === SEEK_HOLE) {
    if (!isRegular(store, ino)) return -EINVAL;
    if (offset < 0) return -ENXIO;
    return seek(store, ino, offset, whence);
  }
  let base = 0;
  if (whence === SEEK_CUR) base = position;
  else if (whence === SEEK_END) {
    // The end of a directory has no position, as on tmpfs.
    if (isDirectory(store, ino)) return -EINVAL;
    base = getSize(store, ino);
  } else if (whence !== SEEK_SET) return -EINVAL;
  const to = base + offset;
  if (to < 0) return -EINVAL;
  // The largest offset itself may be reached, but not passed.
  return to >= OFFSET_END && base !== 0 && offset > 0 ? -EINVAL : to;
}

/** One operation, with KEEP_SIZE where that fits: what vfs_fallocate lets through to a file system. */
function isFallocateMode(mode: number): boolean {
  const operation = mode & ~FALLOC_FL_KEEP_SIZE;
  const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  switch (operation) {
    case 0:
    case FALLOC_FL_ZERO_RANGE:
    case FALLOC_FL_UNSHARE_RANGE:
      return true;
    case FALLOC_FL_PUNCH_HOLE:
      return keepsSize;
    case FALLOC_FL_COLLAPSE_RANGE:
    case FALLOC_FL_INSERT_RANGE:
    case FALLOC_FL_WRITE_ZEROES:
      return !keepsSize;
    default:
      return false;
  }
}

/** fallocate(2) through a description with these open flags → 0 or -errno. */
export function fallocate(
  store: Store,
  caller: Caller,
  ino: number,
  openFlags: number,
  mode: number,
  offset: number,
  length: number,
): number {
  if (offset < 0 || length <= 0) return -EINVAL;
  if (!isFallocateMode(mode)) return -EOPNOTSUPP;
  if (!isWritable(openFlags)) return -EBADF;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0 && isAppendOnly(store, ino)) return -EPERM;
  if (isImmutable(store, ino)) return -EPERM;
  if (isDirectory(store, ino)) return -EISDIR;
  if (!isRegular(store, ino)) return -ENODEV;
  if (offset + length >= OFFSET_END) return -EFBIG;
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  // The limit holds for space beyond the end, too, which KEEP_SIZE leaves there.
  const beyond = (mode & FALLOC_FL_PUNCH_HOLE) === 0 && offset + length > getSize(store, ino);
  if (beyond && offset + length > caller.fileSizeLimit) return -EFBIG;
  beforeWrite(store, caller, ino);
  return allocateRange(store, ino, mode, offset, length);
}

/**
 * copy_file_range(2) between open descriptions → bytes or -errno. Access modes are checked before.
 * `overlapping`: sendfile(2), which copies from a file to itself wherever it is told to.
 */
export function copyFileRange(
  store: Store,
  caller: Caller,
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
  overlapping = false,
): number {
  if (isDirectory(store, from) || isDirectory(store, to)) return -EISDIR;
  if (!isRegular(store, from) || !isRegular(store, to)) return -EINVAL;
  if (!overlapping && isImmutable(store, to)) return -EPERM;
  if (fromOffset < 0 || toOffset < 0 || length < 0) return -EINVAL;
  if (fromOffset + length >= OFFSET_END || toOffset + length >= OFFSET_END) return -EOVERFLOW;
  // What a copy adds to its own source it may come to read.
  const size = Math.max(0, getSize(store, from) - fromOffset);
  const grows = overlapping && from === to && size > 0;
  const count = grows ? length : Math.min(length, size);
  // sendfile looks at the end of the file; copy_file_range does not, but at the limit.
  if (count === 0 && overlapping) {
    if (length > 0) accessed(store, from);
    return 0;
  }
  const room = writable(caller, toOffset, count);
  if (room < 0) return room;
  if (count === 0) return 0;
  const meets = from === to && toOffset < fromOffset + room && fromOffset < toOffset + room;
  if (meets && !overlapping) return -EINVAL;
  beforeWrite(store, caller, to);
  const bytes =
    from === to && overlapping
      ? copyWithin(store, from, fromOffset, toOffset, room)
      : copyRange(store, from, fromOffset, to, toOffset, room);
  accessedMeanwhile(store, from);
  return bytes;
}
