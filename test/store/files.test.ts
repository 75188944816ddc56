/** File contents where the property test does not go: huge offsets, odd arguments, grants that meet. */
import { expect, test } from 'vitest';
import { PAGE_SIZE, ROOT_INO } from '../../ringbuf/layout.gen.ts';
import { checkStore } from '../../src/store/check.ts';
import { EBADF, EFBIG, EINVAL, ENOSPC, ENXIO, EOPNOTSUPP } from '../../src/store/errno.ts';
import {
  abandonWrite,
  commitWrite,
  DATA_END,
  fallocate,
  mapExtents,
  prepareWrite,
  SEEK_DATA,
  SEEK_HOLE,
  seek,
  truncate,
} from '../../src/store/files.ts';
import { addMap, blocksOf, copyAttributes, dropMap, getSize } from '../../src/store/inodes.ts';
import { create, createFixture, type Fixture, readBytes, writeBytes } from './fixture.ts';

const MIB = 1024 * 1024;

function open(bytes = 4 * MIB): Fixture & { ino: number } {
  const fixture = createFixture({ bytes, inodes: 10 });
  return { ...fixture, ino: create(fixture.store, ROOT_INO, 'f') };
}

function fill(fixture: Fixture, out: Float64Array, pairs: number, value: number): void {
  for (let pair = 0; pair < pairs; pair++) {
    fixture.store.dataSegment.u8.fill(value, out[pair * 2], out[pair * 2] + out[pair * 2 + 1]);
  }
}

test('a size of 2^63-1 is kept to the byte, and reads past the data are zeros', () => {
  const fixture = open();
  const { store, ino } = fixture;
  expect(truncate(store, ino, 2 ** 63 - 1)).toBe(0);
  const attributes = new Int32Array(24);
  copyAttributes(store, ino, attributes, 0);
  expect([attributes[8], attributes[9]]).toEqual([-1, 0x7fffffff]);
  expect(readBytes(fixture, ino, 2 ** 50, 3)).toEqual(new Uint8Array(3));
  expect(seek(store, ino, 5, SEEK_DATA)).toBe(-ENXIO);
  expect(seek(store, ino, 5, SEEK_HOLE)).toBe(5);
  expect(truncate(store, ino, 1)).toBe(0);
  expect(getSize(store, ino)).toBe(1);
  fixture.close();
});

