/** Runs cases on drivers: the same lines, each case in a directory of its own. */
import type { Driver } from '../driver/driver.ts';
import type { Case } from './case.ts';

/** Answers of one case, a line each: what was asked and what came back. */
export type Log = readonly string[];

/** So many cases go over the pipe at once. */
const BATCH = 16;

export async function runCases(driver: Driver, cases: readonly Case[]): Promise<Log[]> {
  const logs: Log[] = [];
  for (let from = 0; from < cases.length; from += BATCH) {
    const batch = cases.slice(from, from + BATCH).map((one, i) => programOf(one, from + i));
    const answers = await driver.exchange(batch.flat());
    let at = 0;
    for (const lines of batch) {
      logs.push(lines.flatMap((line, i) => shown(line, answers[at + i] ?? '')));
      at += lines.length;
    }
  }
  return logs;
}

function programOf({ lines }: Case, number: number): string[] {
  const last = lines.at(-1) === 'changes' ? [] : ['changes'];
  return [`begin case${String(number).padStart(5, '0')}`, ...lines, ...last, 'end'];
}

/** A tree gets a line per entry. */
function shown(line: string, answer: string): string[] {
  const [first = '', ...entries] = answer.replaceAll(/\$B\/case\d+/g, '$D').split('\t');
  if (line.startsWith('begin ') || line === 'end')
    return first === 'ok' ? [] : [`${line} → ${first}`];
  return [`${line} → ${first}`, ...entries.map((entry) => `  ${entry}`)];
}

export interface Difference {
  readonly expected: string;
  readonly actual: string;
  /** The lines before it. */
  readonly before: readonly string[];
}

/** Every line that differs. */
export function differencesOf(expected: Log, actual: Log): Difference[] {
  const length = Math.max(expected.length, actual.length);
  return Array.from({ length }, (_, i) => i)
    .filter((i) => expected[i] !== actual[i])
    .map((i) => ({
      expected: expected[i] ?? '',
      actual: actual[i] ?? '',
      before: expected.slice(Math.max(0, i - 3), i),
    }));
}
