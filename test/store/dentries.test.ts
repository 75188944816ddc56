/** Names beyond what the property test reaches: growth of the hash, cookies, paths, held directories. */
import { expect, test } from 'vitest';
import {
  INODE_EXTENT_DATA_BLOCK,
  ROOT_INO,
  SUPERBLOCK_HASH_LEVEL,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { checkStore } from '../../src/store/check.ts';
import {
  cookieOf,
  entries,
  entryAt,
  exchange,
  inoOf,
  move,
  nameInto,
  nameLengthOf,
  next,
  nextCookie,
  pathOf,
  remove,
  replace,
} from '../../src/store/dentries.ts';
import { ENAMETOOLONG, ENOENT, ENOSPC } from '../../src/store/errno.ts';
import {
  allocateInode,
  dereference,
  freeInode,
  inodeWord,
  isLive,
  nlinkOf,
  parentOf,
  reference,
} from '../../src/store/inodes.ts';
import { hashName } from '../../src/store/names.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../../src/store/posix.ts';
import { setTarget, targetInto } from '../../src/store/texts.ts';
import { add, bytesOf, create, createFixture, lookup } from './fixture.ts';

const DIRECTORY = S_IFDIR | 0o755;

test('ten thousand names are found while the hash grows and after it, and none of them when removed', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 10_010 });
  const { store } = fixture;
  const level = store.i32[store.superblockWord + SUPERBLOCK_HASH_LEVEL];
  const directory = create(store, ROOT_INO, 'd', DIRECTORY);
  for (let at = 0; at < 10_000; at++) {
    const ino = create(store, at % 2 ? ROOT_INO : directory, `name-${at}`);
    if (at % 97 === 0)
      expect(inoOf(store, lookup(store, directory, `name-${at & ~1}`))).toBe(ino - (at % 2));
  }
  expect(store.i32[store.superblockWord + SUPERBLOCK_HASH_LEVEL]).toBeGreaterThan(level + 2);
  for (let at = 0; at < 10_000; at++) {
    expect(lookup(store, at % 2 ? ROOT_INO : directory, `name-${at}`)).not.toBe(0);
    expect(lookup(store, at % 2 ? directory : ROOT_INO, `name-${at}`)).toBe(0);
  }
  expect(checkStore(store)).toEqual([]);
  for (let at = 0; at < 10_000; at += 2) remove(store, lookup(store, directory, `name-${at}`));
  expect(entries(store, directory)).toBe(0);
  expect(lookup(store, directory, 'name-4')).toBe(0);
  expect(inoOf(store, lookup(store, ROOT_INO, 'name-5'))).toBeGreaterThan(0);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a listing, newest first, goes on where it was, whatever was created or removed meanwhile', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  for (let at = 0; at < 10; at++) create(store, ROOT_INO, `f${at}`);
  let dentry = entryAt(store, ROOT_INO, Infinity);
  expect(cookieOf(store, dentry)).toBe(12);
  for (let at = 0; at < 4; at++) dentry = next(store, dentry);
  const cookie = cookieOf(store, dentry);
  remove(store, dentry);
  remove(store, lookup(store, ROOT_INO, 'f4'));
  create(store, ROOT_INO, 'late');
  const seen: string[] = [];
  const name = new Uint8Array(255);
  for (let at = entryAt(store, ROOT_INO, cookie); at !== 0; at = next(store, at)) {
    seen.push(Buffer.from(name.subarray(0, nameInto(store, at, name, 0))).toString());
  }
  expect(seen).toEqual(['f3', 'f2', 'f1', 'f0']);
  fixture.close();
});

test('cookies that have run out are given anew in the same order', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  for (let at = 0; at < 5; at++) create(store, ROOT_INO, `f${at}`);
  store.i32[inodeWord(store, ROOT_INO) + INODE_EXTENT_DATA_BLOCK] = 0x7ffffff0;
  create(store, ROOT_INO, 'last');
  expect(nextCookie(store, ROOT_INO)).toBeLessThan(20);
  expect(cookieOf(store, lookup(store, ROOT_INO, 'last'))).toBe(nextCookie(store, ROOT_INO) - 1);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a name of 255 bytes that differs in its last byte is another name', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  const long = 'n'.repeat(254);
  const first = create(store, ROOT_INO, `${long}1`);
  const second = create(store, ROOT_INO, `${long}2`);
  expect(inoOf(store, lookup(store, ROOT_INO, `${long}1`))).toBe(first);
  expect(inoOf(store, lookup(store, ROOT_INO, `${long}2`))).toBe(second);
  expect(lookup(store, ROOT_INO, `${long}3`)).toBe(0);
  expect(nameLengthOf(store, lookup(store, ROOT_INO, `${long}2`))).toBe(255);
  fixture.close();
});

