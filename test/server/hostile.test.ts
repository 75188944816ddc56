/**
 * A client that lies, at random and by seed, and one that does not: the server answers both, keeps its tables
 * whole, and the honest one never notices.
 */
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { DONE, slotWord } from '../../ringbuf/ring.ts';
import { dispatch } from '../../src/server/dispatch.ts';
import { needsSweep } from '../../src/server/nodes.ts';
import { reclaimProcess, reclaimSlots, sweepDescriptions } from '../../src/server/reclaim.ts';
import { tendLocks } from '../../src/server/requests/locks.ts';
import { sweepSpecial } from '../../src/server/requests/special.ts';
import { checkStore } from '../../src/store/check.ts';
import { uniqueSession } from '../setup/run.ts';
import { createRandom, fillRequest, type Hostile, wideOrNarrow } from './hostile.ts';
import { createLoopback, type Loopback } from './loopback.ts';

const CAMPAIGNS = Number(process.env.BTFUSE_HOSTILE_CAMPAIGNS ?? 10);
const SEED = Number(process.env.BTFUSE_HOSTILE_SEED ?? 1);
const REQUESTS = 20_000;
const HOSTILE_SLOT = 1;
const HOSTILE_PROCESS = 3;
const MINE = { uid: 0, gid: 0, process: 2, slot: 0 } as const;
const O_RDWR_CREAT_EXCL = 0o302;
/** What the liar may bring about for everybody: no room is left. */
const NO_ROOM = [-28, -23, -37];

function makeProcess(t: Loopback, index: number): void {
  const word = (layout.RING_PROCESSES_OFFSET + index * layout.PROCESS_RECORD_SIZE) / 4;
  t.i32[word + layout.PROCESS_STATE] = layout.PROCESS_STATE_LIVE;
  t.i32[word + layout.PROCESS_PID] = process.pid;
}

/** The honest client: everything in a directory that nobody else may enter. */
function behave(t: Loopback, turn: number): void {
  const path = `good/${turn}`;
  const text = `${turn} `.repeat(1 + (turn % 400));
  const made = t.request(layout.OP_CREATE, {
    ...MINE,
    path,
    flags: O_RDWR_CREAT_EXCL,
    mode: 0o600,
  });
  if (NO_ROOM.includes(made.status)) return;
  expect(made.status).toBe(0);
  const { description } = made;
  const written = t.request(layout.OP_WRITE, { ...MINE, description, data: text });
  if (written.status === 0) {
    expect(written.result).toBe(text.length);
    const back = t.request(layout.OP_READ, { ...MINE, description, size: text.length + 1 });
    expect(back.payload.toString()).toBe(text);
    const found = t.request(layout.OP_LOOKUP, { ...MINE, path });
    expect([found.status, found.size, found.nlink]).toEqual([0, text.length, 1]);
  } else expect(NO_ROOM).toContain(written.status);
  expect(t.request(layout.OP_UNLINK, { ...MINE, path }).status).toBe(0);
  t.release(description);
}

/** Words of its process record and of descriptions: a client can write there as it likes. */
function garble(t: Loopback, hostile: Hostile): void {
  const { random, i32 } = hostile;
  const record = (layout.RING_PROCESSES_OFFSET + HOSTILE_PROCESS * layout.PROCESS_RECORD_SIZE) / 4;
  i32[record + random.below(layout.PROCESS_RECORD_SIZE / 4)] = wideOrNarrow(random);
  const table = (layout.RING_FD_TABLES_OFFSET + HOSTILE_PROCESS * layout.RING_FD_TABLE_SIZE) / 4;
  i32[table + random.below(200)] = wideOrNarrow(random);
  const id = hostile.held.at(-1) ?? 1;
  if (id === 1) return;
  const state = layout.RING_DESCRIPTIONS_OFFSET / 4 + id * layout.DESCRIPTION_STATE_RECORD_WORDS;
  i32[state + random.below(7)] = wideOrNarrow(random);
  i32[slotWord(HOSTILE_SLOT) + layout.SLOT_GRANT] = random.below(3);
  t.server.u8[layout.RING_QUERIED_OFFSET + random.below(layout.QUERIED_MAX)] = random.below(256);
}

