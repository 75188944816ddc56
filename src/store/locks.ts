/**
 * Record locks and whole-file locks: the algebra of fs/locks.c, on the lock table of the store segment.
 *
 * Who owns a lock is a number here; what owners are, and how a waiting request sleeps, is the server's
 * business (src/server/locks.ts). As in the kernel, a lock is never handed to somebody who sleeps: when one is
 * given up, the requests that it blocked are woken and ask again. Requests that block each other hang below
 * each other, so one waker wakes one writer, in order of arrival.
 */
import {
  LOCK_END,
  LOCK_INO,
  LOCK_KIND,
  LOCK_KIND_FLOCK,
  LOCK_KIND_FREE,
  type LOCK_KIND_OFD,
  LOCK_KIND_POSIX,
  LOCK_NEXT_FREE,
  LOCK_OWNER,
  LOCK_OWNER_GENERATION,
  LOCK_PID,
  LOCK_QUEUED,
  LOCK_RANK,
  LOCK_RECORD_WORDS,
  LOCK_START,
  LOCK_TYPE,
  SUPERBLOCK_LOCKS_FREE_HEAD,
  SUPERBLOCK_LOCKS_FRESH,
  SUPERBLOCK_LOCKS_RANK,
  SUPERBLOCK_LOCKS_USED,
} from '../../ringbuf/layout.gen.ts';
import { EAGAIN, EDEADLK, ENOLCK } from './errno.ts';
import type { Store } from './store.ts';
import { giveRecord, type Table, takeRecord } from './tables.ts';

export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
/** Last byte of a range without end. */
export const OFFSET_MAX = 2n ** 63n - 1n;
/** How long a chain of owners that wait for each other is followed, as in the kernel. */
const DEADLOCK_STEPS = 10;

export type LockKind = typeof LOCK_KIND_POSIX | typeof LOCK_KIND_OFD | typeof LOCK_KIND_FLOCK;

/** A lock that is held, or a request for one. */
export interface Claim {
  readonly kind: LockKind;
  readonly ino: number;
  /** Process record or description, and its generation; together with `kind` they make the key. */
  readonly owner: number;
  readonly generation: number;
  readonly key: number;
  readonly pid: number;
  type: number;
  start: bigint;
  end: bigint;
  /** In the lock table; 0 for a request. */
  record: number;
  rank: number;
  /** What this request waits for, and the requests that wait for this lock or request. */
  blocker: Claim | undefined;
  readonly children: Claim[];
  /** The server's: slot of a request that waits, else -1; and when it was woken, 0 while it sleeps. */
  slot: number;
  wokenAt: number;
}

interface FileLocks {
  /** POSIX and OFD locks: owners in order of rank, the locks of one owner in order of start. */
  readonly records: Claim[];
  readonly flocks: Claim[];
}

export interface Locks {
  readonly store: Store;
  readonly table: Table;
  /** Inodes with locks. Private: rebuilt from the table by adoptLocks. */
  readonly files: Map<number, FileLocks>;
  /** Requests that wait for a POSIX lock, the latest first: where deadlocks are looked for. */
  readonly blocked: Claim[];
  /** Told of every request that shall ask again. */
  readonly wake: (request: Claim) => void;
}

export function createLocks(store: Store, wake: Locks['wake']): Locks {
  const at = store.superblockWord;
  return {
    store,
    table: {
      base: store.locksWord,
      words: LOCK_RECORD_WORDS,
      capacity: store.capacities.locks,
      linkWord: LOCK_NEXT_FREE,
      usedWord: at + SUPERBLOCK_LOCKS_USED,
      freeWord: at + SUPERBLOCK_LOCKS_FREE_HEAD,
      freshWord: at + SUPERBLOCK_LOCKS_FRESH,
      backed: 0,
    },
    files: new Map(),
    blocked: [],
    wake,
  };
}

/** A number that no two owners share: process records are even, descriptions are odd. */
export function ownerKey(kind: LockKind, owner: number, generation: number): number {
  const index = kind === LOCK_KIND_POSIX ? owner * 2 : owner * 2 + 1;
  return (generation >>> 0) * 2 ** 18 + index;
}

export function createClaim(
  kind: LockKind,
  ino: number,
  owner: number,
  generation: number,
  pid: number,
  type: number,
  start: bigint,
  end: bigint,
): Claim {
  return {
    kind,
    ino,
    owner,
    generation,
    key: ownerKey(kind, owner, generation),
    pid,
    type,
    start,
    end,
    record: 0,
    rank: 0,
    blocker: undefined,
    children: [],
    slot: -1,
    wokenAt: 0,
  };
}

