/** Compiles a worker. */
import { basename, join } from 'node:path';
import { command } from '../setup/run.ts';

export function compile(source: string, directory: string): string {
  const program = join(directory, basename(source, '.c'));
  const result = command('gcc', ['-O1', '-w', '-pthread', source, '-o', program]);
  if (result.status !== 0) throw new Error(result.stderr);
  return program;
}
