/**
 * npm run fuzz [-- --seed N --sequences N --minutes M --mode calls|fsx|all --length N --first N
 * --failures N --file PROGRAM]: random programs on tmpfs and in a tree; exit status 1 when they differ.
 */
import { parseArgs } from 'node:util';
import { calls } from './calls/mode.ts';
import { run } from './campaign.ts';
import { runConfined } from './confine.ts';
import { fsx } from './fsx/mode.ts';
import type { Mode } from './mode.ts';

const modes: Readonly<Record<string, readonly Mode[]>> = {
  calls: [calls],
  fsx: [fsx],
  all: [calls, fsx],
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    sequences: { type: 'string' },
    minutes: { type: 'string' },
    mode: { type: 'string', default: 'all' },
    length: { type: 'string' },
    first: { type: 'string', default: '0' },
    failures: { type: 'string', default: '1' },
  },
});

const chosen = modes[values.mode];
if (chosen === undefined) {
  console.error(`unknown mode "${values.mode}"; there are ${Object.keys(modes).join(', ')}`);
  process.exit(2);
}
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const sequences =
  values.sequences === undefined
    ? minutes === undefined
      ? 1000
      : Number.MAX_SAFE_INTEGER
    : Number(values.sequences);

const status = runConfined();
if (status !== undefined) process.exit(status);

let failed = false;
for (const mode of chosen) {
  const start = Date.now();
  const outcome = await run({
    mode,
    seed,
    first: Number(values.first),
    sequences,
    deadline:
      minutes === undefined ? Number.POSITIVE_INFINITY : start + (minutes * 60_000) / chosen.length,
    failures: Number(values.failures),
    ...(values.length === undefined ? {} : { length: Number(values.length) }),
    onFailure: (failure) => console.log(`${failure.text}\n`),
  });
  failed ||= outcome.failures.length > 0;
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(
    `${mode.name}: seed ${seed}, ${outcome.sequences} sequences, ${outcome.steps} steps, ` +
      `${outcome.failures.length} differences, ${seconds} s`,
  );
}
process.exitCode = failed ? 1 : 0;
