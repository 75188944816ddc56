/**
 * Open file descriptions. What must be believed (inode, access mode) stands in the store segment, which
 * clients map read-only; offset, status flags and the count of references stand in the ring, where a
 * client can lie: a lie can lose or keep a description of its own session and nothing else.
 *
 * A description without references is idle: clients revive it by taking the count from 0 to 1, we free it
 * by taking the count from 0 to REFERENCES_FREED. Whoever comes first has it (docs/adr/0009).
 */
import {
  DESCRIPTION_GENERATION,
  DESCRIPTION_INO,
  DESCRIPTION_LOCKS,
  DESCRIPTION_MAPS,
  DESCRIPTION_MODE,
  DESCRIPTION_NEXT_FREE,
  DESCRIPTION_OPEN_FLAGS,
  DESCRIPTION_RECORD_WORDS,
  DESCRIPTION_STATE,
  DESCRIPTION_STATE_FREE,
  DESCRIPTION_STATE_HOLDER,
  DESCRIPTION_STATE_OPEN,
  DESCRIPTION_STATE_OWNER_KIND,
  DESCRIPTION_STATE_OWNER_SIGNAL,
  DESCRIPTION_STATE_POSITION,
  DESCRIPTION_STATE_RECORD_WORDS,
  DESCRIPTION_STATE_REFERENCES,
  DESCRIPTION_STATE_STATUS_FLAGS,
  DESCRIPTIONS_MAX,
  INODE_REFERENCES,
  LOCK_KIND_OFD,
  PROCESS_GENERATION,
  PROCESS_RECORD_WORDS,
  REFERENCES_FREED,
  RING_DESCRIPTIONS_OFFSET,
  RING_PROCESSES_OFFSET,
  SUPERBLOCK_DESCRIPTIONS_FREE_HEAD,
  SUPERBLOCK_DESCRIPTIONS_FRESH,
  SUPERBLOCK_DESCRIPTIONS_USED,
} from '../../ringbuf/layout.gen.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { ENFILE } from '../store/errno.ts';
import { addMap, dereference, dropMap, inodeWord, modeOf, reference } from '../store/inodes.ts';
import { holdsLocks, ownerKey } from '../store/locks.ts';
import { O_ACCMODE, O_PATH, O_SETFL, S_IFMT } from '../store/posix.ts';
import type { Store } from '../store/store.ts';
import { giveRecord, type Table, takeRecord } from '../store/tables.ts';
import { createLockOwners, dropDescription, type LockOwners } from './locks.ts';

export interface Descriptions {
  readonly store: Store;
  readonly ring: Segment;
  readonly table: Table;
  readonly locks: LockOwners;
  /** By id: the process record that opened it, and that record's generation then. Private. */
  readonly creators: Uint16Array;
  readonly generations: Int32Array;
  /** The name that it was opened by: a dentry, 0 for none. May be out of date, and name something else. */
  readonly dentries: Uint32Array;
  /** Open descriptions in chains by inode % CHAINS: heads, and both neighbours by id. Private. */
  readonly heads: Uint16Array;
  readonly next: Uint16Array;
  readonly previous: Uint16Array;
  /** Opens since the last sweep. */
  opened: number;
  /** Where the next sweep goes on. */
  hand: number;
  /** Set while a description may be watched (inotify.ts): it is closed now. */
  closed: ((id: number) => void) | undefined;
}

const CHAINS = 4096;
/** So many opens pay for one sweep, and so many records are what it looks at. */
const OPENS_PER_SWEEP = 128;
const SWEEP_RECORDS = 1024;
const SETTLE_RECORDS = 8192;
/** What the count reads as in an Int32Array. */
const FREED = REFERENCES_FREED | 0;

export function createDescriptions(store: Store, ring: Segment): Descriptions {
  const at = store.superblockWord;
  return {
    store,
    ring,
    table: {
      base: store.descriptionsWord,
      words: DESCRIPTION_RECORD_WORDS,
      capacity: Math.min(DESCRIPTIONS_MAX, store.capacities.descriptions),
      linkWord: DESCRIPTION_NEXT_FREE,
      usedWord: at + SUPERBLOCK_DESCRIPTIONS_USED,
      freeWord: at + SUPERBLOCK_DESCRIPTIONS_FREE_HEAD,
      freshWord: at + SUPERBLOCK_DESCRIPTIONS_FRESH,
      backed: 0,
    },
    locks: createLockOwners(store, ring),
    creators: new Uint16Array(DESCRIPTIONS_MAX),
    generations: new Int32Array(DESCRIPTIONS_MAX),
    dentries: new Uint32Array(DESCRIPTIONS_MAX),
    heads: new Uint16Array(CHAINS),
    next: new Uint16Array(DESCRIPTIONS_MAX),
    previous: new Uint16Array(DESCRIPTIONS_MAX),
    opened: 0,
    hand: 1,
    closed: undefined,
  };
}

/** Word index of the server's half in store.i32. */
export function descriptionWord(descriptions: Descriptions, id: number): number {
  return descriptions.table.base + id * DESCRIPTION_RECORD_WORDS;
}

