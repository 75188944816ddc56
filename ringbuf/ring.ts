/**
 * The server's half of the ring (PROTOCOL.md): one thread takes the bits that clients set, serves their
 * slots and parks when there is nothing to do. Who may lie: every client, in every word that it can
 * write. A lie costs its own answer; nothing here loops on, indexes by or waits for a client's word
 * without a bound.
 */
import { constants as os } from 'node:os';
import {
  LEAVES_MAX,
  PAGE_SIZE,
  PROCESS_RECORD_WORDS,
  PROCESS_STATE,
  PROCESS_STATE_FREE,
  PROCESSES_MAX,
  RENDEZVOUS_SPIN_US,
  REQUEST_NO_REPLY,
  RING_HEADER_BELL,
  RING_HEADER_HEARTBEAT,
  RING_HEADER_PARKED,
  RING_HEADER_SERVER_CPU,
  RING_HEADER_SERVER_TID,
  RING_HEADER_SLOT_HINT,
  RING_HEADER_SPIN_US,
  RING_HEADER_STOP,
  RING_HEADER_SUMMARY,
  RING_LEAF_STRIDE,
  RING_LEAVES_OFFSET,
  RING_PROCESSES_OFFSET,
  RING_SLABS_OFFSET,
  RING_SLOTS_OFFSET,
  SLAB_SIZE,
  SLOT_CPU,
  SLOT_GENERATION,
  SLOT_GRANT,
  SLOT_OWNER,
  SLOT_PROCESS,
  SLOT_RECORD_WORDS,
  SLOT_REQUEST_FLAGS,
  SLOT_STATE,
  SLOT_STATE_DONE,
  SLOT_STATE_IDLE,
  SLOT_STATE_REQUEST,
  SLOT_STATE_SLEEPING,
  SLOT_STATUS,
  SLOTS_MAX,
  SLOTS_PER_LEAF,
} from './layout.gen.ts';
import { type Native, native } from './native.ts';
import { createPlacement, type Placement } from './placement.ts';
import type { Segment } from './segment.ts';
import type { Waiter } from './waiters.ts';

const HEADER = PAGE_SIZE / 4;
const BELL = HEADER + RING_HEADER_BELL;
const PARKED = HEADER + RING_HEADER_PARKED;
const SUMMARY = HEADER + RING_HEADER_SUMMARY;
const STOP = HEADER + RING_HEADER_STOP;
const LEAVES = RING_LEAVES_OFFSET / 4;
const LEAF_WORDS = RING_LEAF_STRIDE / 4;
const SLOTS = RING_SLOTS_OFFSET / 4;

/** What a handler returns: answered, or to be answered later by complete(). */
export const DONE = 0;
export const PENDING = 1;
export type Handler = (slot: number) => typeof DONE | typeof PENDING;

/** The serving thread's view of a ring; other threads use it for ringBell() and requestStop(). */
export interface Ring {
  readonly segment: Segment;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly native: Native;
  /** Slots whose handler said PENDING: the ticket that completes them, 0 for none. Private: no client can lie. */
  readonly pending: Uint32Array;
  /** Bytes of each slab that this server has backed itself. */
  readonly slabs: Uint32Array;
  tickets: number;
  /** Slots served last, watched by serveRecent(); and which of them the next one replaces. */
  readonly recent: Uint32Array;
  recentNext: number;
}

/** What a turn of serving found out. */
interface Batch {
  /** A client posted from our own CPU. */
  shared: boolean;
}

export interface ServeOptions {
  /** How long the idle server spins before it parks; RENDEZVOUS_SPIN_US by default. */
  readonly spinUs?: number;
  /**
   * Called before every park and every HOOK_BATCHES batches: control messages, reclaiming. Whoever has
   * news for it makes them visible first, then calls ringBell().
   */
  readonly hook?: () => void;
  /** How long a park lasts at most; SAFETY_TIMEOUT_US by default. */
  readonly safetyTimeoutUs?: number;
  /** Asked before every park: a shorter one, where the handler has something to look after. */
  readonly parkUs?: () => number | undefined;
}

const HOOK_BATCHES = 1024;
/** Slots that are watched directly, looks at them between two looks at the summary, most served in a row. */
const RECENT = 4;
const RECENT_POLLS = 128;
const RECENT_BATCH = 64;
/** The idle server offers its CPU so often: a client on it would otherwise wait out the whole spin. */
const YIELD_US = 5;
/** Between two looks at every leaf, when nobody rings: a bound on the harm of any mistake. */
const SAFETY_TIMEOUT_US = 500_000;
/** Loads of the summary between two looks at the clock, to begin with. */
const FIRST_BURST = 256;

