// However a process ends, what it held is given back: descriptions, process records, inodes, blocks.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { sessionEnvironment } from '../../src/cli/environment.ts';
import { connect } from '../../src/client/connect.ts';
import { ensureImages } from '../../src/image/prepare.ts';
import { startServer } from '../../src/server/session.ts';
import { needs } from '../setup/needs.ts';
import { command, uniqueSession } from '../setup/run.ts';

const MIB = 1024 * 1024;

async function runIn(session: string, program: string, args: string[]): Promise<string> {
  const env = { ...process.env, ...sessionEnvironment(session) };
  const child = spawn(program, args, { env, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const status = await new Promise((resolve) => child.on('close', resolve));
  return `${Buffer.concat(chunks).toString()}status ${status}`;
}

const programs = {
  kills: 'children killed at any moment leave nothing behind',
  revivals:
    'files opened again and again, their users killed at any moment: nothing is left behind',
  lockers: 'who holds a lock or waits for one may be killed at any moment',
};

test.each(Object.entries(programs))('%s: %s', needs('gcc'), async (source) => {
  const directory = mkdtempSync(join(tmpdir(), `btfuse-${source}-`));
  const program = join(directory, source);
  const file = fileURLToPath(new URL(`${source}.c`, import.meta.url));
  const name = uniqueSession(source);
  await ensureImages();
  const server = await startServer({
    name,
    prefix: '/bt',
    bytes: 64 * MIB,
    inodes: 1000,
    signals: false,
  });
  try {
    expect(command('gcc', ['-w', '-pthread', file, '-o', program]).stderr).toBe('');
    expect(await runIn(name, program, ['/bt'])).toBe('done\nstatus 0');
    // The records of the dead are freed by and by.
    await vi.waitFor(
      () => expect(server.statistics()).toMatchObject({ processes: 0, descriptions: 0 }),
      { timeout: 20_000, interval: 100 },
    );
    const connection = connect(name);
    try {
      const left = connection.statfs();
      expect(left.files - left.filesFree, 'inodes: the root alone').toBe(1);
      expect(left.blocks - left.blocksFree, 'blocks').toBe(0);
    } finally {
      connection.close();
    }
    expect(server.statistics().failures).toBe(0);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
