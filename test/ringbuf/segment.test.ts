import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import {
  RING_SIZE,
  SEGMENT_DATA,
  SEGMENT_HEADER_SCHEMA_HASH,
  SEGMENT_HEADER_VERSION,
  SEGMENT_RING,
  SEGMENT_STORE,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import {
  type CreateOptions,
  closeSegment,
  createSegment,
  type MappingMethod,
  openSegment,
  publishSegment,
  retireSegment,
  type Segment,
  segmentFacts,
} from '../../ringbuf/segment.ts';

const session = `segment-${process.pid}`;
const made: Segment[] = [];

function create(options: Omit<CreateOptions, 'session'>): Segment {
  const segment = createSegment({ session, ...options });
  made.push(segment);
  return segment;
}

function codeOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'no error';
}

const left = (): string[] =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(`btfuse.${session}.`));

afterEach(() => {
  for (const segment of made.splice(0)) closeSegment(segment, { unlink: true });
  expect(left()).toEqual([]);
});

const methods: MappingMethod[] = native().hasExternalSharedArrayBuffer
  ? ['external', 'wasm']
  : ['wasm'];

describe.each(methods)('SharedArrayBuffer by %s', (method) => {
  test('two mappings of one segment show the same bytes', () => {
    const sessionId = 0x1234_5678_9abc_def0n;
    const segment = create({ kind: SEGMENT_RING, prefix: '/bt', sessionId, device: 7, method });
    publishSegment(segment);
    const other = openSegment({ kind: SEGMENT_RING, session, method });
    expect(segmentFacts(other)).toMatchObject({
      ...{ size: RING_SIZE, prefix: '/bt', session, sessionId, device: 7 },
      serverPid: process.pid,
    });
    segment.u8[RING_SIZE - 1] = 42;
    expect(other.u8[RING_SIZE - 1]).toBe(42);
    Atomics.add(other.i32, 4096, 5);
    expect(Atomics.load(segment.i32, 4096)).toBe(5);
    closeSegment(other);
  });

  test('the addon copies and zeroes what the typed arrays show', () => {
    const segment = create({ kind: SEGMENT_DATA, size: 1 << 20, method });
    segment.u8.set([1, 2, 3, 4, 5], 8192);
    native().copy(segment.id, 8194, segment.id, 8192, 5);
    expect([...segment.u8.slice(8192, 8199)]).toEqual([1, 2, 1, 2, 3, 4, 5]);
    native().zero(segment.id, 8193, 5);
    expect([...segment.u8.slice(8192, 8199)]).toEqual([1, 0, 0, 0, 0, 0, 5]);
  });
});

test('offsets outside a segment are a RangeError, not a write', () => {
  const segment = create({ kind: SEGMENT_DATA, size: 8192 });
  const { id } = segment;
  const addon = native();
  const outside: (() => void)[] = [
    () => addon.copy(id, 8190, id, 0, 3),
    () => addon.copy(id, 0, id, 8190, 3),
    () => addon.copy(id, -1, id, 0, 1),
    () => addon.copy(id, 0, id, 0, -1),
    () => addon.copy(id, 0, id, 2 ** 60, 1),
    () => addon.copy(id, 2 ** 53, id, 0, 2 ** 53),
    () => addon.copy(id + 1000, 0, id, 0, 1),
    () => addon.copy(-1, 0, id, 0, 1),
    () => addon.zero(id, 8192, 1),
    () => addon.zero(id, 0, 8193),
    () => addon.futexWake(id, 8192, 1),
    () => addon.futexWake(id, 2, 1),
    () => addon.futexWait(id, -4, 0, 0),
  ];
  for (const action of outside) expect(action).toThrow(RangeError);
  addon.copy(id, 8191, id, 0, 1);
  addon.zero(id, 8192, 0);
});

test('an unmapped id is refused', () => {
  const fd = native().memfdCreate('unmapped', 4096);
  const id = native().map(fd, 4096);
  native().unmap(id);
  expect(() => native().zero(id, 0, 1)).toThrow(RangeError);
  expect(() => native().zero(id, 0, 0)).toThrow(RangeError);
  expect(native().map(fd, 4097)).toBeLessThan(0);
  native().close(fd);
});