export function openRing(segment: Segment): Ring {
  return {
    segment,
    i32: segment.i32,
    native: native(),
    pending: new Uint32Array(SLOTS_MAX),
    slabs: new Uint32Array(SLOTS_MAX),
    tickets: 0,
    recent: new Uint32Array(RECENT),
    recentNext: 0,
  };
}

/** Index of the slot's first word in `ring.i32`. */
export const slotWord = (slot: number): number => SLOTS + slot * SLOT_RECORD_WORDS;
/** Byte offset of the slot's slab in the ring segment. */
export const slabOffset = (slot: number): number => RING_SLABS_OFFSET + slot * SLAB_SIZE;

/**
 * Serves until requestStop(). Runs on the calling thread, which must do nothing else. When it returns,
 * every request that was under way has been answered with -EIO.
 */
export function serve(
  ring: Ring,
  handler: Handler,
  waiter: Waiter,
  options: ServeOptions = {},
): void {
  const { i32 } = ring;
  const spinUs = options.spinUs ?? RENDEZVOUS_SPIN_US;
  const hook = options.hook ?? (() => {});
  const timeoutUs = options.safetyTimeoutUs ?? SAFETY_TIMEOUT_US;
  const placement = createPlacement(ring.native);
  const spinner = { burst: FIRST_BURST };
  i32[HEADER + RING_HEADER_SPIN_US] = spinUs;
  i32[HEADER + RING_HEADER_SERVER_CPU] = placement.cpu;
  Atomics.store(i32, HEADER + RING_HEADER_SERVER_TID, ring.native.gettid());
  const batch: Batch = { shared: false };
  let batches = 0;
  while (Atomics.load(i32, STOP) === 0) {
    if (serveRecent(ring, handler, batch, placement.cpu)) {
      if (++batches % HOOK_BATCHES === 0) hook();
      publishPlacement(ring, placement, batches, batch.shared);
    }
    if (Atomics.load(i32, SUMMARY) !== 0) {
      const shared = serveBatch(ring, handler, placement.cpu);
      if (++batches % HOOK_BATCHES === 0) hook();
      publishPlacement(ring, placement, batches, shared);
    } else if (!spin(ring, spinner, spinUs, placement)) {
      park(ring, waiter, hook, () => options.parkUs?.() ?? timeoutUs);
      placement.woke();
      publishPlacement(ring, placement, 0, false);
    }
  }
  refuseAll(ring);
}

/**
 * A client that has just been served is the likeliest to ask next: its slot is watched directly, so that the
 * two bitmap words stay in the clients' caches (a third of the warm round trip). The bits are set all the
 * same; whoever is not watched waits for a look at the summary, at most RECENT_POLLS later. True when
 * something was served.
 */
function serveRecent(ring: Ring, handler: Handler, batch: Batch, cpu: number): boolean {
  const { i32, recent } = ring;
  let served = 0;
  batch.shared = false;
  for (let left = RECENT_POLLS; left > 0; left--) {
    for (let i = 0; i < RECENT; i++) {
      const word = SLOTS + recent[i] * SLOT_RECORD_WORDS;
      if (Atomics.load(i32, word + SLOT_STATE) !== SLOT_STATE_REQUEST) continue;
      if (ring.pending[recent[i]] !== 0) continue;
      if (i32[word + SLOT_CPU] === cpu) batch.shared = true;
      serveSlot(ring, handler, recent[i]);
      left = RECENT_POLLS;
      // The others' turn, and the control plane's.
      if (++served === RECENT_BATCH || batch.shared) return true;
    }
  }
  return served !== 0;
}

function watch(ring: Ring, slot: number): void {
  const { recent } = ring;
  for (let i = 0; i < RECENT; i++) if (recent[i] === slot) return;
  recent[ring.recentNext++ % RECENT] = slot;
}

/** Serves every slot whose bit is set. True when a client posted from our own CPU. */
function serveBatch(ring: Ring, handler: Handler, cpu: number): boolean {
  const { i32 } = ring;
  let shared = false;
  let leaves = Atomics.exchange(i32, SUMMARY, 0);
  while (leaves !== 0) {
    const leaf = 31 - Math.clz32(leaves & -leaves);
    leaves &= leaves - 1;
    let bits = Atomics.exchange(i32, LEAVES + leaf * LEAF_WORDS, 0);
    while (bits !== 0) {
      const slot = leaf * SLOTS_PER_LEAF + (31 - Math.clz32(bits & -bits));
      bits &= bits - 1;
      const word = SLOTS + slot * SLOT_RECORD_WORDS;
      // The bit of a watched slot is often a request that has been served already.
      if (Atomics.load(i32, word + SLOT_STATE) === SLOT_STATE_IDLE) continue;
      if (i32[word + SLOT_CPU] === cpu) shared = true;
      watch(ring, slot);
      serveSlot(ring, handler, slot);
    }
  }
  return shared;
}

