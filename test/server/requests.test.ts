/** What a client gets for each kind of request, right and wrong ones. */
import { constants as c } from 'node:fs';
import { constants as os } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { dispatch } from '../../src/server/dispatch.ts';
import { sweepSpecial } from '../../src/server/requests/special.ts';
import { checkStore } from '../../src/store/check.ts';
import { protections } from '../../src/store/protections.ts';
import { uniqueSession } from '../setup/run.ts';
import { createLoopback, type Fields, type Loopback, type Reply } from './loopback.ts';

const {
  EBADF,
  EACCES,
  EEXIST,
  EFBIG,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENODEV,
  ENOENT,
  ENOSPC,
  ENOSYS,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
} = os.errno;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const RENAME_WHITEOUT = 4;
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20200000;

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

function status(opcode: number, fields: Fields = {}): number {
  return t.request(opcode, fields).status;
}
function mkdir(path: string, mode = 0o755): void {
  expect(status(layout.OP_MKDIR, { path, mode })).toBe(0);
}
function open(path: string, flags: number, fields: Fields = {}): Reply {
  const opcode = (flags & c.O_CREAT) !== 0 ? layout.OP_CREATE : layout.OP_OPEN;
  return t.request(opcode, { path, flags, mode: 0o644, ...fields });
}
function create(path: string, text: string | Uint8Array = ''): number {
  const { status, description } = open(path, c.O_CREAT | c.O_RDWR);
  expect(status).toBe(0);
  if (text.length > 0) {
    const written = t.request(layout.OP_WRITE, { description, data: text });
    expect([written.status, written.result]).toEqual([0, text.length]);
  }
  return description;
}
function symlink(target: string, path: string): void {
  expect(status(layout.OP_SYMLINK, { path, path2: target })).toBe(0);
}
function read(description: number, size: number, offset = 0): string {
  const reply = t.request(layout.OP_READ, { description, size, offset });
  expect(reply.status).toBe(0);
  return reply.payload.toString('latin1');
}
const lookup = (path: string, fields: Fields = {}): Reply =>
  t.request(layout.OP_LOOKUP, { path, ...fields });

// ---- walks that leave the tree --------------------------------------------------------------------------

test('".." at the root hands the rest of the path back', () => {
  mkdir('a');
  for (const [path, rest] of [
    ['..', ''],
    ['../', ''],
    ['../etc/passwd', 'etc/passwd'],
    ['a/../../x//y/', 'x//y/'],
    ['a/./.././..', ''],
  ]) {
    const reply = lookup(path);
    expect([path, reply.status, reply.flags, reply.payload.toString()]).toEqual([
      path,
      0,
      layout.REPLY_CROSSED_UP,
      rest,
    ]);
  }
});

test('an absolute link hands its target and the rest back, and counts', () => {
  symlink('/usr/lib', 'out');
  symlink('out', 'again');
  const reply = lookup('again/x/y', { symlinks: 3 });
  expect(reply.flags).toBe(layout.REPLY_CROSSED_ABSOLUTE);
  expect(reply.payload.toString()).toBe('/usr/lib/x/y');
  expect(reply.symlinks).toBe(5);
  expect(lookup('again', { flags: AT_SYMLINK_NOFOLLOW }).flags).toBe(0);
  expect(lookup('again/', { flags: AT_SYMLINK_NOFOLLOW }).payload.toString()).toBe('/usr/lib/');
  expect(lookup('again/x', { symlinks: 40 }).status).toBe(-ELOOP);
  expect(lookup('again/x', { symlinks: -1 }).status).toBe(-ELOOP);
});

test('an absolute link below the prefix stays in the tree', () => {
  mkdir('d');
  create('d/f', 'text');
  symlink('/bt/d', 'inside');
  symlink('/bt', 'top');
  symlink('/bt/', 'top-slash');
  symlink('/btx', 'beside');
  expect(lookup('inside/f').size).toBe(4);
  expect(lookup('top/d/f').size).toBe(4);
  expect(lookup('top').ino).toBe(layout.ROOT_INO);
  expect(lookup('top-slash/d/f').size).toBe(4);
  expect(lookup('beside').payload.toString()).toBe('/btx');
});

test('a path too long to hand back is ENAMETOOLONG', () => {
  symlink(`/${'x'.repeat(4000)}`, 'far');
  expect(lookup(`far/${'y'.repeat(80)}`).payload.length).toBe(4001 + 81);
  expect(lookup(`far/${'y'.repeat(200)}`).status).toBe(-ENAMETOOLONG);
  expect(lookup('y/'.repeat(2048)).status).toBe(-ENAMETOOLONG);
});

