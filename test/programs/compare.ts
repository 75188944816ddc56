// Every program scenario is one bash script, run twice: in a fresh directory of the kernel's tmpfs,
// and in the tree under `btfuse run`. Whatever a user could see must be the same: both outputs, the
// exit status, and the directory that the script leaves behind.
//
// BTFUSE_PROGRAMS=rehearse runs both sides on tmpfs, which shows whether a script itself is steady.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { bin } from '../setup/run.ts';
import { sources } from '../setup/sources.ts';
import { leaks } from './leaks.ts';

export interface Scenario {
  readonly name: string;
  /** Programs that must be on PATH. */
  readonly needs?: readonly string[];
  /** scripts/NAME.sh. Its current directory is $D, an empty one; $HOST is an empty one on the host. */
  readonly script: string;
  /** Entries of the final listing that hold times or inode numbers: sizes and contents not compared. */
  readonly volatile?: RegExp;
  /** Sorts the lines of both outputs: for programs that write in directory order. */
  readonly unordered?: boolean;
  readonly milliseconds?: number;
  /** Added to the environment of the script. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What differs from run to run in both outputs, and what stands there instead. */
  readonly normalise?: readonly (readonly [RegExp, string])[];
  /** More options for `btfuse run`. */
  readonly options?: readonly string[];
}

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tree: string[];
}

const rehearsal = process.env.BTFUSE_PROGRAMS === 'rehearse';
const scripts = fileURLToPath(new URL('./scripts', import.meta.url));

/** Both directories have names of one length, so that columns and sizes come out alike. */
function names(): { oracle: string; prefix: string } {
  const letters = Math.random().toString(36).slice(2, 8).padEnd(6, 'x');
  return { oracle: `/dev/shm/bt-${letters}`, prefix: `/program-bt-${letters}` };
}

async function run(
  scenario: Scenario,
  directory: string,
  launcher: readonly string[],
  scratch: string,
): Promise<Outcome> {
  for (const name of ['cwd', 'host']) mkdirSync(join(scratch, name));
  const [command, ...args] = [
    ...launcher,
    // bash starts inside the directory: not even its first look at "." is the host's business.
    ...['env', '-C', directory, 'bash', join(scripts, 'inside.sh')],
  ];
  const child = spawn(command as string, args, {
    cwd: join(scratch, 'cwd'),
    env: environment(scenario, directory, scratch),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: scenario.milliseconds ?? 50_000,
    killSignal: 'SIGTERM',
  });
  const [stdout, stderr, end] = await Promise.all([
    collect(child.stdout),
    collect(child.stderr),
    new Promise<{ status: number | null; signal: string | null }>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => resolve({ status, signal }));
    }),
  ]);
  expect(readdirSync(join(scratch, 'cwd')), 'files that fell into the host cwd').toEqual([]);
  return { ...end, ...normalised(scenario, directory, scratch, stdout, stderr) };
}

