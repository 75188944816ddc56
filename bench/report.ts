import type { CallResult } from './calls.ts';
import type { ExecResult } from './exec.ts';
import type { RingResult } from './ring.ts';
import { microRows } from './rows.ts';
import { isNoisy, type Spread } from './statistics.ts';

const NOISY = 'noisy: the rounds differ by half or more; run it again on a quiet machine';

export function callsTable(results: readonly CallResult[]): string {
  const head = ['call', 'threads', 'tmpfs ns', 'bt-fuse ns', 'ratio', 'of rounds', 'aim', ''];
  const rows = results.map((result) => {
    const { title, aim } = microRows.find((row) => row.name === result.row)!;
    const single = result.threads === 1;
    return [
      title,
      String(result.threads),
      ns(result.tmpfsNs.median),
      ns(result.treeNs.median),
      result.ratioOfMedians.toFixed(2),
      `${result.ratio.least.toFixed(2)}–${result.ratio.most.toFixed(2)}`,
      single ? `≤ ${aim}` : '',
      `${single && result.ratioOfMedians > aim ? 'above' : ''}${isNoisy(result.ratio) ? ' ~' : ''}`,
    ];
  });
  const noisy = results.some((result) => isNoisy(result.ratio)) ? `\n~ ${NOISY}` : '';
  return `\nOne call, median of batches and rounds\n${table([head, ...rows])}${noisy}`;
}

export function execTable({ bareUs, shimUs, addedUs }: ExecResult): string {
  const head = ['/bin/true', 'median µs', 'of rounds'];
  const rows = [
    ['bare', ...microseconds(bareUs)],
    ['with the shim', ...microseconds(shimUs)],
    ['added (aim ≤ 150)', ...microseconds(addedUs)],
  ];
  return `\nStart, end and wait of a program\n${table([head, ...rows])}`;
}

export function ringTable(results: readonly RingResult[]): string {
  const head = ['waiter', 'pace', 'p50 µs', 'of rounds', 'p99 µs'];
  const rows = results.map(({ waiter, pace, p50Us, p99Us }) => {
    const [middle, range] = microseconds(p50Us);
    return [waiter, pace, middle!, range!, p99Us.median.toFixed(2)];
  });
  return `\nRing round trip of NOOP (warm: back to back, aim ≤ 1 µs; paced: one per ms)\n${table([head, ...rows])}`;
}

function microseconds({ median, least, most }: Spread): string[] {
  return [median.toFixed(2), `${least.toFixed(2)}–${most.toFixed(2)}`];
}

function ns(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toString();
}

/** First column left, the others right; widths by code points. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => width(row[column]!))));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const space = ' '.repeat(widths[column]! - width(cell));
          return column === 0 ? cell + space : space + cell;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function width(text: string): number {
  return [...text].length;
}
