// Whoever sleeps for a lock comes back when the server ends, whatever ended it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sessionEnvironment } from '../../src/cli/environment.ts';
import { ensureImages } from '../../src/image/prepare.ts';
import { needs } from '../setup/needs.ts';
import { btfuse, command, startBtfuse, uniqueSession } from '../setup/run.ts';

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a server that gets %s',
  needs('gcc'),
  async (signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'btfuse-sleepers-'));
    const program = join(directory, 'sleepers');
    const source = fileURLToPath(new URL('sleepers.c', import.meta.url));
    const name = uniqueSession('sleepers');
    await ensureImages();
    const server = startBtfuse(['serve', '--session', name, '--mount', '/bt']);
    const ended = once(server, 'exit');
    try {
      expect(command('gcc', ['-w', '-pthread', source, '-o', program]).stderr).toBe('');
      await once(server.stdout, 'data');
      const env = { ...process.env, ...sessionEnvironment(name) };
      const sleepers = spawn(program, ['/bt'], { env, cwd: directory });
      let said = '';
      sleepers.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said === 'main: asleep\n') server.kill(signal);
      });
      await once(sleepers, 'close');
      const lines = said.split('\n').filter((line) => line !== '');
      expect(lines).toEqual(['main: asleep', ...new Array(6).fill('wait_for: -1: EIO')]);
    } finally {
      server.kill('SIGKILL');
      await ended;
      btfuse(['stop', name]);
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
