/** The block allocator: runs, limits, memory that runs out or goes back to the system, limbo. */
import { expect, test } from 'vitest';
import { PAGE_SIZE, ROOT_INO } from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import {
  allocateRun,
  blocksLeft,
  drainLimbo,
  freeRun,
  statistics,
} from '../../src/store/blocks.ts';
import { checkStore } from '../../src/store/check.ts';
import { remove } from '../../src/store/dentries.ts';
import { ENOSPC } from '../../src/store/errno.ts';
import { directExtents, fallocate, read, truncate } from '../../src/store/files.ts';
import { create, createFixture, type Fixture, lookup, readBytes, writeBytes } from './fixture.ts';

const MIB = 1024 * 1024;

function runsOf({ store }: Fixture, ino: number): number {
  return directExtents(store, ino, 0, 2 ** 50, new Float64Array(4096));
}

test('a file written in pieces is one run, also beside another that is written by turns in large ones', () => {
  const fixture = createFixture({ bytes: 64 * MIB, inodes: 10 });
  const { store } = fixture;
  const alone = create(store, ROOT_INO, 'alone');
  const piece = new Uint8Array(128 * 1024).fill(7);
  for (let at = 0; at < 40; at++) writeBytes(fixture, alone, at * piece.length, piece);
  expect(runsOf(fixture, alone)).toBe(1);
  remove(store, lookup(store, ROOT_INO, 'alone'));
  expect(statistics(store).blocksFree).toBe(statistics(store).blocks);
  fixture.close();
});

test('blocks freed last are used first', () => {
  const fixture = createFixture({ bytes: 64 * MIB, inodes: 10 });
  const { store } = fixture;
  const first = allocateRun(store, 10, 0);
  const second = allocateRun(store, 10, 0);
  expect(second).toBe(first + 10);
  freeRun(store, first, 10);
  expect(allocateRun(store, 4, 0)).toBe(first);
  expect(allocateRun(store, 4, 0)).toBe(first + 4);
  fixture.close();
});

test('the memory limit: a write is short, the next one ENOSPC, and freeing makes room', () => {
  const fixture = createFixture({ bytes: 10 * PAGE_SIZE, inodes: 10 });
  const ino = create(fixture.store, ROOT_INO, 'f');
  const bytes = new Uint8Array(12 * PAGE_SIZE).fill(1);
  expect(writeBytes(fixture, ino, 100, bytes)).toBe(10 * PAGE_SIZE - 100);
  expect(writeBytes(fixture, ino, 10 * PAGE_SIZE, bytes)).toBe(-ENOSPC);
  expect(writeBytes(fixture, ino, 0, bytes.subarray(0, 5))).toBe(5);
  truncate(fixture.store, ino, PAGE_SIZE);
  expect(statistics(fixture.store).blocksFree).toBe(9);
  expect(writeBytes(fixture, ino, PAGE_SIZE, bytes)).toBe(9 * PAGE_SIZE);
  expect(checkStore(fixture.store)).toEqual([]);
  fixture.close();
});

test('a full /dev/shm is ENOSPC below the memory limit, and what fitted is written', () => {
  let budget = 3 * MIB;
  const fixture = createFixture(
    { bytes: 64 * MIB, inodes: 10 },
    {
      allocate(fd, offset, length) {
        if (length > budget) return -ENOSPC;
        budget -= length;
        return native().allocate(fd, offset, length);
      },
    },
  );
  const ino = create(fixture.store, ROOT_INO, 'f');
  const bytes = new Uint8Array(4 * MIB).fill(1);
  const written = writeBytes(fixture, ino, 0, bytes);
  expect(written).toBeGreaterThan(2 * MIB);
  expect(written).toBeLessThan(3 * MIB);
  expect(writeBytes(fixture, ino, written, bytes)).toBe(-ENOSPC);
  expect(fallocate(fixture.store, ino, 0, 8 * MIB, MIB)).toBe(-ENOSPC);
  expect(readBytes(fixture, ino, written - 1, 2)).toEqual(Uint8Array.of(1));
  expect(checkStore(fixture.store)).toEqual([]);
  budget = 16 * MIB;
  expect(writeBytes(fixture, ino, written, bytes)).toBe(bytes.length);
  expect(checkStore(fixture.store)).toEqual([]);
  fixture.close();
});

test('much free memory goes back to the system and is backed again before use', () => {
  let backed = 0;
  const fixture = createFixture(
    { bytes: 512 * MIB, inodes: 10 },
    {
      allocate(fd, offset, length) {
        backed += length;
        return native().allocate(fd, offset, length);
      },
      punch(fd, offset, length) {
        backed -= length;
        return native().punch(fd, offset, length);
      },
    },
  );
  const { store } = fixture;
  const ino = create(store, ROOT_INO, 'big');
  expect(fallocate(store, ino, 0, 0, 96 * MIB)).toBe(0);
  expect(backed).toBeGreaterThan(96 * MIB);
  truncate(store, ino, 0);
  expect(backed).toBeLessThan(80 * MIB);
  expect(checkStore(store)).toEqual([]);
  expect(fallocate(store, ino, 0, 0, 96 * MIB)).toBe(0);
  expect(backed).toBeGreaterThan(96 * MIB);
  expect(checkStore(store)).toEqual([]);
  expect(read(store, ino, 90 * MIB, PAGE_SIZE, fixture.buffer.id, 0)).toBe(PAGE_SIZE);
  expect(fixture.buffer.u8.subarray(0, PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
  fixture.close();
});

test('blocks freed while a client reads them directly are not given to anyone until it has ended', () => {
  const fixture = createFixture({ bytes: 8 * PAGE_SIZE, inodes: 10 });
  const { store } = fixture;
  let out = true;
  store.grantsOut = () => out;
  const ino = create(store, ROOT_INO, 'f');
  writeBytes(fixture, ino, 0, new Uint8Array(8 * PAGE_SIZE).fill(1));
  truncate(store, ino, 0);
  expect(blocksLeft(store)).toBe(0);
  expect(writeBytes(fixture, ino, 0, new Uint8Array(1))).toBe(-ENOSPC);
  expect(checkStore(store)).toEqual([]);
  out = false;
  drainLimbo(store);
  expect(writeBytes(fixture, ino, 0, new Uint8Array(1))).toBe(1);
  expect(statistics(store).blocksFree).toBe(7);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});
