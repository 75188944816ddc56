/** open(2): build_open_flags, do_open and may_open of fs/namei.c. Descriptions are the server's. */
import { OPEN_TO_EXECUTE, RESOLVE_SHIFT } from '../../../ringbuf/layout.gen.ts';
import type { Caller } from '../caller.ts';
import { EEXIST, EINVAL, EISDIR, ELOOP, ENOTDIR, ENXIO, EPERM } from '../errno.ts';
import { isDirectory, modeOf } from '../inodes.ts';
import { isAppendOnly, isOwner, may } from '../permission.ts';
import {
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOFOLLOW,
  O_PATH,
  O_TMPFILE,
  O_TRUNC,
  S_IALLUGO,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../posix.ts';
import { mayReopen } from '../protections.ts';
import type { Store } from '../store.ts';
import { WALK_CREATE, WALK_FOLLOW, WALK_PARENT, type Walk, walkPath } from '../walk.ts';
import { truncateOnOpen } from './attributes.ts';
import { createNode, makeTemporary } from './create.ts';
import type { PathArgument } from './path.ts';

/** openat2's RESOLVE_* travel with the flags. */
const RESOLVE_BITS = -1 << RESOLVE_SHIFT;

const PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** MAY_* that an access mode asks for. Mode 3 asks for both and gives neither. */
const ACCESS = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE] as const;

/** What a description keeps of the flags: all but those that only concern the opening. */
export function keptFlags(flags: number): number {
  if ((flags & O_PATH) !== 0) return flags & PATH_FLAGS & ~O_CLOEXEC;
  return flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | RESOLVE_BITS);
}

/** open(2) without O_CREAT and O_TMPFILE → 0 with walk.ino. */
export function open(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  flags: number,
): number {
  const wanted = (flags & O_PATH) !== 0 ? flags & PATH_FLAGS : flags;
  const status = walkPath(store, caller, walk, path, (wanted & O_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW);
  if (status !== 0) return status;
  return openInode(store, caller, walk.ino, wanted);
}

/** The end of open(2), for an inode that exists. Also reopens by description ("/proc/self/fd/N"). */
export function openInode(store: Store, caller: Caller, ino: number, flags: number): number {
  const type = modeOf(store, ino) & S_IFMT;
  if ((flags & O_DIRECTORY) !== 0 && type !== S_IFDIR) return -ENOTDIR;
  if ((flags & O_PATH) !== 0) return 0;
  if (type === S_IFLNK) return -ELOOP;
  let mask: number = ACCESS[flags & O_ACCMODE];
  if ((flags & (OPEN_TO_EXECUTE | O_ACCMODE | O_TRUNC)) === OPEN_TO_EXECUTE && type === S_IFREG)
    mask = MAY_EXEC;
  if ((flags & O_TRUNC) !== 0) mask |= MAY_WRITE;
  if (type === S_IFDIR && (mask & MAY_WRITE) !== 0) return -EISDIR;
  const allowed = may(store, caller, ino, mask);
  if (allowed !== 0) return allowed;
  if (isAppendOnly(store, ino) && !onlyAppends(flags)) return -EPERM;
  if ((flags & O_NOATIME) !== 0 && !isOwner(store, caller, ino)) return -EPERM;
  if ((flags & O_DIRECT) !== 0 && type === S_IFDIR) return -EINVAL;
  // What lies behind fifos and devices is the kernel's business (src/server/nodes.ts).
  if (type === S_IFSOCK) return -ENXIO;
  if (type === S_IFDIR && (flags & O_DIRECT) !== 0) return -EINVAL;
  if (type !== S_IFREG) return 0;
  return (flags & O_TRUNC) !== 0 ? truncateOnOpen(store, caller, ino) : 0;
}

function onlyAppends(flags: number): boolean {
  return (flags & O_TRUNC) === 0 && ((flags & O_ACCMODE) === 0 || (flags & O_APPEND) !== 0);
}

/** open(2) with O_CREAT → 0 with walk.ino. */
export function create(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  flags: number,
  mode: number,
): number {
  if ((flags & O_PATH) !== 0) return open(store, caller, walk, path, flags);
  if ((flags & O_DIRECTORY) !== 0) return -EINVAL;
  const follow = (flags & (O_NOFOLLOW | O_EXCL)) === 0 ? WALK_FOLLOW : 0;
  const status = walkPath(store, caller, walk, path, WALK_PARENT | WALK_CREATE | follow);
  if (status !== 0) return status;
  if (walk.ino === 0) {
    // Whoever makes the file may use it as asked, whatever its mode says.
    const made = createNode(store, caller, walk, S_IFREG | (mode & S_IALLUGO), 0);
    walk.created = made === 0;
    return made;
  }
  if ((flags & O_EXCL) !== 0) return -EEXIST;
  if (isDirectory(store, walk.ino)) return -EISDIR;
  const reopened = mayReopen(store, caller, walk.parent, walk.ino);
  if (reopened !== 0) return reopened;
  return openInode(store, caller, walk.ino, flags);
}

/** open(2) with O_TMPFILE: `path` names the directory → 0 with a nameless walk.ino in walk.parent, CROSSED or -errno. */
export function openTemporary(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  flags: number,
  mode: number,
): number {
  if ((flags & O_TMPFILE) !== O_TMPFILE || (flags & O_CREAT) !== 0) return -EINVAL;
  if ((ACCESS[flags & O_ACCMODE] & MAY_WRITE) === 0) return -EINVAL;
  const status = walkPath(store, caller, walk, path, (flags & O_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW);
  if (status !== 0) return status;
  if (!isDirectory(store, walk.ino)) return -ENOTDIR;
  const ino = makeTemporary(store, caller, walk.ino, mode, (flags & O_EXCL) === 0);
  if (ino < 0) return ino;
  walk.parent = walk.ino;
  walk.dentry = 0;
  walk.ino = ino;
  return 0;
}
