/** Starting CMD in a session, passing signals on to it, and ending as it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { exits, Failure } from './failure.ts';
import { escapeText } from './names.ts';
import { launcherPath } from './paths.ts';
import type { FoundProgram } from './program.ts';

export interface ChildOptions {
  readonly program: FoundProgram;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Descriptors above 2 that CMD gets. */
  readonly descriptors: readonly number[];
  /** Told about the child as soon as it runs: signals go to it from then on. */
  readonly started: (child: ChildProcess) => void;
}

/** Runs it to its end → exit status as a shell shows it. */
export async function runChild(options: ChildOptions): Promise<number> {
  const { path, argv, env } = launch(options.program, options.argv);
  const child = spawn(path, argv.slice(1), {
    argv0: argv[0]!,
    env: { ...options.env, ...env },
    stdio: stdioOf(options.descriptors),
  });
  return new Promise((resolve, reject) => {
    child.on('spawn', () => options.started(child));
    child.on('error', (error: NodeJS.ErrnoException) => reject(refused(options.argv[0]!, error)));
    child.on('exit', (status, signal) => {
      resolve(status ?? exits.SIGNAL + constants.signals[signal!]);
    });
  });
}

/**
 * The kernel cannot start a program of the tree, nor a script for a static interpreter; a shell that
 * lives in the session can. A static program is the launcher's.
 */
function launch(program: FoundProgram, argv: readonly string[]) {
  if (program.launched === 'program') {
    const env = { BTFUSE_PROGRAM: `-1:-1:${program.path}` };
    return { path: launcherPath, argv, env };
  }
  if (!program.inTree && program.launched === undefined) return { path: program.path, argv };
  return { path: '/bin/sh', argv: ['sh', '-c', 'exec "$@"', 'sh', program.path, ...argv.slice(1)] };
}

function stdioOf(descriptors: readonly number[]): ('inherit' | 'ignore')[] {
  const stdio: ('inherit' | 'ignore')[] = ['inherit', 'inherit', 'inherit'];
  for (const fd of descriptors) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] = 'inherit';
  }
  return stdio;
}

function refused(command: string, error: NodeJS.ErrnoException): Failure {
  const status = error.code === 'ENOENT' ? exits.NOT_FOUND : exits.NOT_EXECUTABLE;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'it or its interpreter is not there',
    EACCES: 'permission denied',
    ENOEXEC: 'it is no program that this machine can run',
    E2BIG: 'its arguments and environment are too long',
  };
  const reason = reasons[error.code ?? ''] ?? error.message;
  return new Failure(`${escapeText(command)} does not start: ${reason}`, status);
}
