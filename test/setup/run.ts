/** Runs the `btfuse` command as a user would, for tests of any folder. */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const bin = `${root}src/cli/bin.mjs`;

/** A hung command must fail its own test, not the time limit of the whole run. */
const TIMEOUT_MS = 50_000;

export interface RunOptions {
  /** Standard input; empty when not given. */
  readonly input?: string | Uint8Array;
  /** Added to the environment of the test; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit status, or 128 + signal number as a shell shows it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

/** `btfuse ARGS…`, to its end. */
export function btfuse(args: readonly string[], options: RunOptions = {}): RunResult {
  return command(process.execPath, [bin, ...args], options);
}

/** Any command, to its end. */
export function command(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): RunResult {
  const result = spawnSync(file, args, {
    input: options.input ?? '',
    env: { ...process.env, ...options.env },
    cwd: options.cwd ?? root,
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (result.error !== undefined && result.status === null && result.signal === null) {
    throw result.error;
  }
  return {
    status: result.status ?? 128 + signalNumber(result.signal),
    stdout: result.stdout.toString(),
    stderr: result.stderr.toString(),
    stdoutBytes: result.stdout,
  };
}

/** `btfuse ARGS…` in the background, with its output on pipes. The caller ends it. */
export function startBtfuse(args: readonly string[], options: RunOptions = {}) {
  return spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...options.env },
    cwd: options.cwd ?? root,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** A session name that no other test of this machine uses. */
export function uniqueSession(label: string): string {
  uniqueCount += 1;
  return `test-${label}-${process.pid}-${uniqueCount}`;
}
let uniqueCount = 0;

function signalNumber(signal: NodeJS.Signals | null): number {
  if (signal === null) return 0;
  return constants.signals[signal];
}
