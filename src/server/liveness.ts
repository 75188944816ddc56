/**
 * Finds client processes that have ended, by pidfd: a zombie counts as dead, a reused pid does not fool it.
 * Runs in the main thread on a timer; the serving worker does the reclaiming.
 */
import {
  NAMESPACE_FOREIGN,
  PAGE_SIZE,
  PROCESS_GENERATION,
  PROCESS_NAMESPACES,
  PROCESS_PARENT,
  PROCESS_PID,
  PROCESS_STATE,
  PROCESS_STATE_EXITED,
  PROCESS_STATE_FORKING,
  PROCESS_STATE_FREE,
  PROCESSES_MAX,
  RING_HEADER_SLOTS_FULL,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { ESRCH } from '../store/errno.ts';
import type { DeadProcess } from './control.ts';
import { processWord } from './request.ts';

const SCAN_MS = 250;
/** While many records are in use, soon freed ones are wanted back. */
const BUSY_SCAN_MS = 10;
const BUSY_RECORDS = PROCESSES_MAX / 4;
/** A child that was promised (FORKING) by a parent that is dead since may still be about to run. */
const ORPHAN_MS = 2000;
/** A process that claimed a record and never came to fill it. */
const ATTACH_MS = 60_000;

export interface Liveness {
  /** Processes found dead since the last scan. Each is reported until its record has changed. */
  scan(): DeadProcess[];
  /** True when clients have found no free slot since the last question. */
  slotsWanted(): boolean;
  /** Records that were in use at the last scan. */
  readonly inUse: number;
  /** When to scan next. */
  readonly delayMs: number;
  close(): void;
}

interface Watched {
  pid: number;
  pidfd: number;
  generation: number;
  /** performance.now() when the record was first seen without a living process. */
  doubtfulSince: number;
}

/**
 * A process in a pid namespace of its own, whose number means nothing here, holds a lock on its record in the
 * ring's file for as long as it lives.
 */
export function showsLife(ringFd: number, index: number): boolean {
  return native().isRangeLocked(ringFd, processWord(index) * 4);
}

export function createLiveness(i32: Int32Array, ringFd: number): Liveness {
  const addon = native();
  const watched: Watched[] = Array.from({ length: PROCESSES_MAX }, () => ({
    pid: 0,
    pidfd: -1,
    generation: -1,
    doubtfulSince: 0,
  }));
  const slotsFull = PAGE_SIZE / 4 + RING_HEADER_SLOTS_FULL;
  let slotsFullSeen = 0;

  function forget(entry: Watched): void {
    if (entry.pidfd >= 0) addon.close(entry.pidfd);
    entry.pid = 0;
    entry.pidfd = -1;
    entry.doubtfulSince = 0;
  }

  function doubtfulFor(entry: Watched, ms: number): boolean {
    const now = performance.now();
    if (entry.doubtfulSince === 0) entry.doubtfulSince = now;
    return now - entry.doubtfulSince > ms;
  }

  /** Follows the record; true when its process never was, or is gone already. */
  function follow(index: number): boolean {
    const entry = watched[index];
    const word = processWord(index);
    const recordState = Atomics.load(i32, word + PROCESS_STATE);
    const generation = i32[word + PROCESS_GENERATION];
    const pid = i32[word + PROCESS_PID];
    if (entry.generation !== generation || entry.pid !== pid) {
      forget(entry);
      entry.generation = generation;
    }
    if (recordState === PROCESS_STATE_FREE) return false;
    liveness.inUse++;
    const foreign = i32[word + PROCESS_NAMESPACES] & NAMESPACE_FOREIGN;
    if (foreign !== 0 && recordState === PROCESS_STATE_EXITED && pid === 0) return true;
    if (foreign !== 0 && recordState !== PROCESS_STATE_FORKING) return !showsLife(ringFd, index);
    if (pid > 0 && foreign === 0) return watch(entry, pid);
    if (recordState === PROCESS_STATE_EXITED) return true;
    if (recordState !== PROCESS_STATE_FORKING) return doubtfulFor(entry, ATTACH_MS);
    const parent = i32[word + PROCESS_PARENT] >>> 0;
    if (parent === 0 || parent >= PROCESSES_MAX) return doubtfulFor(entry, ATTACH_MS);
    if (Atomics.load(i32, processWord(parent) + PROCESS_STATE) !== PROCESS_STATE_FREE) {
      entry.doubtfulSince = 0;
      return false;
    }
    return doubtfulFor(entry, ORPHAN_MS);
  }

  /** True when there is no such process. One that cannot be watched is taken for alive. */
  function watch(entry: Watched, pid: number): boolean {
    if (entry.pidfd >= 0) return false;
    entry.pid = pid;
    entry.pidfd = addon.pidfdOpen(pid);
    return entry.pidfd === -ESRCH;
  }

  const liveness = {
    inUse: 0,
    delayMs: SCAN_MS,
    scan(): DeadProcess[] {
      const dead: DeadProcess[] = [];
      const indices: number[] = [];
      liveness.inUse = 0;
      for (let index = 1; index < PROCESSES_MAX; index++) {
        if (follow(index)) dead.push({ index, generation: watched[index].generation });
        else if (watched[index].pidfd >= 0) indices.push(index);
      }
      const fds = Int32Array.from(indices, (index) => watched[index].pidfd);
      for (const at of addon.pidfdsEnded(fds)) {
        const index = indices[at];
        dead.push({ index, generation: watched[index].generation });
      }
      liveness.delayMs = liveness.inUse > BUSY_RECORDS ? BUSY_SCAN_MS : SCAN_MS;
      return dead;
    },
    slotsWanted(): boolean {
      const count = i32[slotsFull];
      const wanted = count !== slotsFullSeen;
      slotsFullSeen = count;
      return wanted;
    },
    close(): void {
      for (const entry of watched) forget(entry);
    },
  };
  return liveness;
}
