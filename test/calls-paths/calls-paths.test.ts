// Each C program prints what its calls on paths answer. It is given a directory H of the host's tmpfs and
// works in H/bt and around it: once that is a plain directory, once the tree, and every line must be the
// same. Crossings of the boundary are what these programs are about.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse, command, type RunResult } from '../setup/run.ts';

const sources = fileURLToPath(new URL('.', import.meta.url));
let binaries: string;
let host: string;

beforeAll(() => {
  binaries = mkdtempSync(join(tmpdir(), 'btfuse-paths-'));
  host = mkdtempSync('/dev/shm/bt-');
});
afterAll(() => {
  rmSync(binaries, { recursive: true, force: true });
  rmSync(host, { recursive: true, force: true });
});

function compile(name: string): string {
  const program = join(binaries, name);
  // The programs hand the kernel what a compiler warns of; that is their purpose.
  const result = command('gcc', ['-O1', '-w', join(sources, `${name}.c`), '-o', program]);
  expect(result.stderr).toBe('');
  return program;
}

/** Runs in an empty H; `inside` is what H/bt is: 'covered' is the tree over a directory of the host. */
function run(inside: 'directory' | 'tree' | 'covered', program: string): RunResult {
  const prefix = join(host, 'bt');
  rmSync(host, { recursive: true, force: true });
  mkdirSync(inside === 'tree' ? host : prefix, { recursive: true });
  if (inside === 'directory') return command(program, [host], { cwd: binaries });
  return btfuse(['run', '--mount', prefix, '--', program, host], { cwd: binaries });
}

describe('paths lead where they lead on tmpfs, and calls answer alike', needs('gcc'), () => {
  test.each([
    'resolve',
    'metadata',
    'names',
    'listing',
    'resolve_how',
    'handles',
    'proc',
    'cwd',
    'exec',
    'xattrs',
  ])('%s', (name) => {
    const program = compile(name);
    const expected = run('directory', program);
    expect(expected.status, 'the program itself works').toBe(0);
    expect(expected.stdout.split('\n').length).toBeGreaterThan(20);
    const same = (got: RunResult): void => {
      expect(got.stdout.split('\n')).toEqual(expected.stdout.split('\n'));
      expect(got.stderr).toBe(expected.stderr);
      expect(got.status).toBe(expected.status);
    };
    same(run('tree', program));
    expect(existsSync(join(host, 'bt')), 'the host got nothing').toBe(false);
    same(run('covered', program));
    expect(readdirSync(join(host, 'bt')), 'the host got nothing').toEqual([]);
  });
});
