/**
 * Shadows: what stands in the nodes directory for inodes that inotify watches (ADR 17; see inotify.ts), and the
 * files that are open in here for descriptions of such inodes.
 */
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import {
  DENTRY_PARENT,
  INODE_EXTENT_COUNT,
  INODE_FLAGS,
  INODE_WATCHED,
  NAME_MAX,
  PAGE_SIZE,
  RING_HEADER_WATCHES,
  ROOT_INO,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { dentryWord, entryAt, inoOf, nameInto, next, nextCookie } from '../store/dentries.ts';
import { ENOSYS } from '../store/errno.ts';
import { beginWrite, endWrite, inodeWord, isDirectory, isLive, nlinkOf } from '../store/inodes.ts';
import { O_ACCMODE, O_PATH } from '../store/posix.ts';
import type { Store } from '../store/store.ts';
import type { Walk } from '../store/walk.ts';
import {
  type Descriptions,
  eachHeldOf,
  inodeOf,
  openFlagsOf,
  releaseIdle,
} from './descriptions.ts';

export interface Shadow {
  path: Buffer;
  readonly directory: boolean;
  /** Inode number on the host, as /proc/PID/fdinfo tells it. */
  readonly hostInode: number;
  /** After the last link of the file has gone: keeps the shadow until the inode goes, -1 before. */
  handle: number;
  /** Looks in a row that found nobody watching. */
  unwatched: number;
}

/** Open files of ours for one open file of the tree; -1 for none. */
export interface Hold {
  entry: number;
  shadow: number;
}

export interface Notifier {
  readonly store: Store;
  readonly ring: Int32Array;
  readonly descriptions: Descriptions;
  /** The nodes directory; undefined: nothing can be watched. */
  readonly directory: string | undefined;
  readonly shadows: Map<number, Shadow>;
  readonly holds: Map<number, Hold>;
  /** By inode: its entries, and one for its shadow. */
  readonly cover: Map<number, number>;
  /** Watched inodes that were freed by the request under way. */
  readonly gone: number[];
  /** Is anything watched? */
  active: boolean;
  serial: number;
  looks: number;
}

export function createNotifier(
  store: Store,
  ring: Int32Array,
  descriptions: Descriptions,
  directory: string | undefined,
): Notifier {
  const notifier: Notifier = {
    store,
    ring,
    descriptions,
    directory,
    shadows: new Map(),
    holds: new Map(),
    cover: new Map(),
    gone: [],
    active: false,
    serial: 0,
    looks: 0,
  };
  store.watchedGone = (ino) => {
    notifier.gone.push(ino);
  };
  return notifier;
}

// ---- small things --------------------------------------------------------------------------------

const name = new Uint8Array(NAME_MAX);
const SLASH = Buffer.from('/');
const WITH = constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** What fails here costs an event: the session ends, its files were taken away, descriptors ran out. */
export function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}

export function fresh(notifier: Notifier): Buffer {
  return Buffer.from(`${notifier.directory}/watch.${(notifier.serial++).toString(36)}`);
}

export function open(path: Buffer | string, flags: number): number {
  return attempt(() => openSync(path, flags)) ?? -1;
}

export function shut(fd: number): void {
  if (fd >= 0) attempt(() => closeSync(fd));
}

export function removePath(path: Buffer, directory: boolean): void {
  attempt(() => (directory ? rmdirSync(path) : unlinkSync(path)));
}

function setWatched(store: Store, ino: number, on: boolean): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  if (on) store.i32[word + INODE_FLAGS] |= INODE_WATCHED;
  else store.i32[word + INODE_FLAGS] &= ~INODE_WATCHED;
  endWrite(store, word);
}

export function cover(notifier: Notifier, ino: number): void {
  const count = notifier.cover.get(ino) ?? 0;
  notifier.cover.set(ino, count + 1);
  if (count !== 0) return;
  setWatched(notifier.store, ino, true);
  // From here on no client revives one of these.
  releaseIdle(notifier.descriptions, ino);
}

export function uncover(notifier: Notifier, ino: number): void {
  const count = notifier.cover.get(ino);
  if (count === undefined) return;
  if (count > 1) {
    notifier.cover.set(ino, count - 1);
    return;
  }
  notifier.cover.delete(ino);
  if (isLive(notifier.store, ino)) setWatched(notifier.store, ino, false);
}

export function setActive(notifier: Notifier): void {
  const { shadows, descriptions, ring } = notifier;
  notifier.active = shadows.size !== 0;
  descriptions.closed =
    notifier.active || notifier.holds.size !== 0 ? (id) => closed(notifier, id) : undefined;
  Atomics.store(ring, PAGE_SIZE / 4 + RING_HEADER_WATCHES, shadows.size);
}

/** Where the name of a watched directory stands for itself; undefined when nobody watches that. */
function entryOf(
  notifier: Notifier,
  directory: number,
  bytes: Uint8Array,
  length: number,
): Buffer | undefined {
  const shadow = notifier.shadows.get(directory);
  if (shadow === undefined || !shadow.directory) return undefined;
  return Buffer.concat([shadow.path, SLASH, bytes.subarray(0, length)]);
}

export function entryOfWalk(notifier: Notifier, walk: Walk): Buffer | undefined {
  return entryOf(notifier, walk.parent, walk.name, walk.nameLength);
}

