/** Sessions that stay up, and segments that are not what they should be. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { SEGMENT_HEADER_SCHEMA_HASH, SEGMENT_HEADER_VERSION } from '../../ringbuf/layout.gen.ts';
import { needsMounts } from '../setup/needs.ts';
import { bin, btfuse, command, startBtfuse, uniqueSession } from '../setup/run.ts';

const names: string[] = [];
function session(label: string): string {
  const name = uniqueSession(label);
  names.push(name);
  return name;
}
afterEach(() => {
  for (const name of names.splice(0)) {
    btfuse(['stop', name]);
    for (const file of segmentsOf(name)) rmSync(`/dev/shm/${file}`);
  }
});

function segmentsOf(name: string): string[] {
  return readdirSync('/dev/shm').filter((file) => file.startsWith(`btfuse.${name}.`));
}
const ringOf = (name: string): string => `/dev/shm/btfuse.${name}.ring`;

/** Starts `serve` and resolves once it is ready. */
async function serving(name: string, ...options: string[]) {
  const server = startBtfuse(['serve', '--session', name, ...options]);
  const ended = new Promise<number | null>((resolve) => server.on('close', resolve));
  const line = await new Promise<string>((resolve) => {
    server.stdout.once('data', (data) => resolve(String(data)));
    server.once('close', () => resolve(''));
  });
  return { server, ended, line };
}

test('serve says when it is ready, serves, and leaves nothing when SIGTERM ends it', async () => {
  const name = session('serve');
  const { server, ended, line } = await serving(name, '--mount', '/srv-test');
  expect(line).toBe(`ready ${name} /srv-test\n`);
  const run = btfuse(['run', '--session', name, 'sh', '-c', 'echo x > /srv-test/x; ls /srv-test']);
  expect(run).toMatchObject({ status: 0, stdout: 'x\n', stderr: '' });
  server.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(segmentsOf(name)).toEqual([]);
});

test('run --session starts a session that stays; later runs and fs commands find its files', () => {
  const name = session('stays');
  expect(btfuse(['run', '--session', name, 'sh', '-c', 'echo kept > /bt/file']).status).toBe(0);
  expect(btfuse(['run', '--session', name, 'cat', '/bt/file']).stdout).toBe('kept\n');
  expect(btfuse(['fs', 'cat', '--session', name, 'file']).stdout).toBe('kept\n');
  expect(btfuse(['sessions']).stdout).toMatch(new RegExp(`^${name}\tup\t/bt\t\\d+$`, 'm'));
  expect(btfuse(['stop', name])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(segmentsOf(name)).toEqual([]);
});

test('run --keep says the name of the session that it leaves up', () => {
  const { status, stdout, stderr } = btfuse(['run', '--keep', 'sh', '-c', 'echo a > /bt/a']);
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  const name = /^btfuse: session (\S+) stays up; `btfuse stop \1` ends it\n$/.exec(stderr)![1]!;
  names.push(name);
  expect(btfuse(['fs', 'ls', '--session', name]).stdout).toBe('a\n');
});

test('a session that was only started for a CMD that is not there does not stay', () => {
  const name = session('no-cmd');
  expect(btfuse(['run', '--session', name, '/bt/missing']).status).toBe(127);
  expect(segmentsOf(name)).toEqual([]);
});

test('options that a running session cannot take any more', () => {
  const name = session('options');
  expect(btfuse(['run', '--session', name, 'true']).status).toBe(0);
  const { status, stderr } = btfuse(['run', '--session', name, '--memory', '1G', 'true']);
  expect(stderr).toBe(
    `btfuse: session "${name}" is up already: --memory cannot change it any more\n`,
  );
  expect(status).toBe(125);
  expect(btfuse(['run', '--session', name, '--mount', '/bt', 'true']).status).toBe(0);
});

test('a second server on one name', () => {
  const name = session('second');
  expect(btfuse(['run', '--session', name, 'true']).status).toBe(0);
  const { status, stdout, stderr } = btfuse(['serve', '--session', name]);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^btfuse: a server of session [^\n]* is already running[^\n]*\n$/);
  expect(status).toBe(125);
  expect(btfuse(['run', '--session', name, 'true']).status).toBe(0);
});

test('two at once on one name: one serves, the other gives up', async () => {
  const name = session('race');
  const both = await Promise.all([serving(name), serving(name)]);
  expect(both.map(({ line }) => line).sort()).toEqual(['', `ready ${name} /bt\n`]);
  expect(btfuse(['run', '--session', name, 'true']).status).toBe(0);
  expect(btfuse(['stop', name]).status).toBe(0);
  await Promise.all(both.map(({ ended }) => ended));
});

test('no such session', () => {
  for (const args of [['stop'], ['env', '--session'], ['fs', 'ls', '--session']]) {
    const { status, stdout, stderr } = btfuse([...args, 'no-such-session']);
    expect({ stdout, stderr }).toEqual({
      stdout: '',
      stderr: 'btfuse: no session "no-such-session" is up\n',
    });
    expect(status).toBe(125);
  }
});

describe('env', () => {
  test('its lines put any program into the session', () => {
    const name = session('env');
    btfuse(['run', '--session', name, 'sh', '-c', 'echo by env > /bt/file']);
    const script = `eval "$("${process.execPath}" "${bin}" env --session ${name})"; cat /bt/file; ls /bt`;
    const { status, stdout } = command('sh', ['-c', script]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'by env\nfile\n' });
  });
  test('by hand: LD_PRELOAD=… program', () => {
    const name = session('env-hand');
    btfuse(['run', '--session', name, 'sh', '-c', 'echo by hand > /bt/file']);
    const lines = btfuse(['env', '--session', name]).stdout.trim().split('\n');
    expect(lines.every((line) => /^export [A-Z_]+=\S+$/.test(line))).toBe(true);
    const env = Object.fromEntries(
      lines.map((line) => line.slice(7).split('=') as [string, string]),
    );
    expect(command('cat', ['/bt/file'], { env }).stdout).toBe('by hand\n');
  });
});

