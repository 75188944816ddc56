/** The loop of the fuzzer: generates, runs on both sides, compares, and shrinks what differs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Difference, Mode } from './mode.ts';
import { createRandom } from './random.ts';
import { shrink } from './shrink.ts';
import type { Program, Side, Transcript } from './side.ts';

export interface Campaign {
  readonly mode: Mode;
  readonly seed: number;
  /** Number of the first sequence; with the seed it decides the programs. */
  readonly first: number;
  readonly sequences: number;
  /** Epoch milliseconds; the campaign ends at the first of both bounds. */
  readonly deadline: number;
  readonly length?: number;
  /** Ends after so many different failures. */
  readonly failures?: number;
  /** Changes what the second side answered: proves that the fuzzer can fail. */
  readonly perturb?: (program: Program, transcript: Transcript) => Transcript;
  /** Told about each failure as it is found. */
  readonly onFailure?: (failure: Failure) => void;
  readonly shrinkMs?: number;
}

export interface Failure {
  readonly sequence: number;
  readonly program: Program;
  readonly difference: Difference;
  readonly text: string;
}

export interface Outcome {
  readonly sequences: number;
  readonly steps: number;
  readonly failures: readonly Failure[];
}

/** Sequences that a side is given at once. */
const BATCH = 50;

export async function run(campaign: Campaign): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'btfuse-fuzz-'));
  let sides: readonly Side[] = [];
  try {
    const [oracle, subject] = await campaign.mode.start(directory);
    sides = [oracle, subject];
    return await fuzz(campaign, oracle, subject);
  } finally {
    for (const side of sides) await side.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function fuzz(campaign: Campaign, oracle: Side, subject: Side): Promise<Outcome> {
  const { mode, seed, first, deadline } = campaign;
  const length = campaign.length ?? mode.length;
  const failures: Failure[] = [];
  const last = first + campaign.sequences;
  let at = first;
  let steps = 0;
  while (at < last && Date.now() < deadline) {
    const count = Math.min(BATCH, last - at);
    const programs = Array.from({ length: count }, (_, i) =>
      mode.generate(createRandom(seed, at + i), length),
    );
    const differences = await differ(campaign, oracle, subject, programs);
    steps += programs.reduce((sum, program) => sum + program.length, 0);
    for (let i = 0; i < count; i++) {
      if (differences[i] === undefined) continue;
      const failure = await explain(campaign, oracle, subject, at + i, programs[i]!);
      failures.push(failure ?? unsteady(campaign, at + i, programs[i]!, differences[i]!));
      campaign.onFailure?.(failures[failures.length - 1]!);
      if (failures.length >= (campaign.failures ?? 1)) {
        return { sequences: at + i + 1 - first, steps, failures };
      }
    }
    at += count;
  }
  return { sequences: at - first, steps, failures };
}

async function differ(
  campaign: Campaign,
  oracle: Side,
  subject: Side,
  programs: readonly Program[],
): Promise<(Difference | undefined)[]> {
  const [expected, got] = await Promise.all([oracle.run(programs), subject.run(programs)]);
  const { mode, perturb } = campaign;
  return programs.map((program, at) => {
    const told = got[at]!;
    return mode.compare(program, expected[at]!, perturb ? perturb(program, told) : told);
  });
}

/** The smallest program that still fails, or undefined when it does not fail again. */
async function explain(
  campaign: Campaign,
  oracle: Side,
  subject: Side,
  sequence: number,
  program: Program,
): Promise<Failure | undefined> {
  const fails = async (programs: readonly Program[]) =>
    (await differ(campaign, oracle, subject, programs)).map((found) => found !== undefined);
  const again = (await fails([program, program, program])).includes(true);
  if (!again) return undefined;
  const small = await shrink(program, {
    fails,
    simpler: campaign.mode.simpler,
    deadline: Date.now() + (campaign.shrinkMs ?? 60_000),
  });
  const [difference] = await differ(campaign, oracle, subject, [small]);
  if (difference === undefined) return undefined;
  return describe(campaign, sequence, small, difference, '');
}

function unsteady(
  campaign: Campaign,
  sequence: number,
  program: Program,
  difference: Difference,
): Failure {
  return describe(campaign, sequence, program, difference, 'It differed once, and not again:\n');
}

function describe(
  campaign: Campaign,
  sequence: number,
  program: Program,
  difference: Difference,
  note: string,
): Failure {
  const { mode, seed } = campaign;
  const length = campaign.length === undefined ? '' : ` --length ${campaign.length}`;
  const text = [
    `${note}${mode.name}: sequence ${sequence} of seed ${seed}`,
    ...program.map((line, at) => `${at === difference.step ? '→' : ' '} ${line}`),
    ...(difference.step >= program.length ? ['→ (end)'] : []),
    `  ${difference.oracle}: ${difference.expected}`,
    `  ${difference.oracle === 'model' ? 'tmpfs' : 'bt-fuse'}: ${difference.got}`,
    `npm run fuzz -- --mode ${mode.name} --seed ${seed} --first ${sequence} --sequences 1${length}`,
  ].join('\n');
  return { sequence, program, difference, text };
}
