/** Lock requests, sensible and hostile, as the dispatcher gets them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants as c } from 'node:fs';
import { constants as os } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import { endWait } from '../../src/server/locks.ts';
import { processWord } from '../../src/server/request.ts';
import { tendLocks } from '../../src/server/requests/locks.ts';
import { checkStore } from '../../src/store/check.ts';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  getExact,
  OFFSET_MAX,
  putExact,
} from '../../src/store/locks.ts';
import { createLoopback, type Loopback } from './loopback.ts';

const { EAGAIN, EBADF, EDEADLK, EINVAL, ESRCH } = os.errno;
const O_PATH = 0o10000000;

let t: Loopback;
let file: number;
beforeEach(() => {
  t = createLoopback();
  live(1);
  live(2);
  file = open('file');
});
afterEach(() => {
  const problems = checkStore(t.store);
  const { logged } = t;
  t.close();
  expect(problems).toEqual([]);
  expect(logged).toEqual([]);
});

function live(index: number, pid = process.pid): void {
  t.i32[processWord(index) + layout.PROCESS_PID] = pid;
  t.i32[processWord(index) + layout.PROCESS_STATE] = layout.PROCESS_STATE_LIVE;
}

function open(path: string, flags = c.O_RDWR): number {
  const fields = { path, flags: flags | c.O_CREAT, mode: 0o644, process: 1 };
  return t.request(layout.OP_CREATE, fields).description;
}

interface Wanted {
  readonly opcode?: number;
  readonly type?: number;
  readonly start?: bigint;
  readonly end?: bigint;
  readonly flags?: number;
  readonly process?: number;
  readonly slot?: number;
  readonly description?: number;
}

function lock(wanted: Wanted): number {
  const { opcode = layout.OP_SETLK, slot = wanted.process ?? 1, process = 1, flags = 0 } = wanted;
  const word = slotWord(slot);
  putExact(t.i32, word + layout.SLOT_LOCK_START, wanted.start ?? 0n);
  putExact(t.i32, word + layout.SLOT_LOCK_END, wanted.end ?? OFFSET_MAX);
  t.i32[word + layout.SLOT_LOCK_TYPE] = wanted.type ?? F_WRLCK;
  const description = wanted.description ?? file;
  return t.request(opcode, { slot, process, flags, description }).status;
}

const wakeOf = (slot: number): number => t.i32[slotWord(slot) + layout.SLOT_LOCK_WAKE];
const filterOf = (process: number): number =>
  t.i32[processWord(process) + layout.PROCESS_LOCK_FILTER] |
  t.i32[processWord(process) + layout.PROCESS_LOCK_FILTER + 1];
const heldOf = (): number => t.i32[layout.PAGE_SIZE / 4 + layout.RING_HEADER_LOCKS];

test('requests that make no sense cost their sender an errno', () => {
  expect(lock({ type: 3 })).toBe(-EINVAL);
  expect(lock({ type: -1 })).toBe(-EINVAL);
  expect(lock({ start: -1n })).toBe(-EINVAL);
  expect(lock({ start: 5n, end: 4n })).toBe(-EINVAL);
  expect(lock({ end: -1n })).toBe(-EINVAL);
  expect(lock({ flags: 3 })).toBe(-EINVAL);
  expect(lock({ flags: 4 })).toBe(-EINVAL);
  expect(lock({ process: 0, slot: 1 })).toBe(-ESRCH);
  expect(lock({ process: 9, slot: 1 })).toBe(-ESRCH);
  expect(lock({ process: 0x7fffffff, slot: 1 })).toBe(-ESRCH);
  expect(lock({ description: 0 })).toBe(-EBADF);
  expect(lock({ description: 0x7fffffff })).toBe(-EBADF);
  const path = t.request(layout.OP_OPEN, { path: 'file', flags: O_PATH }).description;
  expect(lock({ description: path })).toBe(-EBADF);
  expect(lock({ description: open('r', c.O_RDONLY), type: F_WRLCK })).toBe(-EBADF);
  expect(lock({ description: open('w', c.O_WRONLY), type: F_RDLCK })).toBe(-EBADF);
  expect(lock({ opcode: layout.OP_GETLK, type: F_UNLCK })).toBe(-EINVAL);
  expect(lock({ opcode: layout.OP_GETLK, flags: layout.LK_FLOCK })).toBe(-EINVAL);
  expect(t.request(layout.OP_LOCK_CANCEL, { slot: 5 }).status).toBe(0);
  expect(t.request(layout.OP_LOCK_CLOSE, { process: 1, description: file }).status).toBe(0);
  expect(t.request(layout.OP_LOCK_CLOSE, { process: 4096, description: file }).status).toBe(-EBADF);
  expect(heldOf()).toBe(0);
});

test('what is found in the way is told whole', () => {
  expect(lock({ start: 3n, end: OFFSET_MAX - 1n })).toBe(0);
  const asked = { opcode: layout.OP_GETLK, process: 2, type: F_RDLCK };
  expect(lock(asked)).toBe(0);
  const word = slotWord(2);
  expect(t.i32[word + layout.SLOT_LOCK_TYPE]).toBe(F_WRLCK);
  expect(getExact(t.i32, word + layout.SLOT_LOCK_START)).toBe(3n);
  expect(getExact(t.i32, word + layout.SLOT_LOCK_END)).toBe(OFFSET_MAX - 1n);
  expect(t.i32[word + layout.SLOT_LOCK_PID]).toBe(process.pid);
  expect(lock({ ...asked, end: 2n })).toBe(0);
  expect(t.i32[word + layout.SLOT_LOCK_TYPE]).toBe(F_UNLCK);
});

test('a request that waits is told when to come again, in order of arrival', () => {
  for (const index of [3, 4]) live(index);
  expect(lock({})).toBe(0);
  expect(filterOf(1)).not.toBe(0);
  for (const process of [2, 3, 4]) {
    expect(lock({ opcode: layout.OP_SETLKW, process })).toBe(layout.LOCK_QUEUED);
    expect(wakeOf(process)).toBe(layout.LOCK_QUEUED);
  }
  expect(lock({ type: F_UNLCK })).toBe(0);
  expect(filterOf(1)).toBe(0);
  expect([2, 3, 4].map(wakeOf)).toEqual([0, layout.LOCK_QUEUED, layout.LOCK_QUEUED]);
  expect(lock({ opcode: layout.OP_SETLKW, process: 2 })).toBe(0);
  // 3 gives up, with whatever request: 4 is still behind the holder.
  expect(t.request(layout.OP_NOOP, { slot: 3 }).status).toBe(0);
  expect(wakeOf(4)).toBe(0);
  expect(lock({ opcode: layout.OP_SETLKW, process: 4 })).toBe(layout.LOCK_QUEUED);
  expect(t.request(layout.OP_LOCK_CLOSE, { process: 2, description: file }).status).toBe(0);
  expect(wakeOf(4)).toBe(0);
  expect(lock({ opcode: layout.OP_SETLKW, process: 4 })).toBe(0);
  expect(t.server.descriptions.locks.waiting.size).toBe(0);
});

test('a woken request that never comes keeps nobody waiting', async () => {
  live(3);
  expect(lock({})).toBe(0);
  for (const process of [2, 3])
    expect(lock({ opcode: layout.OP_SETLKW, process })).toBe(layout.LOCK_QUEUED);
  expect(lock({ type: F_UNLCK })).toBe(0);
  expect(wakeOf(3)).toBe(layout.LOCK_QUEUED);
  await new Promise((resolve) => setTimeout(resolve, 70));
  tendLocks(t.server);
  expect(wakeOf(3)).toBe(0);
  endWait(t.server.descriptions.locks, 3);
  expect(t.server.descriptions.locks.waiting.size).toBe(0);
});

test('a deadlock is refused, one of descriptions is not seen', () => {
  const first = { start: 0n, end: 0n };
  const second = { start: 1n, end: 1n };
  expect(lock({ ...first, process: 1 })).toBe(0);
  expect(lock({ ...second, process: 2 })).toBe(0);
  expect(lock({ ...second, process: 1, opcode: layout.OP_SETLKW })).toBe(layout.LOCK_QUEUED);
  expect(lock({ ...first, process: 2, opcode: layout.OP_SETLKW })).toBe(-EDEADLK);
  expect(lock({ ...first, process: 2 })).toBe(-EAGAIN);
  const other = open('file');
  const flags = layout.LK_OFD;
  const [third, fourth] = [
    { start: 5n, end: 5n, flags },
    { start: 6n, end: 6n, flags },
  ];
  expect(lock({ ...third, slot: 6 })).toBe(0);
  expect(lock({ ...fourth, slot: 7, description: other })).toBe(0);
  const wait = { opcode: layout.OP_SETLKW };
  expect(lock({ ...fourth, ...wait, slot: 6 })).toBe(layout.LOCK_QUEUED);
  expect(lock({ ...third, ...wait, slot: 7, description: other })).toBe(layout.LOCK_QUEUED);
});

test("the locks of a dead process are in nobody's way", async () => {
  const child = spawn('sleep', ['60']);
  live(3, child.pid);
  expect(lock({ process: 3 })).toBe(0);
  expect(lock({ process: 1 })).toBe(-EAGAIN);
  expect(lock({ process: 1, opcode: layout.OP_SETLKW })).toBe(layout.LOCK_QUEUED);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(lock({ process: 2, opcode: layout.OP_GETLK })).toBe(0);
  expect(t.i32[slotWord(2) + layout.SLOT_LOCK_TYPE]).toBe(F_UNLCK);
  expect(wakeOf(1)).toBe(0);
});

test('the last description of a file takes all that is locked there with it', () => {
  const other = open('other');
  const flags = layout.LK_FLOCK;
  expect(lock({ description: other, flags })).toBe(0);
  expect(lock({ description: other })).toBe(0);
  expect(lock({ description: other, flags: layout.LK_OFD, process: 2 })).toBe(-EAGAIN);
  expect(lock({ description: other, process: 2, opcode: layout.OP_SETLKW })).toBe(
    layout.LOCK_QUEUED,
  );
  expect(heldOf()).toBe(2);
  t.release(other);
  expect(heldOf()).toBe(0);
  expect(wakeOf(2)).toBe(0);
  expect(lock({ description: other, process: 2, opcode: layout.OP_SETLKW })).toBe(-EBADF);
});