test('the second path may leave the tree too', () => {
  create('f');
  symlink('/tmp', 'out');
  const up = t.request(layout.OP_RENAME2, { path: 'f', path2: '../g' });
  expect(up.flags).toBe(layout.REPLY_CROSSED_UP | layout.REPLY_CROSSED_SECOND);
  expect(up.payload.toString()).toBe('g');
  const out = t.request(layout.OP_LINK, { path: 'f', path2: 'out/g' });
  expect(out.flags).toBe(layout.REPLY_CROSSED_ABSOLUTE | layout.REPLY_CROSSED_SECOND);
  expect(out.payload.toString()).toBe('/tmp/g');
  const both = t.request(layout.OP_RENAME2, { path: 'out/f', path2: '../g' });
  expect(both.flags).toBe(layout.REPLY_CROSSED_ABSOLUTE);
});

test('walks begin where the description is', () => {
  mkdir('a');
  mkdir('a/b');
  const file = create('a/b/f', 'abc');
  const { description } = open('a/b', O_PATH | c.O_DIRECTORY);
  expect(lookup('f', { description }).size).toBe(3);
  expect(lookup('../b/f', { description }).size).toBe(3);
  expect(lookup('', { description, flags: AT_EMPTY_PATH }).ino).toBe(lookup('a/b').ino);
  expect(lookup('x', { description: file }).status).toBe(-ENOTDIR);
  expect(lookup('x', { description: 4000 }).status).toBe(-EBADF);
  expect(lookup('x', { description: -1 }).status).toBe(-EBADF);
});

test('".." of a removed directory leads on to its parent', () => {
  mkdir('a');
  mkdir('a/b');
  mkdir('a/b/c');
  const { description } = open('a/b/c', c.O_DIRECTORY);
  const parent = lookup('a/b').ino;
  expect(status(layout.OP_RMDIR, { path: 'a/b/c' })).toBe(0);
  expect(status(layout.OP_RMDIR, { path: 'a/b' })).toBe(0);
  expect(lookup('..', { description }).ino).toBe(parent);
  expect(lookup('../../..', { description }).ino).toBe(layout.ROOT_INO);
  expect(lookup('x', { description }).status).toBe(-ENOENT);
  expect(status(layout.OP_MKDIR, { path: 'x', description, mode: 0o755 })).toBe(-ENOENT);
  expect(open('x', c.O_CREAT, { description }).status).toBe(-ENOENT);
  // Its last path, and that it is no more.
  const last = t.request(layout.OP_PATH, { description });
  expect([last.status, last.offset]).toEqual([0, 1]);
  expect(t.request(layout.OP_READDIR, { description, size: 4096 }).status).toBe(-ENOENT);
  t.release(description);
});

// ---- rename flags ---------------------------------------------------------------------------------------

test('renameat2 flags', () => {
  mkdir('d');
  create('d/inner');
  create('f', 'file');
  const rename = (path: string, path2: string, flags: number): number =>
    status(layout.OP_RENAME2, { path, path2, flags });
  expect(rename('f', 'd', RENAME_NOREPLACE)).toBe(-EEXIST);
  expect(rename('f', 'f', RENAME_NOREPLACE)).toBe(-EEXIST);
  expect(rename('f', '.', RENAME_NOREPLACE)).toBe(-EEXIST);
  expect(rename('f', 'g', RENAME_NOREPLACE)).toBe(0);
  expect(rename('g', 'missing', RENAME_EXCHANGE)).toBe(-ENOENT);
  expect(rename('d', 'd/inner', RENAME_EXCHANGE)).toBe(-EINVAL);
  expect(rename('d/inner', 'd', RENAME_EXCHANGE)).toBe(-EINVAL);
  expect(rename('d/inner', 'd', 0)).toBe(-ENOTEMPTY);
  expect(rename('g/', 'd', RENAME_EXCHANGE)).toBe(-ENOTDIR);
  expect(rename('d', 'g/', RENAME_EXCHANGE)).toBe(-ENOTDIR);
  expect(rename('g', 'd', RENAME_EXCHANGE)).toBe(0);
  expect(lookup('d').size).toBe(4);
  expect(lookup('g/inner').status).toBe(0);
  expect(rename('g', 'd', RENAME_WHITEOUT | RENAME_EXCHANGE)).toBe(-EINVAL);
  expect(rename('g', 'd', RENAME_EXCHANGE | RENAME_NOREPLACE)).toBe(-EINVAL);
  expect(rename('g', 'd', 8)).toBe(-EINVAL);
});

// ---- nodes ------------------------------------------------------------------------------------------------

