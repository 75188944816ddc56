/**
 * File contents against a model of byte arrays: any sequence of writes, truncates, fallocates, copies
 * and direct writes on a few files that share little memory, then every byte and every invariant.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PAGE_SIZE, ROOT_INO } from '../../ringbuf/layout.gen.ts';
import { drainLimbo, statistics } from '../../src/store/blocks.ts';
import { checkStore } from '../../src/store/check.ts';
import { remove } from '../../src/store/dentries.ts';
import { ENOSPC, ENXIO } from '../../src/store/errno.ts';
import {
  abandonWrite,
  commitWrite,
  copyRange,
  directExtents,
  fallocate,
  mapExtents,
  prepareWrite,
  SEEK_DATA,
  SEEK_HOLE,
  seek,
  truncate,
} from '../../src/store/files.ts';
import {
  addMap,
  blocksOf,
  dereference,
  dropMap,
  getSize,
  reference,
} from '../../src/store/inodes.ts';
import { create, createFixture, type Fixture, lookup, readBytes, writeBytes } from './fixture.ts';

const FILES = 3;
/** Model files reach this far; the limits below make ENOSPC an everyday event. */
const REACH = 24 * PAGE_SIZE;
/** Appends may go past it. */
const WHOLE = 4 * REACH;
const LIMIT_BLOCKS = 40;

const offset = fc.oneof(
  fc.nat({ max: REACH - 1 }),
  fc.nat({ max: REACH / PAGE_SIZE - 1 }).map((block) => block * PAGE_SIZE),
);
const length = fc.oneof(
  fc.integer({ min: 1, max: 5 * PAGE_SIZE }),
  fc.integer({ min: 1, max: 5 }).map((blocks) => blocks * PAGE_SIZE),
);
const file = fc.nat({ max: FILES - 1 });
const command = fc.record({
  op: fc.constantFrom(
    'write',
    'write',
    'append',
    'truncate',
    'allocate',
    'keep',
    'punch',
    'copy',
    'prepare',
    'prepareAppend',
    'commit',
    'abandon',
    'unlink',
    'map',
    'unmap',
  ),
  file,
  other: file,
  grant: fc.nat({ max: 2 }),
  offset,
  offset2: offset,
  length,
  seed: fc.nat({ max: 255 }),
});
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => 1 + ((seed * 31 + at * 7) % 255));
}

interface OpenGrant {
  readonly file: number;
  readonly ino: number;
  readonly append: boolean;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface File {
  ino: number;
  bytes: Uint8Array;
  maps: number;
}

class Model {
  readonly fixture: Fixture;
  readonly files: File[] = [];
  readonly grants: (OpenGrant | undefined)[] = [];
  /** Set by a test that lets READ_DIRECT grants come and go. */
  grantsOut = false;

  constructor(fixture: Fixture) {
    this.fixture = fixture;
    for (let at = 0; at < FILES; at++) this.files.push(this.fresh(`f${at}`));
  }

  fresh(name: string): File {
    const ino = create(this.fixture.store, ROOT_INO, name);
    expect(ino).toBeGreaterThan(0);
    return { ino, bytes: new Uint8Array(0), maps: 0 };
  }

  private put(file: File, at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const grown = new Uint8Array(Math.max(file.bytes.length, at + bytes.length));
    grown.set(file.bytes);
    grown.set(bytes, at);
    file.bytes = grown;
  }

  private resize(file: File, size: number): void {
    const resized = new Uint8Array(size);
    resized.set(file.bytes.subarray(0, size));
    file.bytes = resized;
  }

