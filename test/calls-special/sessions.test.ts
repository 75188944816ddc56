// What fifos, sockets and messages leave behind: nothing, however their users and servers end. And
// what others can do to the nodes directory.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { sessionEnvironment } from '../../src/cli/environment.ts';
import { connect } from '../../src/client/connect.ts';
import { defaultImagesDir, ensureImages } from '../../src/image/prepare.ts';
import { nodesFolder } from '../../src/server/nodes.ts';
import { type RunningServer, startServer } from '../../src/server/session.ts';
import { needs } from '../setup/needs.ts';
import { btfuse, command, startBtfuse, uniqueSession } from '../setup/run.ts';

const MIB = 1024 * 1024;

function serve(name: string, log: string[] = []): Promise<RunningServer> {
  const imagesDir = defaultImagesDir();
  const limits = { prefix: '/bt', bytes: 64 * MIB, inodes: 1000, imagesDir };
  return startServer({ name, ...limits, signals: false, log: (line) => log.push(line) });
}

async function runIn(session: string, program: string, args: string[]): Promise<string> {
  const env = { ...process.env, ...sessionEnvironment(session) };
  const child = spawn(program, args, { env, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const status = await new Promise((resolve) => child.on('close', resolve));
  return `${Buffer.concat(chunks).toString()}status ${status}`;
}

function nodesOf(session: string): string[] {
  const [secret] = readdirSync(nodesFolder(session));
  return readdirSync(join(nodesFolder(session), secret!)).sort();
}

test('children killed at any moment leave nothing behind', needs('gcc'), async () => {
  const directory = mkdtempSync(join(tmpdir(), 'btfuse-special-'));
  const program = join(directory, 'kills');
  const file = fileURLToPath(new URL('kills.c', import.meta.url));
  const name = uniqueSession('special');
  await ensureImages();
  const server = await serve(name);
  try {
    expect(command('gcc', ['-w', file, '-o', program]).stderr).toBe('');
    expect(await runIn(name, program, ['/bt'])).toBe('done\nstatus 0');
    await vi.waitFor(
      () => expect(server.statistics()).toMatchObject({ processes: 0, descriptions: 0 }),
      { timeout: 20_000, interval: 100 },
    );
    await vi.waitFor(() => expect(nodesOf(name)).toEqual(['token']), { timeout: 10_000 });
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
  expect(existsSync(nodesFolder(name))).toBe(false);
});

test('only members find the nodes of a session', async () => {
  const name = uniqueSession('special');
  const server = await serve(name);
  try {
    const folder = nodesFolder(name);
    const [secret] = readdirSync(folder);
    expect(lstatSync(folder).mode & 0o7777).toBe(0o711);
    expect(secret).toMatch(/^[0-9a-f]{32}$/);
    expect(lstatSync(join(folder, secret!)).mode & 0o7777).toBe(0o1733);
    if (process.getuid?.() === 0) {
      const other = { uid: 65534, gid: 65534 };
      const listing = spawn('ls', [folder], { ...other, stdio: 'ignore' });
      expect((await once(listing, 'exit'))[0]).not.toBe(0);
    }
  } finally {
    await server.stop();
  }
});

test('what a killed server leaves goes with stop, and with the next session of the name', async () => {
  const name = uniqueSession('special');
  const kill = async (): Promise<void> => {
    const child = startBtfuse(['serve', '--session', name]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(nodesFolder(name))).toBe(true);
  };
  await kill();
  expect(btfuse(['stop', name]).status).toBe(0);
  expect(existsSync(nodesFolder(name))).toBe(false);
  await kill();
  const server = await serve(name);
  expect(nodesOf(name)).toEqual(['token']);
  await server.stop();
  expect(existsSync(nodesFolder(name))).toBe(false);
});

const asRoot = { skip: process.getuid?.() !== 0 };
test('where the nodes cannot be, opening says so and nothing else suffers', asRoot, async () => {
  const name = uniqueSession('special');
  const log: string[] = [];
  await ensureImages();
  // A file that cannot be removed stands where the directory has to be.
  mkdirSync(nodesFolder(name));
  writeFileSync(join(nodesFolder(name), 'pinned'), '');
  expect(command('chattr', ['+i', join(nodesFolder(name), 'pinned')]).status).toBe(0);
  try {
    const server = await serve(name, log);
    try {
      const script = `cd /bt && mkfifo f && echo x > file && cat file && python3 -c '
import os, socket, errno
for attempt in (lambda: os.open("f", os.O_RDWR), lambda: socket.socket(socket.AF_UNIX).bind("s"),
                lambda: socket.send_fds(socket.socketpair()[0], [b"x"], [os.open("file", 0)])):
    try: attempt()
    except OSError as e: print(errno.errorcode[e.errno])'; ls`;
      expect(await runIn(name, 'sh', ['-c', script])).toBe(
        'x\nENXIO\nEADDRNOTAVAIL\nEBADF\nf\nfile\nstatus 0',
      );
      expect(log.join()).toContain('fifos and sockets of this session cannot be opened');
    } finally {
      await server.stop();
    }
  } finally {
    command('chattr', ['-i', join(nodesFolder(name), 'pinned')]);
    rmSync(nodesFolder(name), { recursive: true, force: true });
  }
});

test('devices of the host behind device nodes', asRoot, async () => {
  const script = `cd /bt && mknod null c 1 3 && mknod zero c 1 5 && mknod none c 240 77 && mknod white c 0 0
echo gone > null && head -c 4 zero | od -An -tx1 && cat null && stat -c '%F %t:%T' - < zero
(cat none; cat white) 2>&1 | sed 's/.*: //'
python3 -c '
import os, mmap
fd = os.open("zero", os.O_RDWR); m = mmap.mmap(fd, 4096); m[0] = 7; print(m[0], os.fstat(fd).st_ino == os.stat("zero").st_ino, os.isatty(fd))
os.fchmod(fd, 0o640); print(oct(os.stat("zero").st_mode), oct(os.stat("/dev/zero").st_mode))'`;
  expect(btfuse(['run', '--', 'bash', '-c', script])).toMatchObject({
    status: 0,
    stdout: [
      ' 00 00 00 00',
      'character special file 1:5',
      'No such device or address',
      'No such device or address',
      '7 True False',
      '0o20640 0o20666',
      '',
    ].join('\n'),
    stderr: '',
  });
});