/** What the worker does between batches, and what the scan of dead clients makes it do. */
function tend(t: Loopback, turn: number): void {
  tendLocks(t.server);
  if (needsSweep(t.server.nodes)) sweepSpecial(t.server);
  if (turn % 10 === 0) sweepDescriptions(t.server);
  if (turn % 25 === 0) reclaimSlots(t.server);
}

function start(seed: number): { t: Loopback; hostile: Hostile } {
  const t = createLoopback({ bytes: 16 << 20, inodes: 4096 }, 0o755, uniqueSession('hostile'));
  makeProcess(t, MINE.process);
  makeProcess(t, HOSTILE_PROCESS);
  for (const [path, mode] of [
    ['good', 0o700],
    ['h', 0o777],
  ] as const)
    expect(t.request(layout.OP_MKDIR, { ...MINE, path, mode }).status).toBe(0);
  const home = t.request(layout.OP_OPEN, { ...MINE, path: 'h', flags: 0o200000 }).description;
  const { i32, server } = t;
  const random = createRandom(seed);
  const hostile = { random, i32, u8: server.u8, slot: HOSTILE_SLOT, held: [], home };
  return { t, hostile };
}

function attack(t: Loopback, hostile: Hostile, requests: number): void {
  const word = slotWord(HOSTILE_SLOT);
  for (let i = 0; i < requests; i++) {
    fillRequest(hostile);
    if (i % 16 === 0) garble(t, hostile);
    const opened = t.server.descriptions.opened;
    if (dispatch(t.server, HOSTILE_SLOT) !== DONE) throw new Error('a request stays open');
    if (t.server.descriptions.opened !== opened) {
      hostile.held.push(t.i32[word + layout.SLOT_REPLY_DESCRIPTION]);
      if (hostile.held.length > 64) hostile.held.shift();
    }
    if (i % 100 !== 99) continue;
    tend(t, Math.floor(i / 100));
    behave(t, i);
  }
}

/** Both are gone: nothing may be left that they held. */
function finish(t: Loopback): void {
  const record = (layout.RING_PROCESSES_OFFSET / 4) | 0;
  for (let index = 1; index < layout.PROCESSES_MAX; index++) {
    const at = record + (index * layout.PROCESS_RECORD_SIZE) / 4;
    reclaimProcess(t.server, index, t.i32[at + layout.PROCESS_GENERATION]);
  }
  sweepSpecial(t.server);
  sweepDescriptions(t.server);
}

function verdict(t: Loopback): void {
  const problems = checkStore(t.store);
  finish(t);
  const after = checkStore(t.store);
  const used = t.store.i32[t.server.descriptions.table.usedWord];
  const { logged } = t;
  const { failures } = t.server;
  t.close();
  expect({ logged, failures, problems, after, used }).toEqual({
    logged: [],
    failures: 0,
    problems: [],
    after: [],
    used: 0,
  });
}

test.each(Array.from({ length: CAMPAIGNS }, (_, i) => SEED + i))(
  'random requests, seed %i',
  (seed) => {
    const { t, hostile } = start(seed);
    attack(t, hostile, REQUESTS);
    verdict(t);
  },
  60_000,
);

test('requests that change while they are served', async () => {
  const { t, hostile } = start(4711);
  const running = new SharedArrayBuffer(4);
  new Int32Array(running)[0] = 1;
  const scribble = { ringFd: t.server.ring.segment.fd, slot: HOSTILE_SLOT, seed: 12, running };
  const thread = new Worker(new URL('fixtures/scribble.ts', import.meta.url), {
    workerData: scribble,
  });
  const ended = new Promise((resolve, reject) => thread.on('exit', resolve).on('error', reject));
  await new Promise((resolve) => thread.on('online', resolve));
  try {
    attack(t, hostile, 2 * REQUESTS);
  } finally {
    Atomics.store(new Int32Array(running), 0, 0);
    await ended;
  }
  verdict(t);
}, 60_000);
