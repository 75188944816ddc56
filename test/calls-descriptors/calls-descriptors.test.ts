// Each C program prints what its calls answer. It runs in an empty directory of the kernel's tmpfs and
// in one of the tree, and every line must be the same.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse, command, type RunResult } from '../setup/run.ts';

const sources = fileURLToPath(new URL('.', import.meta.url));
let binaries: string;

beforeAll(() => {
  binaries = mkdtempSync(join(tmpdir(), 'btfuse-descriptors-'));
});
afterAll(() => {
  rmSync(binaries, { recursive: true, force: true });
});

function compile(name: string): string {
  const program = join(binaries, name);
  // The programs hand the kernel what a compiler warns of; that is their purpose.
  const source = join(sources, `${name}.c`);
  const result = command('gcc', ['-O1', '-w', '-pthread', source, '-o', program]);
  expect(result.stderr).toBe('');
  return program;
}

function onTmpfs(program: string): RunResult {
  const directory = mkdtempSync('/dev/shm/bt-');
  try {
    return command(program, [directory]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function inTree(program: string): RunResult {
  const host = join(binaries, 'cwd');
  mkdirSync(host, { recursive: true });
  return btfuse(['run', '--mount', '/bt', '--', program, '/bt'], { cwd: host });
}

describe('descriptors, transfers, maps and processes answer as on tmpfs', needs('gcc'), () => {
  const programs = [
    'descriptors',
    'closed',
    'transfers',
    'copies',
    'maps',
    'maps_grown',
    'locks',
    'locking',
    'processes',
    'threads',
    'stacks',
    'spawning',
    'cancelling',
    'clones',
    'handlers',
    'races',
    'walks',
    'reopen',
    'overwrites',
    'spares',
    'pointers',
    'aio',
  ];
  test.each(programs)('%s', (name) => {
    const program = compile(name);
    const expected = onTmpfs(program);
    expect(expected.status, 'the program itself works').toBe(0);
    expect(expected.stdout.split('\n').length).toBeGreaterThan(3);
    const got = inTree(program);
    expect(got.stdout.split('\n')).toEqual(expected.stdout.split('\n'));
    expect(got.stderr).toBe(expected.stderr);
    expect(got.status).toBe(expected.status);
  });
});
