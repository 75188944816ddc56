/** What a mode of the fuzzer brings: programs, a worker that runs them, and what counts as equal. */
import type { Random } from './random.ts';
import type { Program, Side, Transcript } from './side.ts';

export interface Difference {
  /** Index of the step in the program. */
  readonly step: number;
  readonly expected: string;
  readonly got: string;
  /** Who says what is right. */
  readonly oracle: 'tmpfs' | 'model';
}

export interface Mode {
  readonly name: string;
  /** Steps of a sequence, by default. */
  readonly length: number;
  readonly generate: (random: Random, length: number) => Program;
  /** Starts tmpfs and the tree, with what runs programs there. `directory` is empty, for binaries. */
  readonly start: (directory: string) => Promise<readonly [oracle: Side, subject: Side]>;
  readonly compare: (
    program: Program,
    expected: Transcript,
    got: Transcript,
  ) => Difference | undefined;
  readonly simpler: (line: string) => readonly string[];
}