test('mknod', () => {
  const mknod = (path: string, mode: number, uid = 0, rdev = 0): number =>
    status(layout.OP_MKNOD, { path, mode, uid, rdev, umask: 0o22 });
  expect(
    status(layout.OP_SETATTR, {
      path: '',
      flags: AT_EMPTY_PATH,
      valid: layout.FATTR_MODE,
      mode: 0o777,
    }),
  ).toBe(0);
  expect(mknod('fifo', c.S_IFIFO | 0o666, 1000)).toBe(0);
  expect(mknod('socket', c.S_IFSOCK | 0o666, 1000)).toBe(0);
  expect(mknod('plain', 0o666, 1000)).toBe(0);
  expect(mknod('device', c.S_IFBLK | 0o600, 1000, 0x103)).toBe(-EPERM);
  expect(mknod('device', c.S_IFCHR | 0o600, 0, 0x103)).toBe(0);
  expect(mknod('dir', c.S_IFDIR | 0o600)).toBe(-EPERM);
  expect(mknod('link', c.S_IFLNK | 0o600)).toBe(-EINVAL);
  expect(mknod('fifo', c.S_IFIFO)).toBe(-EEXIST);
  expect(lookup('fifo').mode).toBe(c.S_IFIFO | 0o644);
  expect(lookup('plain').mode).toBe(c.S_IFREG | 0o644);
  expect(open('fifo', c.O_RDONLY).status).toBe(-ENXIO);
  expect(mknod('whiteout', c.S_IFCHR | 0o600, 1000, 0)).toBe(0);
  expect(open('whiteout', c.O_RDWR).status).toBe(-ENXIO);
  expect(open('device', c.O_RDWR).status).toBe(0);
  expect(open('fifo', O_PATH).status).toBe(0);
});

test('O_TMPFILE, and a name for it afterwards', () => {
  mkdir('d');
  const make = (flags: number): Reply =>
    t.request(layout.OP_TMPFILE, { path: 'd', flags: O_TMPFILE | flags, mode: 0o600 });
  const { description } = make(c.O_RDWR);
  expect(t.request(layout.OP_WRITE, { description, data: 'kept' }).result).toBe(4);
  const link = { path: '', flags: AT_EMPTY_PATH, path2: 'd/named' };
  expect(status(layout.OP_LINK, { ...link, description })).toBe(0);
  expect(lookup('d/named').size).toBe(4);
  expect(lookup('d/named').nlink).toBe(1);
  const exclusive = make(c.O_RDWR | c.O_EXCL).description;
  expect(status(layout.OP_LINK, { ...link, path2: 'd/other', description: exclusive })).toBe(
    -ENOENT,
  );
  expect(make(c.O_RDONLY).status).toBe(-EINVAL);
  t.release(exclusive);
  const gone = create('gone');
  expect(status(layout.OP_UNLINK, { path: 'gone' })).toBe(0);
  expect(status(layout.OP_LINK, { ...link, path2: 'back', description: gone })).toBe(-ENOENT);
});

test('fs.protected_symlinks, _hardlinks and _regular', () => {
  mkdir('tmp');
  t.request(layout.OP_SETATTR, { path: 'tmp', valid: layout.FATTR_MODE, mode: 0o1777 });
  const mine = { uid: 1000, gid: 1000 };
  const theirs = { uid: 1001, gid: 1001 };
  const make = open('tmp/f', c.O_CREAT | c.O_WRONLY, { ...mine, mode: 0o666 });
  expect(make.status).toBe(0);
  expect(status(layout.OP_SYMLINK, { path: 'tmp/l', path2: 'f', ...mine })).toBe(0);
  const follow = (fields: Fields): number => lookup('tmp/l', fields).status;
  const reopen = (fields: Fields): number => open('tmp/f', c.O_CREAT | c.O_WRONLY, fields).status;
  let serial = 0;
  const link = (fields: Fields): number =>
    status(layout.OP_LINK, { path: 'tmp/l', path2: `tmp/hard${serial++}`, ...fields });
  const before = { ...protections };
  try {
    for (const [level, expected] of [
      [0, 0],
      [1, -1],
    ]) {
      Object.assign(protections, { symlinks: level, hardlinks: level, regular: level });
      expect(follow(mine)).toBe(0);
      expect(follow(theirs)).toBe(expected === 0 ? 0 : -EACCES);
      expect(lookup('tmp/l/', theirs).status).toBe(expected === 0 ? -ENOTDIR : -EACCES);
      expect(reopen(mine)).toBe(0);
      expect(reopen(theirs)).toBe(expected === 0 ? 0 : -EACCES);
      expect(link(mine)).toBe(0);
      expect(link(theirs)).toBe(expected === 0 ? 0 : -EPERM);
    }
    expect(reopen({ uid: 0 })).toBe(-EACCES);
  } finally {
    Object.assign(protections, before);
  }
});

