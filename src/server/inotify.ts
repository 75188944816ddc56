/**
 * inotify on the tree (ADR 17). The inotify descriptors of programs are the kernel's, and so are their queues:
 * each watched inode has a *shadow* in the nodes directory, on which the client puts the kernel's watch, and
 * here every operation on the inode is repeated, harmlessly, on the shadow. A watched directory's shadow is a
 * directory with an *entry* for each name; an event of a child reaches its parent through the entry and the
 * child itself through its own shadow, if it has one. Whoever has a watched file open has it open in here too.
 *
 * Nothing of this exists while nobody watches. INODE_WATCHED on every inode that has a shadow or an entry
 * makes clients leave to us what they would do by themselves.
 */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import {
  DENTRY_PARENT,
  INODE_EXTENT_COUNT,
  INODE_FLAGS,
  INODE_WATCHED,
  NAME_MAX,
  PAGE_SIZE,
  PROCESS_PID,
  PROCESS_RECORD_WORDS,
  PROCESS_STATE,
  PROCESS_STATE_LIVE,
  PROCESSES_MAX,
  RING_HEADER_WATCHES,
  RING_PROCESSES_OFFSET,
  ROOT_INO,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { dentryWord, entryAt, inoOf, nameInto, next, nextCookie } from '../store/dentries.ts';
import { ENOSYS } from '../store/errno.ts';
import { beginWrite, endWrite, inodeWord, isDirectory, isLive, nlinkOf } from '../store/inodes.ts';
import { O_ACCMODE, O_PATH, O_TMPFILE, RENAME_EXCHANGE, RENAME_WHITEOUT } from '../store/posix.ts';
import type { Store } from '../store/store.ts';
import type { Walk } from '../store/walk.ts';
import {
  type Descriptions,
  eachHeldOf,
  inodeOf,
  openFlagsOf,
  releaseIdle,
} from './descriptions.ts';

/** What to do to a shadow: the time stamps that utimensat moves (fsnotify_change of the kernel). */
export const IN_ACCESS = 1;
export const IN_MODIFY = 2;
/** Both at once is a change of attributes. */
export const IN_ATTRIB = 3;

interface Shadow {
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
interface Hold {
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
const byte = Buffer.from('x');
const SLASH = Buffer.from('/');
const WITH = constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** What fails here costs an event: the session ends, its files were taken away, descriptors ran out. */
function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}

function fresh(notifier: Notifier): Buffer {
  return Buffer.from(`${notifier.directory}/watch.${(notifier.serial++).toString(36)}`);
}

function open(path: Buffer | string, flags: number): number {
  return attempt(() => openSync(path, flags)) ?? -1;
}

function shut(fd: number): void {
  if (fd >= 0) attempt(() => closeSync(fd));
}

function removePath(path: Buffer, directory: boolean): void {
  attempt(() => (directory ? rmdirSync(path) : unlinkSync(path)));
}

function setWatched(store: Store, ino: number, on: boolean): void {
  const word = inodeWord(store, ino);
  beginWrite(store, word);
  if (on) store.i32[word + INODE_FLAGS] |= INODE_WATCHED;
  else store.i32[word + INODE_FLAGS] &= ~INODE_WATCHED;
  endWrite(store, word);
}

function cover(notifier: Notifier, ino: number): void {
  const count = notifier.cover.get(ino) ?? 0;
  notifier.cover.set(ino, count + 1);
  if (count !== 0) return;
  setWatched(notifier.store, ino, true);
  // From here on no client revives one of these.
  releaseIdle(notifier.descriptions, ino);
}

function uncover(notifier: Notifier, ino: number): void {
  const count = notifier.cover.get(ino);
  if (count === undefined) return;
  if (count > 1) {
    notifier.cover.set(ino, count - 1);
    return;
  }
  notifier.cover.delete(ino);
  if (isLive(notifier.store, ino)) setWatched(notifier.store, ino, false);
}

function setActive(notifier: Notifier): void {
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

function entryOfWalk(notifier: Notifier, walk: Walk): Buffer | undefined {
  return entryOf(notifier, walk.parent, walk.name, walk.nameLength);
}

/** The same of a dentry: 0 for none. */
function entryOfDentry(notifier: Notifier, dentry: number): Buffer | undefined {
  if (dentry === 0) return undefined;
  const { store } = notifier;
  const parent = store.i32[dentryWord(store, dentry) + DENTRY_PARENT];
  if (!notifier.shadows.has(parent)) return undefined;
  return entryOf(notifier, parent, name, nameInto(store, dentry, name, 0));
}

/** A directory has one name only, however it was found. */
function dentryFor(store: Store, ino: number, dentry: number): number {
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
function hold(
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

function addHold(
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
function dropHolds(notifier: Notifier, ino: number, which: keyof Hold): void {
  eachHeldOf(notifier.descriptions, ino, (id) => {
    const held = notifier.holds.get(id);
    if (held === undefined) return;
    shut(held[which]);
    held[which] = -1;
  });
}

/** Nobody watches the inode any more. */
function dropShadow(notifier: Notifier, ino: number): void {
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

// ---- events --------------------------------------------------------------------------------------

/** To an inode that was found by its path: `walk.dentry` names it (0: nothing does). */
export function notifyPath(notifier: Notifier, ino: number, dentry: number, which: number): void {
  const entry = entryOfDentry(notifier, dentryFor(notifier.store, ino, dentry));
  if (entry !== undefined) native().touchPath(entry, which);
  touchShadow(notifier, ino, which);
}

function touchShadow(notifier: Notifier, ino: number, which: number): void {
  const shadow = notifier.shadows.get(ino);
  if (shadow === undefined) return;
  if (shadow.handle >= 0) native().touchDescriptor(shadow.handle, which);
  else native().touchPath(shadow.path, which);
}

/** To an open file, by a change of attributes or of size. */
export function notifyDescription(notifier: Notifier, id: number, which: number): void {
  const held = notifier.holds.get(id);
  if (held === undefined) return;
  if (held.entry >= 0) native().touchDescriptor(held.entry, which);
  if (held.shadow >= 0) native().touchDescriptor(held.shadow, which);
}

function readOne(fd: number): void {
  attempt(() => readSync(fd, byte, 0, 1, 0));
}
function writeOne(fd: number): void {
  attempt(() => writeSync(fd, byte, 0, 1, 0));
}

/** Bytes or directory entries were read: really read, for IN_EXCL_UNLINK looks at how it came about. */
export function notifyRead(notifier: Notifier, id: number): void {
  const held = notifier.holds.get(id);
  if (held === undefined) return;
  if (isDirectory(notifier.store, inodeOf(notifier.descriptions, id))) {
    notifyDescription(notifier, id, IN_ACCESS);
    return;
  }
  if (held.entry >= 0) readOne(held.entry);
  if (held.shadow >= 0) readOne(held.shadow);
}

export function notifyWrite(notifier: Notifier, id: number): void {
  const held = notifier.holds.get(id);
  if (held === undefined) return;
  if (held.entry >= 0) writeOne(held.entry);
  if (held.shadow >= 0) writeOne(held.shadow);
}

/** A description was opened by the name `dentry` (0: by none, but maybe by another description `from`). */
export function notifyOpen(notifier: Notifier, id: number, dentry: number, from: number): void {
  const ino = inodeOf(notifier.descriptions, id);
  const named = dentryFor(notifier.store, ino, dentry);
  const entry = entryOfDentry(notifier, named);
  const other = named === 0 ? (notifier.holds.get(from)?.entry ?? -1) : -1;
  if (entry !== undefined) addHold(notifier, id, 'entry', entry);
  else if (other >= 0) addHold(notifier, id, 'entry', `/proc/self/fd/${other}`);
  openShadow(notifier, id, ino);
}

function openShadow(notifier: Notifier, id: number, ino: number): void {
  const shadow = notifier.shadows.get(ino);
  if (shadow === undefined) return;
  const reachable = shadow.handle >= 0 ? `/proc/self/fd/${shadow.handle}` : shadow.path;
  addHold(notifier, id, 'shadow', reachable);
}

/** O_TMPFILE in a directory: the kernel invents a name, as it does there. */
export function notifyTemporary(notifier: Notifier, id: number, directory: number): void {
  const shadow = notifier.shadows.get(directory);
  if (shadow !== undefined) addHold(notifier, id, 'entry', shadow.path, O_TMPFILE);
}

function closed(notifier: Notifier, id: number): void {
  const held = notifier.holds.get(id);
  if (held === undefined) return;
  notifier.holds.delete(id);
  shut(held.entry);
  shut(held.shadow);
  uncover(notifier, inodeOf(notifier.descriptions, id));
}

/** A new name for `ino`: mkdir, mknod, symlink, link, open. */
export function notifyCreated(notifier: Notifier, walk: Walk, ino: number): void {
  const entry = entryOfWalk(notifier, walk);
  if (entry === undefined) return;
  if (isDirectory(notifier.store, ino)) {
    native().makeShadow(entry, 1);
  } else {
    // Made elsewhere, for nobody shall see how it gets its byte.
    const limbo = makeLimbo(notifier, false);
    attempt(() => linkSync(limbo, entry));
    removePath(limbo, false);
  }
  cover(notifier, ino);
}

function makeLimbo(notifier: Notifier, directory: boolean): Buffer {
  const path = fresh(notifier);
  native().makeShadow(path, directory ? 1 : 0);
  return path;
}

/** The inode has lost a name, or been replaced: IN_ATTRIB, and for the last name the way to IN_DELETE_SELF. */
function notifyLostName(notifier: Notifier, ino: number): void {
  const shadow = notifier.shadows.get(ino);
  if (shadow === undefined) return;
  if (shadow.directory || nlinkOf(notifier.store, ino) !== 0 || shadow.handle >= 0) {
    touchShadow(notifier, ino, IN_ATTRIB);
    return;
  }
  shadow.handle = open(shadow.path, constants.O_NOFOLLOW | O_PATH);
  removePath(shadow.path, false);
}

/** unlink or rmdir of what the walk has found. */
export function notifyRemoved(notifier: Notifier, walk: Walk, directory: boolean): void {
  if (!directory) notifyLostName(notifier, walk.ino);
  const entry = entryOfWalk(notifier, walk);
  if (entry === undefined) return;
  removePath(entry, directory);
  uncover(notifier, walk.ino);
}

/** rename: the walks are as they found things. */
export function notifyRenamed(notifier: Notifier, from: Walk, to: Walk, flags: number): void {
  if (from.ino === to.ino) return;
  const swap = (flags & RENAME_EXCHANGE) !== 0;
  const source = entryOfWalk(notifier, from);
  const target = entryOfWalk(notifier, to);
  if (source !== undefined || target !== undefined)
    moveEntry(notifier, from, to, flags & (RENAME_EXCHANGE | RENAME_WHITEOUT), source, target);
  if (to.ino !== 0 && !swap) notifyLostName(notifier, to.ino);
  moveShadow(notifier, from.ino);
  if (swap) moveShadow(notifier, to.ino);
}

function moveEntry(
  notifier: Notifier,
  from: Walk,
  to: Walk,
  flags: number,
  source: Buffer | undefined,
  target: Buffer | undefined,
): void {
  const { store } = notifier;
  const swap = (flags & RENAME_EXCHANGE) !== 0;
  if (source === undefined) cover(notifier, from.ino);
  if (swap && target === undefined) cover(notifier, to.ino);
  const a = source ?? makeLimbo(notifier, isDirectory(store, from.ino));
  if (source === undefined) hold(notifier, from.ino, 'entry', a, from.dentry);
  let b = target ?? fresh(notifier);
  if (swap && target === undefined) {
    b = makeLimbo(notifier, isDirectory(store, to.ino));
    hold(notifier, to.ino, 'entry', b, to.dentry);
  }
  native().renamePath(a, b, source === undefined ? flags & RENAME_EXCHANGE : flags);
  if (source === undefined && swap) {
    removePath(a, isDirectory(store, to.ino));
    dropHolds(notifier, to.ino, 'entry');
  }
  if (target === undefined) {
    removePath(b, isDirectory(store, from.ino));
    dropHolds(notifier, from.ino, 'entry');
    uncover(notifier, from.ino);
  } else if (to.ino !== 0 && (!swap || source === undefined)) uncover(notifier, to.ino);
}

/** IN_MOVE_SELF. */
function moveShadow(notifier: Notifier, ino: number): void {
  const shadow = notifier.shadows.get(ino);
  if (shadow === undefined || shadow.handle >= 0) return;
  const path = fresh(notifier);
  if (native().renamePath(shadow.path, path, 0) === 0) shadow.path = path;
}

/** After a request: watched inodes that it has freed go, with IN_DELETE_SELF and IN_IGNORED. */
export function flushGone(notifier: Notifier): void {
  const { gone, shadows } = notifier;
  for (let ino = gone.shift(); ino !== undefined; ino = gone.shift()) {
    notifier.cover.delete(ino);
    const shadow = shadows.get(ino);
    if (shadow === undefined) continue;
    shadows.delete(ino);
    if (shadow.handle >= 0) shut(shadow.handle);
    else removePath(shadow.path, shadow.directory);
    setActive(notifier);
  }
}

// ---- who still watches ---------------------------------------------------------------------------

/** One look in so many sweeps (of 250 ms): a shadow that nobody watches lives for some seconds. */
const SWEEPS_PER_LOOK = 6;
const LOOKS = 2;
const WATCH_LINE = /^inotify wd:\S+ ino:([0-9a-f]+)/gm;

/**
 * Shadows that no inotify descriptor of the session watches go: a program has removed its watch, closed its
 * descriptor or was killed. Only the kernel knows, and it tells in /proc/PID/fdinfo.
 */
export function sweepWatches(notifier: Notifier): void {
  if (!notifier.active || ++notifier.looks % SWEEPS_PER_LOOK !== 0) return;
  const watched = watchedInodes(notifier.ring);
  for (const [ino, shadow] of notifier.shadows) {
    if (watched === undefined || watched.has(shadow.hostInode)) shadow.unwatched = 0;
    else if (++shadow.unwatched >= LOOKS) dropShadow(notifier, ino);
  }
}

/** Inode numbers of the host that processes of the session watch; undefined: that cannot be known. */
function watchedInodes(ring: Int32Array): Set<number> | undefined {
  const watched = new Set<number>();
  for (let process = 1; process < PROCESSES_MAX; process++) {
    const word = RING_PROCESSES_OFFSET / 4 + process * PROCESS_RECORD_WORDS;
    if (Atomics.load(ring, word + PROCESS_STATE) !== PROCESS_STATE_LIVE) continue;
    const pid = ring[word + PROCESS_PID];
    if (pid > 0 && !addWatched(`/proc/${pid}`, watched)) return undefined;
  }
  return watched;
}

/** False when the process does not let us look. */
function addWatched(process: string, watched: Set<number>): boolean {
  let fds: string[];
  try {
    fds = readdirSync(`${process}/fd`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
  for (const fd of fds) {
    // Closed meanwhile, or not ours to see: then it is not watched either way.
    const link = attempt(() => readlinkSync(`${process}/fd/${fd}`));
    if (link === undefined || !link.includes('inotify')) continue;
    const text = attempt(() => readFileSync(`${process}/fdinfo/${fd}`, 'latin1')) ?? '';
    for (const [, inode] of text.matchAll(WATCH_LINE)) watched.add(Number.parseInt(inode!, 16));
  }
  return true;
}