function like(claim: Claim): Claim {
  const { kind, ino, owner, generation, pid, type, start, end } = claim;
  return createClaim(kind, ino, owner, generation, pid, type, start, end);
}

// ---- the table ------------------------------------------------------------------------------------

function lockWord({ table }: Locks, record: number): number {
  return table.base + record * LOCK_RECORD_WORDS;
}

/** Two words, little end first: exact to the last bit, where a Number would not be. */
export function putExact(i32: Int32Array, word: number, value: bigint): void {
  i32[word] = Number(BigInt.asIntN(32, value));
  i32[word + 1] = Number(value >> 32n);
}

export function getExact(i32: Int32Array, word: number): bigint {
  return (BigInt(i32[word + 1]) << 32n) | BigInt(i32[word] >>> 0);
}

function putRecord(locks: Locks, lock: Claim): void {
  const { i32 } = locks.store;
  const word = lockWord(locks, lock.record);
  i32[word + LOCK_INO] = lock.ino;
  i32[word + LOCK_TYPE] = lock.type;
  i32[word + LOCK_OWNER] = lock.owner;
  i32[word + LOCK_OWNER_GENERATION] = lock.generation;
  i32[word + LOCK_PID] = lock.pid;
  i32[word + LOCK_RANK] = lock.rank;
  putRange(locks, lock);
  i32[word + LOCK_KIND] = lock.kind;
}

function putRange(locks: Locks, lock: Claim): void {
  const { i32 } = locks.store;
  const word = lockWord(locks, lock.record);
  putExact(i32, word + LOCK_START, lock.start);
  putExact(i32, word + LOCK_END, lock.end);
}

function freeRecord(locks: Locks, record: number): void {
  locks.store.i32[lockWord(locks, record) + LOCK_KIND] = LOCK_KIND_FREE;
  giveRecord(locks.store, locks.table, record);
}

function fileOf(locks: Locks, ino: number): FileLocks {
  let file = locks.files.get(ino);
  if (file === undefined) {
    file = { records: [], flocks: [] };
    locks.files.set(ino, file);
  }
  return file;
}

function dropFileIfFree(locks: Locks, ino: number): void {
  const file = locks.files.get(ino);
  if (file !== undefined && file.records.length === 0 && file.flocks.length === 0)
    locks.files.delete(ino);
}

/** Puts a held lock into its list. A new owner comes behind all others. */
function insertAt(locks: Locks, list: Claim[], at: number, lock: Claim, record: number): void {
  const { i32, superblockWord } = locks.store;
  lock.record = record;
  const before = list[at - 1];
  const after = list[at];
  if (before?.key === lock.key) lock.rank = before.rank;
  else if (after?.key === lock.key) lock.rank = after.rank;
  else lock.rank = ++i32[superblockWord + SUPERBLOCK_LOCKS_RANK];
  list.splice(at, 0, lock);
  putRecord(locks, lock);
}

function removeAt(locks: Locks, list: Claim[], at: number): void {
  const [lock] = list.splice(at, 1);
  freeRecord(locks, lock.record);
  lock.record = 0;
  wakeBlocked(locks, lock);
}

/** A restarted server takes over the locks that stand in the table. Whoever waited asks again. */
export function adoptLocks(locks: Locks): void {
  const { i32 } = locks.store;
  const fresh = i32[locks.table.freshWord];
  for (let record = 1; record < fresh; record++) {
    const word = lockWord(locks, record);
    const kind = i32[word + LOCK_KIND];
    if (kind === LOCK_KIND_FREE) continue;
    const lock = createClaim(
      kind as LockKind,
      i32[word + LOCK_INO],
      i32[word + LOCK_OWNER],
      i32[word + LOCK_OWNER_GENERATION],
      i32[word + LOCK_PID],
      i32[word + LOCK_TYPE],
      getExact(i32, word + LOCK_START),
      getExact(i32, word + LOCK_END),
    );
    lock.record = record;
    lock.rank = i32[word + LOCK_RANK];
    const file = fileOf(locks, lock.ino);
    (kind === LOCK_KIND_FLOCK ? file.flocks : file.records).push(lock);
  }
  for (const { records, flocks } of locks.files.values()) {
    records.sort((a, b) => a.rank - b.rank || (a.start < b.start ? -1 : 1));
    flocks.sort((a, b) => a.rank - b.rank);
  }
}

