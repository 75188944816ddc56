/**
 * The algebra of record locks against a naive model: one entry per byte and owner. Any sequence of requests of
 * several owners on one file, then who holds what, who is in the way of whom, and every invariant; and what
 * the table says is enough for a restarted server.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  LOCK_KIND_FLOCK,
  LOCK_KIND_OFD,
  LOCK_KIND_POSIX,
  LOCK_QUEUED,
  LOCKS_MAX,
  ROOT_INO,
} from '../../ringbuf/layout.gen.ts';
import { checkStore } from '../../src/store/check.ts';
import { EAGAIN, EDEADLK, ENOLCK } from '../../src/store/errno.ts';
import { reference } from '../../src/store/inodes.ts';
import {
  adoptLocks,
  type Claim,
  createClaim,
  createLocks,
  dropLocks,
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  findConflict,
  forgetRequest,
  type Locks,
  OFFSET_MAX,
  setLock,
} from '../../src/store/locks.ts';
import { create, createFixture, type Fixture } from './fixture.ts';

const BYTES = 24;
const OWNERS = 4;

let fixture: Fixture;
let locks: Locks;
let ino: number;
let woken: Claim[];

beforeEach(() => {
  fixture = createFixture({ bytes: 1 << 20, inodes: 16 });
  woken = [];
  locks = createLocks(fixture.store, (request) => woken.push(request));
  ino = create(fixture.store, ROOT_INO, 'file');
  reference(fixture.store, ino);
});
afterEach(() => fixture.close());

/** Owners 0 and 1 are processes, 2 and 3 descriptions. The last byte of the model stands for "to the end". */
function claim(owner: number, type: number, first: number, last: number): Claim {
  const kind = owner < 2 ? LOCK_KIND_POSIX : LOCK_KIND_OFD;
  const end = last >= BYTES - 1 ? OFFSET_MAX : BigInt(last);
  return createClaim(
    kind,
    ino,
    owner + 1,
    7,
    owner < 2 ? 100 + owner : -1,
    type,
    BigInt(first),
    end,
  );
}

/** Type by owner and byte. */
type Model = number[][];

function modelSet(model: Model, owner: number, type: number, first: number, last: number): number {
  for (let byte = first; byte <= last; byte++)
    for (let other = 0; other < OWNERS && type !== F_UNLCK; other++) {
      const held = model[other][byte];
      if (other === owner || held === F_UNLCK) continue;
      if (held === F_WRLCK || type === F_WRLCK) return -EAGAIN;
    }
  model[owner].fill(type, first, last + 1);
  return 0;
}

function held(table: Locks): Model {
  const model: Model = Array.from({ length: OWNERS }, () => new Array(BYTES).fill(F_UNLCK));
  for (const lock of table.files.get(ino)?.records ?? []) {
    const last = lock.end === OFFSET_MAX ? BYTES - 1 : Number(lock.end);
    for (let byte = Number(lock.start); byte <= last; byte++)
      model[lock.owner - 1][byte] = lock.type;
  }
  return model;
}

const command = fc.record({
  owner: fc.nat({ max: OWNERS - 1 }),
  type: fc.constantFrom(F_RDLCK, F_RDLCK, F_WRLCK, F_UNLCK),
  first: fc.nat({ max: BYTES - 1 }),
  length: fc.integer({ min: 1, max: BYTES }),
});

test('locks of several owners are those of a model that knows every byte', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const model: Model = Array.from({ length: OWNERS }, () => new Array(BYTES).fill(F_UNLCK));
      for (let owner = 0; owner < OWNERS; owner++)
        dropLocks(locks, ino, claim(owner, F_UNLCK, 0, BYTES - 1).key);
      for (const { owner, type, first, length } of commands) {
        const last = Math.min(first + length, BYTES) - 1;
        const expected = modelSet(model, owner, type, first, last);
        const wanted = claim(owner, type, first, last);
        expect(findConflict(locks, wanted) !== undefined && type !== F_UNLCK).toBe(expected !== 0);
        expect(setLock(locks, wanted, false)).toBe(expected);
        expect(held(locks)).toEqual(model);
      }
      expect(checkStore(fixture.store)).toEqual([]);
      const adopted = createLocks(fixture.store, () => {});
      adoptLocks(adopted);
      const plain = (table: Locks) =>
        table.files.get(ino)?.records.map(({ key, pid, type, start, end, record, rank }) => ({
          ...{ key, pid, type, start, end, record, rank },
        }));
      expect(plain(adopted)).toEqual(plain(locks));
    }),
    { numRuns: 300 },
  );
});