function serveSlot(ring: Ring, handler: Handler, slot: number): void {
  const { i32, pending } = ring;
  const word = SLOTS + slot * SLOT_RECORD_WORDS;
  const state = Atomics.load(i32, word + SLOT_STATE);
  if (state !== SLOT_STATE_REQUEST && state !== SLOT_STATE_SLEEPING) return;
  if (pending[slot] !== 0) return;
  const flags = i32[word + SLOT_REQUEST_FLAGS];
  if (handler(slot) === PENDING) {
    if (pending[slot] === 0) nextTicket(ring, slot);
    return;
  }
  pending[slot] = 0;
  answer(ring, word, flags);
}

/** The reply fields are written: hands the slot back to its owner. */
function answer(ring: Ring, word: number, flags: number): void {
  const { i32 } = ring;
  const next = (flags & REQUEST_NO_REPLY) !== 0 ? SLOT_STATE_IDLE : SLOT_STATE_DONE;
  const before = Atomics.exchange(i32, word + SLOT_STATE, next);
  if (before === SLOT_STATE_SLEEPING) {
    ring.native.futexWake(ring.segment.id, (word + SLOT_STATE) * 4, 1);
  }
}

// ---- requests that are answered later ---------------------------------------------------------------

/** In a handler that is about to return PENDING: the ticket that complete() wants. */
export function nextTicket(ring: Ring, slot: number): number {
  ring.tickets = (ring.tickets + 1) >>> 0 || 1;
  ring.pending[slot] = ring.tickets;
  return ring.tickets;
}

/** True while the request of this ticket still waits: its client may have died since. */
export function isPending(ring: Ring, slot: number, ticket: number): boolean {
  return ticket !== 0 && ring.pending[slot] === ticket;
}

/** Answers a PENDING request whose reply fields are written. False: it was taken back meanwhile. */
export function complete(ring: Ring, slot: number, ticket: number): boolean {
  if (!isPending(ring, slot, ticket)) return false;
  ring.pending[slot] = 0;
  const word = slotWord(slot);
  answer(ring, word, ring.i32[word + SLOT_REQUEST_FLAGS]);
  return true;
}

// ---- idling -------------------------------------------------------------------------------------------

/**
 * Waits for a bit without sleeping. False when `spinUs` have passed. A busy client's next request comes
 * within the first burst, before any look at the clock.
 */
function spin(
  ring: Ring,
  spinner: { burst: number },
  spinUs: number,
  placement: Placement,
): boolean {
  if (spinUs <= 0) return false;
  const { i32 } = ring;
  if (poll(i32, spinner.burst)) return true;
  const start = performance.now();
  let before = start;
  for (;;) {
    if (poll(i32, spinner.burst) || Atomics.load(i32, STOP) !== 0) return true;
    const now = performance.now();
    // Bursts of about YIELD_US on whatever machine this is.
    if (now - before < YIELD_US / 2000) spinner.burst = Math.min(spinner.burst * 2, 1 << 16);
    else if (now - before > YIELD_US / 500) spinner.burst = Math.max(spinner.burst >> 1, 16);
    if (now - start >= spinUs / 1000) return false;
    if (!placement.offerCpu()) return false;
    before = performance.now();
  }
}

function poll(i32: Int32Array, loads: number): boolean {
  for (let i = loads; i > 0; i--) {
    if (Atomics.load(i32, SUMMARY) !== 0) return true;
  }
  return false;
}

/**
 * The eventcount: read the bell, say that we park, look once more, sleep until the bell changes. A client
 * sets its bits before it looks at PARKED, so either we see the bits or it sees us parked and rings.
 */
function park(ring: Ring, waiter: Waiter, hook: () => void, timeoutUs: () => number): void {
  const { i32 } = ring;
  const bell = Atomics.load(i32, BELL);
  Atomics.store(i32, PARKED, 1);
  hook();
  if (Atomics.load(i32, SUMMARY) === 0 && Atomics.load(i32, STOP) === 0) {
    const rung = waiter.wait(bell, timeoutUs());
    if (!rung) lookEverywhere(i32);
  }
  Atomics.store(i32, PARKED, 0);
}

