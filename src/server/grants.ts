/**
 * Grants: a client may copy straight from (READ_DIRECT) or to (WRITE_PREPARE) blocks of the data segment until it
 * clears Slot.grant or commits. The record here is the server's own; the word in the slot is only the
 * client's way to say "I am done", and lying with it keeps freed blocks of its own session from reuse.
 */
import {
  GRANT_PINNED,
  PAGE_SIZE,
  RING_HEADER_SLOTS_HIGH,
  SLOT_GRANT,
  SLOT_RECORD_WORDS,
  SLOTS_MAX,
} from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import type { Segment } from '../../ringbuf/segment.ts';
import { drainLimbo } from '../store/blocks.ts';
import { abandonWrite } from '../store/grants.ts';
import { dereference, reference } from '../store/inodes.ts';
import type { Store } from '../store/store.ts';

export const GRANT_NONE = 0;
export const GRANT_READ = 1;
export const GRANT_WRITE = 2;

export interface Grants {
  readonly store: Store;
  readonly ring: Segment;
  /** By slot: GRANT_*. */
  readonly kind: Uint8Array;
  /** Of a write: its inode (referenced), its description, whether it appends or moves the position. */
  readonly ino: Uint32Array;
  readonly description: Uint32Array;
  readonly append: Uint8Array;
  readonly positioned: Uint8Array;
  /** Bytes that were granted. */
  readonly room: Float64Array;
  /** How many slots are not GRANT_NONE. */
  out: number;
  /** Slots below this may be pinned. */
  high: number;
}

export function createGrants(store: Store, ring: Segment): Grants {
  const grants: Grants = {
    store,
    ring,
    kind: new Uint8Array(SLOTS_MAX),
    ino: new Uint32Array(SLOTS_MAX),
    description: new Uint32Array(SLOTS_MAX),
    append: new Uint8Array(SLOTS_MAX),
    positioned: new Uint8Array(SLOTS_MAX),
    room: new Float64Array(SLOTS_MAX),
    out: 0,
    high: 0,
  };
  store.grantsOut = () => anyOut(grants);
  return grants;
}

export function grantRead(grants: Grants, slot: number): void {
  grants.kind[slot] = GRANT_READ;
  grants.out++;
  Atomics.store(grants.ring.i32, slotWord(slot) + SLOT_GRANT, 1);
}

/** The caller fills description, append and positioned. */
export function grantWrite(grants: Grants, slot: number, ino: number, room: number): void {
  grants.kind[slot] = GRANT_WRITE;
  grants.ino[slot] = ino;
  grants.room[slot] = room;
  grants.out++;
  reference(grants.store, ino);
  Atomics.store(grants.ring.i32, slotWord(slot) + SLOT_GRANT, 1);
}

/** Ends whatever grant the slot has; a write that was not committed leaves nothing behind. */
export function endGrant(grants: Grants, slot: number): void {
  const kind = grants.kind[slot];
  if (kind === GRANT_NONE) return;
  if (kind === GRANT_WRITE) abandonWrite(grants.store, slot);
  finishGrant(grants, slot);
}

/** As endGrant, after commitWrite has done its part. */
export function finishGrant(grants: Grants, slot: number): void {
  const write = grants.kind[slot] === GRANT_WRITE;
  grants.kind[slot] = GRANT_NONE;
  grants.out--;
  Atomics.store(grants.ring.i32, slotWord(slot) + SLOT_GRANT, 0);
  if (write) dereference(grants.store, grants.ino[slot]);
  // What was freed meanwhile had to wait for this.
  drainLimbo(grants.store);
}

/** store.grantsOut: drops the reads that their clients have finished, then says whether any is left. */
function anyOut(grants: Grants): boolean {
  if (grants.out !== 0) dropFinished(grants);
  return grants.out !== 0 || anyPinned(grants);
}

function dropFinished(grants: Grants): void {
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    if (grants.kind[slot] !== GRANT_READ) continue;
    if (Atomics.load(grants.ring.i32, slotWord(slot) + SLOT_GRANT) !== 0) continue;
    grants.kind[slot] = GRANT_NONE;
    grants.out--;
  }
}

/**
 * Does a client overwrite blocks by itself (adr 0006)? It pins before it looks at the inode's sequence, and
 * blocks are freed after the sequence has become odd: so either it sees that, or its pin is seen here.
 */
function anyPinned(grants: Grants): boolean {
  const { i32 } = grants.ring;
  const claimed = Atomics.load(i32, PAGE_SIZE / 4 + RING_HEADER_SLOTS_HIGH) >>> 0;
  if (claimed > grants.high) grants.high = Math.min(claimed, SLOTS_MAX);
  for (let slot = 0, word = slotWord(0); slot < grants.high; slot++, word += SLOT_RECORD_WORDS) {
    if (Atomics.load(i32, word + SLOT_GRANT) === GRANT_PINNED) return true;
  }
  return false;
}
