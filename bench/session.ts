// A session that serves for the whole run of the benchmark, as `btfuse serve` starts it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { root } from './build.ts';

const bin = `${root}src/cli/bin.mjs`;
export type Waiter = 'futex' | 'atomics';
export const prefix = '/btfuse-bench';

export interface BenchSession {
  readonly name: string;
  /** Variables that put a program into the session. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startSession(waiter: Waiter = 'futex'): Promise<BenchSession> {
  const name = `bench-${waiter}-${process.pid}`;
  const serve = ['serve', '--session', name, '--mount', prefix, '--wait', waiter];
  const server = spawn(process.execPath, [bin, ...serve], { stdio: ['ignore', 'pipe', 'inherit'] });
  await ready(server);
  return {
    name,
    environment: environmentOf(name),
    async stop() {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await ended;
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('exit', () => reject(new Error('the server ended before it was ready')));
    createInterface({ input: server.stdout! }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve();
    });
  });
}

/** `btfuse env` prints shell text, so a shell reads it. */
function environmentOf(name: string): Record<string, string> {
  const text = execFileSync(process.execPath, [bin, 'env', '--session', name], {
    encoding: 'utf8',
  });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are the shell's.
  const list = 'eval "$1"; for v in $(compgen -e); do printf "%s=%s\\0" "$v" "${!v}"; done';
  const all = execFileSync('bash', ['-c', list, 'bash', text], { encoding: 'utf8' });
  const pairs = all.split('\0').filter(Boolean);
  const variables = pairs.map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return Object.fromEntries(
    variables.filter(
      ([key, value]) => /^(LD_AUDIT|LD_PRELOAD|BTFUSE_)/.test(key) && process.env[key] !== value,
    ),
  );
}