/** Sets the summary from the leaves, as if every client had done so itself. */
function lookEverywhere(i32: Int32Array): void {
  for (let leaf = 0; leaf < LEAVES_MAX; leaf++) {
    if (Atomics.load(i32, LEAVES + leaf * LEAF_WORDS) !== 0) Atomics.or(i32, SUMMARY, 1 << leaf);
  }
}

function publishPlacement(
  ring: Ring,
  placement: Placement,
  batches: number,
  shared: boolean,
): void {
  if (!placement.served(batches, shared)) return;
  ring.i32[HEADER + RING_HEADER_SERVER_CPU] = placement.cpu;
  ring.i32[HEADER + RING_HEADER_HEARTBEAT]++;
}

// ---- from other threads ---------------------------------------------------------------------------------

/** Makes the serving thread run its hook soon, parked or not. */
export function ringBell(ring: Ring): void {
  Atomics.add(ring.i32, BELL, 1);
  ring.native.futexWake(ring.segment.id, BELL * 4, 1);
}

/** Ends serve(); clients that wait, and those that come, get EIO. */
export function requestStop(ring: Ring): void {
  Atomics.store(ring.i32, STOP, 1);
  ringBell(ring);
}

// ---- on the serving thread only ---------------------------------------------------------------------------

function refuseAll(ring: Ring): void {
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const word = slotWord(slot);
    const state = Atomics.load(ring.i32, word + SLOT_STATE);
    if (state !== SLOT_STATE_REQUEST && state !== SLOT_STATE_SLEEPING) continue;
    ring.pending[slot] = 0;
    ring.i32[word + SLOT_STATUS] = -os.errno.EIO;
    answer(ring, word, ring.i32[word + SLOT_REQUEST_FLAGS]);
  }
}

/**
 * Takes back the slot of a dead client, whatever it was doing; its request is never served. The caller has
 * undone what the slot's last request left (a grant, an answer that nobody took).
 */
export function reclaimSlot(ring: Ring, slot: number): void {
  const { i32 } = ring;
  const word = slotWord(slot);
  ring.pending[slot] = 0;
  Atomics.add(i32, word + SLOT_GENERATION, 1);
  i32[word + SLOT_GRANT] = 0;
  i32[word + SLOT_PROCESS] = 0;
  Atomics.store(i32, word + SLOT_STATE, SLOT_STATE_IDLE);
  // A thread that we wrongly took for dead wakes up, finds its slot gone and claims another.
  ring.native.futexWake(ring.segment.id, (word + SLOT_STATE) * 4, 1);
  i32[HEADER + RING_HEADER_SLOT_HINT] = slot;
  Atomics.store(i32, word + SLOT_OWNER, 0);
}

/** OWNER_PROCESS and a process record: threads of another pid namespace hold slots as long as it is not free. */
function recordLives(ring: Ring, owner: number): boolean {
  const word = RING_PROCESSES_OFFSET / 4 + (owner & 0xffff) * PROCESS_RECORD_WORDS;
  return (
    (owner & 0xffff) < PROCESSES_MAX &&
    Atomics.load(ring.i32, word + PROCESS_STATE) !== PROCESS_STATE_FREE
  );
}

/**
 * Slots whose owner is no more. A thread id that any process has is taken for alive, whatever process the
 * slot names: the child of a vfork works in its parent's slot.
 */
export function deadSlots(ring: Ring): number[] {
  const dead: number[] = [];
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const owner = Atomics.load(ring.i32, slotWord(slot) + SLOT_OWNER);
    if (owner === 0) continue;
    const lives = owner < 0 ? recordLives(ring, owner) : ring.native.threadAlive(0, owner);
    if (!lives) dead.push(slot);
  }
  return dead;
}

/**
 * Room for `bytes` of reply in the slab, backed: the client's word for it (slab_backed) is not enough, for
 * a full /dev/shm would be SIGBUS. 0 or -errno.
 */
export function backSlab(ring: Ring, slot: number, bytes: number): number {
  if (bytes <= ring.slabs[slot]) return 0;
  if (bytes > SLAB_SIZE) return -os.errno.ENOMEM;
  let wanted = PAGE_SIZE * 4;
  while (wanted < bytes) wanted *= 2;
  const result = ring.native.allocate(ring.segment.fd, slabOffset(slot), wanted);
  if (result === 0) ring.slabs[slot] = wanted;
  return result;
}