/** Word index of the shared half in ring.i32. */
export function stateWord(id: number): number {
  return RING_DESCRIPTIONS_OFFSET / 4 + id * DESCRIPTION_STATE_RECORD_WORDS;
}

/** Is `id`, any number that a client sent, an open description? */
export function isOpen(descriptions: Descriptions, id: number): boolean {
  const { store, table } = descriptions;
  return (
    id > 0 &&
    id < store.i32[table.freshWord] &&
    store.i32[descriptionWord(descriptions, id) + DESCRIPTION_STATE] === DESCRIPTION_STATE_OPEN
  );
}

export function inodeOf(descriptions: Descriptions, id: number): number {
  return descriptions.store.i32[descriptionWord(descriptions, id) + DESCRIPTION_INO];
}

/** O_* that the file was opened with: access mode, O_PATH. */
export function openFlagsOf(descriptions: Descriptions, id: number): number {
  return descriptions.store.i32[descriptionWord(descriptions, id) + DESCRIPTION_OPEN_FLAGS];
}

/** A new description of `ino` with one reference, the asking client's → id or -ENFILE. */
export function openDescription(
  descriptions: Descriptions,
  ino: number,
  openFlags: number,
  creator: number,
  dentry = 0,
): number {
  const { store, ring, table } = descriptions;
  if (++descriptions.opened >= OPENS_PER_SWEEP) sweepIdle(descriptions, SWEEP_RECORDS);
  let id = takeRecord(store, table);
  if (id === 0) {
    sweepIdle(descriptions, DESCRIPTIONS_MAX);
    id = takeRecord(store, table);
    if (id === 0) return -ENFILE;
  }
  const state = stateWord(id);
  ring.i32[state + DESCRIPTION_STATE_POSITION] = 0;
  ring.i32[state + DESCRIPTION_STATE_POSITION + 1] = 0;
  ring.i32[state + DESCRIPTION_STATE_STATUS_FLAGS] = openFlags & O_SETFL;
  ring.i32[state + DESCRIPTION_STATE_OWNER_SIGNAL] = 0;
  ring.i32[state + DESCRIPTION_STATE_OWNER_KIND] = 0;
  ring.i32[state + DESCRIPTION_STATE_HOLDER] = 0;
  Atomics.store(ring.i32, state + DESCRIPTION_STATE_REFERENCES, 1);
  const word = descriptionWord(descriptions, id);
  store.i32[word + DESCRIPTION_INO] = ino;
  store.i32[word + DESCRIPTION_OPEN_FLAGS] = openFlags;
  store.i32[word + DESCRIPTION_LOCKS] = 0;
  descriptions.creators[id] = creator;
  descriptions.dentries[id] = dentry;
  descriptions.generations[id] =
    ring.i32[RING_PROCESSES_OFFSET / 4 + creator * PROCESS_RECORD_WORDS + PROCESS_GENERATION];
  store.i32[word + DESCRIPTION_MAPS] = 0;
  store.i32[word + DESCRIPTION_MODE] = modeOf(store, ino) & S_IFMT;
  store.i32[word + DESCRIPTION_STATE] = DESCRIPTION_STATE_OPEN;
  enchain(descriptions, id, ino);
  reference(store, ino);
  return id;
}

/**
 * RELEASE, and what sweeps do: frees the description if it is open and nobody holds it nor has just revived
 * it; anything else is a stale request.
 */
export function releaseDescription(descriptions: Descriptions, id: number): void {
  if (!isOpen(descriptions, id)) return;
  const references = stateWord(id) + DESCRIPTION_STATE_REFERENCES;
  if (Atomics.compareExchange(descriptions.ring.i32, references, 0, FREED) === 0)
    freeDescription(descriptions, id);
}

/** A dead holder's reference, given back for it. */
export function dropReference(descriptions: Descriptions, id: number): void {
  if (!isOpen(descriptions, id)) return;
  const references = stateWord(id) + DESCRIPTION_STATE_REFERENCES;
  const before = Atomics.sub(descriptions.ring.i32, references, 1);
  // At 0 a living client may be about to revive it; below, some client has lied.
  if (before === 1) releaseDescription(descriptions, id);
  else if (before < 1) freeDescription(descriptions, id);
}

/** Frees idle descriptions among the next `records` ones; what is in use is left alone. */
export function sweepIdle(descriptions: Descriptions, records: number): void {
  const { store, ring, table } = descriptions;
  const end = store.i32[table.freshWord];
  descriptions.opened = 0;
  let id = descriptions.hand;
  for (let left = Math.min(records, end - 1); left > 0; left--, id++) {
    if (id >= end) id = 1;
    if (ring.i32[stateWord(id) + DESCRIPTION_STATE_REFERENCES] === 0)
      releaseDescription(descriptions, id);
  }
  descriptions.hand = id;
}

/** Before the server sleeps: what recent opens left idle goes, so that a quiet session holds nothing. */
export function settleIdle(descriptions: Descriptions): void {
  if (descriptions.opened !== 0) sweepIdle(descriptions, SETTLE_RECORDS);
}