// ---- descriptions -------------------------------------------------------------------------------------------

test('RELEASE frees only what nobody holds', () => {
  const description = create('f', 'x');
  expect(status(layout.OP_UNLINK, { path: 'f' })).toBe(0);
  t.request(layout.OP_RELEASE, { description });
  expect(status(layout.OP_GETATTR, { description })).toBe(0);
  t.release(description);
  expect(status(layout.OP_GETATTR, { description })).toBe(-EBADF);
  for (const stale of [description, 0, -1, 65536, 0x7fffffff])
    t.request(layout.OP_RELEASE, { description: stale });
  const again = create('g');
  expect(status(layout.OP_GETATTR, { description: again })).toBe(0);
});

test('access modes are the description’s', () => {
  create('f', 'text');
  const reader = open('f', c.O_RDONLY).description;
  const writer = open('f', c.O_WRONLY).description;
  const path = open('f', O_PATH).description;
  const neither = open('f', 3).description;
  const directory = open('', c.O_RDONLY).description;
  const write = (description: number): number =>
    status(layout.OP_WRITE, { description, data: 'x' });
  const reading = (description: number): number =>
    status(layout.OP_READ, { description, size: 10 });
  expect([reader, writer, path, neither, directory].map(reading)).toEqual([
    0,
    -EBADF,
    -EBADF,
    -EBADF,
    -EISDIR,
  ]);
  expect([reader, writer, path, neither, directory].map(write)).toEqual([
    -EBADF,
    0,
    -EBADF,
    -EBADF,
    -EBADF,
  ]);
  for (const description of [reader, path]) {
    const fields = { description, size: 4096, mode: 0 };
    expect(status(layout.OP_FALLOCATE, fields)).toBe(-EBADF);
    expect(status(layout.OP_WRITE_PREPARE, { description, size: 4096 })).toBe(-EBADF);
  }
  expect(status(layout.OP_LSEEK, { description: path })).toBe(-EBADF);
  expect(status(layout.OP_READDIR, { description: path, size: 4096 })).toBe(-EBADF);
  expect(status(layout.OP_READDIR, { description: reader, size: 4096 })).toBe(-ENOTDIR);
  expect(status(layout.OP_FSYNC, { description: path })).toBe(-EBADF);
  expect(status(layout.OP_FSYNC, { description: reader })).toBe(0);
  const resize = { flags: AT_EMPTY_PATH, valid: layout.FATTR_SIZE | layout.FATTR_FH, size: 1 };
  expect(status(layout.OP_SETATTR, { ...resize, description: reader })).toBe(-EINVAL);
  expect(status(layout.OP_SETATTR, { ...resize, description: writer })).toBe(0);
});

test('the position belongs to the description', () => {
  const description = create('f', 'hello world');
  const positioned = { description, requestFlags: layout.REQUEST_POSITION };
  const next = (size: number): string =>
    t.request(layout.OP_READ, { ...positioned, size }).payload.toString();
  expect([next(5), next(100), next(100)]).toEqual(['hello', ' world', '']);
  const seek = (offset: number, mode: number): number => {
    const reply = t.request(layout.OP_LSEEK, { description, offset, mode });
    return reply.status === 0 ? reply.result : reply.status;
  };
  expect(seek(-5, 2)).toBe(6);
  expect(seek(2, 1)).toBe(8);
  expect(seek(-9, 1)).toBe(-EINVAL);
  expect(seek(0, 3)).toBe(0);
  expect(seek(0, 4)).toBe(11);
  expect(seek(11, 3)).toBe(-ENXIO);
  expect(seek(0, 9)).toBe(-EINVAL);
  expect(seek(100, 0)).toBe(100);
  const written = t.request(layout.OP_WRITE, { ...positioned, data: 'end' });
  expect([written.result, written.offset]).toEqual([3, 103]);
  expect(lookup('f').size).toBe(103);
  const append = open('f', c.O_WRONLY | c.O_APPEND).description;
  const appended = t.request(layout.OP_WRITE, { description: append, data: 'more', offset: 5 });
  expect([appended.result, appended.offset]).toEqual([4, 107]);
});

test('RLIMIT_FSIZE cuts a write short and then refuses it', () => {
  const description = create('f');
  const write = (offset: number): Reply =>
    t.request(layout.OP_WRITE, { description, data: 'x'.repeat(100), offset, fileSizeLimit: 150 });
  expect(write(0).result).toBe(100);
  expect(write(100).result).toBe(50);
  expect(write(150).status).toBe(-EFBIG);
  const resize = { path: 'f', valid: layout.FATTR_SIZE, fileSizeLimit: 100 };
  expect(status(layout.OP_SETATTR, { ...resize, size: 151 })).toBe(-EFBIG);
  expect(status(layout.OP_SETATTR, { ...resize, size: 140 })).toBe(0);
});