/** The same of a dentry: 0 for none. */
export function entryOfDentry(notifier: Notifier, dentry: number): Buffer | undefined {
  if (dentry === 0) return undefined;
  const { store } = notifier;
  const parent = store.i32[dentryWord(store, dentry) + DENTRY_PARENT];
  if (!notifier.shadows.has(parent)) return undefined;
  return entryOf(notifier, parent, name, nameInto(store, dentry, name, 0));
}

/** A directory has one name only, however it was found. */
export function dentryFor(store: Store, ino: number, dentry: number): number {
  if (!isDirectory(store, ino)) return dentry;
  if (ino === ROOT_INO || nlinkOf(store, ino) === 0) return 0;
  return store.i32[inodeWord(store, ino) + INODE_EXTENT_COUNT];
}

// ---- watching ------------------------------------------------------------------------------------

/** The name of the inode's shadow, made now if there is none → the name, or -errno. */
export function watch(notifier: Notifier, ino: number): Buffer | number {
  const known = notifier.shadows.get(ino);
  if (known !== undefined) {
    known.unwatched = 0;
    return known.path.subarray(known.path.lastIndexOf(SLASH) + 1);
  }
  const { store, directory } = notifier;
  if (directory === undefined) return -ENOSYS;
  const path = fresh(notifier);
  const isFolder = isDirectory(store, ino);
  const made = native().makeShadow(path, isFolder ? 1 : 0);
  if (made < 0) return made;
  // inotify asks for the right to read.
  attempt(() => chmodSync(path, isFolder ? 0o755 : 0o644));
  const hostInode = attempt(() => lstatSync(path).ino) ?? 0;
  const shadow: Shadow = { path, directory: isFolder, hostInode, handle: -1, unwatched: 0 };
  notifier.shadows.set(ino, shadow);
  setActive(notifier);
  cover(notifier, ino);
  hold(notifier, ino, 'shadow', path, 0);
  const filled = isFolder ? fillShadow(notifier, shadow, ino) : 0;
  if (filled < 0) {
    dropShadow(notifier, ino);
    return filled;
  }
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}

/** Where a listing of the directory begins. */
function newest(store: Store, directory: number): number {
  return entryAt(store, directory, nextCookie(store, directory));
}

/** An entry for every name that the directory has, before anybody can see them come. */
function fillShadow(notifier: Notifier, shadow: Shadow, directory: number): number {
  const { store } = notifier;
  for (let dentry = newest(store, directory); dentry !== 0; dentry = next(store, dentry)) {
    const ino = inoOf(store, dentry);
    const length = nameInto(store, dentry, name, 0);
    const path = Buffer.concat([shadow.path, SLASH, name.subarray(0, length)]);
    const made = native().makeShadow(path, isDirectory(store, ino) ? 1 : 0);
    if (made < 0) return made;
    cover(notifier, ino);
    hold(notifier, ino, 'entry', path, dentry);
  }
  return 0;
}

/** Opens `path` for each description of the inode that is open: their closes will be told. */
export function hold(
  notifier: Notifier,
  ino: number,
  which: keyof Hold,
  path: Buffer,
  dentry: number,
): void {
  const { descriptions, store } = notifier;
  const names = isDirectory(store, ino) ? 1 : nlinkOf(store, ino);
  eachHeldOf(descriptions, ino, (id) => {
    if (names > 1 && dentry !== 0 && descriptions.dentries[id] !== dentry) return;
    addHold(notifier, id, which, path);
  });
}

export function addHold(
  notifier: Notifier,
  id: number,
  which: keyof Hold,
  path: Buffer | string,
  more = 0,
): void {
  const flags = openFlagsOf(notifier.descriptions, id);
  if ((flags & O_PATH) !== 0) return;
  let held = notifier.holds.get(id);
  if (held !== undefined && held[which] >= 0) return;
  const follow = typeof path === 'string' ? ~constants.O_NOFOLLOW : -1;
  const fd = open(path, ((flags & O_ACCMODE) | WITH | more) & follow);
  if (fd < 0) return;
  if (held === undefined) {
    held = { entry: -1, shadow: -1 };
    notifier.holds.set(id, held);
    // As long as it is open, whatever becomes of its name.
    cover(notifier, inodeOf(notifier.descriptions, id));
  }
  held[which] = fd;
}

/** What descriptions of the inode hold is where nobody watches. */
export function dropHolds(notifier: Notifier, ino: number, which: keyof Hold): void {
  eachHeldOf(notifier.descriptions, ino, (id) => {
    const held = notifier.holds.get(id);
    if (held === undefined) return;
    shut(held[which]);
    held[which] = -1;
  });
}

/** The description is freed. */
function closed(notifier: Notifier, id: number): void {
  const held = notifier.holds.get(id);
  if (held === undefined) return;
  notifier.holds.delete(id);
  shut(held.entry);
  shut(held.shadow);
  uncover(notifier, inodeOf(notifier.descriptions, id));
}

/** Nobody watches the inode any more. */
export function dropShadow(notifier: Notifier, ino: number): void {
  const { store, shadows } = notifier;
  const shadow = shadows.get(ino);
  if (shadow === undefined) return;
  dropHolds(notifier, ino, 'shadow');
  if (shadow.directory) {
    for (let dentry = newest(store, ino); dentry !== 0; dentry = next(store, dentry)) {
      const child = inoOf(store, dentry);
      dropHolds(notifier, child, 'entry');
      uncover(notifier, child);
    }
  }
  shut(shadow.handle);
  attempt(() => rmSync(shadow.path.toString('latin1'), { recursive: true, force: true }));
  shadows.delete(ino);
  uncover(notifier, ino);
  setActive(notifier);
}