/** Frees the idle descriptions of an inode that has just lost its last name. */
export function releaseIdle(descriptions: Descriptions, ino: number): void {
  const { heads, next } = descriptions;
  let id = heads[ino % CHAINS];
  while (id !== 0) {
    const following = next[id];
    if (inodeOf(descriptions, id) === ino) releaseDescription(descriptions, id);
    id = following;
  }
}

/** Does anybody hold the file open for writing, a memory map included? */
export function hasWriter(descriptions: Descriptions, ino: number): boolean {
  const { heads, next } = descriptions;
  for (let id = heads[ino % CHAINS]; id !== 0; id = next[id]) {
    if (inodeOf(descriptions, id) !== ino) continue;
    const flags = openFlagsOf(descriptions, id);
    const writes = (flags & O_PATH) === 0 && (flags & O_ACCMODE) !== 0;
    if (writes && hasHolders(descriptions, id)) return true;
  }
  return false;
}

/** Calls `visit` with every description of the inode that somebody holds. */
export function eachHeldOf(
  descriptions: Descriptions,
  ino: number,
  visit: (id: number) => void,
): void {
  const { heads, next } = descriptions;
  for (let id = heads[ino % CHAINS]; id !== 0; id = next[id])
    if (inodeOf(descriptions, id) === ino && hasHolders(descriptions, id)) visit(id);
}

function enchain(descriptions: Descriptions, id: number, ino: number): void {
  const { heads, next, previous } = descriptions;
  const head = heads[ino % CHAINS];
  next[id] = head;
  previous[id] = 0;
  if (head !== 0) previous[head] = id;
  heads[ino % CHAINS] = id;
}

function unchain(descriptions: Descriptions, id: number, ino: number): void {
  const { heads, next, previous } = descriptions;
  if (previous[id] === 0) heads[ino % CHAINS] = next[id];
  else next[previous[id]] = next[id];
  if (next[id] !== 0) previous[next[id]] = previous[id];
}

/** Frees an open description, whatever its count says. */
export function freeDescription(descriptions: Descriptions, id: number): void {
  const { store, ring, table } = descriptions;
  const word = descriptionWord(descriptions, id);
  const ino = store.i32[word + DESCRIPTION_INO];
  const mapped = store.i32[word + DESCRIPTION_MAPS] !== 0;
  const generation = store.i32[word + DESCRIPTION_GENERATION];
  store.i32[word + DESCRIPTION_STATE] = DESCRIPTION_STATE_FREE;
  store.i32[word + DESCRIPTION_INO] = 0;
  store.i32[word + DESCRIPTION_GENERATION]++;
  Atomics.store(ring.i32, stateWord(id) + DESCRIPTION_STATE_REFERENCES, FREED);
  unchain(descriptions, id, ino);
  giveRecord(store, table, id);
  if (descriptions.closed !== undefined) descriptions.closed(id);
  const last = store.i32[inodeWord(store, ino) + INODE_REFERENCES] === 1;
  dropDescription(descriptions.locks, id, generation, ino, last);
  if (mapped) dropMap(store, ino);
  dereference(store, ino);
}

/** The first memory map through this description: from now on the file keeps its blocks for it. */
export function noteMapping(descriptions: Descriptions, id: number): void {
  const { store } = descriptions;
  const word = descriptionWord(descriptions, id);
  if (store.i32[word + DESCRIPTION_MAPS] !== 0) return;
  store.i32[word + DESCRIPTION_MAPS] = 1;
  addMap(store, store.i32[word + DESCRIPTION_INO]);
}

/** Those through which `ino` was mapped. */
export function mappingDescriptions(descriptions: Descriptions, ino: number): number[] {
  const { store, heads, next } = descriptions;
  const found: number[] = [];
  for (let id = heads[ino % CHAINS]; id !== 0; id = next[id]) {
    const maps = store.i32[descriptionWord(descriptions, id) + DESCRIPTION_MAPS];
    if (maps !== 0 && inodeOf(descriptions, id) === ino) found.push(id);
  }
  return found;
}

/** The opposite of noteMapping: no map through it is left. */
export function forgetMapping(descriptions: Descriptions, id: number): void {
  const { store } = descriptions;
  store.i32[descriptionWord(descriptions, id) + DESCRIPTION_MAPS] = 0;
  dropMap(store, inodeOf(descriptions, id));
}

/** After a change of its locks: while it holds any, the last close has to be told. */
export function noteLocks(
  descriptions: Descriptions,
  id: number,
  generation: number,
  ino: number,
): void {
  const key = ownerKey(LOCK_KIND_OFD, id, generation);
  const holds = holdsLocks(descriptions.locks.locks, ino, key);
  descriptions.store.i32[descriptionWord(descriptions, id) + DESCRIPTION_LOCKS] = holds ? 1 : 0;
}

export function descriptionGeneration(descriptions: Descriptions, id: number): number {
  return descriptions.store.i32[descriptionWord(descriptions, id) + DESCRIPTION_GENERATION];
}

/** False: a close that is under way is as good as done. */
export function hasHolders({ ring }: Descriptions, id: number): boolean {
  return Atomics.load(ring.i32, stateWord(id) + DESCRIPTION_STATE_REFERENCES) > 0;
}
