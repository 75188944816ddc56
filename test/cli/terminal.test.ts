/** On a terminal: ^C and ^\ reach CMD once, and import shows a bar that is gone afterwards. */
import { describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { bin, command, root } from '../setup/run.ts';

function onTerminal(keys: string, ...args: string[]): string {
  const terminal = `${root}test/cli/fixtures/terminal.py`;
  const { stdout } = command('python3', [terminal, keys, process.execPath, bin, ...args]);
  return stdout.replaceAll('\r', '');
}

describe('a terminal', needs('python3'), () => {
  test('^C reaches CMD exactly once', () => {
    const script = `trap 'n=$((n+1))' INT; echo ready; sleep 0.5; sleep 0.5; echo "got $n"`;
    const output = onTerminal('\\x03', 'run', 'sh', '-c', script);
    expect(output).toContain('got 1\n');
    expect(output).toMatch(/\nstatus 0\n$/);
  });
  test('CMD that ^C ends gives 130', () => {
    expect(onTerminal('\\x03', 'run', 'sh', '-c', 'echo ready; sleep 30')).toMatch(
      /\nstatus 130\n$/,
    );
  });
  test('CMD that ^\\ ends gives 131', () => {
    const output = onTerminal('\\x1c', 'run', 'sh', '-c', 'ulimit -c 0; echo ready; sleep 30');
    expect(output).toMatch(/\nstatus 131\n$/);
  });
  test('import and export show how far they are', () => {
    const args = ['run', '--import', `${root}test`, '--export', '/dev/null/x', 'echo', 'ready'];
    const output = onTerminal('', ...args);
    expect(output).toMatch(/importing .*% of \d+ entries/);
    expect(output).toContain('ready');
  });
  test('CMD finds the terminal as it was', () => {
    const output = onTerminal(
      '',
      'run',
      '--import',
      `${root}test`,
      'sh',
      '-c',
      'stty -a; echo ready',
    );
    expect(output).toMatch(/ icanon /);
    expect(output).toMatch(/ echo /);
  });
});
