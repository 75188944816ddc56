/** Attribute requests of clients that lie about lengths, names, values and files. */
import { constants as os } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import { dispatch } from '../../src/server/dispatch.ts';
import { checkStore } from '../../src/store/check.ts';
import { setWide } from '../../src/store/wide.ts';
import { createLoopback, type Fields, type Loopback } from './loopback.ts';

const { E2BIG, EBADF, EINVAL, EIO, ENAMETOOLONG, ENODATA, ENOENT, ENOSPC, ERANGE } = os.errno;
const EOPNOTSUPP = 95;
const AT_EMPTY_PATH = 0x1000;
const path = 'file';

let t: Loopback;
beforeEach(() => {
  t = createLoopback();
  t.request(layout.OP_MKNOD, { path, mode: 0o100644 });
});
afterEach(() => {
  const problems = checkStore(t.store);
  const { logged } = t;
  t.close();
  expect(problems).toEqual([]);
  expect(logged).toEqual([]);
});

const set = (path2: string, data: string | Uint8Array, fields: Fields = {}): number =>
  t.request(layout.OP_SETXATTR, { path, path2, data, size: data.length, ...fields }).status;
const get = (path2: string, size: number, fields: Fields = {}) =>
  t.request(layout.OP_GETXATTR, { path, path2, size, ...fields });

test('values of every size go in and come out, in the slot and through the slab', () => {
  for (const size of [0, 1, 108, 3000, 3584, 4000, 65536]) {
    const value = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + size) & 255));
    expect(set('user.v', value)).toBe(0);
    const reply = get('user.v', 65536);
    expect([reply.status, reply.result]).toEqual([0, size]);
    expect(reply.payload.equals(value)).toBe(true);
    expect(get('user.v', 0)).toMatchObject({ status: 0, result: size });
    if (size > 1) expect(get('user.v', size - 1).status).toBe(-ERANGE);
  }
  const list = t.request(layout.OP_LISTXATTR, { path, size: 100 });
  expect(list.payload.toString()).toBe('user.v\0');
  expect(t.request(layout.OP_REMOVEXATTR, { path, path2: 'user.v' }).status).toBe(0);
  expect(get('user.v', 10).status).toBe(-ENODATA);
});

test('sizes that no client of ours sends', () => {
  expect(set('user.v', 'x', { size: 65537 })).toBe(-E2BIG);
  expect(set('user.v', 'x', { size: 2 ** 40 })).toBe(-E2BIG);
  expect(set('user.v', 'x', { size: -1 })).toBe(-E2BIG);
  // More than the slot holds, although it says that the value stands there.
  expect(set('user.v', 'x', { size: layout.INLINE_SIZE })).toBe(-EIO);
  set('user.v', 'value');
  for (const size of [-1, 2 ** 40, 2 ** 62])
    expect(get('user.v', size).status).toBeLessThanOrEqual(0);
  expect(get('user.v', 2 ** 40).payload.toString()).toBe('value');
  expect(t.request(layout.OP_LISTXATTR, { path, size: -5 }).status).toBe(0);
});

test('names that no client of ours sends', () => {
  expect(set('', 'x')).toBe(-ERANGE);
  expect(set(`user.${'x'.repeat(251)}`, 'x')).toBe(-ERANGE);
  expect(set(`user.${'x'.repeat(5000)}`, 'x')).toBe(-ENAMETOOLONG);
  expect(set('user.a\0b', 'x')).toBe(-EINVAL);
  expect(set('__proto__', 'x')).toBe(-EOPNOTSUPP);
  expect(set('system.toString', 'x')).toBe(-EOPNOTSUPP);
  expect(get('constructor', 10).status).toBe(-EOPNOTSUPP);
  expect(set('user.a', 'x', { mode: 0xffff })).toBe(-EINVAL);
});

test('files that are none', () => {
  expect(set('user.a', 'x', { path: 'none' })).toBe(-ENOENT);
  expect(set('user.a', 'x', { description: 77 })).toBe(-EBADF);
  expect(set('user.a', 'x', { path: '', description: 99, flags: AT_EMPTY_PATH })).toBe(-EBADF);
  expect(set('user.a', 'x', { path: '', flags: AT_EMPTY_PATH })).toBe(0);
});

test('ACLs out of shape', () => {
  const acl = (...words: number[]): Buffer => {
    const bytes = Buffer.alloc(words.length * 4);
    for (const [i, word] of words.entries()) bytes.writeUInt32LE(word >>> 0, i * 4);
    return bytes;
  };
  const name = 'system.posix_acl_access';
  expect(set(name, acl(2, 0x70001, 0, 0x50004, 0, 0x50020, 0))).toBe(0);
  expect(set(name, acl(2, 0x70001))).toBe(-EINVAL);
  expect(set(name, acl(3, 0x70001, 0))).toBe(-EOPNOTSUPP);
  expect(set(name, acl(2, 0xffff0001, 0, 0x50004, 0, 0x50020, 0))).toBe(-EINVAL);
  expect(set(name, acl(2, 0x70040, 0))).toBe(-EINVAL);
  expect(set(name, acl(2, 0x70001, 0, 0x70002, -1, 0x50004, 0, 0x50010, 0, 0x50020, 0))).toBe(
    -EINVAL,
  );
  expect(set(name, Buffer.alloc(65536, 2))).toBe(-EOPNOTSUPP);
});

test('attributes count against the inodes', () => {
  const free = () => Number(t.request(layout.OP_STATFS, { path: '.' }).payload.readBigUInt64LE(24));
  const before = free();
  expect(set('user.v', Buffer.alloc(10_000))).toBe(0);
  expect(before - free()).toBe(Math.ceil((40 + 6 + 10_000) / 1024));
  let status = 0;
  for (let i = 0; status === 0; i++) status = set(`user.${i}`, Buffer.alloc(65_000));
  expect(status).toBe(-ENOSPC);
  expect(t.request(layout.OP_UNLINK, { path }).status).toBe(0);
  expect(free()).toBe(before + 1);
});

test('any bytes in the fields of a request', () => {
  const word = slotWord(0);
  let seed = 1;
  const roll = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed >>> 8;
  };
  const some = [0, 1, 4, 255, 256, 3584, 4095, 4096, 65535, 65536, 65537, 0x7fffffff, -1];
  const opcodes = [
    layout.OP_SETXATTR,
    layout.OP_GETXATTR,
    layout.OP_LISTXATTR,
    layout.OP_REMOVEXATTR,
  ];
  const fields = [
    layout.SLOT_PATH_LENGTH,
    layout.SLOT_PATH2_LENGTH,
    layout.SLOT_FLAGS,
    layout.SLOT_MODE,
    layout.SLOT_REQUEST_FLAGS,
    layout.SLOT_DESCRIPTION,
    layout.SLOT_SYMLINKS,
    layout.SLOT_UID,
  ];
  for (let i = 0; i < 4000; i++) {
    t.i32[word + layout.SLOT_OPCODE] = opcodes[roll() % 4]!;
    for (const field of fields)
      if (roll() % 3 === 0) t.i32[word + field] = some[roll() % some.length]!;
    setWide(t.i32, word + layout.SLOT_SIZE, some[roll() % some.length]!);
    dispatch(t.server, 0);
  }
});
