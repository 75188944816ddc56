/**
 * Who owns locks and who waits for them. A POSIX lock belongs to a process record, an OFD lock and a flock to an
 * open file description; the algebra is in src/store/locks.ts.
 *
 * Nobody's request stays open while it waits: SETLKW is answered LOCK_QUEUED, the client sleeps in the kernel on
 * Slot.lock_wake and sends its request again when that changes. So the kernel decides what a signal does to the
 * sleep, and a client that never comes back (killed, stopped, gone by a longjmp) has been given nothing; it keeps
 * its place in the queue for WOKEN_MS.
 */
import { readFileSync } from 'node:fs';
import {
  LOCK_KIND_FLOCK,
  LOCK_KIND_OFD,
  LOCK_KIND_POSIX,
  LOCK_QUEUED,
  PAGE_SIZE,
  PROCESS_LOCK_FILTER,
  PROCESS_RECORD_WORDS,
  RING_HEADER_LOCKS,
  RING_PROCESSES_OFFSET,
  SLOT_LOCK_WAKE,
  SLOT_OWNER,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import {
  type Claim,
  createLocks,
  dropAllLocks,
  dropLocks,
  forgetRequest,
  holdsLocks,
  type Locks,
  ownerKey,
  setLock,
} from '../store/locks.ts';
import type { Store } from '../store/store.ts';

/** How long those behind a woken request wait for it to come back. */
const WOKEN_MS = 50;
/** And how long while its thread has yet to be given a CPU. */
const WOKEN_BUSY_MS = 5000;

export interface LockOwners {
  readonly locks: Locks;
  readonly ring: Segment;
  /** Requests that wait, or were woken and shall come again, by slot. */
  readonly waiting: Map<number, Claim>;
  /** Inodes on which a process holds record locks, by the key of the process. */
  readonly inodes: Map<number, Set<number>>;
}

export function createLockOwners(store: Store, ring: Segment): LockOwners {
  const addon = native();
  const wake = (request: Claim): void => {
    request.wokenAt = performance.now();
    const word = slotWord(request.slot) + SLOT_LOCK_WAKE;
    Atomics.store(ring.i32, word, 0);
    addon.futexWake(ring.id, word * 4, 1);
  };
  return { locks: createLocks(store, wake), ring, waiting: new Map(), inodes: new Map() };
}

/** Performs SETLK or SETLKW → as setLock. */
export function requestLock(
  owners: LockOwners,
  slot: number,
  wanted: Claim,
  wait: boolean,
): number {
  const { locks, ring, waiting } = owners;
  let request = wanted;
  const before = waiting.size === 0 ? undefined : waiting.get(slot);
  if (before !== undefined) {
    if (wait && same(before, wanted)) request = before;
    else forgetRequest(locks, before);
    waiting.delete(slot);
  }
  request.slot = slot;
  request.wokenAt = 0;
  const status = setLock(locks, request, wait);
  if (status === LOCK_QUEUED) {
    waiting.set(slot, request);
    Atomics.store(ring.i32, slotWord(slot) + SLOT_LOCK_WAKE, LOCK_QUEUED);
  }
  // A change of type that fails has given up what was held.
  if (status === 0 || wanted.kind === LOCK_KIND_FLOCK) note(owners, wanted);
  return status;
}

function same(a: Claim, b: Claim): boolean {
  return (
    a.kind === b.kind &&
    a.key === b.key &&
    a.ino === b.ino &&
    a.type === b.type &&
    a.start === b.start &&
    a.end === b.end
  );
}

/** The slot asks for something else, or is nobody's any more: its request waits no longer. */
export function endWait(owners: LockOwners, slot: number): void {
  const request = owners.waiting.get(slot);
  if (request === undefined) return;
  owners.waiting.delete(slot);
  forgetRequest(owners.locks, request);
}

/** Between batches: a woken request that did not come back keeps nobody waiting. */
export function tendWaiting(owners: LockOwners): void {
  if (owners.waiting.size === 0) return;
  const now = performance.now();
  for (const [slot, { wokenAt }] of owners.waiting) {
    if (wokenAt === 0 || now - wokenAt < WOKEN_MS) continue;
    if (now - wokenAt < WOKEN_BUSY_MS && isComing(owners, slot)) continue;
    endWait(owners, slot);
  }
}

/** Is the thread of the slot about to run? One that sleeps or was stopped has left its wait. */
function isComing({ ring }: LockOwners, slot: number): boolean {
  const tid = ring.i32[slotWord(slot) + SLOT_OWNER];
  try {
    // "12 (a name) R ...": the name may hold anything.
    const status = readFileSync(`/proc/${tid}/stat`, 'latin1');
    return /^[RD]/.test(status.slice(status.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** At the end of the service: everybody who sleeps comes back, and finds that it is over. */
export function wakeAll(owners: LockOwners): void {
  for (const request of owners.waiting.values()) owners.locks.wake(request);
}

/** After a change: what clients look at before they close a file or end. */
function note(owners: LockOwners, { kind, ino, owner, key }: Claim): void {
  const { locks } = owners;
  if (kind === LOCK_KIND_POSIX) {
    const held = owners.inodes.get(key);
    if (holdsLocks(locks, ino, key)) {
      if (held === undefined) owners.inodes.set(key, new Set([ino]));
      if (!held?.has(ino)) {
        held?.add(ino);
        showFilter(owners, owner, key);
      }
    } else if (held?.delete(ino)) {
      if (held.size === 0) owners.inodes.delete(key);
      showFilter(owners, owner, key);
    }
  }
  countLocks(owners);
}

function countLocks({ locks, ring }: LockOwners): void {
  ring.i32[PAGE_SIZE / 4 + RING_HEADER_LOCKS] = locks.store.i32[locks.table.usedWord];
}

function showFilter({ inodes, ring }: LockOwners, process: number, key: number): void {
  let low = 0;
  let high = 0;
  for (const ino of inodes.get(key) ?? []) {
    if ((ino & 32) === 0) low |= 1 << (ino & 31);
    else high |= 1 << (ino & 31);
  }
  const word = RING_PROCESSES_OFFSET / 4 + process * PROCESS_RECORD_WORDS + PROCESS_LOCK_FILTER;
  Atomics.store(ring.i32, word, low);
  Atomics.store(ring.i32, word + 1, high);
}

/** The process has closed a descriptor of the file. */
export function dropProcessLocks(
  owners: LockOwners,
  process: number,
  generation: number,
  ino: number,
): void {
  const key = ownerKey(LOCK_KIND_POSIX, process, generation);
  const held = owners.inodes.get(key);
  if (!held?.delete(ino)) return;
  if (held.size === 0) owners.inodes.delete(key);
  dropLocks(owners.locks, ino, key);
  showFilter(owners, process, key);
  countLocks(owners);
}

/** The process is gone: what it held, and what it waited for. */
export function dropProcess(owners: LockOwners, process: number, generation: number): void {
  const key = ownerKey(LOCK_KIND_POSIX, process, generation);
  for (const [slot, request] of owners.waiting) if (request.key === key) endWait(owners, slot);
  const held = owners.inodes.get(key);
  if (held === undefined) return;
  for (const ino of held) dropLocks(owners.locks, ino, key);
  owners.inodes.delete(key);
  showFilter(owners, process, key);
  countLocks(owners);
}

/** At the end of every description, `last` of its inode or not; costs nothing while nothing is locked. */
export function dropDescription(
  owners: LockOwners,
  id: number,
  generation: number,
  ino: number,
  last: boolean,
): void {
  const { locks, waiting } = owners;
  if (!locks.files.has(ino)) return;
  const key = ownerKey(LOCK_KIND_OFD, id, generation);
  for (const [slot, request] of waiting)
    if (request.ino === ino && (last || request.key === key)) {
      endWait(owners, slot);
      locks.wake(request);
    }
  if (!last) dropLocks(locks, ino, key);
  else {
    // Processes that lied about their descriptors may still stand here as owners.
    dropAllLocks(locks, ino);
    for (const held of owners.inodes.values()) held.delete(ino);
  }
  countLocks(owners);
}
