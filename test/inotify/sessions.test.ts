// What watchers leave behind, however they end: nothing in the nodes directory, and a session as fast as before.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { PAGE_SIZE, RING_HEADER_WATCHES } from '../../ringbuf/layout.gen.ts';
import { nodesFolder } from '../../src/server/nodes.ts';
import { needs } from '../setup/needs.ts';
import { bin, command, startBtfuse, uniqueSession } from '../setup/run.ts';

const walk = fileURLToPath(new URL('walk.c', import.meta.url));

function nodesOf(session: string): string[] {
  const [secret] = readdirSync(nodesFolder(session));
  return readdirSync(join(nodesFolder(session), secret!)).sort();
}

/** How many inodes are watched, as clients see it. */
function watches(session: string): number {
  const bytes = Buffer.alloc(4);
  const fd = openSync(`/dev/shm/btfuse.${session}.ring`, 'r');
  readSync(fd, bytes, 0, 4, PAGE_SIZE + RING_HEADER_WATCHES * 4);
  closeSync(fd);
  return bytes.readInt32LE();
}

test('watchers that end or are killed leave no shadows', needs('gcc'), async () => {
  const name = uniqueSession('inotify');
  const directory = mkdtempSync(join(tmpdir(), 'btfuse-inotify-'));
  const program = join(directory, 'walk');
  expect(command('gcc', ['-w', walk, '-o', program]).stderr).toBe('');
  const server = startBtfuse(['serve', '--session', name]);
  try {
    await once(server.stdout, 'data');
    const run = (...args: string[]) =>
      spawn(process.execPath, [bin, 'run', '--session', name, '--', ...args], {
        stdio: 'ignore',
      });
    for (let i = 0; i < 12; i++) {
      const script = `mkdir -p /bt/${i % 3}; timeout -s KILL 0.${i + 1} ${program} /bt/${i % 3} ${i} 100000`;
      await once(run('sh', '-c', script), 'exit');
    }
    await vi.waitFor(() => expect(nodesOf(name)).toEqual(['token']), { timeout: 15_000 });
    expect(watches(name)).toBe(0);
    // One that lives is not forgotten.
    const script = `cd /bt && rm -rf * && python3 -c '
import ctypes, os, time
libc = ctypes.CDLL(None); fd = libc.inotify_init()
os.mkdir("d"); libc.inotify_add_watch(fd, b"d", 0x100)
time.sleep(5); os.mkdir("d/late"); assert b"late" in os.read(fd, 4096)'`;
    const [status] = await once(run('sh', '-c', script), 'exit');
    expect(status).toBe(0);
    await vi.waitFor(() => expect(nodesOf(name)).toEqual(['token']), { timeout: 15_000 });
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
    rmSync(directory, { recursive: true, force: true });
  }
  expect(existsSync(nodesFolder(name))).toBe(false);
});
