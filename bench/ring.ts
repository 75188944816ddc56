// The ring alone: a native client posts NOOP to a serving session, for both ways to sleep.
import { execFileSync } from 'node:child_process';
import { buildRingClient } from './build.ts';
import type { BenchOptions } from './options.ts';
import { startSession, type Waiter } from './session.ts';
import { type Spread, spread } from './statistics.ts';

const WARM_REQUESTS = 200_000;
const PACED_REQUESTS = 500;

export const paces = ['warm', 'paced'] as const;

export interface RingResult {
  readonly waiter: Waiter;
  readonly pace: (typeof paces)[number];
  readonly p50Us: Spread;
  readonly p99Us: Spread;
}

/** What ring_stress --bench prints: percentiles in ns. */
type Percentiles = Record<RingResult['pace'], { readonly p50: number; readonly p99: number }>;

export async function timeRing({ rounds }: BenchOptions): Promise<RingResult[]> {
  const client = buildRingClient();
  const futex = await startSession('futex');
  const atomics = await startSession('atomics');
  const sessions = [
    { waiter: 'futex', session: futex, rounds: [] as Percentiles[] },
    { waiter: 'atomics', session: atomics, rounds: [] as Percentiles[] },
  ] as const;
  try {
    for (let round = 0; round < rounds; round++) {
      for (const each of sessions) {
        const args = ['--bench', each.session.name, String(WARM_REQUESTS), String(PACED_REQUESTS)];
        each.rounds.push(JSON.parse(execFileSync(client, args, { encoding: 'utf8' })));
      }
    }
  } finally {
    await Promise.all([futex.stop(), atomics.stop()]);
  }
  return sessions.flatMap(({ waiter, rounds }) =>
    paces.map((pace) => ({
      waiter,
      pace,
      p50Us: spread(rounds.map((round) => round[pace].p50 / 1000)),
      p99Us: spread(rounds.map((round) => round[pace].p99 / 1000)),
    })),
  );
}
