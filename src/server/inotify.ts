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
import { constants, linkSync, readSync, writeSync } from 'node:fs';
import { native } from '../../ringbuf/native.ts';
import { isDirectory, nlinkOf } from '../store/inodes.ts';
import { O_PATH, O_TMPFILE, RENAME_EXCHANGE, RENAME_WHITEOUT } from '../store/posix.ts';
import type { Walk } from '../store/walk.ts';
import { inodeOf } from './descriptions.ts';
import {
  addHold,
  attempt,
  cover,
  dentryFor,
  dropHolds,
  entryOfDentry,
  entryOfWalk,
  fresh,
  hold,
  type Notifier,
  open,
  removePath,
  setActive,
  shut,
  uncover,
} from './shadows.ts';

/** What to do to a shadow: the time stamps that utimensat moves (fsnotify_change of the kernel). */
export const IN_ACCESS = 1;
export const IN_MODIFY = 2;
/** Both at once is a change of attributes. */
export const IN_ATTRIB = 3;

const byte = Buffer.from('x');

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
  if (shadow.directory) {
    touchShadow(notifier, ino, IN_ATTRIB);
    unlinkShadow(notifier, ino);
  } else if (nlinkOf(notifier.store, ino) !== 0 || shadow.handle >= 0) {
    touchShadow(notifier, ino, IN_ATTRIB);
  } else {
    unlinkShadow(notifier, ino);
  }
}

/** The shadow loses its name, as the inode has lost its last; it lives on while that does. */
function unlinkShadow(notifier: Notifier, ino: number): void {
  const shadow = notifier.shadows.get(ino);
  if (shadow === undefined || shadow.handle >= 0) return;
  shadow.handle = open(shadow.path, constants.O_NOFOLLOW | O_PATH);
  removePath(shadow.path, shadow.directory);
}

/** unlink or rmdir of what the walk has found. */
export function notifyRemoved(notifier: Notifier, walk: Walk, directory: boolean): void {
  if (!directory) notifyLostName(notifier, walk.ino);
  // The kernel drops an inode that nobody holds before it tells of the name.
  flushGone(notifier);
  if (directory) unlinkShadow(notifier, walk.ino);
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