// ---- waiting ----------------------------------------------------------------------------------------

function conflict(a: Claim, b: Claim): boolean {
  if (a.key === b.key) return false;
  if (a.type !== F_WRLCK && b.type !== F_WRLCK) return false;
  return a.kind === LOCK_KIND_FLOCK || (a.start <= b.end && b.start <= a.end);
}

function remove(list: Claim[], claim: Claim): void {
  const at = list.indexOf(claim);
  if (at >= 0) list.splice(at, 1);
}

function unblock(locks: Locks, request: Claim): void {
  if (request.blocker === undefined) return;
  remove(request.blocker.children, request);
  remove(locks.blocked, request);
  request.blocker = undefined;
}

function wakeBlocked(locks: Locks, claim: Claim): void {
  for (let child = claim.children[0]; child !== undefined; child = claim.children[0]) {
    unblock(locks, child);
    locks.wake(child);
  }
}

/** Below the first of those who wait for `blocker` already and are in the way, too. */
function block(locks: Locks, blocker: Claim, request: Claim): void {
  let above = blocker;
  for (;;) {
    const next = above.children.find((child) => conflict(child, request));
    if (next === undefined) break;
    above = next;
  }
  request.blocker = above;
  above.children.push(request);
  if (above.kind === LOCK_KIND_POSIX) locks.blocked.unshift(request);
  // What waited for the request may not be in the way of what the request waits for.
  wakeBlocked(locks, request);
}

/** The request is no more: it was granted, refused or given up. */
export function forgetRequest(locks: Locks, request: Claim): void {
  wakeBlocked(locks, request);
  unblock(locks, request);
}

function inherit(lock: Claim, request: Claim): void {
  for (const child of request.children) child.blocker = lock;
  lock.children.push(...request.children.splice(0));
}

/** Would `request` wait for itself? Owners that are descriptions have no one who waits. */
function deadlocks(locks: Locks, request: Claim, blocker: Claim): boolean {
  if (request.kind !== LOCK_KIND_POSIX) return false;
  let holder = blocker;
  for (let step = 0; ; step++) {
    const waits = locks.blocked.find((other) => other.key === holder.key);
    if (waits === undefined) return false;
    let root = waits;
    while (root.blocker !== undefined) root = root.blocker;
    holder = root;
    if (step > DEADLOCK_STEPS) return false;
    if (holder.key === request.key) return true;
  }
}

// ---- record locks -------------------------------------------------------------------------------------

/** The first lock in the way of `wanted`; with F_UNLCK the first one of the same owner. */
export function findConflict(locks: Locks, wanted: Claim): Claim | undefined {
  const file = locks.files.get(wanted.ino);
  if (wanted.kind === LOCK_KIND_FLOCK) return file?.flocks.find((lock) => conflict(lock, wanted));
  return file?.records.find((lock) =>
    wanted.type === F_UNLCK
      ? lock.key === wanted.key && lock.start <= wanted.end && wanted.start <= lock.end
      : conflict(lock, wanted),
  );
}

/** Takes, changes or gives back a lock → 0, -EAGAIN, -EDEADLK, -ENOLCK, or LOCK_QUEUED when it waits. */
export function setLock(locks: Locks, request: Claim, wait: boolean): number {
  unblock(locks, request);
  const status =
    request.kind === LOCK_KIND_FLOCK
      ? setFlock(locks, request, wait)
      : setRecordLock(locks, request, wait);
  if (status !== LOCK_QUEUED) forgetRequest(locks, request);
  dropFileIfFree(locks, request.ino);
  return status;
}

function setRecordLock(locks: Locks, request: Claim, wait: boolean): number {
  const { store, table } = locks;
  if (request.type !== F_UNLCK) {
    const found = findConflict(locks, request);
    if (found !== undefined) {
      if (!wait) return -EAGAIN;
      wakeBlocked(locks, request);
      if (deadlocks(locks, request, found)) return -EDEADLK;
      block(locks, found, request);
      return LOCK_QUEUED;
    }
  }
  const all = request.type === F_UNLCK && request.start === 0n && request.end === OFFSET_MAX;
  const spares = all ? [] : [takeRecord(store, table), takeRecord(store, table)];
  const status = mergeLock(locks, fileOf(locks, request.ino).records, request, spares);
  for (const spare of spares) if (spare !== 0) freeRecord(locks, spare);
  return status;
}

/**
 * posix_lock_inode: makes the range of `request` hold its type for its owner. `spares` are two records (0:
 * there was none), of which it takes what it needs from the end.
 */
