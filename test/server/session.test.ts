/** Sessions as a user meets them: they start, serve, refuse a second server, survive killed ones, leave nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants as os, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import * as layout from '../../ringbuf/layout.gen.ts';
import { closeSegment, openSegment } from '../../ringbuf/segment.ts';
import {
  beginRequest,
  closeChannel,
  openChannel,
  replyPayload,
  setPayload,
  transact,
} from '../../src/client/channel.ts';
import { type Connection, connect } from '../../src/client/connect.ts';
import { systemLibc } from '../../src/image/prepare.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/session.ts';

const limits = { prefix: '/bt', bytes: 16 << 20, inodes: 1000 };
const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
let serial = 0;
const freshName = (): string => `test-${process.pid}-${serial++}`;
const left = (name: string): string[] =>
  readdirSync('/dev/shm').filter((file) => file.startsWith(`btfuse.${name}.`));

const servers: RunningServer[] = [];
const connections: Connection[] = [];
const children: ChildProcess[] = [];

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({ name: freshName(), ...limits, signals: false, ...options });
  servers.push(server);
  return server;
}
function join(name: string): Connection {
  const connection = connect(name);
  connections.push(connection);
  return connection;
}
/** Starts a fixture and waits for its first line. */
async function run(fixture: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [`${fixtures}${fixture}.ts`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child;
}
async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) {
    await server.stop();
    expect(left(server.name)).toEqual([]);
  }
});

describe.each(['futex', 'atomics'] as const)('waiter %s', (wait) => {
  test.each([0, 50])('serves when it has slept and when it spins (%i us)', async (spinUs) => {
    const { name } = await start({ wait, spinUs });
    const tree = join(name);
    tree.mkdir('/d');
    for (let i = 0; i < 50; i++) {
      tree.writeFile(`/d/${i}`, `text ${i}`);
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(tree.readFile('/d/49').toString()).toBe('text 49');
    expect(tree.readdir('/d').length).toBe(50);
  });

  test('stops while a client waits in the kernel', async () => {
    const server = await start({ wait });
    const tree = join(server.name);
    tree.mkdir('/d');
    await server.stop();
    expect(() => tree.stat('/d')).toThrow();
    expect(left(server.name)).toEqual([]);
  });
});

test('files, links, times and the rest through a connection', async () => {
  const tree = join((await start()).name);
  tree.mkdir('/d', 0o750);
  tree.writeFile('/d/f', 'hello', 0o640);
  tree.symlink('f', '/d/l');
  tree.link('/d/f', '/d/hard');
  expect(tree.readlink('/d/l').toString()).toBe('f');
  expect(tree.stat('/d/l').mode).toBe(0o100640);
  expect(tree.stat('/d/l', false).size).toBe(1);
  expect(tree.stat('/d/f').nlink).toBe(2);
  tree.chmod('/d/f', 0o600);
  tree.utimes('/d/f', -1_500_000_000n, 2_000_000_001n);
  const stat = tree.stat('/d/f');
  expect([stat.mode, stat.atimeNs, stat.mtimeNs]).toEqual([
    0o100600,
    -1_500_000_000n,
    2_000_000_001n,
  ]);
  tree.truncate('/d/f', 2);
  expect(tree.readFile('/d/hard').toString()).toBe('he');
  tree.rename('/d/f', '/d/g');
  expect(() => tree.stat('/d/f')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => tree.rmdir('/d')).toThrow(expect.objectContaining({ code: 'ENOTEMPTY' }));
  const big = Buffer.alloc(3 << 20, 'abcdefg');
  tree.writeFile('/big', big);
  expect(tree.readFile('/big').equals(big)).toBe(true);
  const sparse = tree.createFile('/sparse');
  sparse.write(Buffer.from('start'));
  sparse.skip(1 << 20);
  sparse.close();
  expect(tree.stat('/sparse').size).toBe((1 << 20) + 5);
  expect(tree.stat('/sparse').blocks).toBe(8);
  expect(
    tree
      .readdir('/d')
      .map((entry) => entry.name.toString())
      .sort(),
  ).toEqual(['g', 'hard', 'l']);
  expect(tree.statfs().files).toBe(1000);
});

test('a second server on the name is refused, and the first serves on', async () => {
  const { name } = await start();
  await expect(start({ name })).rejects.toMatchObject({
    code: 'BTFUSE_ERR_SESSION_BUSY',
    message: expect.stringContaining(String(process.pid)),
  });
  join(name).mkdir('/still');
});

test('what a killed server left is replaced', async () => {
  const name = freshName();
  const child = await run('serve', name);
  const before = join(name);
  before.mkdir('/old');
  await kill(child);
  expect(left(name).length).toBe(3);
  expect(() => before.stat('/old')).toThrow();
  await start({ name });
  expect(join(name).readdir('/')).toEqual([]);
});

test('a truncated or foreign file at the name is replaced or refused, never trusted', async () => {
  const name = freshName();
  const ring = `/dev/shm/btfuse.${name}.ring`;
  try {
    for (const contents of ['', 'not a segment', 'x'.repeat(8192)]) {
      writeFileSync(ring, contents);
      expect(() => connect(name)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^BTFUSE_ERR_/) }),
      );
      const server = await startServer({ name, ...limits, signals: false });
      join(name).mkdir('/d');
      for (const connection of connections.splice(0)) connection.close();
      await server.stop();
      expect(existsSync(ring)).toBe(false);
    }
  } finally {
    rmSync(ring, { force: true });
  }
});

