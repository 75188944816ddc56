/** Requests that begin with a path. Each returns Slot.status. */
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_FH,
  FATTR_GID,
  FATTR_INODE_FLAGS,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  PATH_MAX,
  ROOT_INO,
  SEGMENT_HEADER_SESSION_ID,
  SLOT_ATIME,
  SLOT_ATIMENSEC,
  SLOT_DESCRIPTION,
  SLOT_FLAGS,
  SLOT_MODE,
  SLOT_MTIME,
  SLOT_MTIMENSEC,
  SLOT_RDEV,
  SLOT_REPLY_LENGTH,
  SLOT_REPLY_OFFSET,
  SLOT_SET_GID,
  SLOT_SET_UID,
  SLOT_SIZE,
  SLOT_VALID,
  STATFS_REPLY_RECORD_SIZE,
} from '../../../ringbuf/layout.gen.ts';
import { inoOf, lastPathOf, pathOf } from '../../store/dentries.ts';
import { EBADF, EINVAL, ENOENT } from '../../store/errno.ts';
import { modeOf } from '../../store/inodes.ts';
import { setattr } from '../../store/operations/attributes.ts';
import { link, mkdir, mknod, symlink } from '../../store/operations/create.ts';
import { isWritable } from '../../store/operations/io.ts';
import { access, lookup, readlink } from '../../store/operations/lookup.ts';
import { CROSSED_SECOND } from '../../store/operations/path.ts';
import { rmdir, unlink } from '../../store/operations/remove.ts';
import { rename } from '../../store/operations/rename.ts';
import { statfs } from '../../store/operations/statfs.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_PATH,
} from '../../store/posix.ts';
import { CROSSED } from '../../store/walk.ts';
import { getWide, setWide } from '../../store/wide.ts';
import { inodeOf, openFlagsOf } from '../descriptions.ts';
import {
  IN_ACCESS,
  IN_ATTRIB,
  IN_MODIFY,
  notifyCreated,
  notifyDescription,
  notifyPath,
  notifyRemoved,
  notifyRenamed,
} from '../inotify.ts';
import { syncTimes } from '../nodes.ts';
import { replyAttributes, replyBytes, replyCrossing, replyResult, replyRoom } from '../reply.ts';
import {
  type Server,
  takeCaller,
  takeDescription,
  takeFileSizeLimit,
  takePath,
  takePath2,
  takeText,
} from '../request.ts';

/** Turns a walk that left the tree into its reply; passes 0 and -errno on. */
export function finishWalk(server: Server, slot: number, word: number, status: number): number {
  if (status === CROSSED) return replyCrossing(server, slot, word, server.walk, false);
  if (status === CROSSED_SECOND) return replyCrossing(server, slot, word, server.walk2, true);
  return status;
}

/**
 * The inode that the request means: the description itself with AT_EMPTY_PATH and no path, else what the
 * path leads to, in server.walk.ino → 0, CROSSED or -errno.
 */
export function find(
  server: Server,
  slot: number,
  word: number,
  flags: number,
  follow: boolean,
): number {
  const { walk, path } = server;
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  if (path.length === 0 && (flags & AT_EMPTY_PATH) !== 0) {
    walk.ino = path.start;
    return 0;
  }
  return lookup(server.store, server.caller, walk, path, follow);
}

export function onLookup(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  takeCaller(server, word);
  const status = find(server, slot, word, flags, (flags & AT_SYMLINK_NOFOLLOW) === 0);
  if (status !== 0) return finishWalk(server, slot, word, status);
  replyAttributes(server, word, server.walk.ino);
  return 0;
}

export function onAccess(server: Server, slot: number, word: number): number {
  const flags = server.i32[word + SLOT_FLAGS];
  const mask = server.i32[word + SLOT_MODE];
  const caller = takeCaller(server, word);
  if ((mask & ~7) !== 0) return -EINVAL;
  const status = find(server, slot, word, flags, (flags & AT_SYMLINK_NOFOLLOW) === 0);
  if (status !== 0) return finishWalk(server, slot, word, status);
  return access(server.store, caller, server.walk.ino, mask);
}

