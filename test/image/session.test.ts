/** Interception with the real shim and a real server: programs that look closely, and starts that fail. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { btfuse, command, root, startBtfuse, uniqueSession } from '../setup/run.ts';

const work = mkdtempSync(join(tmpdir(), 'btfuse-image-session-'));
const shim = join(root, 'build/libbtfuse.so');
const programs = [
  'registers.c',
  'cancel.c',
  'backtrace.c',
  'exception.cpp',
  'processes.c',
  'small_stack.c',
];

function compile(name: string): void {
  const options = ['-O1', '-Wall', '-pthread', '-rdynamic', '-o', join(work, name)];
  const compiler = name.endsWith('.cpp') ? 'g++' : 'gcc';
  execFileSync(compiler, [...options, join(root, 'test/image/programs', name)]);
}

beforeAll(() => {
  for (const name of [...programs, 'mdwe.c']) compile(name);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test.each(programs)('%s under run', (name) => {
  const { status, stdout, stderr } = btfuse(['run', '--', join(work, name)]);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'ok\n', stderr: '' });
});

test('a program that may not make memory executable is hooked all the same', () => {
  const script = 'echo hidden > /bt/file && cat /bt/file';
  const done = btfuse(['run', '--', join(work, 'mdwe.c'), 'sh', '-c', script]);
  if (done.status === 77) return; // a kernel before 6.3
  expect({ status: done.status, stdout: done.stdout }).toEqual({ status: 0, stdout: 'hidden\n' });
});

describe('a session without `run`', () => {
  const session = uniqueSession('image');
  let server: ReturnType<typeof startBtfuse>;

  beforeAll(async () => {
    server = startBtfuse(['serve', '--session', session]);
    await once(server.stdout, 'data');
  });
  afterAll(async () => {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  });

  const inside = (script: string, env: Record<string, string | undefined> = {}) =>
    command('sh', ['-c', script], {
      env: { LD_PRELOAD: shim, BTFUSE_SESSION: session, BTFUSE_IMAGES: undefined, ...env },
    });

  test.each([undefined, '/nonexistent', '/proc', 'relative'])(
    'the server is asked where the image directory is %s',
    (images) => {
      const { status, stdout, stderr } = inside('echo asked > /bt/x; cat /bt/x; ls /bt', {
        BTFUSE_IMAGES: images,
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'asked\nx\n', stderr: '' });
    },
  );

  test('another session name ends the program before it does anything', () => {
    const { status, stdout, stderr } = inside('echo leaked', { BTFUSE_SESSION: 'nobody' });
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toMatch(/^bt-fuse: there is no running session [^\n]*\.\n$/);
  });

  test.each(['', 'a/b', '..', 'x'.repeat(64), 'x'.repeat(5000)])(
    'a bad session name: %j',
    (name) => {
      const { status, stdout, stderr } = inside('echo leaked', { BTFUSE_SESSION: name });
      expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
      expect(stderr).toMatch(/^bt-fuse: [^\n]*\.\n$/);
    },
  );

  test.each(['', '1', '900:901:902:903:4294967296', '0:1:2:0:1', '-1:-1:-1:-1:0', 'x:y'])(
    'a damaged BTFUSE_INHERIT does no harm: %j',
    (inherit) => {
      const { status, stdout } = inside('echo again > /bt/y; cat /bt/y', {
        BTFUSE_INHERIT: inherit,
      });
      expect({ status, stdout }).toEqual({ status: 0, stdout: 'again\n' });
    },
  );
});
