/** Seeded random numbers: the same seed gives the same programs on every machine. */

export interface Random {
  /** An integer in [0, end). */
  below(end: number): number;
  /** An integer in [low, high]. */
  between(low: number, high: number): number;
  /** True with probability `share`. */
  chance(share: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** One of the values, each as often as its weight says. */
  weighted<T>(items: readonly (readonly [number, T])[]): T;
}

/** mulberry32 over a hash of both numbers: neighbouring sequences have nothing in common. */
export function createRandom(seed: number, sequence: number): Random {
  let state =
    (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(sequence + 1, 0xc2b2ae35)) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const random: Random = {
    below: (end) => Math.floor(next() * end),
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (share) => next() < share,
    pick: (items) => items[Math.floor(next() * items.length)]!,
    weighted: (items) => {
      let at = next() * items.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, item] of items) {
        at -= weight;
        if (at < 0) return item;
      }
      return items[items.length - 1]![1];
    },
  };
  return random;
}
