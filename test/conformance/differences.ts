/**
 * What is known to differ from tmpfs, and why. A difference that is not listed fails the run, and so does a
 * listed one that no longer differs: then its entry goes, here and in README under "Differences".
 */
import type { TargetName } from './compare.ts';

export interface KnownDifference {
  readonly reason: string;
  /** Words of the README's entry. */
  readonly readme: string;
  /** tmpfs's line: the call, ` → `, its answer; or an entry of a tree. */
  readonly expected: RegExp;
  /** The line of the other. */
  readonly actual: RegExp;
  /** What follows in the case rests on this answer, and is not looked at. */
  readonly rest?: boolean;
  readonly target?: TargetName;
}

export const knownDifferences: readonly KnownDifference[] = [];
