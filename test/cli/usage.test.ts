/** Command lines that are wrong: one sentence, status 125, nothing started. */
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { options } from '../../src/cli/options.ts';
import { btfuse } from '../setup/run.ts';

function fails(args: readonly string[], sentence: string | RegExp): void {
  const { status, stdout, stderr } = btfuse(args);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
  if (typeof sentence === 'string') expect(stderr).toContain(sentence);
  else expect(stderr).toMatch(sentence);
  expect(status).toBe(125);
}

test('no command', () => fails([], 'no command given'));
test('an unknown command, with the one that was meant', () => {
  fails(['rnu', '--', 'true'], 'unknown command rnu; did you mean run?');
});
test('an unknown command like none', () =>
  fails(['frobnicate'], /^btfuse: unknown command frobnicate\n$/));
test('a family without its second word', () => fails(['fs'], '`fs` wants one of ls, tree'));
test('an unknown second word', () => fails(['fs', 'lss'], 'did you mean ls?'));
test('an unknown option, with the one that was meant', () => {
  fails(['run', '--memroy', '1G', 'true'], 'unknown option --memroy; did you mean --memory?');
});
test('an option of another command', () =>
  fails(['stop', '--mount', '/x'], 'unknown option --mount'));
test('control bytes in a wrong word do not reach the terminal', () => {
  fails(['\x1b[31mrun'], 'unknown command \\e[31mrun');
});
test('a missing CMD', () => fails(['run', '--memory', '1G'], '`run` wants [--] CMD'));
test('too many operands', () => fails(['serve', 'x'], 'does not know what to do with "x"'));
test('an option without its value', () => fails(['run', '--mount'], '--mount wants a value'));
test('a flag with a value', () => fails(['run', '--keep=yes', 'true'], '--keep takes no value'));
test('an option twice', () =>
  fails(['run', '--wait=futex', '--wait=futex', 'true'], 'given twice'));

test.each([
  ['a missing prefix', '--mount=', 'is empty'],
  ['a relative prefix', '--mount=bt', 'is relative'],
  ['the prefix /', '--mount=/', 'is the whole file system'],
  ['a prefix that is / in disguise', '--mount=//./', 'is the whole file system'],
  ['a prefix with ..', '--mount=/a/../b', 'has ".." in it'],
  ['a prefix that is too long', `--mount=/${'x'.repeat(255)}`, 'over 255 bytes'],
  ['a size that does not parse', '--memory=12Q', 'is not a size'],
  ['no memory at all', '--memory=0', 'is not a size'],
  ['a number that does not parse', '--inodes=many', 'is not a number'],
  ['a way to wait that there is none of', '--wait=select', 'is neither futex nor atomics'],
  ['a spin that does not parse', '--spin-us=-1', 'is not a number of microseconds'],
  ['a session name with a slash', '--session=a/b', 'is not a name'],
  ['a session name that hides', '--session=.a', 'is not a name'],
  ['an empty session name', '--session=', 'is empty'],
  ['a session name that is too long', `--session=${'x'.repeat(64)}`, 'over 63'],
  ['an import of nothing', '--import=', 'is empty'],
])('%s', (_, option, sentence) => {
  fails(['run', option, '--', 'true'], sentence);
});

test('--help and help say the same, for every command', () => {
  for (const { name, options: own } of commands) {
    const { status, stdout, stderr } = btfuse([...name.split(' '), '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(`Usage: btfuse ${name} `);
    for (const option of own) expect(stdout).toContain(`--${option}`);
    expect(btfuse(['help', ...name.split(' ')]).stdout).toBe(stdout);
  }
}, 60_000);

test('the overview names every command', () => {
  const { status, stdout } = btfuse(['help']);
  expect(status).toBe(0);
  for (const { name, summary } of commands) {
    expect(stdout).toContain(name);
    expect(stdout).toContain(summary);
  }
  expect(btfuse(['--help']).stdout).toBe(stdout);
  expect(btfuse(['-h']).stdout).toBe(stdout);
});

test('help of something unknown', () =>
  fails(['help', 'nothing'], 'there is no command "nothing"'));

test('--version', () => {
  const { status, stdout } = btfuse(['--version']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^btfuse \d+\.\d+\.\d+\n$/);
});

test('every option of the table belongs to a command', () => {
  const used = new Set<string>([
    'help',
    'version',
    ...commands.flatMap((command) => command.options),
  ]);
  expect(Object.keys(options).filter((name) => !used.has(name))).toEqual([]);
});