describe('what a killed server leaves', () => {
  async function killed(label: string): Promise<string> {
    const name = session(label);
    const { server, ended } = await serving(name);
    server.kill('SIGKILL');
    await ended;
    expect(existsSync(ringOf(name))).toBe(true);
    return name;
  }
  test('is no session', async () => {
    const name = await killed('killed');
    const { status, stderr } = btfuse(['fs', 'ls', '--session', name]);
    expect(stderr).toMatch(/^btfuse: the server of session "\S+" was killed; [^\n]+\n$/);
    expect(status).toBe(125);
    expect(btfuse(['sessions']).stdout).toContain(`${name}\tdead`);
  });
  test('is removed by stop', async () => {
    const name = await killed('killed-stop');
    expect(btfuse(['stop', name]).status).toBe(0);
    expect(segmentsOf(name)).toEqual([]);
  });
  test('does not keep a new server from starting, with an empty tree', async () => {
    const name = await killed('killed-again');
    const run = btfuse(['run', '--session', name, 'ls', '-A', '/bt']);
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});

describe('segments that are not right', () => {
  const isRoot = process.getuid?.() === 0;
  function refused(name: string): void {
    for (const args of [
      ['fs', 'ls', '--session', name],
      ['env', '--session', name],
    ]) {
      const { status, stdout, stderr } = btfuse(args);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
      expect(status).toBe(125);
    }
  }
  test('a foreign file', () => {
    const name = session('foreign');
    writeFileSync(ringOf(name), 'not a segment of ours, whatever its name may say'.repeat(1000));
    refused(name);
  });
  test('an empty file', () => {
    const name = session('empty');
    writeFileSync(ringOf(name), '');
    refused(name);
  });
  test('a program that is sent to one ends with one sentence and 125', () => {
    const name = session('foreign-shim');
    writeFileSync(ringOf(name), Buffer.alloc(8192, 1));
    const env = { LD_PRELOAD: shim(), BTFUSE_SESSION: name, BTFUSE_IMAGES: images() };
    const { status, stdout, stderr } = command('/bin/true', [], { env });
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(status).toBe(125);
  });
  test('a truncated segment', async () => {
    const name = session('truncated');
    const { server, ended } = await serving(name);
    server.kill('SIGKILL');
    await ended;
    truncateSync(ringOf(name), 4096);
    refused(name);
    const run = btfuse(['run', '--session', name, 'true']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
  });
  test('a live session of another version', async () => {
    const name = session('version');
    await serving(name);
    patch(name, SEGMENT_HEADER_VERSION, [99]);
    patch(name, SEGMENT_HEADER_SCHEMA_HASH, [1, 2]);
    const { status, stderr } = btfuse(['run', '--session', name, 'true']);
    expect(stderr).toBe(`btfuse: session "${name}" belongs to another version of bt-fuse\n`);
    expect(status).toBe(125);
    expect(btfuse(['stop', name]).status).toBe(0);
    expect(segmentsOf(name)).toEqual([]);
  });
  test.skipIf(!isRoot)("another user's segment", () => {
    const name = session('other-user');
    writeFileSync(ringOf(name), Buffer.alloc(8192), { mode: 0o600 });
    spawnSync('chown', ['65534:65534', ringOf(name)]);
    const { status, stderr } = btfuse(['serve', '--session', name]);
    expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
    expect(status).toBe(125);
  });
});

function patch(name: string, word: number, values: readonly number[]): void {
  const file = openSync(ringOf(name), 'r+');
  writeSync(file, Buffer.from(Uint32Array.from(values).buffer), 0, values.length * 4, word * 4);
  closeSync(file);
}

function exported(variable: string): string {
  const { stdout } = btfuse(['run', 'sh', '-c', `printf %s "$${variable}"`]);
  return stdout;
}
const shim = (): string => exported('LD_AUDIT');
const images = (): string => exported('BTFUSE_IMAGES');

/** As root in a mount namespace of our own, /dev/shm can be as small as we like. */

describe('a small /dev/shm', needsMounts(), () => {
  const inside = (size: string, script: string) => {
    const setup = `mount -t tmpfs -o size=${size} none /dev/shm && `;
    const run = `b() { "${process.execPath}" "${bin}" "$@"; }; `;
    return command('unshare', ['-m', 'sh', '-c', setup + run + script], { env: { LC_ALL: 'C' } });
  };
  test('a full one: a clear sentence, 125, nothing left', () => {
    const { stdout, stderr } = inside('64k', 'b run true; echo $?; ls -A /dev/shm');
    expect(stdout).toBe('125\n');
    expect(stderr).toMatch(/^btfuse: [^\n]*\/dev\/shm is full[^\n]*\n$/);
  });
  test('one that fills up while CMD writes: ENOSPC, never SIGBUS', () => {
    const script = `b run sh -c 'head -c 40M /dev/zero > /bt/big; echo $?; rm /bt/big; echo y > /bt/y; cat /bt/y'; ls -A /dev/shm`;
    const { stdout, stderr } = inside('24M', script);
    expect(stdout).toBe('1\ny\n');
    expect(stderr).toContain('No space left on device');
  });
  test('doctor says so', () => {
    const { stdout } = inside('2M', 'b doctor; echo $?');
    expect(stdout).toMatch(/^broken +\/dev\/shm +2M/m);
    expect(stdout).toMatch(/\n1\n$/);
  });
});