  run(step: Command): void {
    const { store } = this.fixture;
    const file = this.files[step.file];
    switch (step.op) {
      case 'write':
      case 'append': {
        const at = step.op === 'append' ? file.bytes.length : step.offset;
        if (at + step.length > REACH) return;
        const bytes = pattern(step.seed, step.length);
        const written = writeBytes(this.fixture, file.ino, at, bytes);
        if (written === -ENOSPC) return;
        expect(written).toBeGreaterThan(0);
        if (written < step.length) expect(statistics(store).blocksFree).toBe(0);
        this.put(file, at, bytes.subarray(0, written));
        return;
      }
      case 'truncate': {
        expect(truncate(store, file.ino, step.offset)).toBe(0);
        this.resize(file, step.offset);
        return;
      }
      case 'allocate':
      case 'keep': {
        if (step.offset + step.length > REACH) return;
        const before = blocksOf(store, file.ino);
        const status = fallocate(
          store,
          file.ino,
          step.op === 'keep' ? 1 : 0,
          step.offset,
          step.length,
        );
        if (status === -ENOSPC) {
          expect(blocksOf(store, file.ino)).toBe(before);
          return;
        }
        expect(status).toBe(0);
        const end = step.offset + step.length;
        if (step.op === 'allocate' && end > file.bytes.length) this.resize(file, end);
        return;
      }
      case 'punch': {
        expect(fallocate(store, file.ino, 3, step.offset, step.length)).toBe(0);
        file.bytes.fill(0, step.offset, step.offset + step.length);
        return;
      }
      case 'copy': {
        const target = this.files[step.other];
        const bytes = file.bytes.slice(step.offset, step.offset + step.length);
        if (step.offset2 + bytes.length > REACH || file === target) return;
        const copied = copyRange(
          store,
          file.ino,
          step.offset,
          target.ino,
          step.offset2,
          step.length,
        );
        if (copied === -ENOSPC) return;
        expect(copied).toBeGreaterThanOrEqual(0);
        if (copied < bytes.length) expect(statistics(store).blocksFree).toBe(0);
        this.put(target, step.offset2, bytes.subarray(0, copied));
        return;
      }
      case 'prepare':
      case 'prepareAppend':
        this.prepare(step, step.op === 'prepareAppend');
        return;
      case 'commit':
        this.commit(step.grant, step.length);
        return;
      case 'abandon': {
        const grant = this.grants[step.grant];
        // The model cannot tell what an abandoned write did in place: see commit.
        if (grant && grant.offset >= getSize(store, grant.ino)) this.drop(step.grant);
        return;
      }
      case 'unlink': {
        if (file.maps > 0) return;
        remove(store, lookup(store, ROOT_INO, `f${step.file}`));
        this.files[step.file] = this.fresh(`f${step.file}`);
        return;
      }
      case 'map': {
        const out = new Float64Array(256);
        const pairs = mapExtents(store, file.ino, 0, WHOLE, out);
        if (pairs === -ENOSPC) return;
        const whole = Math.ceil(file.bytes.length / PAGE_SIZE) * PAGE_SIZE;
        const seen = new Uint8Array(whole);
        let at = 0;
        for (let pair = 0; pair < pairs; pair++) {
          const from = out[pair * 2];
          // A hole too large for what is free stays one.
          if (from !== 0)
            seen.set(store.dataSegment.u8.subarray(from, from + out[pair * 2 + 1]), at);
          at += out[pair * 2 + 1];
        }
        expect(at).toBe(whole);
        expect(Buffer.compare(seen.subarray(0, file.bytes.length), file.bytes)).toBe(0);
        reference(store, file.ino);
        addMap(store, file.ino);
        file.maps++;
        return;
      }
      case 'unmap':
        this.unmap(file);
        return;
    }
  }

  unmap(file: File): void {
    if (file.maps === 0) return;
    file.maps--;
    dropMap(this.fixture.store, file.ino);
    dereference(this.fixture.store, file.ino);
  }

  /** The client copies at once, so that bytes written in place are in the file from then on. */
  private prepare(step: Command, append: boolean): void {
    const { store } = this.fixture;
    const file = this.files[step.file];
    const at = append ? file.bytes.length : step.offset;
    if (this.grants[step.grant] || at + step.length > REACH) return;
    const out = new Float64Array(256);
    const pairs = prepareWrite(store, step.grant, file.ino, at, step.length, out);
    if (pairs === -ENOSPC) return;
    expect(pairs).toBeGreaterThan(0);
    const wanted = pattern(step.seed, step.length);
    let done = 0;
    for (let pair = 0; pair < pairs; pair++) {
      const bytes = wanted.subarray(done, done + out[pair * 2 + 1]);
      store.dataSegment.u8.set(bytes, out[pair * 2]);
      done += bytes.length;
    }
    if (done < step.length) expect(statistics(store).blocksFree).toBe(0);
    reference(store, file.ino);
    const bytes = wanted.subarray(0, done);
    this.grants[step.grant] = { file: step.file, ino: file.ino, append, offset: at, bytes };
    // Nothing past the end is to be seen before the commit, and neither is a change of size.
    expect(getSize(store, file.ino)).toBe(file.bytes.length);
    const now = readBytes(this.fixture, file.ino, 0, WHOLE);
    for (let byte = 0; byte < now.length; byte++) {
      const inside = byte >= at && byte < at + done;
      if (now[byte] !== file.bytes[byte]) {
        expect(inside).toBe(true);
        expect(now[byte]).toBe(bytes[byte - at]);
      }
    }
    file.bytes = now;
  }