test('a full tree: short write, then ENOSPC, and freed space is good again', () => {
  t.close();
  t = createLoopback({ bytes: 64 * 1024, inodes: 8 });
  const description = create('f');
  const data = new Uint8Array(100 * 1024).fill(7);
  const first = t.request(layout.OP_WRITE, { description, data });
  expect(first.status).toBe(0);
  expect(first.result).toBeGreaterThan(0);
  expect(first.result).toBeLessThan(data.length);
  expect(status(layout.OP_WRITE, { description, data, offset: first.result })).toBe(-ENOSPC);
  expect(status(layout.OP_SETATTR, { path: 'f', valid: layout.FATTR_SIZE, size: 0 })).toBe(0);
  expect(t.request(layout.OP_WRITE, { description, data: data.subarray(0, 4096) }).result).toBe(
    4096,
  );
  for (let i = 0; i < 6; i++) create(`n${i}`);
  expect(open('n7', c.O_CREAT).status).toBe(-ENOSPC);
  expect(status(layout.OP_MKDIR, { path: 'n7' })).toBe(-ENOSPC);
  expect(status(layout.OP_SYMLINK, { path: 'n7', path2: 'x' })).toBe(-ENOSPC);
});

test('fallocate', () => {
  const description = create('f', 'x');
  const KEEP = 1;
  const PUNCH = 2;
  const allocate = (mode: number, offset: number, size: number): number =>
    status(layout.OP_FALLOCATE, { description, mode, offset, size });
  expect(allocate(0, 0, 10_000)).toBe(0);
  expect(lookup('f').size).toBe(10_000);
  expect(allocate(KEEP, 0, 20_000)).toBe(0);
  expect(lookup('f').size).toBe(10_000);
  expect(allocate(KEEP | PUNCH, 0, 4096)).toBe(0);
  expect(read(description, 1)).toBe('\0');
  expect(allocate(PUNCH, 0, 4096)).toBe(-EOPNOTSUPP);
  expect(allocate(16, 0, 4096)).toBe(-EOPNOTSUPP);
  expect(allocate(0, 0, 0)).toBe(-EINVAL);
  expect(allocate(0, -1, 10)).toBe(-EINVAL);
  expect(allocate(0, 2 ** 63, 10)).toBe(-EFBIG);
  expect(allocate(0, 0, 1 << 30)).toBe(-ENOSPC);
});

test('copy_file_range', () => {
  const from = create('from', 'hello world');
  const to = create('to', '..........');
  const copy = (fields: Fields): Reply =>
    t.request(layout.OP_COPY_FILE_RANGE, { description: from, description2: to, ...fields });
  expect(copy({ offset: 6, offset2: 2, size: 100 }).result).toBe(5);
  expect(read(to, 100)).toBe('..world...');
  expect(copy({ offset: 11, size: 5 }).result).toBe(0);
  const both = layout.REQUEST_POSITION | layout.REQUEST_POSITION2;
  expect(copy({ requestFlags: both, size: 3 }).result).toBe(3);
  expect(copy({ requestFlags: both, size: 3 }).result).toBe(3);
  expect(read(to, 100)).toBe('hello d...');
  expect(copy({ description2: from, offset: 0, offset2: 3, size: 5 }).status).toBe(-EINVAL);
  expect(copy({ description2: 999 }).status).toBe(-EBADF);
  const reader = open('to', c.O_RDONLY).description;
  expect(copy({ description2: reader, size: 1 }).status).toBe(-EBADF);
  const append = open('to', c.O_WRONLY | c.O_APPEND).description;
  expect(copy({ description2: append, size: 1 }).status).toBe(-EBADF);
  expect(copy({ offset: -1, size: 1 }).status).toBe(-EINVAL);
});

// ---- directories ----------------------------------------------------------------------------------------------

function names(payload: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < payload.length; at += payload.readUInt16LE(at + 16))
    found.push(payload.subarray(at + 19, payload.indexOf(0, at + 19)).toString());
  return found;
}