test('paths follow a renamed directory, and end with a removed one', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  const path = new Uint8Array(64);
  const text = (ino: number) => {
    const length = pathOf(store, ino, path);
    return length < 0 ? length : Buffer.from(path.subarray(0, length)).toString();
  };
  const a = create(store, ROOT_INO, 'a', DIRECTORY);
  const b = create(store, a, 'b', DIRECTORY);
  const c = create(store, b, 'c', DIRECTORY);
  expect(text(ROOT_INO)).toBe('/');
  expect(text(c)).toBe('/a/b/c');
  const name = bytesOf('x'.repeat(60));
  move(store, lookup(store, a, 'b'), ROOT_INO, name, 0, 60, hashName(ROOT_INO, name, 0, 60));
  expect(text(b)).toBe(`/${'x'.repeat(60)}`);
  expect(text(c)).toBe(`/${'x'.repeat(60)}/c`);
  const below = create(store, c, 'dd', DIRECTORY);
  expect(text(below)).toBe(-ENAMETOOLONG);
  reference(store, below);
  remove(store, lookup(store, c, 'dd'));
  expect(text(below)).toBe(-ENOENT);
  dereference(store, below);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('".." of a removed directory that is held leads on, however deep it stood', () => {
  const DEPTH = 20_000;
  const fixture = createFixture({ bytes: 4096, inodes: DEPTH + 2 });
  const { store } = fixture;
  const chain = [ROOT_INO];
  for (let at = 0; at < DEPTH; at++) chain.push(create(store, chain[at], 'd', DIRECTORY));
  reference(store, chain[DEPTH]);
  for (let at = DEPTH; at > 0; at--) remove(store, lookup(store, chain[at - 1], 'd'));
  expect(isLive(store, chain[1])).toBe(true);
  expect(parentOf(store, chain[DEPTH])).toBe(chain[DEPTH - 1]);
  expect(nlinkOf(store, chain[DEPTH])).toBe(0);
  dereference(store, chain[DEPTH]);
  for (const ino of chain.slice(1)) expect(isLive(store, ino)).toBe(false);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a name renamed over comes first in the listing', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  create(store, ROOT_INO, 'a');
  const b = create(store, ROOT_INO, 'b');
  const cookie = nextCookie(store, ROOT_INO);
  replace(store, lookup(store, ROOT_INO, 'a'), lookup(store, ROOT_INO, 'b'));
  expect(inoOf(store, lookup(store, ROOT_INO, 'a'))).toBe(b);
  expect(cookieOf(store, lookup(store, ROOT_INO, 'a'))).toBe(cookie);
  expect(lookup(store, ROOT_INO, 'b')).toBe(0);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('a directory renamed over an empty one elsewhere: links and ".." of all four are right', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  const from = create(store, ROOT_INO, 'from', DIRECTORY);
  const to = create(store, ROOT_INO, 'to', DIRECTORY);
  const moved = create(store, from, 'moved', DIRECTORY);
  const replaced = create(store, to, 'replaced', DIRECTORY);
  replace(store, lookup(store, to, 'replaced'), lookup(store, from, 'moved'));
  expect([nlinkOf(store, from), nlinkOf(store, to)]).toEqual([2, 3]);
  expect(parentOf(store, moved)).toBe(to);
  expect(isLive(store, replaced)).toBe(false);
  expect(checkStore(store)).toEqual([]);
  const file = create(store, ROOT_INO, 'file');
  exchange(store, lookup(store, to, 'replaced'), lookup(store, ROOT_INO, 'file'));
  expect([nlinkOf(store, to), nlinkOf(store, ROOT_INO)]).toEqual([2, 5]);
  expect(parentOf(store, moved)).toBe(ROOT_INO);
  expect(inoOf(store, lookup(store, to, 'replaced'))).toBe(file);
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('symlink targets of any length come back whole, and are cut to the room there is', () => {
  const fixture = createFixture({ bytes: 4096, inodes: 100 });
  const { store } = fixture;
  for (const length of [1, 127, 252, 253, 4095]) {
    const ino = create(store, ROOT_INO, `l${length}`, S_IFLNK | 0o777);
    const target = Buffer.alloc(length, `${length}/`);
    expect(setTarget(store, ino, target, 0, length)).toBe(0);
    const out = new Uint8Array(4096);
    expect(targetInto(store, ino, out, 1, 4095)).toBe(length);
    expect(Buffer.compare(out.subarray(1, length + 1), target)).toBe(0);
    expect(targetInto(store, ino, out, 0, 1)).toBe(length);
    expect(out[0]).toBe(target[0]);
  }
  expect(checkStore(store)).toEqual([]);
  for (const length of [1, 127, 252, 253, 4095]) {
    remove(store, lookup(store, ROOT_INO, `l${length}`));
  }
  expect(checkStore(store)).toEqual([]);
  fixture.close();
});

test('when shared memory is full, an operation says ENOSPC and the store stays whole', () => {
  let full = false;
  const fixture = createFixture(
    { bytes: 4096, inodes: 100_000 },
    { allocate: (fd, offset, length) => (full ? -ENOSPC : native().allocate(fd, offset, length)) },
  );
  const { store } = fixture;
  create(store, ROOT_INO, 'first');
  full = true;
  let made = 0;
  for (;;) {
    const ino = allocateInode(store, S_IFREG | 0o644, 0, 0, 0);
    if (ino < 0) break;
    if (add(store, ROOT_INO, `f${made}`, ino) < 0) {
      freeInode(store, ino);
      break;
    }
    made++;
  }
  expect(made).toBeGreaterThan(0);
  expect(made).toBeLessThan(99_000);
  expect(checkStore(store)).toEqual([]);
  full = false;
  expect(add(store, ROOT_INO, 'again', create(store, ROOT_INO, 'more'))).toBeGreaterThan(0);
  fixture.close();
});
