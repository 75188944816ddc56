// The fuzzer with a fixed seed: what it found once stays mended. And the fuzzer itself: it can fail.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { needs, needsMounts } from '../setup/needs.ts';
import { command } from '../setup/run.ts';
import { calls } from './calls/mode.ts';
import { run } from './campaign.ts';
import { fsx } from './fsx/mode.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const SEED = 20260101;

function fuzz(mode: string, sequences: number): string {
  const args = [main, '--mode', mode, '--seed', `${SEED}`, '--sequences', `${sequences}`];
  const result = command(process.execPath, args, { timeoutMs: 500_000 });
  console.log(result.stdout.trim());
  expect(result.stderr).toBe('');
  expect(result.status, result.stdout).toBe(0);
  return result.stdout;
}

const limits = { ...needs('gcc'), timeout: 510_000 };
const confined =
  process.getuid?.() === 0
    ? needs('gcc').skip
      ? limits
      : { ...limits, ...needsMounts() }
    : limits;

test('ten thousand sequences of calls', confined, () => {
  expect(fuzz('calls', 10_000)).toContain('10000 sequences');
});

test('two thousand sequences on the bytes of files', confined, () => {
  expect(fuzz('fsx', 2_000)).toContain('2000 sequences');
});

test('a wrong answer is found and shrunk to the step that is wrong', limits, async () => {
  const { failures } = await run({
    mode: fsx,
    seed: SEED,
    first: 0,
    sequences: 1_000,
    deadline: Date.now() + 120_000,
    // As if the tree cut every write behind the first block short by one byte.
    perturb: (program, transcript) =>
      transcript.map((line, at) =>
        /\bpwrite \d+ \d+ [1-9]\d{3}/.test(program[at] ?? '')
          ? line.replace(/^\d+/, (count) => `${Number(count) - 1}`)
          : line,
      ),
  });
  expect(failures).toHaveLength(1);
  const { program, text } = failures[0]!;
  expect(program.length).toBeLessThanOrEqual(3);
  expect(program.at(-1)).toMatch(/pwrite/);
  expect(text).toContain('npm run fuzz -- --mode fsx --seed');
});

test('the same for calls: a mode that chmod does not set', limits, async () => {
  const { failures } = await run({
    // Looking only: nothing here leads out of the directory of the sequence.
    mode: {
      ...calls,
      generate: () => ['mkdir("a", 0755)', 'umask(0)', 'chmod("a", 0700)', 'stat("a")'],
    },
    seed: SEED,
    first: 0,
    sequences: 1,
    deadline: Date.now() + 120_000,
    perturb: (program, transcript) =>
      program.some((line) => line.startsWith('chmod'))
        ? transcript.map((line) => line.replace('mode=40700', 'mode=40755'))
        : transcript,
  });
  expect(failures.map((failure) => failure.program)).toEqual([
    ['mkdir("a", 0755)', 'chmod("a", 0700)', 'stat("a")'],
  ]);
});