test('a listing in pieces, while entries come and go', () => {
  mkdir('d');
  for (let i = 0; i < 100; i++) create(`d/file${i}`);
  const { description } = open('d', c.O_DIRECTORY);
  const piece = (size: number): string[] => {
    const reply = t.request(layout.OP_READDIR, { description, size });
    expect(reply.status).toBe(0);
    return names(reply.payload);
  };
  expect(piece(48)).toEqual(['.', '..']);
  const first = piece(400);
  for (let i = 50; i < 100; i++) expect(status(layout.OP_UNLINK, { path: `d/file${i}` })).toBe(0);
  create('d/late');
  const rest: string[] = [];
  for (let found = piece(300); found.length > 0; found = piece(300)) rest.push(...found);
  expect(new Set([...first, ...rest]).size).toBe(first.length + rest.length);
  for (let i = 0; i < 50; i++) expect(rest).toContain(`file${i}`);
  expect(rest).not.toContain('late');
  expect(status(layout.OP_LSEEK, { description, offset: 0 })).toBe(0);
  expect(status(layout.OP_READDIR, { description, size: 10 })).toBe(-EINVAL);
  expect(piece(1 << 20).length).toBe(2 + 51);
});

test('d_off says where to go on', () => {
  mkdir('d');
  for (const name of ['a', 'b', 'c']) create(`d/${name}`);
  const { description } = open('d', c.O_DIRECTORY);
  const { payload } = t.request(layout.OP_READDIR, { description, size: 4096 });
  const offsets: number[] = [];
  for (let at = 0; at < payload.length; at += payload.readUInt16LE(at + 16))
    offsets.push(Number(payload.readBigInt64LE(at + 8)));
  const all = names(payload);
  for (const [i, offset] of offsets.entries()) {
    t.request(layout.OP_LSEEK, { description, offset });
    expect(names(t.request(layout.OP_READDIR, { description, size: 4096 }).payload)).toEqual(
      all.slice(i + 1),
    );
  }
});

test('PATH follows renames of directories', () => {
  mkdir('a');
  mkdir('a/b');
  const { description } = open('a/b', c.O_DIRECTORY);
  const path = (): string => t.request(layout.OP_PATH, { description }).payload.toString();
  expect(path()).toBe('/a/b');
  t.request(layout.OP_RENAME2, { path: 'a', path2: 'x' });
  expect(path()).toBe('/x/b');
  expect(t.request(layout.OP_PATH, { description: 0 }).payload.toString()).toBe('/');
});

// ---- direct transfers ------------------------------------------------------------------------------------------

function extents(reply: Reply): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (let i = 0; i < reply.payload.length; i += layout.DIRECT_EXTENT_RECORD_SIZE)
    found.push({
      at: Number(reply.payload.readBigUInt64LE(i)),
      length: Number(reply.payload.readBigUInt64LE(i + 8)),
    });
  return found;
}

function copyOut(reply: Reply): Buffer {
  return Buffer.concat(
    extents(reply).map(({ at, length }) =>
      at === 0 ? Buffer.alloc(length) : Buffer.from(t.data.slice(at, at + length)),
    ),
  );
}

const grantOf = (): number => t.i32[layout.RING_SLOTS_OFFSET / 4 + layout.SLOT_GRANT];

test('a direct write is seen when it is committed, a direct read sees it', () => {
  const description = create('f', 'old');
  const size = 100_000;
  const prepared = t.request(layout.OP_WRITE_PREPARE, { description, size, offset: 0 });
  expect([prepared.status, prepared.result, prepared.offset]).toEqual([0, size, 0]);
  expect(grantOf()).toBe(1);
  for (const { at, length } of extents(prepared)) t.data.fill(0x61, at, at + length);
  expect(t.request(layout.OP_GETATTR, { description, slot: 1 }).size).toBe(3);
  const committed = t.request(layout.OP_WRITE_COMMIT, { size: 50_000 });
  expect([committed.status, committed.result, committed.offset]).toEqual([0, 50_000, 50_000]);
  expect(grantOf()).toBe(0);
  const direct = t.request(layout.OP_READ_DIRECT, { description, size: 1 << 20 });
  expect(direct.result).toBe(50_000);
  expect(copyOut(direct).equals(Buffer.alloc(50_000, 0x61))).toBe(true);
  expect(grantOf()).toBe(1);
  expect(status(layout.OP_NOOP)).toBe(0);
  expect(grantOf()).toBe(0);
});

test('a direct write that is not committed leaves nothing behind', () => {
  const description = create('f', 'old');
  const used = (): number => t.request(layout.OP_STATFS).payload.readUInt32LE(8);
  const before = used();
  for (const end of [
    () => status(layout.OP_NOOP),
    () => status(layout.OP_WRITE_COMMIT, { size: 0 }),
    () => status(layout.OP_WRITE_COMMIT, { size: 1 << 30 }),
  ]) {
    const prepared = t.request(layout.OP_WRITE_PREPARE, { description, size: 65536, offset: 8192 });
    expect(prepared.result).toBe(65536);
    end();
    status(layout.OP_NOOP);
    expect(lookup('f').size).toBe(3);
    expect(used()).toBe(before);
  }
  expect(status(layout.OP_WRITE_COMMIT, { size: 1 })).toBe(-EBADF);
});

