/** A server that outlives this command: `btfuse serve` in a session (setsid) of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { plainEnvironment } from './environment.ts';
import { Failure } from './failure.ts';
import type { OptionValues } from './options.ts';
import { commandPath } from './paths.ts';
import { serverOptionNames } from './serve.ts';

/** Resolves once programs can attach. */
export async function startDetached(name: string, values: Partial<OptionValues>): Promise<void> {
  const options = serverOptionNames.flatMap((option) =>
    values[option] === undefined ? [] : [`--${option}=${values[option]}`],
  );
  const server = spawn(process.execPath, [commandPath, 'serve', `--session=${name}`, ...options], {
    detached: true,
    cwd: '/',
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await ready(server);
  server.stdout!.destroy();
  server.stderr!.destroy();
  server.unref();
}

/** Waits for the ready line; a server that ends first has said why on its stderr. */
function ready(server: ChildProcess): Promise<void> {
  let said = '';
  let complaint = '';
  server.stderr!.on('data', (data) => {
    complaint += data;
  });
  return new Promise((resolve, reject) => {
    server.stdout!.on('data', (data) => {
      said += data;
      if (said.includes('\n')) resolve();
    });
    server.on('error', reject);
    server.on('close', (status) => {
      const reason = complaint.trim().replace(/^btfuse: /, '');
      reject(new Failure(reason || `the server ended with status ${status} before it was ready`));
    });
  });
}
