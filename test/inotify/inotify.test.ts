// Each C program prints what inotify told it. It runs in an empty directory of the kernel's tmpfs and in one
// of the tree, and every line must be the same: order, watch numbers, masks, cookies, names and their lengths.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse, command, type RunResult } from '../setup/run.ts';

const sources = fileURLToPath(new URL('.', import.meta.url));
let binaries: string;

beforeAll(() => {
  binaries = mkdtempSync(join(tmpdir(), 'btfuse-inotify-'));
});
afterAll(() => {
  rmSync(binaries, { recursive: true, force: true });
});

function compile(name: string): string {
  const program = join(binaries, name);
  const source = join(sources, `${name}.c`);
  // The programs hand the kernel what a compiler warns of; that is their purpose.
  const result = command('gcc', ['-O1', '-w', '-pthread', source, '-o', program]);
  expect(result.stderr).toBe('');
  return program;
}

/** A directory of the host that the program watches too. */
function host(): string {
  const directory = join(binaries, 'host');
  mkdirSync(directory, { recursive: true });
  return directory;
}

function onTmpfs(program: string, args: readonly string[]): RunResult {
  const directory = mkdtempSync('/dev/shm/bt-');
  chmodSync(directory, 0o755);
  try {
    return command(program, [directory, ...args]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function inTree(program: string, args: readonly string[]): RunResult {
  return btfuse(['run', '--mount', '/bt', '--', program, '/bt', ...args], { cwd: host() });
}

function same(program: string, args: readonly string[], lines: number): void {
  const expected = onTmpfs(program, args);
  expect(expected.status, 'the program itself works').toBe(0);
  expect(expected.stdout.split('\n').length).toBeGreaterThan(lines);
  const got = inTree(program, args);
  expect(got.stdout.split('\n')).toEqual(expected.stdout.split('\n'));
  expect(got.stderr).toBe(expected.stderr);
  expect(got.status).toBe(expected.status);
}

describe('inotify tells what it tells on tmpfs', needs('gcc'), () => {
  // It makes device nodes and acts as another user.
  test.skipIf(process.getuid?.() !== 0)('each operation', () => {
    same(compile('events'), [host()], 200);
  });
  test('vectors, programs, failures', () => same(compile('rest'), [], 30));
  test('full queues, processes and threads', () => same(compile('crowd'), [], 8));
  test('random operations and watches', () => {
    const program = compile('walk');
    for (const seed of ['1', '7', '42', '1001']) same(program, [seed, '2000'], 1000);
  });
});