export function onSetattr(server: Server, slot: number, word: number): number {
  const { i32, change } = server;
  const flags = i32[word + SLOT_FLAGS];
  const caller = takeCaller(server, word);
  takeFileSizeLimit(server, word);
  change.valid = i32[word + SLOT_VALID] & (FATTR_INODE_FLAGS | (FATTR_ATIME_NOW * 4 - 1));
  change.mode = i32[word + SLOT_MODE];
  change.uid = i32[word + SLOT_SET_UID] >>> 0;
  change.gid = i32[word + SLOT_SET_GID] >>> 0;
  change.size = getWide(i32, word + SLOT_SIZE);
  change.atime = getWide(i32, word + SLOT_ATIME);
  change.atimensec = i32[word + SLOT_ATIMENSEC] >>> 0;
  change.mtime = getWide(i32, word + SLOT_MTIME);
  change.mtimensec = i32[word + SLOT_MTIMENSEC] >>> 0;
  const status = find(server, slot, word, flags, (flags & AT_SYMLINK_NOFOLLOW) === 0);
  if (status !== 0) return finishWalk(server, slot, word, status);
  const described = checkDescription(server, word, flags);
  if (described !== 0) return described;
  syncTimes(server.nodes, server.walk.ino);
  const mode = modeOf(server.store, server.walk.ino);
  const set = setattr(server.store, caller, server.walk.ino, change);
  if (set !== 0) return set;
  if (server.notifier.active) notifySetattr(server, word, flags, mode);
  replyAttributes(server, word, server.walk.ino);
  return 0;
}

/** fsnotify_change() of the kernel. `mode`: as it was before. */
function notifySetattr(server: Server, word: number, flags: number, mode: number): void {
  const { valid } = server.change;
  const { ino } = server.walk;
  const atime = (valid & (FATTR_ATIME | FATTR_ATIME_NOW)) !== 0;
  const mtime = (valid & (FATTR_MTIME | FATTR_MTIME_NOW)) !== 0;
  let which = (atime ? IN_ACCESS : 0) | (mtime ? IN_MODIFY : 0);
  if ((valid & FATTR_SIZE) !== 0) which = IN_MODIFY;
  else if ((valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) !== 0) which = IN_ATTRIB;
  else if (valid === 0 && modeOf(server.store, ino) !== mode) which = IN_ATTRIB;
  if (which !== 0) notifyFound(server, word, flags, which);
}

/** The dentry that the description was opened by, if it still names that inode; else 0. */
function nameOf({ store, descriptions }: Server, id: number): number {
  const dentry = descriptions.dentries[id];
  return dentry !== 0 && inoOf(store, dentry) === inodeOf(descriptions, id) ? dentry : 0;
}

/** To what find() has found: an open file, or an inode with the name that led to it. */
export function notifyFound(server: Server, word: number, flags: number, which: number): void {
  const { notifier, walk, path } = server;
  if (path.length === 0 && (flags & AT_EMPTY_PATH) !== 0) {
    const id = takeDescription(server, word);
    if (notifier.holds.has(id)) notifyDescription(notifier, id, which);
    else notifyPath(notifier, walk.ino, nameOf(server, id), which);
  } else notifyPath(notifier, walk.ino, walk.dentry, which);
}

/** FATTR_FH is a promise about the description, which the server knows better. */
function checkDescription(server: Server, word: number, flags: number): number {
  const { change } = server;
  const id = takeDescription(server, word);
  const direct = server.path.length === 0 && (flags & AT_EMPTY_PATH) !== 0 && id !== 0;
  const openFlags = direct ? openFlagsOf(server.descriptions, id) : 0;
  if ((change.valid & FATTR_FH) !== 0) {
    if (!direct) return -EBADF;
    if ((change.valid & FATTR_SIZE) !== 0 && !isWritable(openFlags))
      return (openFlags & O_PATH) !== 0 ? -EBADF : -EINVAL;
  }
  return 0;
}

export function onReadlink(server: Server, slot: number, word: number): number {
  const { store, walk, scratch } = server;
  const flags = server.i32[word + SLOT_FLAGS];
  takeCaller(server, word);
  const status = find(server, slot, word, flags, false);
  if (status !== 0) return finishWalk(server, slot, word, status);
  const empty = server.path.length === 0 && walk.ino !== ROOT_INO;
  const length = readlink(store, walk.ino, empty, scratch, 0, PATH_MAX);
  if (length < 0) return length;
  replyResult(server, word, length);
  return replyBytes(server, slot, word, scratch, 0, length);
}

export function onSymlink(server: Server, slot: number, word: number): number {
  const { path, path2, scratch, u8 } = server;
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word) || takeText(server, slot, word);
  if (taken !== 0) return taken;
  for (let i = 0; i < path2.length; i++) {
    const c = u8[path2.offset + i];
    if (c === 0) return -EINVAL;
    scratch[i] = c;
  }
  const status = symlink(server.store, caller, server.walk, path, scratch, 0, path2.length);
  if (status === 0) noteCreated(server);
  return finishWalk(server, slot, word, status);
}

