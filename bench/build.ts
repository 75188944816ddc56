// The C programs of the benchmark, built into build/bench with the compiler that built the addon.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const output = `${root}build/bench`;

const programs = {
  micro: ['micro/micro.c', 'micro/rows.c', 'micro/rows.h'],
  spawn: ['micro/spawn.c'],
} as const;

/** Path of the program, built if a source is newer. */
export function build(name: keyof typeof programs): string {
  const program = `${output}/${name}`;
  const sources = programs[name].map((source) => `${root}bench/${source}`);
  const newest = Math.max(...sources.map((source) => statSync(source).mtimeMs));
  if ((statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return program;
  mkdirSync(output, { recursive: true });
  const compiler = process.env.CC ?? 'gcc';
  const args = ['-O2', '-Wall', '-Wextra', '-pthread', '-o', program];
  const result = spawnSync(compiler, [...args, ...sources.filter((path) => path.endsWith('.c'))], {
    stdio: 'inherit',
  });
  if (result.status !== 0) throw new Error(`${compiler} did not build ${name}`);
  return program;
}

/** The ring's own client, from the CMake project: its target is not part of a normal build. */
export function buildRingClient(): string {
  const args = ['--build', `${root}build`, '--target', 'ring_stress'];
  const result = spawnSync('cmake', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (result.status !== 0) throw new Error('cmake did not build ring_stress');
  return `${root}build/test/ring_stress`;
}
