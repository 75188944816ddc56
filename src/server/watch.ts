/**
 * Is anybody of those who hold locks dead? Asked by the serving thread when a lock is in the way, so that who has
 * seen a process end (waitpid) never meets its locks, and every few milliseconds while somebody waits. The main
 * thread's timer (liveness.ts) finds the others.
 */
import {
  NAMESPACE_FOREIGN,
  PROCESS_GENERATION,
  PROCESS_NAMESPACES,
  PROCESS_PID,
  PROCESS_STATE,
  PROCESS_STATE_FREE,
  PROCESS_STATE_LIVE,
  PROCESSES_MAX,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { ESRCH } from '../store/errno.ts';
import { showsLife } from './liveness.ts';
import { reclaimProcess, reclaimSlots, sweepDescriptions } from './reclaim.ts';
import { processWord, type Server } from './request.ts';

export interface Watch {
  /** By process record: a pidfd, or -1; and whose it is. */
  readonly fds: Int32Array;
  readonly pids: Int32Array;
  readonly generations: Int32Array;
  /** Processes were reclaimed, and the slots and descriptions that they left were not looked for yet. */
  reaped: boolean;
}

export function createWatch(): Watch {
  return {
    fds: new Int32Array(PROCESSES_MAX).fill(-1),
    pids: new Int32Array(PROCESSES_MAX),
    generations: new Int32Array(PROCESSES_MAX),
    reaped: false,
  };
}

/** Follows the record of a process → false when there is no such process any more. */
function follow(watch: Watch, i32: Int32Array, ringFd: number, index: number): boolean {
  const word = processWord(index);
  const free = Atomics.load(i32, word + PROCESS_STATE) === PROCESS_STATE_FREE;
  const pid = free ? 0 : i32[word + PROCESS_PID];
  const generation = i32[word + PROCESS_GENERATION];
  const foreign = i32[word + PROCESS_NAMESPACES] & NAMESPACE_FOREIGN;
  if (foreign !== 0 && pid > 0) {
    if (watch.fds[index] >= 0) native().close(watch.fds[index]);
    watch.fds[index] = -1;
    watch.pids[index] = 0;
    return (
      Atomics.load(i32, word + PROCESS_STATE) !== PROCESS_STATE_LIVE || showsLife(ringFd, index)
    );
  }
  if (watch.pids[index] === pid && watch.generations[index] === generation) return true;
  if (watch.fds[index] >= 0) native().close(watch.fds[index]);
  watch.fds[index] = -1;
  watch.pids[index] = 0;
  if (pid <= 0) return true;
  const fd = native().pidfdOpen(pid);
  if (fd < 0) return fd !== -ESRCH;
  watch.fds[index] = fd;
  watch.pids[index] = pid;
  watch.generations[index] = generation;
  return true;
}

/** Takes back what dead processes held → true when there were any. */
export function reapDead(server: Server): boolean {
  const { i32, watch } = server;
  const dead: number[] = [];
  const indices: number[] = [];
  for (let index = 1; index < PROCESSES_MAX; index++) {
    if (!follow(watch, i32, server.ring.segment.fd, index)) dead.push(index);
    else if (watch.fds[index] >= 0) indices.push(index);
  }
  const fds = Int32Array.from(indices, (index) => watch.fds[index]);
  for (const at of native().pidfdsEnded(fds)) dead.push(indices[at]);
  let any = false;
  for (const index of dead)
    if (reclaimProcess(server, index, i32[processWord(index) + PROCESS_GENERATION])) any = true;
  if (any) watch.reaped = true;
  return any;
}

/** Between batches: the rest of what the reclaimed processes left. */
export function afterReaping(server: Server): void {
  if (!server.watch.reaped) return;
  server.watch.reaped = false;
  reclaimSlots(server);
  sweepDescriptions(server);
}