test('the file of an open grant outlives its name and its description', () => {
  const description = create('f');
  const prepared = t.request(layout.OP_WRITE_PREPARE, { description, size: 65536, offset: 0 });
  expect(prepared.result).toBe(65536);
  expect(status(layout.OP_UNLINK, { path: 'f', slot: 1 })).toBe(0);
  const state =
    layout.RING_DESCRIPTIONS_OFFSET / 4 + description * layout.DESCRIPTION_STATE_RECORD_WORDS;
  t.i32[state + layout.DESCRIPTION_STATE_REFERENCES] = 0;
  t.request(layout.OP_RELEASE, { description, slot: 1 });
  expect(t.request(layout.OP_WRITE_COMMIT, { size: 65536 }).result).toBe(65536);
});

test('SETUPMAPPING gives pages that reads and writes share', () => {
  const description = create('f', 'hello');
  const map = (fields: Fields): Reply =>
    t.request(layout.OP_SETUPMAPPING, { description, size: 8192, mode: 3, flags: 1, ...fields });
  const mapped = map({});
  expect(mapped.status).toBe(0);
  const [{ at, length }] = extents(mapped);
  expect(length).toBe(4096);
  expect(Buffer.from(t.data.slice(at, at + 5)).toString()).toBe('hello');
  t.data.set(Buffer.from('J'), at);
  expect(read(description, 5)).toBe('Jello');
  expect(map({ offset: 100 }).status).toBe(-EINVAL);
  expect(map({ size: 100 }).status).toBe(-EINVAL);
  expect(map({ size: 0 }).status).toBe(-EINVAL);
  const reader = open('f', c.O_RDONLY).description;
  expect(map({ description: reader }).status).toBe(-EACCES);
  expect(map({ description: reader, mode: 1 }).status).toBe(0);
  expect(map({ description: reader, flags: 2 }).status).toBe(0);
  expect(map({ description: open('f', c.O_WRONLY).description }).status).toBe(-EACCES);
  expect(map({ description: open('', c.O_DIRECTORY).description, mode: 1 }).status).toBe(-ENODEV);
  expect(map({ description: open('f', O_PATH).description }).status).toBe(-EBADF);
});

// ---- nonsense ---------------------------------------------------------------------------------------------------

test('requests that make no sense', () => {
  const file = create('f');
  expect(status(0)).toBe(-ENOSYS);
  expect(status(2)).toBe(-ENOSYS);
  expect(status(-1)).toBe(-ENOSYS);
  expect(status(layout.OP_IMAGE, { data: '/bin/true' })).toBe(-ENOSYS);
  expect(lookup('a\0b').status).toBe(-EINVAL);
  expect(status(layout.OP_SYMLINK, { path: 'l', path2: 'a\0b' })).toBe(-EINVAL);
  expect(status(layout.OP_SYMLINK, { path: 'l' })).toBe(-ENOENT);
  expect(status(layout.OP_ACCESS, { path: 'f', mode: 8 })).toBe(-EINVAL);
  expect(status(layout.OP_READ, { description: file, size: -1 })).toBe(-EINVAL);
  expect(status(layout.OP_READ, { description: file, size: 1, offset: -1 })).toBe(-EINVAL);
  expect(status(layout.OP_READ_DIRECT, { description: file, size: 1, offset: -1 })).toBe(-EINVAL);
  expect(status(layout.OP_WRITE, { description: file, data: 'x', offset: -1 })).toBe(-EINVAL);
  expect(status(layout.OP_WRITE, { description: file, data: 'x', offset: 2 ** 63 })).toBe(-EFBIG);
  const word = layout.RING_SLOTS_OFFSET / 4;
  const lying = (length: number, requestFlags = 0): number => {
    t.request(layout.OP_NOOP, { description: file, requestFlags });
    t.i32[word + layout.SLOT_OPCODE] = layout.OP_WRITE;
    t.i32[word + layout.SLOT_PAYLOAD_LENGTH] = length;
    t.i32[word + layout.SLOT_OFFSET] = 0;
    dispatch(t.server, 0);
    return t.i32[word + layout.SLOT_STATUS];
  };
  expect(lying(layout.INLINE_SIZE + 1)).toBe(-EIO);
  expect(lying(-1)).toBe(-EIO);
  expect(lying(-1, layout.REQUEST_SLAB)).toBe(-EIO);
  expect(lying(layout.SLAB_SIZE + 1, layout.REQUEST_SLAB)).toBe(-EIO);
});

