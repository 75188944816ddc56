import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { formatSize, parseCount, parseSize } from '../../src/cli/sizes.ts';

test('sizes are read as tmpfs reads size=', () => {
  expect(parseSize('65536')).toBe(65536);
  expect(parseSize('64k')).toBe(65536);
  expect(parseSize('64M')).toBe(64 * 1024 ** 2);
  expect(parseSize('64MiB')).toBe(64 * 1024 ** 2);
  expect(parseSize('1.5G')).toBe(1.5 * 1024 ** 3);
  expect(parseSize('2t')).toBe(2 * 1024 ** 4);
});

test('a share is of the memory', () => {
  const half = parseSize('50%')!;
  expect(Math.abs(half - totalmem() / 2)).toBeLessThanOrEqual(4096);
});

test('sizes are whole pages, rounded up', () => {
  expect(parseSize('1')).toBe(4096);
  expect(parseSize('4097')).toBe(8192);
});

test.each(['', 'x', '12Q', '-1', '0', '1e9', '1,5G', '64 M B', '%', '0%', 'NaN', '99999999999T'])(
  '"%s" is no size',
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test('counts take the same suffixes, but no bytes and no shares', () => {
  expect(parseCount('1000')).toBe(1000);
  expect(parseCount('1m')).toBe(1024 ** 2);
  for (const text of ['0', '1.5', '50%', '10b', '', 'many']) {
    expect(parseCount(text), text).toBeUndefined();
  }
});

test('sizes are shown for people', () => {
  expect(formatSize(512)).toBe('512');
  expect(formatSize(1536)).toBe('1.5K');
  expect(formatSize(24 * 1024 ** 3)).toBe('24G');
});
