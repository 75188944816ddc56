import { expect, test } from 'vitest';
import { leaks } from './leaks.ts';

const cwd = '/tmp/scratch/cwd';
const found = (line: string) => leaks(line, '/bt', cwd).length === 1;

test('paths of the tree are found', () => {
  expect(found('12 openat(AT_FDCWD</tmp/scratch/cwd>, "/bt/a", O_RDONLY) = 3</bt/a>')).toBe(true);
  expect(found('12 newfstatat(AT_FDCWD</>, "/bt", {st_mode=S_IFDIR}, 0) = 0')).toBe(true);
  expect(found('execve("/bt/tool", ["tool"], 0x7ffc /* 3 vars */) = 0')).toBe(true);
  expect(found('12 rename("/tmp/a", "/bt/a" <unfinished ...>')).toBe(true);
  expect(found('12 symlink("anywhere", "/bt/link") = -1 ENOENT')).toBe(true);
});

test('relative paths that the program means for the tree are found', () => {
  expect(found('12 openat(AT_FDCWD</tmp/scratch/cwd>, "a", O_RDONLY) = -1 ENOENT')).toBe(true);
  expect(found('12 openat(AT_FDCWD</proc/7/fdinfo>, "./lib.so", O_RDONLY) = -1 ENOENT')).toBe(true);
  expect(found('12 unlinkat(5</proc/7/fdinfo>, "a", 0) = -1 ENOENT')).toBe(true);
});

test('the anchor is the shim’s own, under its own number only', () => {
  const anew = (fd: number) =>
    `12 openat(${fd}</proc/7/fdinfo>, ".", O_RDONLY|O_PATH|O_DIRECTORY) = 3`;
  expect(found(anew(903))).toBe(false);
  expect(found(anew(3))).toBe(true);
});

test('what belongs to the host is left alone', () => {
  expect(found('12 openat(AT_FDCWD</tmp/scratch/cwd>, "/btx", O_RDONLY) = -1 ENOENT')).toBe(false);
  expect(found('12 openat(5</usr/include>, "stdio.h", O_RDONLY) = 6</usr/include/stdio.h>')).toBe(
    false,
  );
  expect(found('12 execve("/bin/cat", ["cat", "/bt/a"], 0x7ffc /* 3 vars */) = 0')).toBe(false);
  expect(found('12 symlink("/bt/a", "/tmp/link") = 0')).toBe(false);
  expect(found('12 fchdir(5</proc/7/fdinfo>) = 0')).toBe(false);
});
