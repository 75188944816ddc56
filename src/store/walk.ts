/**
 * Walks a path through the tree as fs/namei.c does: one component after the other, symbolic links expanded
 * in a private buffer. The bytes of the path may stand in memory that a client can change meanwhile, so
 * each is read once. One Walk object is reused for every request; nothing is allocated.
 */
import {
  DENTRY_INO,
  INODE_LINK,
  INODE_MODE,
  INODE_SIZE,
  NAME_MAX,
  PATH_MAX,
  REPLY_CROSSED_ABSOLUTE,
  REPLY_CROSSED_UP,
  ROOT_INO,
  SYMLOOP_MAX,
} from '../../ringbuf/layout.gen.ts';
import type { Caller } from './caller.ts';
import { dentryWord, find } from './dentries.ts';
import { EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from './errno.ts';
import { inodeWord } from './inodes.ts';
import { hashName } from './names.ts';
import type { PathArgument } from './operations/path.ts';
import { accessed } from './operations/times.ts';
import { may } from './permission.ts';
import {
  DOT,
  MAY_EXEC,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  SLASH,
} from './posix.ts';
import { mayFollow } from './protections.ts';
import type { Store } from './store.ts';
import { targetInto } from './texts.ts';

/** Follow a symbolic link in the last component. */
export const WALK_FOLLOW = 1;
/** The last component is wanted by name: it may be missing, and is never followed without WALK_FOLLOW. */
export const WALK_PARENT = 2;
/** With WALK_PARENT: a trailing slash is EISDIR, as open(O_CREAT) says before it looks. */
export const WALK_CREATE = 4;

/** What the last component was. */
export const LAST_NORMAL = 0;
export const LAST_DOT = 1;
export const LAST_DOTDOT = 2;
/** There was none: the path was empty, or a link led to the root of the tree. */
export const LAST_ROOT = 3;

/** The walk left the tree: see `crossed`, `text`, `restStart`, `restEnd`. */
export const CROSSED = 1;

const END = -1;

export interface Walk {
  /** The inode that the path names; 0 when the last component is missing (WALK_PARENT only). */
  ino: number;
  /** Its dentry, 0 for "." and "..", the root, and where it is missing. */
  dentry: number;
  /** Directory of the last component. */
  parent: number;
  /** The last component: `nameLength` bytes, and its hash in `parent`. */
  readonly name: Uint8Array;
  nameLength: number;
  hash: number;
  /** LAST_* */
  kind: number;
  trailingSlash: boolean;
  /** After -ENAMETOOLONG: it is the last component, and all before it were found. */
  lastTooLong: boolean;
  /** After open(O_CREAT): the name was missing, and was made. Reset by whoever asks. */
  created: boolean;
  /** Links followed so far; set it to those of earlier requests of the same call. */
  symlinks: number;
  /** RESOLVE_* of openat2(2); 0 for every other call. */
  resolve: number;
  /** REPLY_CROSSED_UP or REPLY_CROSSED_ABSOLUTE after CROSSED. */
  crossed: number;
  /** Expansion buffer; after CROSSED the path to go on with is text[restStart..restEnd). */
  readonly text: Uint8Array;
  restStart: number;
  restEnd: number;
  /** Mount prefix, e.g. "/bt": absolute links below it stay in the tree. Empty: none does. */
  readonly prefix: Uint8Array;
}

export function createWalk(prefix: string): Walk {
  return {
    ino: 0,
    dentry: 0,
    parent: 0,
    name: new Uint8Array(NAME_MAX + 1),
    nameLength: 0,
    hash: 0,
    kind: LAST_ROOT,
    trailingSlash: false,
    lastTooLong: false,
    created: false,
    symlinks: 0,
    resolve: 0,
    crossed: 0,
    // The path itself, and before it one target with its slash for every link that may be followed.
    text: new Uint8Array((SYMLOOP_MAX + 2) * PATH_MAX),
    restStart: 0,
    restEnd: 0,
    prefix: new TextEncoder().encode(prefix),
  };
}

/** Walks the path from the directory `path.start` → 0, CROSSED or -errno. walk.symlinks is set before. */
export function walkPath(
  store: Store,
  caller: Caller,
  walk: Walk,
  path: PathArgument,
  flags: number,
): number {
  if (path.length >= PATH_MAX) return -ENAMETOOLONG;
  const { i32 } = store;
  const { name } = walk;
  let { bytes } = path;
  let directory = path.start;
  let position = path.offset;
  let end = position + path.length;
  // The byte at `position`, already read; END past the last one.
  let c = position < end ? bytes[position] : END;
  walk.dentry = 0;
  walk.trailingSlash = false;
  walk.lastTooLong = false;

  for (;;) {
    while (c === SLASH) c = ++position < end ? bytes[position] : END;
    if (c === END) return finish(walk, directory, directory, LAST_ROOT);

    let n = 0;
    do {
      if (c === 0) return -EINVAL;
      if (n < NAME_MAX) name[n] = c;
      n++;
      c = ++position < end ? bytes[position] : END;
    } while (c !== SLASH && c !== END);
    const slash = c === SLASH;
    while (c === SLASH) c = ++position < end ? bytes[position] : END;
    const last = c === END;

    const directoryWord = inodeWord(store, directory);
    if ((i32[directoryWord + INODE_MODE] & S_IFMT) !== S_IFDIR) return -ENOTDIR;
    const allowed = may(store, caller, directory, MAY_EXEC);
    if (allowed !== 0) return allowed;
    if (last) walk.trailingSlash = slash;

    if (name[0] === DOT && (n === 1 || (n === 2 && name[1] === DOT))) {
      if (last && (flags & WALK_PARENT) !== 0 && (flags & WALK_CREATE) === 0)
        return finish(walk, directory, directory, n === 1 ? LAST_DOT : LAST_DOTDOT);
      if (n === 2) {
        if (walk.resolve !== 0 && isBoundary(walk, directory, path.start)) {
          if ((walk.resolve & RESOLVE_IN_ROOT) === 0) return -EXDEV;
        } else if (directory === ROOT_INO) {
          toPrivate(walk, bytes, position, end, c);
          walk.crossed = REPLY_CROSSED_UP;
          return CROSSED;
        } else {
          directory = i32[directoryWord + INODE_LINK];
        }
      }
      if (last) return finish(walk, directory, directory, n === 1 ? LAST_DOT : LAST_DOTDOT);
      continue;
    }

    if (last && slash && (flags & WALK_CREATE) !== 0) return -EISDIR;
    if (n > NAME_MAX) {
      walk.lastTooLong = last;
      if (last) finish(walk, directory, 0, LAST_NORMAL);
      return -ENAMETOOLONG;
    }
    const hash = hashName(directory, name, 0, n);
    const dentry = find(store, directory, name, 0, n, hash);
    walk.nameLength = n;
    walk.hash = hash;
    walk.dentry = dentry;
    if (dentry === 0) {
      if (!last || (flags & WALK_PARENT) === 0) return -ENOENT;
      return finish(walk, directory, 0, LAST_NORMAL);
    }

    const ino = i32[dentryWord(store, dentry) + DENTRY_INO];
    const type = i32[inodeWord(store, ino) + INODE_MODE] & S_IFMT;
    const follow = !last || (flags & WALK_FOLLOW) !== 0 || (slash && (flags & WALK_PARENT) === 0);
    if (type !== S_IFLNK || !follow) {
      if (!last) {
        directory = ino;
        continue;
      }
      if (slash && (flags & WALK_PARENT) === 0 && type !== S_IFDIR) return -ENOTDIR;
      return finish(walk, directory, ino, LAST_NORMAL);
    }

    // A symbolic link: its target takes the place of the component, the rest stays behind it.
    if (++walk.symlinks > SYMLOOP_MAX) return -ELOOP;
    if ((walk.resolve & RESOLVE_NO_SYMLINKS) !== 0) return -ELOOP;
    if (last) {
      const followed = mayFollow(store, caller, directory, ino);
      if (followed !== 0) return followed;
    }
    accessed(store, ino);
    walk.dentry = 0;
    if (bytes !== walk.text) {
      toPrivate(walk, bytes, position, end, c);
      position = walk.restStart;
      end = walk.restEnd;
      bytes = walk.text;
    }
    if (slash) bytes[--position] = SLASH;
    const targetLength = i32[inodeWord(store, ino) + INODE_SIZE];
    position -= targetLength;
    targetInto(store, ino, bytes, position, targetLength);
    if (bytes[position] === SLASH) {
      if ((walk.resolve & (RESOLVE_BENEATH | RESOLVE_NO_XDEV)) !== 0) return -EXDEV;
      if ((walk.resolve & RESOLVE_IN_ROOT) !== 0) {
        directory = path.start;
      } else if (!isUnder(walk.prefix, bytes, position, end)) {
        if (end - position >= PATH_MAX) return -ENAMETOOLONG;
        walk.restStart = position;
        walk.restEnd = end;
        walk.crossed = REPLY_CROSSED_ABSOLUTE;
        return CROSSED;
      } else {
        position += walk.prefix.length;
        directory = ROOT_INO;
      }
    }
    c = position < end ? bytes[position] : END;
  }
}

/** May ".." of this directory not be followed? With RESOLVE_IN_ROOT it leads to where it is. */
function isBoundary(walk: Walk, directory: number, start: number): boolean {
  if ((walk.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0 && directory === start)
    return true;
  return (walk.resolve & RESOLVE_NO_XDEV) !== 0 && directory === ROOT_INO;
}

function finish(walk: Walk, parent: number, ino: number, kind: number): number {
  walk.parent = parent;
  walk.ino = ino;
  walk.kind = kind;
  return 0;
}

/** Moves what is left of the path (c, then the unread bytes) to the end of the private buffer. */
function toPrivate(walk: Walk, bytes: Uint8Array, position: number, end: number, c: number): void {
  const { text } = walk;
  const rest = end - position;
  const at = text.length - rest;
  walk.restEnd = text.length;
  walk.restStart = at;
  if (rest === 0) return;
  text[at] = c;
  for (let i = 1; i < rest; i++) text[at + i] = bytes[position + i];
}

/** Is the absolute path bytes[position, end) the prefix itself or below it? */
function isUnder(prefix: Uint8Array, bytes: Uint8Array, position: number, end: number): boolean {
  const { length } = prefix;
  if (length === 0 || end - position < length) return false;
  for (let i = 0; i < length; i++) if (bytes[position + i] !== prefix[i]) return false;
  return end - position === length || bytes[position + length] === SLASH;
}
