// The whole table: every answer, and the metadata that it leaves, as on tmpfs. What is known to differ stands in
// differences.ts and in the README.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { root } from '../setup/run.ts';
import { compareAll, showFailure, stale } from './compare.ts';
import { knownDifferences } from './differences.ts';
import { table } from './table.ts';

const asRoot = process.getuid?.() === 0;

test.skipIf(!asRoot)(
  'every case answers as on tmpfs',
  { ...needs('gcc'), timeout: 240_000 },
  async () => {
    const report = await compareAll(table);
    expect(report.broken).toEqual([]);
    expect(report.failures.map(showFailure)).toEqual([]);
    expect(stale(report).map(({ reason }) => reason)).toEqual([]);
    for (const name of report.unsteady) console.log(`differed once, and not again: ${name}`);
    const { program } = report.targets;
    console.log(`conformance: ${program.agree} of ${program.run} cases agree in every line`);
  },
);

test('each case has a name of its own', () => {
  const names = table.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test('the README says what is known to differ', () => {
  const [, differences = ''] = readFileSync(`${root}README.md`, 'utf8').split('## Differences');
  const text = differences.split('\n## ')[0]?.replaceAll(/\s+/g, ' ') ?? '';
  const untold = knownDifferences.filter(({ readme }) => !text.includes(readme));
  expect(untold.map(({ readme }) => readme)).toEqual([]);
});
