/** Writes that stand in the spare block of their slot (docs/adr/0010): what the server makes of them. */
import { constants as c } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import { reclaimSlots } from '../../src/server/reclaim.ts';
import { statistics } from '../../src/store/blocks.ts';
import { checkStore } from '../../src/store/check.ts';
import { EFBIG, EIO, ENOSPC } from '../../src/store/errno.ts';
import { createLoopback, type Loopback, type Reply } from './loopback.ts';

const PAGE = layout.PAGE_SIZE;
const BLOCKS = 64;
/** No thread has this id: pid_max is lower. */
const DEAD = 0x7ffffffe;

let t: Loopback;
beforeEach(() => {
  t = createLoopback({ bytes: BLOCKS * PAGE, inodes: 100 });
});
afterEach(() => {
  const problems = checkStore(t.store);
  const { logged } = t;
  t.close();
  expect(problems).toEqual([]);
  expect(logged).toEqual([]);
});

function create(path: string): number {
  const flags = c.O_CREAT | c.O_RDWR;
  return t.request(layout.OP_CREATE, { path, flags, mode: 0o644 }).description;
}
const spareOf = (slot = 0): number => t.i32[slotWord(slot) + layout.SLOT_SPARE];
const free = (): number => statistics(t.store).blocksFree;

function send(description: number, offset: number, length: number, more = {}): Reply {
  const data = new Uint8Array(length);
  const requestFlags = layout.REQUEST_SPARE;
  return t.request(layout.OP_WRITE, { description, offset, data, requestFlags, ...more });
}
/** As a client does: the bytes into the spare, then the request. */
function write(
  description: number,
  offset: number,
  length: number,
  byte: number,
  more = {},
): Reply {
  const at = spareOf() * PAGE;
  t.data.fill(byte, at, at + length);
  return send(description, offset, length, more);
}
function read(description: number, offset: number, size: number): Buffer {
  return t.request(layout.OP_READ, { description, offset, size }).payload;
}
/** The first write of a slot gets it a spare. */
function warm(slot = 0): void {
  const path = `warm${slot}`;
  const description = create(path);
  const data = new Uint8Array(layout.SPARE_MIN);
  expect(t.request(layout.OP_WRITE, { description, data, slot }).status).toBe(0);
  t.release(description);
  t.request(layout.OP_UNLINK, { path });
  expect(spareOf(slot)).not.toBe(0);
}

test('a block into a hole is linked, shows zeros behind it, and gives another spare', () => {
  warm();
  expect(free()).toBe(BLOCKS);
  const id = create('f');
  const spare = spareOf();
  t.data.fill(0xee, spare * PAGE, (spare + 1) * PAGE);
  const size = { valid: layout.FATTR_SIZE, size: PAGE };
  expect(t.request(layout.OP_SETATTR, { path: 'f', ...size }).status).toBe(0);
  expect(write(id, 0, 1000, 0x61)).toMatchObject({ status: 0, result: 1000, offset: 1000 });
  expect(spareOf()).not.toBe(spare);
  expect(spareOf()).not.toBe(0);
  expect(free()).toBe(BLOCKS - 1);
  const bytes = read(id, 0, PAGE);
  expect(bytes.subarray(0, 1000).every((byte) => byte === 0x61)).toBe(true);
  expect(bytes.subarray(1000).every((byte) => byte === 0)).toBe(true);
  // The block is the one that the client has filled: nothing was copied.
  expect(t.data[spare * PAGE]).toBe(0x61);
  t.data[spare * PAGE] = 0x62;
  expect(read(id, 0, 1)[0]).toBe(0x62);
});

test('over bytes that are there, and off the bounds of blocks, the spare is copied and kept', () => {
  warm();
  const id = create('f');
  expect(write(id, 0, PAGE, 1).result).toBe(PAGE);
  const spare = spareOf();
  expect(write(id, 0, 700, 2).result).toBe(700);
  expect(write(id, 1000, PAGE, 3)).toMatchObject({ result: PAGE, offset: 1000 + PAGE });
  expect(spareOf()).toBe(spare);
  const bytes = read(id, 0, 2 * PAGE);
  expect(bytes.length).toBe(1000 + PAGE);
  expect([bytes[0], bytes[699], bytes[700], bytes[999], bytes[1000]]).toEqual([2, 2, 1, 1, 3]);
  expect(bytes.at(-1)).toBe(3);
  expect(free()).toBe(BLOCKS - 2);
});

