// What loading the shim adds to a program that does nothing.
import { execFileSync } from 'node:child_process';
import { build } from './build.ts';
import type { BenchOptions } from './options.ts';
import type { BenchSession } from './session.ts';
import { type Spread, spread } from './statistics.ts';

export interface ExecResult {
  readonly bareUs: Spread;
  readonly shimUs: Spread;
  readonly addedUs: Spread;
}

/** Medians of the execs of each round, bare and preloaded in turns. */
export function timeExec(options: BenchOptions, session: BenchSession): ExecResult {
  const program = build('spawn');
  const variables = Object.entries(session.environment).map(([name, value]) => `${name}=${value}`);
  const bare: number[] = [];
  const shim: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const args = [String(Math.max(200, options.execs / options.rounds)), ...variables];
    const text = execFileSync(program, [...args, '--', '/bin/true'], { encoding: 'utf8' });
    const [bareNs, shimNs] = text.split(' ').map(Number) as [number, number];
    bare.push(bareNs / 1000);
    shim.push(shimNs / 1000);
  }
  return {
    bareUs: spread(bare),
    shimUs: spread(shim),
    addedUs: spread(bare.map((us, round) => shim[round]! - us)),
  };
}