function environment(scenario: Scenario, directory: string, scratch: string): NodeJS.ProcessEnv {
  const { PATH = '', BTFUSE_TEST_RUN } = process.env;
  const home = join(scratch, 'host');
  return {
    PATH: `/usr/bin:/bin:${PATH}`,
    ...(BTFUSE_TEST_RUN === undefined ? {} : { BTFUSE_TEST_RUN }),
    HOME: home,
    HOST: home,
    SCRATCH: scratch,
    SCRIPTS: scripts,
    SCRIPT: join(scripts, `${scenario.script}.sh`),
    D: directory,
    SOURCES: sources,
    ...scenario.variables,
    NODE: process.execPath,
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_AUTHOR_DATE: '2024-01-02T03:04:05Z',
    GIT_COMMITTER_NAME: 'C',
    GIT_COMMITTER_EMAIL: 'c@example.org',
    GIT_COMMITTER_DATE: '2024-01-02T03:04:05Z',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

function normalised(
  scenario: Scenario,
  directory: string,
  scratch: string,
  stdout: string,
  stderr: string,
): { stdout: string; stderr: string; tree: string[] } {
  const clean = (text: string) => {
    let plain = text
      .replaceAll(directory, '$D')
      .replaceAll(scratch, '$SCRATCH')
      .replaceAll(scripts, '$SCRIPTS');
    for (const [pattern, to] of scenario.normalise ?? []) plain = plain.replaceAll(pattern, to);
    const lines = plain.split('\n');
    return (scenario.unordered ? lines.sort() : lines).join('\n');
  };
  const report = join(scratch, 'tree');
  const lines = existsSync(report) ? clean(readFileSync(report, 'latin1')).split('\n') : [];
  return {
    stdout: clean(stdout),
    stderr: clean(stderr),
    tree: lines.flatMap((line) => stable(line, scenario.volatile)),
  };
}

/** A volatile entry keeps its name, type, mode and owner only. */
function stable(line: string, volatile: RegExp | undefined): string[] {
  const [kind, path, ...rest] = line.split('|');
  if (!volatile?.test(path ?? '')) return [line];
  return kind === 'entry' ? [[kind, path, ...rest.slice(0, 3)].join('|')] : [];
}

async function onTmpfs(scenario: Scenario, directory: string): Promise<Outcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'btfuse-programs-'));
  mkdirSync(directory, { mode: 0o755 });
  try {
    return await run(scenario, directory, [], scratch);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function inTree(
  scenario: Scenario,
  prefix: string,
  tracer: (scratch: string) => readonly string[] = () => [],
  inspect: (scratch: string) => void = () => {},
): Promise<Outcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'btfuse-programs-'));
  try {
    const options = ['--mount', prefix, ...(scenario.options ?? [])];
    const launcher = [process.execPath, bin, 'run', ...options, '--', ...tracer(scratch)];
    const outcome = await run(scenario, prefix, launcher, scratch);
    expect(existsSync(prefix), 'the host must not have the prefix').toBe(false);
    inspect(scratch);
    return outcome;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The scenario gives the same on tmpfs and in the tree. */
export function sameAsTmpfs(scenario: Scenario): void {
  const limit = scenario.milliseconds ?? 50_000;
  const options = { ...needs('bash', ...(scenario.needs ?? [])), timeout: 2 * limit + 10_000 };
  test(scenario.name, options, async () => {
    const { oracle, prefix } = names();
    const expected = await onTmpfs(scenario, oracle);
    // A script that dies of its own mistake compares equal and shows nothing.
    expect(expected.stdout, 'the script must reach its end').toContain('scenario complete');
    const got = rehearsal
      ? await onTmpfs(scenario, prefix.replace('/program-', '/dev/shm/'))
      : await inTree(scenario, prefix);
    expect(got).toEqual(expected);
  });
}

/** The scenario runs under strace: the kernel must not be asked for a single path in the tree. */
export function neverReachesHost(scenario: Scenario): void {
  const lacking = needs('bash', 'strace', ...(scenario.needs ?? [])).skip;
  const options = { skip: rehearsal || lacking, timeout: 200_000 };
  test(`${scenario.name}: no path reaches the kernel`, options, async () => {
    const { prefix } = names();
    const tracer = (scratch: string) => [
      ...['strace', '-f', '-qq', '-y', '--seccomp-bpf', '-e', 'trace=%file', '-e', 'signal=none'],
      ...['-o', join(scratch, 'strace')],
    ];
    const slow = { ...scenario, milliseconds: 150_000 };
    const outcome = await inTree(slow, prefix, tracer, (scratch) => {
      const trace = readFileSync(join(scratch, 'strace'), 'latin1');
      expect(trace, 'strace saw the script start').toContain('execve(');
      expect(leaks(trace, prefix, join(scratch, 'cwd'))).toEqual([]);
    });
    expect(outcome.stdout).toContain('scenario complete');
  });
}