test('whoever waits is woken when nothing is in the way, and nobody waits for ever', () => {
  const waits = fc.record({ command, wait: fc.boolean() });
  fc.assert(
    fc.property(fc.array(waits, { maxLength: 40 }), (commands) => {
      const keys = Array.from({ length: OWNERS }, (_, o) => claim(o, F_UNLCK, 0, 0).key);
      for (const key of keys) dropLocks(locks, ino, key);
      let waiting: Claim[] = [];
      const again = (): void => {
        // In the order of their wake-ups, as the clients would come.
        for (let request = woken.shift(); request !== undefined; request = woken.shift()) {
          const status = setLock(locks, request, true);
          if (status !== LOCK_QUEUED) waiting = waiting.filter((other) => other !== request);
        }
      };
      for (const { command, wait } of commands) {
        const { owner, type, first, length } = command;
        // One thread per owner.
        const busy = waiting.find((other) => other.key === keys[owner]);
        if (busy !== undefined) {
          if (wait) continue;
          forgetRequest(locks, busy);
          waiting = waiting.filter((other) => other !== busy);
        }
        const wanted = claim(owner, type, first, Math.min(first + length, BYTES) - 1);
        const status = setLock(locks, wanted, wait);
        if (status === LOCK_QUEUED) waiting.push(wanted);
        else expect([0, -EAGAIN, -EDEADLK]).toContain(status);
        again();
        for (const request of waiting) {
          let root = request;
          while (root.blocker !== undefined) root = root.blocker;
          expect(root.record, 'waits for a lock that is held').not.toBe(0);
        }
      }
      for (const key of keys) {
        dropLocks(locks, ino, key);
        again();
      }
      // What was granted meanwhile goes as well; then nobody can be in the way.
      for (let turn = 0; turn < OWNERS; turn++)
        for (const key of keys) {
          dropLocks(locks, ino, key);
          again();
        }
      expect(waiting).toEqual([]);
      expect(locks.blocked).toEqual([]);
      expect(checkStore(fixture.store)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('a range of any 63-bit numbers is exact', () => {
  const at = 2n ** 62n + 1n;
  const exact = (owner: number, type: number, start: bigint, end: bigint) =>
    createClaim(LOCK_KIND_POSIX, ino, owner, 1, owner, type, start, end);
  expect(setLock(locks, exact(1, F_WRLCK, at, OFFSET_MAX), false)).toBe(0);
  expect(setLock(locks, exact(1, F_UNLCK, at + 1n, at + 1n), false)).toBe(0);
  expect(setLock(locks, exact(2, F_WRLCK, at + 1n, at + 1n), false)).toBe(0);
  expect(setLock(locks, exact(2, F_WRLCK, at + 1n, at + 2n), false)).toBe(-EAGAIN);
  expect(setLock(locks, exact(2, F_WRLCK, 0n, at - 1n), false)).toBe(0);
  const adopted = createLocks(fixture.store, () => {});
  adoptLocks(adopted);
  expect(findConflict(adopted, exact(3, F_RDLCK, at + 2n, OFFSET_MAX))?.start).toBe(at + 2n);
});

test('a full table is ENOLCK, and leaves every lock as it was', () => {
  const one = (owner: number, byte: number, type: number) =>
    createClaim(LOCK_KIND_POSIX, ino, owner, 1, 1, type, BigInt(byte), BigInt(byte));
  locks.store.i32[locks.table.freshWord] = LOCKS_MAX - 2;
  locks.store.i32[locks.table.usedWord] = 0;
  const whole = createClaim(LOCK_KIND_POSIX, ino, 1, 1, 1, F_WRLCK, 0n, 99n);
  expect(setLock(locks, whole, false)).toBe(0);
  expect(setLock(locks, one(1, 50, F_RDLCK), false)).toBe(-ENOLCK);
  expect(setLock(locks, one(2, 200, F_RDLCK), false)).toBe(0);
  expect(setLock(locks, one(1, 50, F_UNLCK), false)).toBe(-ENOLCK);
  expect(setLock(locks, one(3, 300, F_RDLCK), false)).toBe(-ENOLCK);
  const flock = createClaim(LOCK_KIND_FLOCK, ino, 1, 1, 0, F_RDLCK, 0n, OFFSET_MAX);
  expect(setLock(locks, flock, false)).toBe(-ENOLCK);
  const all = createClaim(LOCK_KIND_POSIX, ino, 1, 1, 1, F_UNLCK, 0n, OFFSET_MAX);
  expect(setLock(locks, all, false)).toBe(0);
  expect(setLock(locks, one(3, 300, F_RDLCK), false)).toBe(0);
});