test('data reaches to 16 TiB, and one byte more is EFBIG', () => {
  const fixture = open();
  const { store, ino } = fixture;
  expect(writeBytes(fixture, ino, DATA_END - 2, Uint8Array.of(1, 2, 3))).toBe(2);
  expect(getSize(store, ino)).toBe(DATA_END);
  expect(writeBytes(fixture, ino, DATA_END, Uint8Array.of(1))).toBe(-EFBIG);
  expect(readBytes(fixture, ino, DATA_END - 3, 10)).toEqual(Uint8Array.of(0, 1, 2));
  expect(seek(store, ino, 0, SEEK_DATA)).toBe(DATA_END - PAGE_SIZE);
  expect(seek(store, ino, DATA_END - 1, SEEK_HOLE)).toBe(DATA_END);
  expect(blocksOf(store, ino)).toBe(1);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('fallocate answers as tmpfs does', () => {
  const fixture = open();
  const { store, ino } = fixture;
  expect(fallocate(store, ino, 0, 0, 10_000)).toBe(0);
  expect([getSize(store, ino), blocksOf(store, ino)]).toEqual([10_000, 3]);
  expect(fallocate(store, ino, 3, 0, 10_000)).toBe(0);
  expect([getSize(store, ino), blocksOf(store, ino)]).toEqual([10_000, 1]);
  for (const mode of [2, 8, 0x10, 0x11, 0x20, 0x40, 0x41, 0x80, 0x81]) {
    expect(fallocate(store, ino, mode, 0, 4096)).toBe(-EOPNOTSUPP);
  }
  expect(fallocate(store, ino, 0, -1, 5)).toBe(-EINVAL);
  expect(fallocate(store, ino, 0, 0, 0)).toBe(-EINVAL);
  expect(fallocate(store, ino, 0, 0, -1)).toBe(-EINVAL);
  expect(fallocate(store, ino, 3, 0, 0)).toBe(-EINVAL);
  expect(fallocate(store, ino, 0, 2 ** 63 - 1024, 4096)).toBe(-EFBIG);
  expect(fallocate(store, ino, 0, 0, 2 ** 40)).toBe(-ENOSPC);
  expect(fallocate(store, ino, 3, 2 ** 62, 4096)).toBe(0);
  expect([getSize(store, ino), blocksOf(store, ino)]).toEqual([10_000, 1]);
  expect(truncate(store, ino, 0)).toBe(0);
  expect(fallocate(store, ino, 1, 0, 10_000)).toBe(0);
  expect([getSize(store, ino), blocksOf(store, ino)]).toEqual([0, 3]);
  expect(truncate(store, ino, 0)).toBe(0);
  expect(blocksOf(store, ino)).toBe(0);
  fixture.close();
});

test('fallocated blocks are holes until they are written, or allocated again, as on tmpfs', () => {
  const fixture = open();
  const { store, ino } = fixture;
  expect(seek(store, ino, 0, SEEK_DATA)).toBe(-ENXIO);
  expect(seek(store, ino, 0, SEEK_HOLE)).toBe(-ENXIO);
  fallocate(store, ino, 0, 0, 10_000);
  expect(seek(store, ino, 0, SEEK_DATA)).toBe(-ENXIO);
  expect(seek(store, ino, 5000, SEEK_HOLE)).toBe(5000);
  writeBytes(fixture, ino, 4096, Uint8Array.of(1));
  expect(seek(store, ino, 0, SEEK_DATA)).toBe(4096);
  expect(seek(store, ino, 5000, SEEK_HOLE)).toBe(8192);
  fallocate(store, ino, 0, 0, 10_000);
  expect(seek(store, ino, 5000, SEEK_DATA)).toBe(5000);
  expect(seek(store, ino, 5000, SEEK_HOLE)).toBe(10_000);
  expect(seek(store, ino, 10_000, SEEK_HOLE)).toBe(-ENXIO);
  expect(seek(store, ino, -1, SEEK_HOLE)).toBe(-ENXIO);
  truncate(store, ino, 0);
  writeBytes(fixture, ino, 100_000, Uint8Array.of(1));
  expect(seek(store, ino, 0, SEEK_DATA)).toBe(98_304);
  expect(seek(store, ino, 99_000, SEEK_HOLE)).toBe(100_001);
  fixture.close();
});

test('bytes past the end never come back, whoever left them there', () => {
  const fixture = open();
  const { store, ino } = fixture;
  writeBytes(fixture, ino, 0, new Uint8Array(100).fill(1));
  // A store through a mapping can reach to the end of the page.
  const out = new Float64Array(2);
  mapExtents(store, ino, 0, PAGE_SIZE, out);
  store.dataSegment.u8.fill(0xff, out[0] + 100, out[0] + PAGE_SIZE);
  truncate(store, ino, 200);
  expect(readBytes(fixture, ino, 100, 100)).toEqual(new Uint8Array(100));
  store.dataSegment.u8.fill(0xff, out[0] + 200, out[0] + PAGE_SIZE);
  writeBytes(fixture, ino, 300, Uint8Array.of(5));
  expect(readBytes(fixture, ino, 200, 101).subarray(0, 100)).toEqual(new Uint8Array(100));
  fixture.close();
});

test('a mapped file keeps its blocks when it is cut, and shows zeros', () => {
  const fixture = open();
  const { store, ino } = fixture;
  writeBytes(fixture, ino, 0, new Uint8Array(3 * PAGE_SIZE).fill(1));
  const out = new Float64Array(8);
  expect(mapExtents(store, ino, 0, 3 * PAGE_SIZE, out)).toBe(1);
  const { u8 } = store.dataSegment;
  addMap(store, ino);
  truncate(store, ino, PAGE_SIZE + 1);
  expect(blocksOf(store, ino)).toBe(3);
  expect(u8[out[0] + PAGE_SIZE]).toBe(1);
  expect(
    u8.subarray(out[0] + PAGE_SIZE + 1, out[0] + 3 * PAGE_SIZE).every((byte) => byte === 0),
  ).toBe(true);
  truncate(store, ino, 3 * PAGE_SIZE);
  writeBytes(fixture, ino, 2 * PAGE_SIZE, Uint8Array.of(9));
  expect(u8[out[0] + 2 * PAGE_SIZE]).toBe(9);
  truncate(store, ino, 0);
  dropMap(store, ino);
  expect(blocksOf(store, ino)).toBe(0);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a scattered file is gathered into one run for its mapping', () => {
  const fixture = open();
  const { store, ino } = fixture;
  const other = create(store, ROOT_INO, 'other');
  for (let at = 0; at < 20; at++) {
    writeBytes(fixture, ino, at * PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(at + 1));
    writeBytes(fixture, other, at * PAGE_SIZE, new Uint8Array(PAGE_SIZE));
  }
  const out = new Float64Array(256);
  expect(mapExtents(store, ino, 0, 20 * PAGE_SIZE, out)).toBe(1);
  for (let at = 0; at < 20; at++)
    expect(readBytes(fixture, ino, at * PAGE_SIZE, 1)[0]).toBe(at + 1);
  expect(mapExtents(store, ino, 32 * PAGE_SIZE, PAGE_SIZE, out)).toBe(0);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('two writers that append at once both get their bytes in, whole', () => {
  const fixture = open();
  const { store, ino } = fixture;
  writeBytes(fixture, ino, 0, new Uint8Array(100).fill(1));
  const first = new Float64Array(256);
  const second = new Float64Array(256);
  const firstPairs = prepareWrite(store, 0, ino, 100, 10_000, first);
  const secondPairs = prepareWrite(store, 1, ino, 100, 10_000, second);
  fill(fixture, first, firstPairs, 2);
  fill(fixture, second, secondPairs, 3);
  expect(getSize(store, ino)).toBe(100);
  expect(commitWrite(store, 1, 10_000, true)).toBe(10_000);
  expect(store.committedEnd).toBe(10_100);
  expect(commitWrite(store, 0, 10_000, true)).toBe(10_000);
  expect(store.committedEnd).toBe(20_100);
  const bytes = readBytes(fixture, ino, 0, 30_000);
  expect(bytes.length).toBe(20_100);
  expect(bytes.subarray(0, 100).every((byte) => byte === 1)).toBe(true);
  expect(bytes.subarray(100, 10_100).every((byte) => byte === 3)).toBe(true);
  expect(bytes.subarray(10_100).every((byte) => byte === 2)).toBe(true);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a file cut under a direct write: the write came before, and nobody else sees its bytes', () => {
  const fixture = open();
  const { store, ino } = fixture;
  writeBytes(fixture, ino, 0, new Uint8Array(4 * PAGE_SIZE).fill(1));
  const out = new Float64Array(256);
  const pairs = prepareWrite(store, 0, ino, 10, 3 * PAGE_SIZE, out);
  truncate(store, ino, 20);
  const other = create(store, ROOT_INO, 'other');
  writeBytes(fixture, other, 0, new Uint8Array(8 * PAGE_SIZE).fill(4));
  fill(fixture, out, pairs, 2);
  expect(commitWrite(store, 0, 3 * PAGE_SIZE, false)).toBe(3 * PAGE_SIZE);
  const bytes = readBytes(fixture, ino, 0, 4 * PAGE_SIZE);
  expect([...bytes]).toEqual([...Array(10).fill(1), ...Array(10).fill(2)]);
  expect(readBytes(fixture, other, 0, 8 * PAGE_SIZE).every((byte) => byte === 4)).toBe(true);
  truncate(store, ino, PAGE_SIZE);
  expect(readBytes(fixture, ino, 20, PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a file cut and grown again under a direct write has its bytes after the commit', () => {
  const fixture = open();
  const { store, ino } = fixture;
  writeBytes(fixture, ino, 0, new Uint8Array(4 * PAGE_SIZE).fill(1));
  const out = new Float64Array(256);
  const pairs = prepareWrite(store, 0, ino, 10, 3 * PAGE_SIZE, out);
  truncate(store, ino, 0);
  truncate(store, ino, 4 * PAGE_SIZE);
  const other = create(store, ROOT_INO, 'other');
  writeBytes(fixture, other, 0, new Uint8Array(8 * PAGE_SIZE).fill(4));
  fill(fixture, out, pairs, 2);
  expect(commitWrite(store, 0, 3 * PAGE_SIZE, false)).toBe(3 * PAGE_SIZE);
  const bytes = readBytes(fixture, ino, 0, 4 * PAGE_SIZE);
  expect(bytes.subarray(0, 10)).toEqual(new Uint8Array(10));
  expect(bytes.subarray(10, 10 + 3 * PAGE_SIZE).every((byte) => byte === 2)).toBe(true);
  expect(bytes.subarray(10 + 3 * PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
  expect(readBytes(fixture, other, 0, 8 * PAGE_SIZE).every((byte) => byte === 4)).toBe(true);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a direct write over a hole and a block allocated beyond the end is whole', () => {
  const fixture = open();
  const { store, ino } = fixture;
  fallocate(store, ino, 1, PAGE_SIZE, PAGE_SIZE);
  truncate(store, ino, 1);
  const out = new Float64Array(256);
  const pairs = prepareWrite(store, 0, ino, 1, 2 * PAGE_SIZE, out);
  fill(fixture, out, pairs, 2);
  expect(commitWrite(store, 0, 2 * PAGE_SIZE, true)).toBe(2 * PAGE_SIZE);
  const bytes = readBytes(fixture, ino, 0, 3 * PAGE_SIZE);
  expect(bytes.length).toBe(2 * PAGE_SIZE + 1);
  expect(bytes.findLastIndex((byte) => byte !== 2)).toBe(0);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a direct write that is abandoned leaves neither bytes nor blocks', () => {
  const fixture = open();
  const { store, ino } = fixture;
  const out = new Float64Array(256);
  expect(prepareWrite(store, 3, ino, 0, MIB, out)).toBe(1);
  fill(fixture, out, 1, 0xaa);
  abandonWrite(store, 3);
  abandonWrite(store, 3);
  expect(commitWrite(store, 3, MIB, false)).toBe(-EBADF);
  expect(getSize(store, ino)).toBe(0);
  expect(blocksOf(store, ino)).toBe(0);
  truncate(store, ino, MIB);
  writeBytes(fixture, ino, 5, Uint8Array.of(1));
  expect(readBytes(fixture, ino, 0, 4)).toEqual(new Uint8Array(4));
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});
