/** The ring under load: real processes and threads against the real server, with either waiter. */
import { constants } from 'node:os';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  SEGMENT_DATA,
  SEGMENT_HEADER_KIND,
  SEGMENT_HEADER_MAGIC,
  SEGMENT_HEADER_SCHEMA_HASH,
  SEGMENT_HEADER_STATE,
  SEGMENT_HEADER_VERSION,
  SEGMENT_STATE_BUILDING,
  SEGMENT_STATE_STOPPED,
  SLOT_OWNER,
  SLOT_STATE,
  SLOTS_MAX,
} from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import type { WaiterKind } from '../../ringbuf/waiters.ts';
import {
  buildStress,
  type EchoServer,
  ended,
  runProgram,
  startEcho,
  startProgram,
} from './fixtures/session.ts';

beforeAll(buildStress);

const running: EchoServer[] = [];
async function start(kind: WaiterKind, spinUs?: number): Promise<EchoServer> {
  const server = await startEcho(kind, spinUs);
  running.push(server);
  return server;
}
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

const REQUESTS = 20_000;

describe.each<WaiterKind>(['futex', 'atomics'])('waiter %s', (kind) => {
  // A spin of 0 parks the server after every batch: every request has a wake-up that could be lost.
  test.each([
    [1, 50],
    [2, 50],
    [8, 50],
    [1, 0],
    [3, 0],
    [8, 0],
  ])('%i threads, spin %i us: every request has its own answer', async (threads, spinUs) => {
    const server = await start(kind, spinUs);
    const each = Math.ceil(REQUESTS / threads / (spinUs === 0 ? 8 : 1));
    const { out, status } = await runProgram(
      'ring_stress_patient',
      'clients',
      server.session,
      threads,
      each,
    );
    expect(JSON.parse(out)).toEqual({ requests: each * threads, wrong: 0 });
    expect(status).toBe(0);
    const { status: serverStatus, out: serverOut } = await server.stop();
    expect([serverStatus, serverOut]).toEqual([0, 'ready\n']);
  });

  test('the server maps the ring over WebAssembly memory', async () => {
    const server = await startEcho(kind, 50, 'wasm');
    running.push(server);
    const { out } = await runProgram('ring_stress', 'clients', server.session, 3, REQUESTS / 10);
    expect(JSON.parse(out)).toMatchObject({ wrong: 0 });
  });

  test('several processes at once, and their slots come back', async () => {
    const server = await start(kind);
    const all = [1, 2, 3].map(() =>
      runProgram('ring_stress', 'clients', server.session, 2, REQUESTS / 10),
    );
    for (const { out } of await Promise.all(all))
      expect(JSON.parse(out)).toMatchObject({ wrong: 0 });
    for (let slot = 0; slot < SLOTS_MAX; slot++) {
      expect(server.ring.i32[slotWord(slot) + SLOT_OWNER]).toBe(0);
      expect(server.ring.i32[slotWord(slot) + SLOT_STATE]).toBe(0);
    }
  });

  test('more threads than slots take turns', async () => {
    const server = await start(kind);
    const { out } = await runProgram('ring_stress', 'clients', server.session, SLOTS_MAX + 60, 20);
    expect(JSON.parse(out)).toMatchObject({ wrong: 0 });
  });

  test.each([
    ['returns', 'its own stack', 0, 0],
    ['returns', 'the alternate stack', 0, 1],
    ['jumps out', 'its own stack', 1, 0],
    ['jumps out', 'the alternate stack', 1, 1],
  ])(
    'a signal handler that %s calls in the middle of calls, on %s',
    async (_, __, jump, alternate) => {
      const server = await start(kind);
      const args = [server.session, REQUESTS * 2, jump, alternate];
      const { out } = await runProgram('ring_stress', 'signals', ...args);
      const { wrong, nested, jumps } = JSON.parse(out);
      expect(wrong).toBe(0);
      expect(nested).toBeGreaterThan(0);
      if (jump === 1) expect(jumps).toBeGreaterThan(0);
    },
  );

  test.each(['stopped', 'killed'])(
    'a client that waits gets EIO when the server is %s',
    async (how) => {
      const server = await start(kind);
      const client = startProgram('ring_stress', 'never', server.session);
      const over = ended(client);
      await new Promise((resolve) => client.stdout?.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (how === 'killed') server.process.kill('SIGKILL');
      else await server.stop();
      expect(await over).toMatchObject({ status: 0, out: 'waiting\n{"status": -5}\n' });
    },
  );
});

describe('a client that cannot attach says why', () => {
  const attach = async (session: string): Promise<number> =>
    JSON.parse((await runProgram('ring_stress', 'clients', session, 1, 1)).out).attach;
  const { ENOENT, EINVAL, EPROTO, EAGAIN, ECONNREFUSED } = constants.errno;

  test('no session, no session name', async () => {
    expect(await attach('test-none')).toBe(-ENOENT);
    expect(await attach('../shm/x')).toBe(-EINVAL);
    expect(await attach('x'.repeat(64))).toBe(-EINVAL);
  });

  test('another version, not ready, stopped', async () => {
    const server = await start('futex');
    const { i32 } = server.ring;
    const withWord = async (word: number, value: number): Promise<number> => {
      const before = i32[word];
      i32[word] = value;
      const result = await attach(server.session);
      i32[word] = before;
      return result;
    };
    expect(await withWord(SEGMENT_HEADER_MAGIC, 0)).toBe(-EPROTO);
    expect(await withWord(SEGMENT_HEADER_VERSION, 99)).toBe(-EPROTO);
    expect(await withWord(SEGMENT_HEADER_SCHEMA_HASH, 99)).toBe(-EPROTO);
    expect(await withWord(SEGMENT_HEADER_KIND, SEGMENT_DATA)).toBe(-EPROTO);
    expect(await withWord(SEGMENT_HEADER_STATE, SEGMENT_STATE_BUILDING)).toBe(-EAGAIN);
    expect(await withWord(SEGMENT_HEADER_STATE, SEGMENT_STATE_STOPPED)).toBe(-ECONNREFUSED);
    expect(await attach(server.session)).toBeUndefined();
  });
});

describe('both sides in one process', () => {
  test.each([
    [1, 1],
    [4, 1],
    [8, 0],
  ])('%i threads, spinning %i', async (threads, spinning) => {
    const { out } = await runProgram('ring_stress_patient', 'pair', threads, REQUESTS, spinning);
    const served = threads * (REQUESTS + 1);
    expect(JSON.parse(out)).toMatchObject({ served, wrong: 0 });
  });

  // Its exit status is 66 when it has seen a race.
  test.each([
    [1, 1],
    [4, 1],
    [4, 0],
  ])('ThreadSanitizer finds no race: %i threads, spinning %i', async (threads, spinning) => {
    const { out, status } = await runProgram('ring_stress_tsan', 'pair', threads, 5000, spinning);
    expect([status, out]).toEqual([0, expect.not.stringContaining('WARNING: ThreadSanitizer')]);
    expect(JSON.parse(out)).toMatchObject({ wrong: 0 });
  });
});