/** walk.ino has just got the name that the walk found missing. */
function noteCreated({ notifier, walk }: Server): void {
  if (notifier.active) notifyCreated(notifier, walk, walk.ino);
}

export function onMknod(server: Server, slot: number, word: number): number {
  const mode = server.i32[word + SLOT_MODE];
  const rdev = server.i32[word + SLOT_RDEV] >>> 0;
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  const status = mknod(server.store, caller, server.walk, server.path, mode, rdev);
  if (status === 0) noteCreated(server);
  return finishWalk(server, slot, word, status);
}

export function onMkdir(server: Server, slot: number, word: number): number {
  const mode = server.i32[word + SLOT_MODE];
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  const status = mkdir(server.store, caller, server.walk, server.path, mode);
  if (status === 0) noteCreated(server);
  return finishWalk(server, slot, word, status);
}

export function onUnlink(server: Server, slot: number, word: number): number {
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  const status = unlink(server.store, caller, server.walk, server.path);
  if (status === 0 && server.notifier.active) notifyRemoved(server.notifier, server.walk, false);
  return finishWalk(server, slot, word, status);
}

export function onRmdir(server: Server, slot: number, word: number): number {
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word);
  if (taken !== 0) return taken;
  const status = rmdir(server.store, caller, server.walk, server.path);
  if (status === 0 && server.notifier.active) notifyRemoved(server.notifier, server.walk, true);
  return finishWalk(server, slot, word, status);
}

export function onLink(server: Server, slot: number, word: number): number {
  const { store, walk, walk2, path2 } = server;
  const flags = server.i32[word + SLOT_FLAGS];
  const caller = takeCaller(server, word);
  const status = find(server, slot, word, flags, (flags & AT_SYMLINK_FOLLOW) !== 0);
  if (status !== 0) return finishWalk(server, slot, word, status);
  const taken = takePath2(server, slot, word);
  if (taken !== 0) return taken;
  const linked = link(store, caller, walk.ino, walk2, path2);
  if (linked === 0 && server.notifier.active) {
    notifyPath(server.notifier, walk.ino, 0, IN_ATTRIB);
    notifyCreated(server.notifier, walk2, walk.ino);
  }
  return finishWalk(server, slot, word, linked);
}

export function onRename(server: Server, slot: number, word: number): number {
  const { store, walk, walk2, path, path2 } = server;
  const flags = server.i32[word + SLOT_FLAGS];
  const caller = takeCaller(server, word);
  const taken = takePath(server, slot, word) || takePath2(server, slot, word);
  if (taken !== 0) return taken;
  const status = rename(store, caller, walk, path, walk2, path2, flags);
  if (status === 0 && server.notifier.active) notifyRenamed(server.notifier, walk, walk2, flags);
  return finishWalk(server, slot, word, status);
}

export function onStatfs(server: Server, slot: number, word: number): number {
  const { i32 } = server;
  takeCaller(server, word);
  const status = find(server, slot, word, i32[word + SLOT_FLAGS], true);
  if (status !== 0) return finishWalk(server, slot, word, status);
  const room = replyRoom(server, slot, word, STATFS_REPLY_RECORD_SIZE);
  const fsid = i32[SEGMENT_HEADER_SESSION_ID] >>> 0;
  statfs(server.store, fsid, i32, room / 4);
  i32[word + SLOT_REPLY_LENGTH] = STATFS_REPLY_RECORD_SIZE;
  return 0;
}

/** Where a directory is, for getcwd(2). */
export function onPath(server: Server, slot: number, word: number): number {
  const { scratch } = server;
  const id = takeDescription(server, word);
  if (id === 0 && server.i32[word + SLOT_DESCRIPTION] !== 0) return -EBADF;
  const ino = id === 0 ? ROOT_INO : inodeOf(server.descriptions, id);
  let length = pathOf(server.store, ino, scratch.subarray(0, PATH_MAX - 1));
  const gone = length === -ENOENT;
  if (gone) length = lastPathOf(server.store, ino, scratch.subarray(0, PATH_MAX - 1));
  setWide(server.i32, word + SLOT_REPLY_OFFSET, gone ? 1 : 0);
  if (length < 0) return length;
  replyResult(server, word, length);
  return replyBytes(server, slot, word, scratch, 0, length);
}
