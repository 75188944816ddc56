/**
 * Takes back what dead clients held. Runs on the serving thread only, between batches: nothing else moves
 * descriptions or slots at the same time, save living clients, which move the words of their own tables.
 */
import {
  DESCRIPTION_STATE,
  DESCRIPTION_STATE_HOLDER,
  DESCRIPTION_STATE_OPEN,
  DESCRIPTION_STATE_REFERENCES,
  DESCRIPTIONS_MAX,
  FDS_MAX,
  HOLDER_PROCESS_BITS,
  MAPPINGS_MAX,
  OP_RELEASE,
  PAGE_SIZE,
  PROCESS_CWD,
  PROCESS_FD_LIMIT,
  PROCESS_GENERATION,
  PROCESS_GROUP_COUNT,
  PROCESS_LOCK_FILTER,
  PROCESS_MAPPING_LIMIT,
  PROCESS_PARENT,
  PROCESS_PID,
  PROCESS_SHARED,
  PROCESS_SHARES,
  PROCESS_STATE,
  PROCESS_STATE_EXITED,
  PROCESS_STATE_FORKING,
  PROCESS_STATE_FREE,
  PROCESS_STATE_LIVE,
  PROCESS_VIRTUAL_FDS,
  PROCESSES_MAX,
  REFERENCES_FREED,
  RING_FD_TABLE_SIZE,
  RING_FD_TABLES_OFFSET,
  RING_HEADER_PROCESS_HINT,
  SLOT_DESCRIPTION,
  SLOT_OPCODE,
  SLOT_SPARE,
  SLOT_STATE,
  SLOT_STATE_REQUEST,
  SLOT_STATE_SLEEPING,
} from '../../ringbuf/layout.gen.ts';
import { deadSlots, reclaimSlot, slotWord } from '../../ringbuf/ring.ts';
import { dropSpare } from '../store/spares.ts';
import {
  descriptionWord,
  dropReference,
  freeDescription,
  releaseDescription,
  stateWord,
} from './descriptions.ts';
import { endGrant } from './grants.ts';
import { dropProcess, endWait } from './locks.ts';
import { processWord, type Server } from './request.ts';

/** Word index of the fd table of a process; its mapping references follow at FDS_MAX. */
function tableWord(process: number): number {
  return (RING_FD_TABLES_OFFSET + process * RING_FD_TABLE_SIZE) / 4;
}

/**
 * How many words of the table may be looked at: what the client says, within the table, and backed, for
 * to touch a hole of a full /dev/shm is SIGBUS.
 */
function limitOf(
  server: Server,
  process: number,
  field: number,
  first: number,
  max: number,
): number {
  const limit = Math.min(server.i32[processWord(process) + field] >>> 0, max);
  if (limit === 0) return 0;
  const at = (tableWord(process) + first) * 4;
  const backed = server.store.memory.allocate(server.ring.segment.fd, at, limit * 4);
  return backed === 0 ? limit : 0;
}

/** Calls `visit` with the word index of every word that can hold a description id of the process. */
function eachHeld(server: Server, process: number, visit: (word: number) => void): void {
  const table = tableWord(process);
  const fds = limitOf(server, process, PROCESS_FD_LIMIT, 0, FDS_MAX);
  for (let i = 0; i < fds; i++) visit(table + i);
  const maps = limitOf(server, process, PROCESS_MAPPING_LIMIT, FDS_MAX, MAPPINGS_MAX);
  for (let i = 0; i < maps; i++) visit(table + FDS_MAX + i);
  visit(processWord(process) + PROCESS_CWD);
}

/** Gives back every description that the process lists; each word is taken out once, by us or by it. */
export function releaseProcess(server: Server, process: number): void {
  const { i32, descriptions } = server;
  eachHeld(server, process, (word) => {
    if (i32[word] === 0) return;
    const id = Atomics.exchange(i32, word, 0) >>> 0;
    if (id !== 0) dropReference(descriptions, id);
  });
  const word = processWord(process);
  i32[word + PROCESS_VIRTUAL_FDS] = 0;
  dropProcess(descriptions.locks, process, i32[word + PROCESS_GENERATION]);
}

/** Does a process that may still run use the descriptors of this record (CLONE_FILES)? */
function isShared(server: Server, process: number): boolean {
  const { i32 } = server;
  if (i32[processWord(process) + PROCESS_SHARED] === 0) return false;
  for (let other = 1; other < PROCESSES_MAX; other++) {
    const word = processWord(other);
    if (i32[word + PROCESS_SHARES] !== process || other === process) continue;
    const state = Atomics.load(i32, word + PROCESS_STATE);
    if (state === PROCESS_STATE_LIVE || state === PROCESS_STATE_FORKING) return true;
  }
  return false;
}

/**
 * A process is gone (or, FORKING, will never be): all that it held goes, the record becomes free. Nothing
 * happens (→ false) when the record has had another life since, or others use its descriptors.
 */
