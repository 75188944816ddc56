/**
 * Open file descriptions. What must be believed (inode, access mode) stands in the store segment, which
 * clients map read-only; offset, status flags and the count of references stand in the ring, where a
 * client can lie: a lie can lose or keep a description of its own session and nothing else.
 */
import {
  DESCRIPTION_CREATOR,
  DESCRIPTION_GENERATION,
  DESCRIPTION_INO,
  DESCRIPTION_MAPS,
  DESCRIPTION_MODE,
  DESCRIPTION_NEXT_FREE,
  DESCRIPTION_OPEN_FLAGS,
  DESCRIPTION_RECORD_WORDS,
  DESCRIPTION_STATE,
  DESCRIPTION_STATE_FREE,
  DESCRIPTION_STATE_OPEN,
  DESCRIPTION_STATE_OWNER_SIGNAL,
  DESCRIPTION_STATE_POSITION,
  DESCRIPTION_STATE_RECORD_WORDS,
  DESCRIPTION_STATE_REFERENCES,
  DESCRIPTION_STATE_STATUS_FLAGS,
  DESCRIPTIONS_MAX,
  PROCESS_GENERATION,
  PROCESS_RECORD_WORDS,
  RING_DESCRIPTIONS_OFFSET,
  RING_PROCESSES_OFFSET,
  SUPERBLOCK_DESCRIPTIONS_FREE_HEAD,
  SUPERBLOCK_DESCRIPTIONS_FRESH,
  SUPERBLOCK_DESCRIPTIONS_USED,
} from '../../ringbuf/layout.gen.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { ENFILE } from '../store/errno.ts';
import { addMap, dereference, dropMap, modeOf, reference } from '../store/inodes.ts';
import { O_SETFL, S_IFMT } from '../store/posix.ts';
import type { Store } from '../store/store.ts';
import { giveRecord, type Table, takeRecord } from '../store/tables.ts';
import { createLocks, dropLock, type Locks } from './locks.ts';

export interface Descriptions {
  readonly store: Store;
  readonly ring: Segment;
  readonly table: Table;
  readonly locks: Locks;
  /** By id: the process record that opened it, and that record's generation then. Private. */
  readonly creators: Uint16Array;
  readonly generations: Int32Array;
}

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
    locks: createLocks(
      (id) => Atomics.load(ring.i32, stateWord(id) + DESCRIPTION_STATE_REFERENCES) > 0,
    ),
    creators: new Uint16Array(DESCRIPTIONS_MAX),
    generations: new Int32Array(DESCRIPTIONS_MAX),
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
): number {
  const { store, ring, table } = descriptions;
  const id = takeRecord(store, table);
  if (id === 0) return -ENFILE;
  const state = stateWord(id);
  ring.i32[state + DESCRIPTION_STATE_POSITION] = 0;
  ring.i32[state + DESCRIPTION_STATE_POSITION + 1] = 0;
  ring.i32[state + DESCRIPTION_STATE_STATUS_FLAGS] = openFlags & O_SETFL;
  ring.i32[state + DESCRIPTION_STATE_OWNER_SIGNAL] = 0;
  Atomics.store(ring.i32, state + DESCRIPTION_STATE_REFERENCES, 1);
  const word = descriptionWord(descriptions, id);
  store.i32[word + DESCRIPTION_INO] = ino;
  store.i32[word + DESCRIPTION_OPEN_FLAGS] = openFlags;
  store.i32[word + DESCRIPTION_CREATOR] = creator;
  descriptions.creators[id] = creator;
  descriptions.generations[id] =
    ring.i32[RING_PROCESSES_OFFSET / 4 + creator * PROCESS_RECORD_WORDS + PROCESS_GENERATION];
  store.i32[word + DESCRIPTION_MAPS] = 0;
  store.i32[word + DESCRIPTION_MODE] = modeOf(store, ino) & S_IFMT;
  store.i32[word + DESCRIPTION_STATE] = DESCRIPTION_STATE_OPEN;
  reference(store, ino);
  return id;
}

/** RELEASE: frees the description if it is open and nobody holds it; anything else is a stale request. */
export function releaseDescription(descriptions: Descriptions, id: number): void {
  if (!isOpen(descriptions, id)) return;
  const references = stateWord(id) + DESCRIPTION_STATE_REFERENCES;
  if (Atomics.load(descriptions.ring.i32, references) === 0) freeDescription(descriptions, id);
}

/** A dead holder's reference, given back for it. */
export function dropReference(descriptions: Descriptions, id: number): void {
  if (!isOpen(descriptions, id)) return;
  const references = stateWord(id) + DESCRIPTION_STATE_REFERENCES;
  if (Atomics.sub(descriptions.ring.i32, references, 1) <= 1) freeDescription(descriptions, id);
}

/** Frees an open description, whatever its count says. */
export function freeDescription(descriptions: Descriptions, id: number): void {
  const { store, ring, table } = descriptions;
  const word = descriptionWord(descriptions, id);
  const ino = store.i32[word + DESCRIPTION_INO];
  const mapped = store.i32[word + DESCRIPTION_MAPS] !== 0;
  store.i32[word + DESCRIPTION_STATE] = DESCRIPTION_STATE_FREE;
  store.i32[word + DESCRIPTION_INO] = 0;
  store.i32[word + DESCRIPTION_GENERATION]++;
  Atomics.store(ring.i32, stateWord(id) + DESCRIPTION_STATE_REFERENCES, 0);
  giveRecord(store, table, id);
  dropLock(descriptions.locks, ino, id);
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
