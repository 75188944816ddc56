// Whole trees of processes, killed at any moment in the middle of their work: the session serves on, its
// store is sound, and nothing is left of them. BTFUSE_KILLS=100 for more rounds.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import {
  SEGMENT_RING,
  SLOT_OWNER,
  SLOT_STATE,
  SLOT_STATE_IDLE,
  SLOTS_MAX,
} from '../../ringbuf/layout.gen.ts';
import { openRing, slotWord } from '../../ringbuf/ring.ts';
import { closeSegment, openSegment } from '../../ringbuf/segment.ts';
import { sessionEnvironment } from '../../src/cli/environment.ts';
import { connect } from '../../src/client/connect.ts';
import { defaultImagesDir, ensureImages } from '../../src/image/prepare.ts';
import { startServer } from '../../src/server/session.ts';
import { needs } from '../setup/needs.ts';
import { command, uniqueSession } from '../setup/run.ts';

const rounds = Number(process.env.BTFUSE_KILLS ?? 30);

/** Slots that somebody has, or that are not idle. */
function slotsInUse(session: string): number {
  const segment = openSegment({ kind: SEGMENT_RING, session });
  try {
    const { i32 } = openRing(segment);
    let count = 0;
    for (let slot = 0; slot < SLOTS_MAX; slot++) {
      const word = slotWord(slot);
      if (i32[word + SLOT_OWNER] !== 0 || i32[word + SLOT_STATE] !== SLOT_STATE_IDLE) count++;
    }
    return count;
  } finally {
    closeSegment(segment);
  }
}

/** What a shell says in the session. The server lives in this process, so nothing here may block. */
async function say(script: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string> {
  const child = spawn('bash', ['-c', script], { env, cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [status] = await once(child, 'close');
  return `${Buffer.concat(chunks).toString()}status ${status}`;
}

async function killAfter(tree: ChildProcess, milliseconds: number): Promise<void> {
  const ended = once(tree, 'exit');
  await sleep(milliseconds);
  // Its group: the tree leads one, and nobody in it leaves.
  process.kill(-tree.pid!, 'SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
}

test('trees of processes', {
  ...needs('gcc', 'bash'),
  timeout: 30_000 + rounds * 3000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'btfuse-trees-'));
  const program = join(directory, 'tree');
  const source = fileURLToPath(new URL('tree.c', import.meta.url));
  const name = uniqueSession('trees');
  const logged: string[] = [];
  await ensureImages();
  const server = await startServer({
    name,
    prefix: '/bt',
    bytes: 64 * 1024 * 1024,
    inodes: 5000,
    signals: false,
    check: true,
    imagesDir: defaultImagesDir(),
    log: (sentence) => logged.push(sentence),
  });
  const env = { ...process.env, ...sessionEnvironment(name) };
  try {
    expect(command('gcc', ['-w', '-O1', '-pthread', source, '-o', program]).stderr).toBe('');
    for (let round = 0; round < rounds; round++) {
      const options = { env, cwd: directory, detached: true, stdio: 'ignore' } as const;
      await killAfter(spawn(program, ['/bt', '2'], options), 20 + Math.random() * 250);
      const script = `cd /bt && echo ${round} > alive && cat alive && rm alive`;
      const alive = await say(script, env, directory);
      expect(alive).toBe(`${round}
status 0`);
    }
    expect(await say('rm -rf /bt/*', env, directory)).toBe('status 0');
    await vi.waitFor(
      () => {
        expect(server.statistics()).toMatchObject({ processes: 0, descriptions: 0 });
        expect(slotsInUse(name)).toBe(0);
      },
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
  expect(logged).toEqual([]);
});