test('a file that grows stays one run, and a hole far behind its end is zeros before', () => {
  warm();
  const id = create('f');
  for (let block = 0; block < 10; block++)
    expect(write(id, block * PAGE, PAGE, block).result).toBe(PAGE);
  const map = { description: id, offset: 0, size: 10 * PAGE, mode: 1, flags: 1 };
  expect(t.request(layout.OP_SETUPMAPPING, map).payload.length).toBe(
    layout.DIRECT_EXTENT_RECORD_SIZE,
  );
  expect(write(id, 20 * PAGE, 600, 7).result).toBe(600);
  expect(read(id, 10 * PAGE, 10 * PAGE).every((byte) => byte === 0)).toBe(true);
  expect(read(id, 9 * PAGE, 1)[0]).toBe(9);
  expect(read(id, 20 * PAGE, PAGE).length).toBe(600);
});

test('what a map has stored behind the end of file does not come to light when it grows', () => {
  warm();
  const id = create('f');
  const spare = spareOf();
  expect(write(id, 0, 1000, 1).result).toBe(1000);
  t.data.fill(0xee, spare * PAGE + 1000, (spare + 1) * PAGE);
  expect(write(id, PAGE, PAGE, 2).result).toBe(PAGE);
  const bytes = read(id, 0, PAGE);
  expect(bytes[999]).toBe(1);
  expect(bytes.subarray(1000).every((byte) => byte === 0)).toBe(true);
});

test('spares take nothing away: every block can be used, none more', () => {
  warm();
  warm(1);
  const id = create('f');
  for (let block = 0; block < BLOCKS; block++)
    expect(write(id, block * PAGE, PAGE, 1).result).toBe(PAGE);
  expect(free()).toBe(0);
  expect(spareOf(1)).not.toBe(0);
  // With the last block the slot gets no other spare; the one of slot 1 does not help either.
  expect(spareOf()).toBe(0);
  expect(send(id, BLOCKS * PAGE, PAGE).status).toBe(-EIO);
  expect(send(id, BLOCKS * PAGE, PAGE, { slot: 1 }).status).toBe(-ENOSPC);
  expect(send(id, 0, PAGE, { slot: 1 }).result).toBe(PAGE);
  expect(read(id, 0, 1)[0]).toBe(0);
});

test('the file size limit cuts it short or refuses it', () => {
  warm();
  const id = create('f');
  expect(write(id, 0, PAGE, 1, { fileSizeLimit: 600 }).result).toBe(600);
  expect(read(id, 0, PAGE).length).toBe(600);
  expect(write(id, PAGE, PAGE, 1, { fileSizeLimit: 600 }).status).toBe(-EFBIG);
});

test('whoever has no spare, or sends more than a block, is refused', () => {
  const id = create('f');
  expect(send(id, 0, PAGE).status).toBe(-EIO);
  warm();
  expect(send(id, 0, PAGE + 1).status).toBe(-EIO);
  expect(send(id, -PAGE, PAGE).status).toBeLessThan(0);
  // What it says that its spare is, is not asked.
  const mine = spareOf();
  t.i32[slotWord(0) + layout.SLOT_SPARE] = 1_000_000;
  expect(send(id, 0, PAGE).result).toBe(PAGE);
  expect(spareOf()).not.toBe(mine);
});

test('the spare of a dead owner is free again', () => {
  warm(3);
  const spare = spareOf(3);
  t.i32[slotWord(3) + layout.SLOT_OWNER] = DEAD;
  reclaimSlots(t.server);
  expect(spareOf(3)).toBe(0);
  expect(t.store.spares.count).toBe(0);
  warm(3);
  expect(spareOf(3)).toBe(spare);
});
