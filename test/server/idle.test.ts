/** Descriptions that their last holder has left open: what the server does with them. */
import { constants as c } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { settleIdle } from '../../src/server/descriptions.ts';
import { sweepDescriptions } from '../../src/server/reclaim.ts';
import { checkStore } from '../../src/store/check.ts';
import { createLoopback, type Loopback } from './loopback.ts';

let t: Loopback;
beforeEach(() => {
  t = createLoopback();
});
afterEach(() => {
  const problems = checkStore(t.store);
  const { logged } = t;
  t.close();
  expect(problems).toEqual([]);
  expect(logged).toEqual([]);
});

function open(path: string, flags: number): number {
  const opcode = (flags & c.O_CREAT) !== 0 ? layout.OP_CREATE : layout.OP_OPEN;
  const { status, description } = t.request(opcode, { path, flags, mode: 0o644 });
  expect(status).toBe(0);
  return description;
}
function create(path: string, bytes: number): number {
  const description = open(path, c.O_CREAT | c.O_RDWR);
  const data = new Uint8Array(bytes).fill(0x61);
  expect(t.request(layout.OP_WRITE, { description, data }).result).toBe(bytes);
  return description;
}
function referencesWord(id: number): number {
  const word = layout.RING_DESCRIPTIONS_OFFSET / 4 + id * layout.DESCRIPTION_STATE_RECORD_WORDS;
  return word + layout.DESCRIPTION_STATE_REFERENCES;
}
/** What a client does at the last close. */
function leave(id: number): void {
  expect(Atomics.sub(t.i32, referencesWord(id), 1)).toBe(1);
}
/** What a client does at an open; false: the server was first. */
function revive(id: number): boolean {
  return Atomics.compareExchange(t.i32, referencesWord(id), 0, 1) === 0;
}
function status(opcode: number, path: string, path2?: string): number {
  return t.request(opcode, path2 === undefined ? { path } : { path, path2 }).status;
}
function used(): number[] {
  const at = t.store.superblockWord;
  return [
    layout.SUPERBLOCK_BLOCKS_USED,
    layout.SUPERBLOCK_INODES_USED,
    layout.SUPERBLOCK_DESCRIPTIONS_USED,
  ].map((field) => t.store.i32[at + field]);
}

test('the last name of a file takes its blocks along, idle descriptions or not', () => {
  const before = used();
  leave(create('f', 10_000));
  leave(open('f', c.O_RDONLY));
  leave(open('f', c.O_RDWR));
  expect(status(layout.OP_UNLINK, 'f')).toBe(0);
  expect(used()).toEqual(before);
});

test('so do a rename over the file and the removal of a directory', () => {
  const before = used();
  leave(create('old', 10_000));
  leave(create('new', 10_000));
  expect(status(layout.OP_RENAME2, 'new', 'old')).toBe(0);
  expect(used()[0] - before[0]).toBe(3);
  expect(status(layout.OP_UNLINK, 'old')).toBe(0);
  expect(t.request(layout.OP_MKDIR, { path: 'd', mode: 0o755 }).status).toBe(0);
  leave(open('d', c.O_RDONLY));
  expect(status(layout.OP_RMDIR, 'd')).toBe(0);
  expect(used()).toEqual(before);
});

test('a file with a second name keeps its idle descriptions, one in use keeps its blocks', () => {
  const before = used();
  const idle = create('f', 10_000);
  leave(idle);
  expect(status(layout.OP_LINK, 'f', 'g')).toBe(0);
  expect(status(layout.OP_UNLINK, 'f')).toBe(0);
  expect(revive(idle)).toBe(true);
  expect(status(layout.OP_UNLINK, 'g')).toBe(0);
  expect(t.request(layout.OP_READ, { description: idle, size: 1, offset: 0 }).result).toBe(1);
  t.release(idle);
  expect(used()).toEqual(before);
});

test('what was revived is not freed, by RELEASE, sweeps or the end of another process', () => {
  const id = create('f', 1);
  leave(id);
  expect(revive(id)).toBe(true);
  t.request(layout.OP_RELEASE, { description: id });
  settleIdle(t.server.descriptions);
  expect(t.request(layout.OP_READ, { description: id, size: 9, offset: 0 }).result).toBe(1);
  leave(id);
  sweepDescriptions(t.server);
  expect(revive(id)).toBe(false);
  expect(used()[2]).toBe(0);
});

test('a description that nobody lists belongs to whoever revived it, as long as that lives', () => {
  const id = create('f', 1);
  leave(id);
  const index = 5;
  const process = layout.RING_PROCESSES_OFFSET / 4 + index * layout.PROCESS_RECORD_WORDS;
  Atomics.store(t.i32, process + layout.PROCESS_STATE, layout.PROCESS_STATE_LIVE);
  const generation = t.i32[process + layout.PROCESS_GENERATION];
  const holder = referencesWord(id) - layout.DESCRIPTION_STATE_REFERENCES;
  t.i32[holder + layout.DESCRIPTION_STATE_HOLDER] =
    index | (generation << layout.HOLDER_PROCESS_BITS);
  expect(revive(id)).toBe(true);
  sweepDescriptions(t.server);
  expect(used()[2]).toBe(1);
  // The record is another process's by now.
  t.i32[process + layout.PROCESS_GENERATION]++;
  sweepDescriptions(t.server);
  expect(used()[2]).toBe(0);
});

test('more files are opened and left than there are descriptions', () => {
  leave(create('f', 1));
  const many = layout.DESCRIPTIONS_MAX + 1000;
  let most = 0;
  for (let i = 0; i < many; i++) {
    leave(open('f', c.O_RDONLY));
    most = Math.max(most, used()[2]);
  }
  expect(most).toBeLessThan(1000);
  settleIdle(t.server.descriptions);
  expect(used()[2]).toBe(0);
});

test('all descriptions in use but idle ones: these make room', () => {
  create('f', 1);
  const flags = c.O_RDONLY;
  let last = 0;
  const idle: number[] = [];
  for (;;) {
    const reply = t.request(layout.OP_OPEN, { path: 'f', flags });
    if (reply.status !== 0) break;
    last = reply.description;
    if (last % 10_000 === 0) idle.push(last);
  }
  for (const id of idle) leave(id);
  for (const _ of idle) expect(t.request(layout.OP_OPEN, { path: 'f', flags }).status).toBe(0);
  expect(t.request(layout.OP_OPEN, { path: 'f', flags }).status).toBeLessThan(0);
});