test('sockets and tokens: nothing that a client says opens what is not its own', () => {
  const { EADDRNOTAVAIL, ECONNREFUSED } = os.errno;
  mkdir('dir');
  expect(status(layout.OP_BIND, { path: 's', path2: 's', mode: 0o777 })).toBe(-EADDRNOTAVAIL);
  expect(status(layout.OP_PEER, { path: 'dir' })).toBe(-ECONNREFUSED);
  expect(status(layout.OP_PEER, { path: 'dir', uid: 1000, gid: 1000 })).toBe(-EACCES);
  expect(status(layout.OP_PEER, { path: 'none' })).toBe(-ENOENT);
  expect(status(layout.OP_MKNOD, { path: 's', mode: c.S_IFSOCK | 0o600 })).toBe(0);
  expect(status(layout.OP_PEER, { path: 's' })).toBe(0);
  expect(status(layout.OP_ADDRESS, { size: 2 ** 40, offset: -1 })).toBe(-ENOENT);
  expect(status(layout.OP_ADOPT, { size: 12345, flags: -1 })).toBe(-EINVAL);
  for (const description of [0, -1, 1, 65536, 1 << 30]) {
    expect(status(layout.OP_TOKEN, { description })).toBe(-EBADF);
    expect(status(layout.OP_TAKE, { description })).toBe(-EBADF);
  }
  expect(status(layout.OP_TOKEN, { description: create('f') })).toBe(-EOPNOTSUPP);
});

test('tokens stand for one description, and not for the next of its number', () => {
  t.close();
  t = createLoopback(undefined, undefined, uniqueSession('tokens'));
  const { description } = open('file', c.O_RDWR | c.O_CREAT);
  const generation = t.store.i32[
    t.server.descriptions.table.base +
      description * layout.DESCRIPTION_RECORD_WORDS +
      layout.DESCRIPTION_GENERATION
  ] as number;
  expect(status(layout.OP_TAKE, { description, size: generation })).toBe(-EBADF);
  expect(status(layout.OP_TOKEN, { description })).toBe(0);
  expect(status(layout.OP_TOKEN, { description })).toBe(0);
  expect(status(layout.OP_TAKE, { description, size: generation + 1 })).toBe(-EBADF);
  expect(status(layout.OP_TAKE, { description, size: generation })).toBe(0);
  // A client lies about the count until the description is another file's.
  const state = description * layout.DESCRIPTION_STATE_RECORD_WORDS;
  const references =
    layout.RING_DESCRIPTIONS_OFFSET / 4 + state + layout.DESCRIPTION_STATE_REFERENCES;
  t.i32[references] = 1;
  t.release(description);
  const record = layout.RING_PROCESSES_OFFSET / 4 + layout.PROCESS_RECORD_WORDS;
  t.i32[record + layout.PROCESS_STATE] = layout.PROCESS_STATE_LIVE;
  const other = open('other', c.O_RDWR | c.O_CREAT, { process: 1 });
  expect(other.description).toBe(description);
  expect(status(layout.OP_TAKE, { description, size: generation + 1 })).toBe(-EBADF);
  sweepSpecial(t.server);
  expect([t.i32[references], t.server.nodes.tokens.size]).toEqual([1, 0]);
});

test('the copy of a program goes with its file, whoever holds that or not', () => {
  const copies = (): number => t.server.copies.byInode.size;
  for (const held of [true, false]) {
    const description = create('program', 'text');
    t.i32[
      layout.RING_DESCRIPTIONS_OFFSET / 4 +
        description * layout.DESCRIPTION_STATE_RECORD_WORDS +
        layout.DESCRIPTION_STATE_REFERENCES
    ] = 1;
    t.release(description);
    const reader = open('program', c.O_RDONLY).description;
    expect([status(layout.OP_EXEC, { description: reader }), copies()]).toEqual([0, 1]);
    if (!held) t.release(reader);
    expect(status(layout.OP_UNLINK, { path: 'program' })).toBe(0);
    expect(copies()).toBe(0);
    if (held) t.release(reader);
  }
});

test('sockets that were never bound are looked for, but not all that a client can think of', () => {
  t.close();
  t = createLoopback(undefined, undefined, uniqueSession('late'));
  for (let i = 0; i < 1000; i++) {
    expect(status(layout.OP_BIND, { path: 's', path2: '/bt/s', mode: 0o777 })).toBe(0);
    expect(status(layout.OP_UNLINK, { path: 's' })).toBe(0);
  }
  expect(t.server.nodes.late.size).toBeLessThanOrEqual(256);
  for (let i = 0; i < 50; i++) sweepSpecial(t.server);
  expect(t.server.nodes.late.size).toBe(0);
});
