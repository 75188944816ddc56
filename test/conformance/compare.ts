/** The table on all targets: what agrees, what differs, and what of that is known. */
import { startInTree, startOnTmpfs } from '../driver/driver.ts';
import type { Case } from './case.ts';
import { type KnownDifference, knownDifferences } from './differences.ts';
import { type Difference, differencesOf, type Log, runCases } from './run.ts';
import { runOnStore } from './store.ts';

export type TargetName = 'program' | 'store';

export interface Failure extends Difference {
  readonly target: TargetName;
  readonly name: string;
}

export interface Report {
  /** Cases that a target ran, and those of them that agree with tmpfs in every line. */
  readonly targets: Readonly<Record<TargetName, { run: number; agree: number }>>;
  readonly failures: readonly Failure[];
  /** Known differences with the cases where they were seen. */
  readonly known: ReadonlyMap<KnownDifference, readonly string[]>;
  /** Cases that differed at first, and not when they were run again. */
  readonly unsteady: readonly string[];
  /** Cases whose program is wrong: lines that the driver did not understand. */
  readonly broken: readonly string[];
}

/** What differs is run again: times and waits may go astray once on a busy machine. */
export async function compareAll(cases: readonly Case[]): Promise<Report> {
  const first = await compareOnce(cases);
  const names = new Set(first.failures.map(({ name }) => name));
  if (names.size === 0) return first;
  const again = await compareOnce(cases.filter(({ name }) => names.has(name)));
  const lasting = new Set(again.failures.map(({ name }) => name));
  const unsteady = [...names].filter((name) => !lasting.has(name));
  return { ...first, failures: again.failures, unsteady };
}

async function compareOnce(cases: readonly Case[]): Promise<Report> {
  const drivers = [startOnTmpfs(), startInTree(['--memory', '512M'])] as const;
  const [expected, actual] = await Promise.all(
    drivers.map(async (driver) => {
      try {
        return await runCases(driver, cases);
      } finally {
        await driver.close();
      }
    }),
  );
  const targets = { program: { run: 0, agree: 0 }, store: { run: 0, agree: 0 } };
  const known = new Map<KnownDifference, string[]>(knownDifferences.map((one) => [one, []]));
  const failures: Failure[] = [];
  const broken: string[] = [];
  const compare = (target: TargetName, name: string, oracle: Log, got: Log): void => {
    const differences = differencesOf(oracle, got);
    targets[target].run += 1;
    if (differences.length === 0) targets[target].agree += 1;
    for (const difference of differences) {
      const listed = knownDifferences.find((one) => isSame(one, target, name, difference));
      if (listed === undefined) failures.push({ target, name, ...difference });
      else known.get(listed)?.push(name);
      if (listed?.rest) break;
    }
  };
  cases.forEach((one, i) => {
    const oracle = expected?.[i] ?? [];
    const wrong = oracle.find((line) => /→ (error:|timeout|no actor|driver ended)/.test(line));
    if (wrong !== undefined) broken.push(`${one.name}: ${wrong}`);
    compare('program', one.name, oracle, actual?.[i] ?? []);
    const store = runOnStore(one);
    // The store's own tree shows no sums of contents.
    const plain = oracle.map((line) => line.replace(/^( {2}".*) sum=\w+/, '$1'));
    if (store !== undefined) compare('store', one.name, plain, store);
  });
  return { targets, failures, known, unsteady: [], broken };
}

function isSame(
  one: KnownDifference,
  target: TargetName,
  name: string,
  difference: Difference,
): boolean {
  return (
    (one.target === undefined || one.target === target) &&
    one.cases.test(name) &&
    one.expected.test(difference.expected) &&
    one.actual.test(difference.actual)
  );
}

/** Known differences that were not seen. */
export function stale(report: Report): KnownDifference[] {
  return [...report.known].filter(([, cases]) => cases.length === 0).map(([one]) => one);
}

export function showFailure({ target, name, before, expected, actual }: Failure): string {
  const context = before.map((line) => `      ${line}`);
  return [`${name} (${target})`, ...context, `    - ${expected}`, `    + ${actual}`].join('\n');
}