test('a session that is not there, or cut short while it runs', async () => {
  expect(() => connect(freshName())).toThrow(
    expect.objectContaining({ code: 'BTFUSE_ERR_SESSION_MISSING' }),
  );
  expect(() => connect('../etc')).toThrow(expect.objectContaining({ code: 'BTFUSE_ERR_BAD_NAME' }));
});

test.each([
  { prefix: 'bt' },
  { prefix: '/' },
  { prefix: '/bt/' },
  { prefix: '/a/../b' },
  { prefix: '/a//b' },
  { prefix: `/${'x'.repeat(256)}` },
  { bytes: 0 },
  { bytes: Number.NaN },
  { inodes: 0 },
  { inodes: 1e12 },
  { name: 'a/b' },
  { name: '' },
  { name: 'x'.repeat(64) },
] as Partial<ServerOptions>[])('bad option %o is refused, nothing stays behind', async (bad) => {
  const name = freshName();
  await expect(startServer({ name, ...limits, signals: false, ...bad })).rejects.toMatchObject({
    code: expect.stringMatching(/^BTFUSE_ERR_BAD_/),
  });
  expect(left(name)).toEqual([]);
});

test('a start that fails half way leaves nothing behind', async () => {
  const name = freshName();
  // A directory in the place of the last segment.
  mkdirSync(`/dev/shm/btfuse.${name}.data`);
  try {
    await expect(startServer({ name, ...limits, signals: false })).rejects.toMatchObject({
      code: expect.stringMatching(/^BTFUSE_ERR_/),
    });
    expect(left(name)).toEqual([`btfuse.${name}.data`]);
  } finally {
    rmdirSync(`/dev/shm/btfuse.${name}.data`);
  }
  await start({ name });
});

test('a process that ends without stopping its server leaves nothing behind', async () => {
  const name = freshName();
  const child = await run('serve', name, 'exit');
  await once(child, 'exit');
  expect(left(name)).toEqual([]);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops a server cleanly', async (signal) => {
  const name = freshName();
  const child = await run('serve', name);
  child.kill(signal);
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(left(name)).toEqual([]);
});

