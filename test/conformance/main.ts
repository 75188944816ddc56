/**
 * `npm run conformance [-- --filter WORDS]`: the table on tmpfs, in a program under `btfuse run`, and on the store alone.
 * Prints the cases that agree and every difference; status 1 when one is not listed in differences.ts.
 */
import { parseArgs } from 'node:util';
import { compareAll, showFailure, stale } from './compare.ts';
import { table } from './table.ts';

const { values } = parseArgs({ options: { filter: { type: 'string' } } });
const cases = table.filter(({ name }) => name.includes(values.filter ?? ''));
const report = await compareAll(cases);

for (const sentence of report.broken) console.log(`broken case: ${sentence}`);
for (const failure of report.failures) console.log(showFailure(failure));
for (const [difference, names] of report.known) {
  if (names.length === 0) continue;
  console.log(`known, ${names.length} lines: ${difference.reason}`);
  for (const name of new Set(names)) console.log(`    ${name}`);
}
for (const name of report.unsteady) console.log(`differed once, and not again: ${name}`);
const old = values.filter === undefined ? stale(report) : [];
for (const { reason } of old) console.log(`listed, but differs no longer: ${reason}`);
for (const [target, { run, agree }] of Object.entries(report.targets))
  console.log(`${target}: ${agree} of ${run} cases agree with tmpfs in every line`);
console.log(`${cases.length} cases, ${report.failures.length} differences that are not listed`);
process.exitCode = report.failures.length + report.broken.length + old.length > 0 ? 1 : 0;
