import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse } from '../setup/run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, stdout } = btfuse(['completion', shell]);
    expect(status).toBe(0);
    writeFileSync(join(folder, shell), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What bash offers for the last word of a command line. */
function bashOffers(...words: string[]): string[] {
  const script = `
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _btfuse
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-c', script, 'bash', join(folder, 'bash'), ...words]);
  return output.toString().split('\n').filter(Boolean);
}

describe('bash', needs('bash'), () => {
  test('commands', () => {
    expect(bashOffers('btfuse', '')).toEqual(expect.arrayContaining(['run', 'serve', 'fs']));
    expect(bashOffers('btfuse', 'ru')).toEqual(['run']);
  });
  test('second words', () => {
    expect(bashOffers('btfuse', 'fs', '')).toEqual(expect.arrayContaining(['ls', 'cat', 'rm']));
  });
  test('options of the command, and no others', () => {
    const offers = bashOffers('btfuse', 'run', '--');
    expect(offers).toEqual(expect.arrayContaining(['--mount', '--import', '--keep']));
    expect(offers).not.toContain('--recursive');
    expect(bashOffers('btfuse', 'fs', 'rm', '--')).toContain('--recursive');
  });
  test('values of an option', () => {
    expect(bashOffers('btfuse', 'run', '--wait', '')).toEqual(['futex', 'atomics']);
  });
  test('CMD and its arguments', () => {
    expect(bashOffers('btfuse', 'run', '--keep', '--', 'bas')).toContain('bash');
    expect(bashOffers('btfuse', 'run', 'ls', '/etc/passw')).toContain('/etc/passwd');
  });
});

test.skipIf(needs('zsh').skip)('zsh reads its script', () => {
  execFileSync('zsh', ['-n', join(folder, 'zsh')]);
  const script = 'autoload -U compinit; compinit -u -D; source "$1"; print $_comps[btfuse]';
  const output = execFileSync('zsh', ['-fc', script, 'zsh', join(folder, 'zsh')]);
  expect(output.toString().trim()).toBe('_btfuse');
});

describe('fish', needs('fish'), () => {
  const offers = (line: string): string[] => {
    const script = `source ${join(folder, 'fish')}; complete -C '${line}'`;
    const output = execFileSync('fish', ['--no-config', '-c', script]).toString();
    return output.split('\n').map((row) => row.split('\t')[0]!);
  };
  test('commands, second words, options and values', () => {
    expect(offers('btfuse ')).toEqual(expect.arrayContaining(['run', 'serve', 'fs']));
    expect(offers('btfuse fs ')).toEqual(expect.arrayContaining(['ls', 'tree']));
    expect(offers('btfuse run --')).toEqual(expect.arrayContaining(['--mount', '--export']));
    expect(offers('btfuse run --wait ')).toEqual(expect.arrayContaining(['futex', 'atomics']));
  });
});

test('an unknown shell', () => {
  const { status, stderr } = btfuse(['completion', 'fsh']);
  expect(status).toBe(125);
  expect(stderr).toBe('btfuse: no completion for fsh: one of bash, zsh, fish; did you mean zsh?\n');
});
