/**
 * Where the serving thread runs. With few CPUs the danger is a client and the server stuck on one: each
 * then waits for the other to be descheduled. The server yields after a batch from its own CPU, and
 * after many in a row it moves away. A server that parks between requests stays: waking on the
 * client's CPU is an order of magnitude cheaper than waking another one.
 *
 * A yield to a stranger with work of its own costs a whole time slice, or several. One that took that long
 * is the last for a while: on a crowded CPU only sleeping helps, since sleepers are let in first.
 */
import type { Native } from './native.ts';

/** Batches from our own CPU in a row, without a park, before the thread moves. */
const SHARED_BATCHES_MAX = 48;
/** At most one move in so many milliseconds. */
const MOVE_INTERVAL_MS = 20;
/** Batches between two looks at which CPU this is. */
const LOOK_EVERY = 64;
/** A yield that takes longer went to a stranger. */
const STRANGER_MS = 0.2;
/** How long our CPU then counts as crowded. */
const CROWDED_MS = 100;

export interface Placement {
  /** CPU that the thread was last seen on. */
  readonly cpu: number;
  /** After a batch. True when the CPU has changed or is due to be published. */
  served(batches: number, shared: boolean): boolean;
  /** Lets others run. False: our CPU is crowded, sleep instead. */
  offerCpu(): boolean;
  /** After a sleep. */
  woke(): void;
}

export function createPlacement(native: Native): Placement {
  const everywhere = native.getAffinity(0);
  let row = 0;
  let lastMove = 0;
  let crowdedUntil = 0;
  const state = {
    cpu: native.currentCpu(),
    served(batches: number, shared: boolean): boolean {
      if (!shared) {
        row = 0;
        return batches % LOOK_EVERY === 0 && look();
      }
      if (++row > SHARED_BATCHES_MAX && move()) row = 0;
      else state.offerCpu();
      return look();
    },
    offerCpu(): boolean {
      const before = performance.now();
      if (before < crowdedUntil) return false;
      native.schedYield();
      const after = performance.now();
      if (after - before > STRANGER_MS) crowdedUntil = after + CROWDED_MS;
      return true;
    },
    woke(): void {
      row = 0;
      look();
    },
  };

  function look(): boolean {
    state.cpu = native.currentCpu();
    return true;
  }

  function move(): boolean {
    const now = performance.now();
    const others = everywhere & ~(1n << BigInt(state.cpu));
    if (others === 0n || now - lastMove < MOVE_INTERVAL_MS) return false;
    lastMove = now;
    // The kernel moves us at once when our CPU is no longer allowed, and leaves us there afterwards.
    native.setAffinity(0, others);
    native.setAffinity(0, everywhere);
    return true;
  }
  return state;
}