test('IMAGE is answered when the image is there, or with an errno', async () => {
  const imagesDir = mkdtempSync(`${tmpdir()}/btfuse-images-`);
  const logged: string[] = [];
  try {
    const server = await start({ imagesDir, log: (sentence) => logged.push(sentence) });
    const ask = (path: string): { status: number; image: string } => {
      const channel = openChannel(server.name);
      beginRequest(channel, layout.OP_IMAGE);
      setPayload(channel, [Buffer.from(path)], 0);
      const status = transact(channel);
      const image = Buffer.from(replyPayload(channel)).toString();
      closeChannel(channel);
      return { status, image };
    };
    // The main thread of this process is the control plane: it must not wait for itself.
    const elsewhere = (path: string): Promise<{ status: number; image: string }> =>
      new Promise((resolve, reject) => {
        const worker = new Worker(new URL('./fixtures/image.ts', import.meta.url), {
          workerData: { session: server.name, path },
        });
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    const { status, image } = await elsewhere(systemLibc());
    expect(status).toBe(0);
    expect(image.startsWith(imagesDir)).toBe(true);
    expect(existsSync(image)).toBe(true);
    expect((await elsewhere('/nonexistent')).status).toBeLessThan(0);
    expect(logged.length).toBe(0); // the program knows whether it matters
    expect(ask('').status).toBe(-os.errno.EINVAL);
    expect(ask('/'.repeat(4096)).status).toBe(-os.errno.ENAMETOOLONG);
  } finally {
    rmSync(imagesDir, { recursive: true });
  }
});

// ---- clients that die -----------------------------------------------------------------------------------

test.each(['open', 'unlisted', 'grant', 'child'])('a killed client that held: %s', async (what) => {
  const server = await start();
  const tree = join(server.name);
  const free = tree.statfs().blocksFree;
  const child = await run('hold', server.name, what);
  tree.stat('/a');
  for (const entry of tree.readdir('/')) tree.unlink(entry.name);
  expect(tree.statfs().filesFree).toBeLessThan(999);
  await kill(child);
  await until(() => tree.statfs().filesFree === 999);
  expect(tree.statfs().blocksFree).toBe(free);
  await until(() => server.statistics().processes === 1 && server.statistics().descriptions === 0);
});

test('slots and records of killed clients are used again', async () => {
  const server = await start();
  const tree = join(server.name);
  const holders = await Promise.all([1, 2, 3].map(() => run('hold', server.name, 'nothing')));
  for (const holder of holders) await kill(holder);
  const ring = openSegment({ kind: layout.SEGMENT_RING, session: server.name });
  const owner = (slot: number): number =>
    (layout.RING_SLOTS_OFFSET + slot * layout.SLOT_RECORD_SIZE) / 4 + layout.SLOT_OWNER;
  const owned = (): number =>
    Array.from({ length: layout.SLOTS_MAX }, (_, slot) => ring.i32[owner(slot)]).filter(
      (tid) => tid !== 0,
    ).length;
  // The figure may be from before the holders came.
  await until(() => server.statistics().processes === 1 && owned() === 1);
  closeSegment(ring);
  tree.mkdir('/fine');
});

test('when slots run short, those of threads that have ended are taken back', async () => {
  const server = await start();
  const worker = new Worker(new URL('./fixtures/thread.ts', import.meta.url), {
    workerData: { session: server.name },
  });
  const [slot] = (await once(worker, 'message')) as [number];
  await once(worker, 'exit');
  const ring = openSegment({ kind: layout.SEGMENT_RING, session: server.name });
  const owner = (layout.RING_SLOTS_OFFSET + slot * layout.SLOT_RECORD_SIZE) / 4 + layout.SLOT_OWNER;
  expect(ring.i32[owner]).not.toBe(0);
  Atomics.add(ring.i32, (layout.PAGE_SIZE + 4 * layout.RING_HEADER_SLOTS_FULL) / 4, 1);
  await until(() => ring.i32[owner] === 0);
  closeSegment(ring);
});

// ---- hostile clients ---------------------------------------------------------------------------------------

/** xorshift: the same garbage in every run. */
function noise(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x | 0;
  };
}

test('garbage in every field of a slot harms nobody else', async () => {
  const logged: string[] = [];
  const server = await start({ log: (sentence) => logged.push(sentence) });
  const tree = join(server.name);
  tree.mkdir('/d');
  tree.writeFile('/d/f', 'precious');
  tree.chmod('/d', 0o700);
  tree.chmod('/d/f', 0o600);
  const hostile = openChannel(server.name);
  const { i32, u8, word } = hostile;
  const random = noise(20261121);
  const opcodes = Object.values(
    (await import('../../ringbuf/schema.ts')).opcodes,
  ) as readonly number[];
  const small = [0, 1, 2, 3, 4, 7, 8, 255, 256, 3584, 3585, 4095, 4096, 0x7fffffff, -1, -4096];
  const value = (): number => {
    const pick = random() & 3;
    return pick === 0 ? random() : pick === 1 ? small[random() & 15] : random() & 0xff;
  };
  for (let i = 0; i < 20_000; i++) {
    for (let field = layout.SLOT_OPCODE; field < layout.SLOT_STATUS; field++)
      i32[word + field] = value();
    if ((random() & 7) !== 0)
      i32[word + layout.SLOT_OPCODE] = opcodes[(random() >>> 1) % opcodes.length];
    i32[word + layout.SLOT_REQUEST_FLAGS] &= ~layout.REQUEST_NO_REPLY;
    // Somebody else's ids: what is private must stay so.
    i32[word + layout.SLOT_UID] = 1000 + (random() & 0xff);
    for (let at = 0; at < 64; at++)
      u8[word * 4 + layout.SLOT_PAYLOAD_BYTES + at] = 'df./.a\0x'.charCodeAt(random() & 7);
    transact(hostile);
  }
  expect(server.statistics().failures).toBe(0);
  expect(logged).toEqual([]);
  expect(tree.readFile('/d/f').toString()).toBe('precious');
  tree.writeFile('/d/g', 'and on it goes');
  expect(tree.readdir('/d').length).toBe(2);
});

test('garbage in descriptions, tables and records harms nobody else', async () => {
  const server = await start();
  const tree = join(server.name);
  tree.writeFile('/f', 'precious');
  const random = noise(7);
  const child = await run('hold', server.name, 'open');
  const ring = openSegment({ kind: layout.SEGMENT_RING, session: server.name });
  for (let index = 3; index < 100; index++) {
    const record = layout.RING_PROCESSES_OFFSET / 4 + index * layout.PROCESS_RECORD_WORDS;
    for (let field = 0; field < 15; field++) ring.i32[record + field] = random();
    ring.i32[record + layout.PROCESS_STATE] = random() & 3;
    ring.i32[record + layout.PROCESS_PID] = random() & 1 ? 0 : 0x3fffffff;
  }
  for (let id = 1; id < 100; id++) {
    const state = layout.RING_DESCRIPTIONS_OFFSET / 4 + id * layout.DESCRIPTION_STATE_RECORD_WORDS;
    for (let field = 0; field < 5; field++) ring.i32[state + field] = random();
  }
  for (let i = 0; i < 64; i++)
    ring.i32[(layout.RING_FD_TABLES_OFFSET + 2 * layout.RING_FD_TABLE_SIZE) / 4 + i] = random();
  await kill(child);
  await new Promise((resolve) => setTimeout(resolve, 800));
  closeSegment(ring);
  expect(server.statistics().failures).toBe(0);
  expect(tree.readFile('/f').toString()).toBe('precious');
  tree.mkdir('/on');
});
