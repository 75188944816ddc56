/** A client may be killed anywhere in a request. Nobody else may notice, and its slot must come back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  SLOT_GENERATION,
  SLOT_OWNER,
  SLOT_STATE,
  SLOT_STATE_IDLE,
  SLOTS_MAX,
} from '../../ringbuf/layout.gen.ts';
import { slotWord } from '../../ringbuf/ring.ts';
import type { WaiterKind } from '../../ringbuf/waiters.ts';
import {
  buildStress,
  type EchoServer,
  ended,
  eventually,
  runProgram,
  startEcho,
  startProgram,
} from './fixtures/session.ts';

beforeAll(buildStress);

/** The marks in preload/client/ring.cpp, in the order in which a request meets them. */
const steps = [
  [1, 'before it claims a slot'],
  [2, 'with the slot claimed'],
  [3, 'with the request filled in'],
  [4, 'in state REQUEST'],
  [5, 'with the leaf bit set'],
  [6, 'with the summary bit set'],
  [7, 'with the bell counted'],
  [8, 'with the server woken'],
  [9, 'before it waits'],
  [10, 'asleep'],
  [11, 'with the answer there'],
  [12, 'with the answer taken'],
] as const;

describe.each<WaiterKind>(['futex', 'atomics'])('waiter %s', (kind) => {
  let server: EchoServer;
  beforeAll(async () => {
    server = await startEcho(kind);
  });
  afterAll(async () => {
    const { status, out } = await server.stop();
    expect([status, out]).toEqual([0, 'ready\n']);
  });

  const word = (slot: number, field: number): number =>
    Atomics.load(server.ring.i32, slotWord(slot) + field);
  const generations = (): number => {
    let sum = 0;
    for (let slot = 0; slot < SLOTS_MAX; slot++) sum += word(slot, SLOT_GENERATION);
    return sum;
  };
  const allFree = (): boolean => {
    for (let slot = 0; slot < SLOTS_MAX; slot++) {
      if (word(slot, SLOT_OWNER) !== 0 || word(slot, SLOT_STATE) !== SLOT_STATE_IDLE) return false;
    }
    return true;
  };

  test.each(steps)('killed at step %i, %s', async (step) => {
    const before = generations();
    const { signal, out } = await runProgram('ring_stress_kill', 'kill', server.session, step, 3);
    expect([signal, out]).toEqual(['SIGKILL', '']);
    // Before anybody cleans up, the next client is served at once.
    const next = await runProgram('ring_stress', 'clients', server.session, 2, 500);
    expect(JSON.parse(next.out)).toEqual({ requests: 1000, wrong: 0 });
    const cleaned = () => {
      server.bell();
      return allFree();
    };
    expect(await eventually(cleaned)).toBe(true);
    // Step 1 holds no slot yet.
    expect(generations() - before).toBe(step === 1 ? 0 : 1);
    const after = await runProgram('ring_stress', 'clients', server.session, 2, 500);
    expect(JSON.parse(after.out)).toEqual({ requests: 1000, wrong: 0 });
  });

  test('killed at any time, threads and all', async () => {
    for (let round = 0; round < 15; round++) {
      const client = startProgram('ring_stress', 'clients', server.session, 4, 10_000_000);
      const over = ended(client);
      await new Promise((resolve) => setTimeout(resolve, 5 + ((round * 37) % 40)));
      client.kill('SIGKILL');
      expect((await over).signal).toBe('SIGKILL');
      const next = await runProgram('ring_stress', 'clients', server.session, 2, 100);
      expect(JSON.parse(next.out)).toEqual({ requests: 200, wrong: 0 });
    }
    const cleaned = () => {
      server.bell();
      return allFree();
    };
    expect(await eventually(cleaned)).toBe(true);
  });

  test('no step: the program survives', async () => {
    const { status } = await runProgram('ring_stress_kill', 'kill', server.session, 99, 3);
    expect(status).toBe(4);
  });
});
