import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { escapeName, escapeText, shellQuote } from '../../src/cli/names.ts';

test('plain and UTF-8 names stand as they are', () => {
  expect(escapeName(Buffer.from('a b-ü.txt'))).toBe('a b-ü.txt');
});

test('control bytes cannot reach the terminal', () => {
  const name = Buffer.from('a\x1b[2J\n\t\x07\x7f');
  const shown = escapeName(name);
  expect(shown).toBe('a\\e[2J\\n\\t\\007\\177');
});

test('marks that reverse writing and C1 controls are escaped', () => {
  expect(escapeText('a\u202eb\u0085')).toBe('a\\342\\200\\256b\\302\\205');
});

test('bytes that are no UTF-8 are shown in octal, as bash reads them back', () => {
  const name = Buffer.from([0x61, 0xff, 0x5c, 0x0a]);
  const shown = escapeName(name);
  expect(shown).toBe('a\\377\\\\\\n');
  const back = execFileSync('bash', ['-c', `printf %s $'${shown}'`]);
  expect(back).toEqual(name);
});

test('quoted words come back from a shell as they were', () => {
  for (const word of ['plain/path', 'two words', "it's", '$HOME `x` "y"', '']) {
    const back = execFileSync('sh', ['-c', `printf %s ${shellQuote(word)}`]);
    expect(back.toString()).toBe(word);
  }
});