export function reclaimProcess(server: Server, process: number, generation: number): boolean {
  const { i32 } = server;
  const word = processWord(process);
  if (i32[word + PROCESS_GENERATION] !== generation) return false;
  if (Atomics.load(i32, word + PROCESS_STATE) === PROCESS_STATE_FREE) return false;
  if (isShared(server, process)) return false;
  releaseProcess(server, process);
  i32[word + PROCESS_PID] = 0;
  i32[word + PROCESS_PARENT] = 0;
  i32[word + PROCESS_SHARES] = 0;
  i32[word + PROCESS_SHARED] = 0;
  i32[word + PROCESS_FD_LIMIT] = 0;
  i32[word + PROCESS_MAPPING_LIMIT] = 0;
  i32[word + PROCESS_GROUP_COUNT] = 0;
  i32[word + PROCESS_LOCK_FILTER] = 0;
  i32[word + PROCESS_LOCK_FILTER + 1] = 0;
  i32[word + PROCESS_GENERATION]++;
  Atomics.store(i32, word + PROCESS_STATE, PROCESS_STATE_FREE);
  // Its fd table is backed already: the next process had better take this one.
  i32[PAGE_SIZE / 4 + RING_HEADER_PROCESS_HINT] = process;
  return true;
}

/** EXIT: the process keeps its record until it is really gone. */
export function exitProcess(server: Server, process: number): void {
  const { i32 } = server;
  const state = processWord(process) + PROCESS_STATE;
  releaseProcess(server, process);
  if (
    Atomics.compareExchange(i32, state, PROCESS_STATE_LIVE, PROCESS_STATE_EXITED) ===
    PROCESS_STATE_LIVE
  )
    return;
  Atomics.compareExchange(i32, state, PROCESS_STATE_FORKING, PROCESS_STATE_EXITED);
}

/** Slots of threads that are no more. */
export function reclaimSlots(server: Server): void {
  const { i32, ring } = server;
  for (const slot of deadSlots(ring)) {
    const word = slotWord(slot);
    const state = Atomics.load(i32, word + SLOT_STATE);
    const waiting = state === SLOT_STATE_REQUEST || state === SLOT_STATE_SLEEPING;
    // What nobody waits for was meant to outlive its sender.
    if (waiting && i32[word + SLOT_OPCODE] === OP_RELEASE)
      releaseDescription(server.descriptions, i32[word + SLOT_DESCRIPTION]);
    endGrant(server.grants, slot);
    endWait(server.descriptions.locks, slot);
    dropSpare(server.store, slot);
    i32[word + SLOT_SPARE] = 0;
    reclaimSlot(ring, slot);
  }
}

/** The count of a description and who revived it, as one word: 64-bit index `pairIndex(id)`. */
function pairs(server: Server): BigInt64Array {
  const { buffer, byteOffset, length } = server.i32;
  return new BigInt64Array(buffer, byteOffset, length >> 1);
}

function pairIndex(id: number): number {
  return (stateWord(id) + DESCRIPTION_STATE_REFERENCES) / 2;
}

/** What a holder word can keep of a generation. */
const HOLDER_GENERATIONS = 0xffffffff >>> HOLDER_PROCESS_BITS;
const FREED_PAIR = BigInt(REFERENCES_FREED);

/**
 * Frees the idle descriptions, and those that nobody lists although whoever opened or revived them is gone:
 * the answer to an open that a killed client never took, a reference that it counted and never listed.
 */
export function sweepDescriptions(server: Server): void {
  const { i32, store, descriptions } = server;
  const end = store.i32[descriptions.table.freshWord];
  const words = pairs(server);
  const orphans = new Map<number, bigint>();
  for (let id = 1; id < end; id++) {
    if (store.i32[descriptionWord(descriptions, id) + DESCRIPTION_STATE] !== DESCRIPTION_STATE_OPEN)
      continue;
    const pair = Atomics.load(words, pairIndex(id));
    if (BigInt.asIntN(32, pair) === 0n) releaseDescription(descriptions, id);
    else if (!server.nodes.tokens.has(id) && !openerLives(server, id)) orphans.set(id, pair);
  }
  if (orphans.size === 0) return;
  const listed = new Uint8Array(DESCRIPTIONS_MAX);
  for (let process = 1; process < PROCESSES_MAX; process++) {
    if (Atomics.load(i32, processWord(process) + PROCESS_STATE) === PROCESS_STATE_FREE) continue;
    eachHeld(server, process, (word) => {
      const id = i32[word] >>> 0;
      if (id < DESCRIPTIONS_MAX) listed[id] = 1;
    });
  }
  for (const [id, pair] of orphans) {
    if (listed[id] !== 0) continue;
    // Dropped and revived meanwhile: then it is somebody's again.
    if (Atomics.compareExchange(words, pairIndex(id), pair, FREED_PAIR) === pair)
      freeDescription(descriptions, id);
  }
}

/** Who revived it counts; until anybody has, who opened it. */
function openerLives(server: Server, id: number): boolean {
  const { descriptions, i32 } = server;
  const holder = i32[stateWord(id) + DESCRIPTION_STATE_HOLDER] >>> 0;
  if (holder !== 0) {
    const generation = holder >>> HOLDER_PROCESS_BITS;
    return processLives(server, holder % PROCESSES_MAX, generation, HOLDER_GENERATIONS);
  }
  return processLives(server, descriptions.creators[id], descriptions.generations[id], -1);
}

function processLives(server: Server, process: number, generation: number, mask: number): boolean {
  const { i32 } = server;
  const word = processWord(process);
  if (process === 0 || ((i32[word + PROCESS_GENERATION] ^ generation) & mask) !== 0) return false;
  const state = Atomics.load(i32, word + PROCESS_STATE);
  return state === PROCESS_STATE_LIVE || state === PROCESS_STATE_FORKING;
}
