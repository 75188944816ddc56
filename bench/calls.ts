// ns per call on tmpfs and in the tree. One process stands on each side for the whole run; rows are
// timed in turns, tmpfs and tree, so that a slow moment of the machine falls on both.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { build } from './build.ts';
import type { BenchOptions } from './options.ts';
import { type BenchSession, prefix } from './session.ts';
import { type Spread, spread } from './statistics.ts';

export interface CallResult {
  readonly row: string;
  readonly threads: number;
  readonly tmpfsNs: Spread;
  readonly treeNs: Spread;
  /** Of the two times of each round. */
  readonly ratio: Spread;
  /** Of the medians. */
  readonly ratioOfMedians: number;
}

export async function timeCalls(
  options: BenchOptions,
  session: BenchSession,
  progress: (text: string) => void,
): Promise<CallResult[]> {
  const directory = mkdtempSync('/dev/shm/btfuse-bench-');
  const tmpfs = new Side(directory, {});
  const tree = new Side(prefix, session.environment);
  try {
    const results: CallResult[] = [];
    for (const threads of options.threads) {
      results.push(...(await timeRows(options, threads, tmpfs, tree, progress)));
    }
    return results;
  } finally {
    await Promise.all([tmpfs.end(), tree.end()]);
    rmSync(directory, { recursive: true });
  }
}

async function timeRows(
  { rows, rounds, millisecondsPerRow }: BenchOptions,
  threads: number,
  tmpfs: Side,
  tree: Side,
  progress: (text: string) => void,
): Promise<CallResult[]> {
  const times = rows.map((row) => ({ row, tmpfs: [] as number[], tree: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const time of times) {
      progress(`${threads} thread(s), round ${round + 1} of ${rounds}: ${time.row}`);
      const order = round % 2 === 0 ? (['tmpfs', 'tree'] as const) : (['tree', 'tmpfs'] as const);
      for (const side of order) {
        const at = side === 'tmpfs' ? tmpfs : tree;
        time[side].push(await at.measure(time.row, threads, millisecondsPerRow));
      }
    }
  }
  return times.map(({ row, tmpfs, tree }) => {
    const tmpfsNs = spread(tmpfs);
    const treeNs = spread(tree);
    const ratio = spread(tmpfs.map((ns, round) => tree[round]! / ns));
    return { row, threads, tmpfsNs, treeNs, ratio, ratioOfMedians: treeNs.median / tmpfsNs.median };
  });
}

/** A micro process: one line asks, one line answers. */
class Side {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(directory: string, variables: Readonly<Record<string, string>>) {
    this.#child = spawn(build('micro'), [directory], {
      env: { ...process.env, ...variables },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout! });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  async measure(row: string, threads: number, milliseconds: number): Promise<number> {
    this.#child.stdin!.write(`${row} ${threads} ${milliseconds}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the micro benchmark ended in row ${row}`);
    return Number(value);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await ended;
    this.#lines.close();
  }
}
