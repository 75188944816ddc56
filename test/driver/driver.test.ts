// The driver answers alike on tmpfs and in the tree: what the conformance table and the fuzzer build on.
import { expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { startInTree, startOnTmpfs } from './driver.ts';

const lines = [
  'begin first',
  'f = open("x", O_RDWR|O_CREAT, 0644)',
  'write(f, "hello"*3)',
  'pread(f, 10, 2)',
  'readv(f, iov(3, 4))',
  'snapshot',
  'chmod("x", 0600)',
  'snapshot',
  'fork b',
  'b: exec',
  'b: write(f, "abc")',
  'thread c',
  'c: lseek(f, 0, SEEK_CUR)',
  'm = mmap(8192, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)',
  'peek(m, 5)',
  'peek(m + 5000, 5)',
  'b: fcntl(f, F_SETLK, flock(F_WRLCK, SEEK_SET, 0, 10))',
  '& fcntl(f, F_SETLKW, flock(F_WRLCK, SEEK_SET, 0, 0))',
  'pending',
  'kill b',
  'collect',
  'p, q = pipe()',
  'sendfile(q, f, longs(3), 4)',
  'read(p, 10)',
  'read(nothing, 10)',
  'open(BADPTR, O_RDONLY)',
  'getcwd(100)',
  'become(1000)',
  'open("y", O_CREAT|O_WRONLY, 0600)',
  'exit 3',
  'end',
  'begin second',
  'setxattr("missing", "user.a", "1", XATTR_CREATE)',
  'end',
];

test('processes, threads, exec, locks and maps answer alike', needs('gcc'), async () => {
  const drivers = [startOnTmpfs(), startInTree()];
  const [expected, actual] = await Promise.all(drivers.map((driver) => driver.exchange(lines)));
  await Promise.all(drivers.map((driver) => driver.close()));
  expect(actual).toEqual(expected);
  const answers = Object.fromEntries(lines.map((line, i) => [line, expected?.[i]]));
  expect(answers['pread(f, 10, 2)']).toBe('10 "llohellohe"');
  expect(answers['peek(m + 5000, 5)']).toBe('SIGBUS');
  expect(answers.pending).toBe('blocked');
  expect(answers['kill b']).toBe('killed by SIGKILL');
  expect(answers.collect).toBe('0');
  expect(answers['sendfile(q, f, longs(3), 4)']).toBe('4 [7]');
  expect(answers['open("y", O_CREAT|O_WRONLY, 0600)']).toBe('-EACCES');
  expect(answers['exit 3']).toBe('exited 3');
  expect(answers['setxattr("missing", "user.a", "1", XATTR_CREATE)']).toBe('-ENOENT');
});
