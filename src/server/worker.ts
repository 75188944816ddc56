/**
 * The data plane: a worker thread that maps the segments, builds the store and serves the ring until it is
 * told to stop. It does nothing else, and its event loop never turns meanwhile.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  PAGE_SIZE,
  RING_HEADER_LIFE,
  SEGMENT_DATA,
  SEGMENT_RING,
  SEGMENT_STORE,
  SUPERBLOCK_DESCRIPTIONS_USED,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { openRing, serve } from '../../ringbuf/ring.ts';
import { openSegment } from '../../ringbuf/segment.ts';
import { createWaiter } from '../../ringbuf/waiters.ts';
import { drainLimbo } from '../store/blocks.ts';
import { loadProtections } from '../store/protections.ts';
import { createStore } from '../store/store.ts';
import { setWide } from '../store/wide.ts';
import {
  CONTROL_DESCRIPTIONS,
  CONTROL_FAILURES,
  CONTROL_NEWS,
  CONTROL_REQUESTS,
  CONTROL_SPECIAL,
  type FromWorker,
  type ToWorker,
  type WorkerInput,
} from './control.ts';
import { settleIdle } from './descriptions.ts';
import { dispatch } from './dispatch.ts';
import { flushGone } from './inotify.ts';
import { wakeAll } from './locks.ts';
import { needsSweep } from './nodes.ts';
import { reclaimProcess, reclaimSlots, sweepDescriptions } from './reclaim.ts';
import { createServer, type Server } from './request.ts';
import { answerImage } from './requests/control.ts';
import { tendLocks } from './requests/locks.ts';
import { sweepSpecial } from './requests/special.ts';
import { sweepWatches } from './watchers.ts';

const port = parentPort!;
const input = workerData as WorkerInput;
const control = new Int32Array(input.control);

function tell(message: FromWorker): void {
  port.postMessage(message);
}

function build(): Server {
  const open = (
    kind: typeof SEGMENT_RING | typeof SEGMENT_STORE | typeof SEGMENT_DATA,
    fd: number,
  ) => openSegment({ kind, fd, building: true });
  const ring = openRing(open(SEGMENT_RING, input.ringFd));
  const store = createStore(open(SEGMENT_STORE, input.storeFd), open(SEGMENT_DATA, input.dataFd), {
    bytes: input.bytes,
    inodes: input.inodes,
    uid: input.uid,
    gid: input.gid,
    mode: input.mode,
  });
  return createServer({
    store,
    ring,
    prefix: input.prefix,
    nodes: input.nodes,
    log: (sentence) => tell({ kind: 'log', sentence }),
    ...(input.images && {
      requestImage: (slot: number, ticket: number, path: string, loaded: boolean) =>
        tell({ kind: 'image', slot, ticket, path, loaded }),
    }),
  });
}

/** Freed blocks that may wait for grants to end: an eighth of the tree. */
const limboLimit = input.bytes / PAGE_SIZE / 8;
const LIMBO_INTERVAL_MS = 20;
let limboSettledAt = 0;

/** The grant that keeps so many freed blocks from reuse may be a dead thread's: nobody else will end it. */
function settleLimbo(server: Server): void {
  const now = performance.now();
  if (now - limboSettledAt < LIMBO_INTERVAL_MS) return;
  limboSettledAt = now;
  reclaimSlots(server);
  drainLimbo(server.store);
}

/** Between batches: figures for the main thread, and its messages. */
function hook(server: Server): void {
  settleIdle(server.descriptions);
  tendLocks(server);
  if (server.store.blocks.limboBlocks > limboLimit) settleLimbo(server);
  if (server.notifier.gone.length !== 0) flushGone(server.notifier);
  setWide(control, CONTROL_REQUESTS, server.requests);
  control[CONTROL_FAILURES] = server.failures;
  control[CONTROL_DESCRIPTIONS] =
    server.store.i32[server.store.superblockWord + SUPERBLOCK_DESCRIPTIONS_USED];
  control[CONTROL_SPECIAL] = needsSweep(server.nodes) || server.notifier.active ? 1 : 0;
  if (Atomics.load(control, CONTROL_NEWS) === 0) return;
  Atomics.store(control, CONTROL_NEWS, 0);
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
    if (received === undefined) return;
    take(server, received.message);
  }
}

function take(server: Server, message: ToWorker): void {
  switch (message.kind) {
    case 'reclaim':
      for (const { index, generation } of message.processes)
        reclaimProcess(server, index, generation);
      reclaimSlots(server);
      sweepDescriptions(server);
      return;
    case 'slots':
      reclaimSlots(server);
      return;
    case 'special':
      sweepSpecial(server);
      sweepWatches(server.notifier);
      return;
    case 'image':
      answerImage(server, message.slot, message.ticket, message.status, message.path);
      return;
  }
}

/** While somebody waits for a lock: the longest sleep, after which its holders are looked at. */
const LOCK_WAIT_PARK_US = 3000;

loadProtections();
const server = build();
const waiter = createWaiter(input.wait, server.ring.segment, native());
native().markAlive(server.ring.segment.id, PAGE_SIZE + RING_HEADER_LIFE * 4);
tell({ kind: 'ready' });
try {
  serve(server.ring, (slot) => dispatch(server, slot), waiter, {
    spinUs: input.spinUs,
    parkUs: () => (server.descriptions.locks.waiting.size === 0 ? undefined : LOCK_WAIT_PARK_US),
    hook: () => {
      // A mistake of ours in here must not end the service.
      try {
        hook(server);
      } catch (error) {
        server.failures++;
        server.log(`reclaiming failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    },
  });
} finally {
  wakeAll(server.descriptions.locks);
  waiter.close();
}
if (input.check) {
  const { checkStore } = await import('../store/check.ts');
  for (const fault of checkStore(server.store)) server.log(`the store is not sound: ${fault}`);
}
