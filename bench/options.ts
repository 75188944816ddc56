import { parseArgs } from 'node:util';
import { microRows } from './rows.ts';

export interface BenchOptions {
  readonly rounds: number;
  readonly rows: readonly string[];
  readonly threads: readonly number[];
  readonly millisecondsPerRow: number;
  readonly execs: number;
  readonly json: string | undefined;
  readonly parts: ReadonlySet<Part>;
}

export const parts = ['calls', 'ring', 'exec'] as const;
export type Part = (typeof parts)[number];

export const usage = `npm run bench -- [--rounds N] [--rows a,b] [--threads 1,2] [--parts ${parts.join(',')}]
                 [--json FILE] [--quick]

Times of one call on tmpfs and in the tree, taken in turns; the round trip of the ring; the time that
loading the shim adds to a program. --quick takes fewer and shorter rounds: good for a first look only.
Rows: ${microRows.map((row) => row.name).join(', ')}`;

export function options(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      rows: { type: 'string' },
      threads: { type: 'string', default: '1,2' },
      parts: { type: 'string', default: parts.join(',') },
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const quick = values.quick;
  return {
    rounds: positive('rounds', values.rounds ?? (quick ? '3' : '7')),
    rows: values.rows === undefined ? microRows.map((row) => row.name) : known(values.rows),
    threads: values.threads.split(',').map((text) => positive('threads', text)),
    millisecondsPerRow: quick ? 60 : 200,
    execs: quick ? 200 : 1000,
    json: values.json,
    parts: new Set(values.parts.split(',').map(asPart)),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} wants a positive number`);
  return value;
}

function known(text: string): string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !microRows.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; see --help`);
  return names;
}

function asPart(text: string): Part {
  const part = parts.find((known) => known === text);
  if (part === undefined) throw new Error(`there is no part ${text}; see --help`);
  return part;
}