  /** A client may have written less than it prepared. */
  private commit(slot: number, most: number): void {
    const { store } = this.fixture;
    const grant = this.grants[slot];
    if (!grant) return;
    const file = this.files[grant.file];
    const live = file.ino === grant.ino;
    const bytes = grant.bytes.subarray(0, most);
    const free = statistics(store).blocksFree;
    const written = commitWrite(store, slot, bytes.length, grant.append);
    this.grants[slot] = undefined;
    if (written > 0) {
      const at = grant.append && live ? file.bytes.length : grant.offset;
      if (live) {
        expect(store.committedEnd).toBe(at + written);
        this.committed(file, at, bytes.subarray(0, written));
      }
      // Copying needs blocks beside the grant's own, and what waits in limbo cannot be had.
      const needed = Math.ceil(bytes.length / PAGE_SIZE) + 1;
      if (written < bytes.length) expect(free).toBeLessThan(needed);
    } else {
      expect(written).toBe(-ENOSPC);
    }
    dereference(store, grant.ino);
  }

  /** Where another write came between prepare and commit, either may have won; nothing else is new. */
  private committed(file: File, at: number, bytes: Uint8Array): void {
    const before = file.bytes;
    this.put(file, at, bytes);
    const now = readBytes(this.fixture, file.ino, 0, WHOLE);
    // A file that was cut under the write may stay as short as it was.
    if (now.length !== file.bytes.length) expect(now.length).toBe(before.length);
    for (let byte = 0; byte < now.length; byte++) {
      if (now[byte] === file.bytes[byte]) continue;
      expect(byte >= at && byte < at + bytes.length).toBe(true);
      expect(now[byte]).toBe(before[byte]);
    }
    file.bytes = now;
  }

  private drop(slot: number): void {
    const grant = this.grants[slot];
    if (!grant) return;
    abandonWrite(this.fixture.store, slot);
    this.grants[slot] = undefined;
    dereference(this.fixture.store, grant.ino);
  }

  compare(): void {
    const { store } = this.fixture;
    for (const file of this.files) {
      expect(getSize(store, file.ino)).toBe(file.bytes.length);
      const bytes = readBytes(this.fixture, file.ino, 0, WHOLE);
      expect(Buffer.compare(bytes, file.bytes)).toBe(0);
      this.compareDirect(file);
      this.compareSeek(file);
    }
  }

  private compareDirect(file: File): void {
    const { store } = this.fixture;
    const out = new Float64Array(256);
    const bytes = new Uint8Array(file.bytes.length);
    const pairs = directExtents(store, file.ino, 0, WHOLE, out);
    let at = 0;
    for (let pair = 0; pair < pairs; pair++) {
      const [from, length] = [out[pair * 2], out[pair * 2 + 1]];
      if (from !== 0) bytes.set(store.dataSegment.u8.subarray(from, from + length), at);
      at += length;
    }
    expect(at).toBe(file.bytes.length);
    expect(Buffer.compare(bytes, file.bytes)).toBe(0);
  }

  /** Between SEEK_HOLE and SEEK_DATA there are only zeros, and each names the next change. */
  private compareSeek(file: File): void {
    const { store } = this.fixture;
    const size = file.bytes.length;
    let at = 0;
    while (at < size) {
      const data = seek(store, file.ino, at, SEEK_DATA);
      const dataAt = data === -ENXIO ? size : data;
      expect(dataAt).toBeGreaterThanOrEqual(at);
      expect(file.bytes.subarray(at, dataAt).every((byte) => byte === 0)).toBe(true);
      if (dataAt === size) break;
      const hole = seek(store, file.ino, dataAt, SEEK_HOLE);
      expect(hole).toBeGreaterThan(dataAt);
      at = hole;
    }
    expect(seek(store, file.ino, size, SEEK_DATA)).toBe(-ENXIO);
  }

  end(): void {
    const { store } = this.fixture;
    for (let slot = 0; slot < 3; slot++) this.drop(slot);
    this.grantsOut = false;
    for (const [at, file] of this.files.entries()) {
      while (file.maps > 0) this.unmap(file);
      remove(store, lookup(store, ROOT_INO, `f${at}`));
    }
  }
}

test('any sequence of writes, truncates, holes, copies, grants and mappings', () => {
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 10, maxLength: 60 }),
      fc.boolean(),
      (commands, readers) => {
        const fixture = createFixture({ bytes: LIMIT_BLOCKS * PAGE_SIZE, inodes: 64 });
        try {
          run(fixture, commands, readers);
        } finally {
          fixture.close();
        }
      },
    ),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
});

function run(fixture: Fixture, commands: readonly Command[], readers: boolean): void {
  const { store } = fixture;
  const model = new Model(fixture);
  store.grantsOut = () => model.grantsOut;
  for (const [at, step] of commands.entries()) {
    if (readers) model.grantsOut = at % 7 < 3;
    model.run(step);
  }
  model.compare();
  expect(checkStore(store)).toEqual([]);
  model.end();
  expect(checkStore(store)).toEqual([]);
  drainLimbo(store);
  expect(statistics(store).blocksFree).toBe(LIMIT_BLOCKS);
}