function mergeLock(locks: Locks, list: Claim[], request: Claim, spares: number[]): number {
  let current = request;
  let added = false;
  let left: Claim | undefined;
  let right: Claim | undefined;
  const take = (): number => spares.splice(spares[0] === 0 ? 1 : 0, 1)[0] ?? 0;
  let at = list.findIndex((lock) => lock.key === request.key);
  if (at < 0) at = list.length;
  while (at < list.length && list[at].key === request.key) {
    const lock = list[at];
    if (lock.type === current.type) {
      if (lock.end < current.start - 1n) {
        at++;
        continue;
      }
      if (lock.start - 1n > current.end) break;
      if (lock.start > current.start) lock.start = current.start;
      else current.start = lock.start;
      if (lock.end < current.end) lock.end = current.end;
      else current.end = lock.end;
      if (added) {
        removeAt(locks, list, at);
        putRange(locks, current);
        continue;
      }
      current = lock;
      putRange(locks, current);
      added = true;
    } else if (lock.end >= current.start) {
      if (lock.start > current.end) break;
      if (current.type === F_UNLCK) added = true;
      if (lock.start < current.start) left = lock;
      if (lock.end > current.end) {
        right = lock;
        break;
      }
      if (lock.start >= current.start) {
        if (added) {
          removeAt(locks, list, at);
          continue;
        }
        const record = take();
        if (record === 0) return -ENOLCK;
        const replacement = like(current);
        inherit(replacement, current);
        insertAt(locks, list, at, replacement, record);
        removeAt(locks, list, at + 1);
        current = replacement;
        added = true;
      }
    }
    at++;
  }
  const splits = right !== undefined && left === right;
  if (splits && spares.filter((spare) => spare !== 0).length < (added ? 1 : 2)) return -ENOLCK;
  if (!added) {
    if (request.type === F_UNLCK) return 0;
    const record = take();
    if (record === 0) return -ENOLCK;
    const lock = like(current);
    inherit(lock, current);
    insertAt(locks, list, at, lock, record);
  }
  const { start, end } = current;
  if (right !== undefined) {
    if (splits) {
      left = like(right);
      insertAt(locks, list, at, left, take());
    }
    right.start = end + 1n;
    putRange(locks, right);
    wakeBlocked(locks, right);
  }
  if (left !== undefined) {
    left.end = start - 1n;
    putRange(locks, left);
    wakeBlocked(locks, left);
  }
  return 0;
}

// ---- whole files ------------------------------------------------------------------------------------------

/** flock_lock_inode: a change of type gives the old lock up first, whatever comes of it. */
function setFlock(locks: Locks, request: Claim, wait: boolean): number {
  const { flocks } = fileOf(locks, request.ino);
  const own = flocks.findIndex((lock) => lock.key === request.key);
  if (own >= 0) {
    if (flocks[own].type === request.type) return 0;
    removeAt(locks, flocks, own);
  }
  if (request.type === F_UNLCK) return 0;
  const found = findConflict(locks, request);
  if (found !== undefined) {
    if (!wait) return -EAGAIN;
    block(locks, found, request);
    return LOCK_QUEUED;
  }
  const record = takeRecord(locks.store, locks.table);
  if (record === 0) return -ENOLCK;
  const lock = like(request);
  inherit(lock, request);
  insertAt(locks, flocks, flocks.length, lock, record);
  return 0;
}

// ---- owners that go -----------------------------------------------------------------------------------------

/** Everything that the owner holds on the inode goes. */
export function dropLocks(locks: Locks, ino: number, key: number): void {
  const file = locks.files.get(ino);
  if (file === undefined) return;
  for (const list of [file.records, file.flocks]) {
    for (let at = list.length - 1; at >= 0; at--)
      if (list[at].key === key) removeAt(locks, list, at);
  }
  dropFileIfFree(locks, ino);
}

/** The inode is about to be freed: nobody can hold anything on it. */
export function dropAllLocks(locks: Locks, ino: number): void {
  const file = locks.files.get(ino);
  if (file === undefined) return;
  for (const list of [file.records, file.flocks])
    while (list.length > 0) removeAt(locks, list, list.length - 1);
  locks.files.delete(ino);
}

export function holdsLocks(locks: Locks, ino: number, key: number): boolean {
  const file = locks.files.get(ino);
  if (file === undefined) return false;
  return (
    file.records.some((lock) => lock.key === key) || file.flocks.some((lock) => lock.key === key)
  );
}
