// The ring alone: a native client posts NOOP to a serving worker, for both ways to sleep.
import type { BenchOptions } from './options.ts';
import type { Spread } from './statistics.ts';

export interface RingResult {
  readonly waiter: 'futex' | 'atomics';
  readonly pace: 'warm' | 'paced';
  readonly p50Us: Spread;
  readonly p99Us: Spread;
}

export function timeRing(_options: BenchOptions): RingResult[] {
  return [];
}