test('names that are no file names are refused', () => {
  for (const name of ['', '../x', 'a/b', '.hidden', 'a\0b', 'x'.repeat(300)]) {
    expect(native().shmCreate(name, 4096)).toBeLessThan(0);
  }
  for (const name of ['', '..', 'a/b', 'a b', 'x'.repeat(64)]) {
    const action = () => createSegment({ kind: SEGMENT_RING, session: name });
    expect(codeOf(action)).toBe('BTFUSE_ERR_BAD_NAME');
  }
});

describe('what is wrong with a segment is said', () => {
  const open = () => openSegment({ kind: SEGMENT_STORE, session });
  const store = (): Segment => create({ kind: SEGMENT_STORE, size: 1 << 16 });

  test('missing', () => {
    expect(codeOf(open)).toBe('BTFUSE_ERR_SESSION_MISSING');
  });
  test('being built, ready, stopped', () => {
    const segment = store();
    expect(codeOf(open)).toBe('BTFUSE_ERR_SEGMENT_BUILDING');
    publishSegment(segment);
    closeSegment(open());
    retireSegment(segment);
    expect(codeOf(open)).toBe('BTFUSE_ERR_SESSION_STOPPED');
  });
  test.each([SEGMENT_HEADER_VERSION, SEGMENT_HEADER_SCHEMA_HASH])(
    'another version (%i)',
    (word) => {
      const segment = store();
      publishSegment(segment);
      segment.i32[word] ^= 0x40;
      expect(codeOf(open)).toBe('BTFUSE_ERR_SEGMENT_VERSION');
    },
  );
  test('truncated, and cut shorter than its header', () => {
    publishSegment(store());
    const path = `/dev/shm/btfuse.${session}.store`;
    truncateSync(path, 1 << 15);
    expect(codeOf(open)).toBe('BTFUSE_ERR_SEGMENT_TRUNCATED');
    truncateSync(path, 100);
    expect(codeOf(open)).toBe('BTFUSE_ERR_SEGMENT_TRUNCATED');
  });
  test('foreign bytes, and another kind', () => {
    const segment = create({ kind: SEGMENT_DATA, size: 1 << 16 });
    publishSegment(segment);
    const wrongKind = () => openSegment({ kind: SEGMENT_STORE, fd: segment.fd });
    expect(codeOf(wrongKind)).toBe('BTFUSE_ERR_SEGMENT_FOREIGN');
    segment.u8.fill(0xa5, 0, 1024);
    const bytes = () => openSegment({ kind: SEGMENT_DATA, session });
    expect(codeOf(bytes)).toBe('BTFUSE_ERR_SEGMENT_FOREIGN');
  });
});

describe('one server per session', () => {
  test('a second server is told that the first one lives', () => {
    create({ kind: SEGMENT_RING });
    const second = () => createSegment({ kind: SEGMENT_RING, session });
    expect(codeOf(second)).toBe('BTFUSE_ERR_SESSION_BUSY');
    expect(existsSync(`/dev/shm/btfuse.${session}.ring`)).toBe(true);
  });

  test('what a killed server left is replaced', async () => {
    const file = fileURLToPath(new URL('./fixtures/echo-server.ts', import.meta.url));
    const child = spawn(process.execPath, [file, session, 'futex', '50']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(codeOf(() => create({ kind: SEGMENT_RING }))).toBe('BTFUSE_ERR_SESSION_BUSY');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    expect(left()).toHaveLength(1);
    create({ kind: SEGMENT_RING });
  });

  test('a file of no server is replaced', () => {
    writeFileSync(`/dev/shm/btfuse.${session}.ring`, 'rubbish');
    create({ kind: SEGMENT_RING });
    writeFileSync(`/dev/shm/btfuse.${session}.data`, 'rubbish');
    create({ kind: SEGMENT_DATA, size: 8192 });
  });
});

const canMount = process.getuid?.() === 0;

test.skipIf(!canMount)('a full /dev/shm is an error, not a SIGBUS (needs root)', () => {
  const file = fileURLToPath(new URL('./fixtures/full-shm.ts', import.meta.url));
  const script = 'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$0" "$1"';
  const args = ['-m', 'sh', '-c', script, process.execPath, file];
  const out = execFileSync('unshare', args, { encoding: 'utf8' });
  expect(JSON.parse(out)).toEqual({
    ring: 'BTFUSE_ERR_NO_SHARED_MEMORY',
    left: [],
    data: 'made',
    grown: -28,
  });
});
