/** The fsx mode: the bytes of a few files, against tmpfs and against a model. */
import { fileURLToPath } from 'node:url';
import { compile } from '../compile.ts';
import type { Difference, Mode } from '../mode.ts';
import { type Program, type Transcript, tmpfs, tree } from '../side.ts';
import { generate } from './generate.ts';
import { Model } from './model.ts';

export const fsx: Mode = {
  name: 'fsx',
  length: 40,
  generate,
  start: async (directory) => {
    const worker = compile(fileURLToPath(new URL('./worker.c', import.meta.url)), directory);
    const command = (files: string) => [worker, files];
    return [tmpfs(command), await tree(command)];
  },
  compare,
  simpler,
};

function compare(program: Program, expected: Transcript, got: Transcript): Difference | undefined {
  const model = new Model();
  for (let step = 0; step <= program.length; step++) {
    const right = expected[step] ?? 'nothing';
    const other = got[step] ?? 'nothing';
    if (step === program.length) {
      return right === other ? undefined : { step, expected: right, got: other, oracle: 'tmpfs' };
    }
    const verdict = model.step(program[step]!, right);
    if (verdict.ends) return undefined;
    if (verdict.mismatch !== undefined) {
      return { step, expected: verdict.mismatch, got: right, oracle: 'model' };
    }
    if (visible(right, verdict.ignoresLayout) === visible(other, verdict.ignoresLayout)) continue;
    if (isExcluded(program[step]!, right, other)) return undefined;
    // Positions of holes in a file with a shared map: README lists the difference.
    if (verdict.ignoresLayout && / lseek .* [34]$/.test(` ${program[step]}`)) return undefined;
    return { step, expected: right, got: other, oracle: 'tmpfs' };
  }
  return undefined;
}

/**
 * Differences that are known and wanted, or that somebody works on: the rest of such a sequence is not
 * compared.
 *
 * - A map beyond the end of the file, and a private map that is moved: README, "Memory maps".
 * - sendfile from a file to itself, onto what it has still to read (model.ts; README).
 */
function isExcluded(line: string, expected: string, got: string): boolean {
  if (/\bmremap /.test(line)) return true;
  return /\bm(read|write) /.test(line) && [expected, got].includes('SIGBUS');
}

function visible(line: string, ignoresLayout: boolean | undefined): string {
  return ignoresLayout ? line.replace(/ (blocks|layout)=\S+/g, '') : line;
}

/** Without the process, then with each number smaller or rounder. */
function simpler(line: string): string[] {
  const forms: string[] = [];
  if (line.startsWith('@')) forms.push(line.replace(/^@\d+ /, ''));
  const words = line.split(' ');
  words.forEach((word, at) => {
    if (!/^\d+$/.test(word) || at === 0) return;
    const value = Number(word);
    for (const other of [0, 1, 4096, Math.floor(value / 4096) * 4096, Math.floor(value / 2)]) {
      if (other < value) forms.push(words.with(at, String(other)).join(' '));
    }
  });
  return [...new Set(forms)];
}
