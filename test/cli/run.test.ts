/** `btfuse run`: the exit statuses, the environment and the descriptors of CMD, signals, and what is left. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { bin, btfuse, command, root, startBtfuse } from '../setup/run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-run-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** Segments of private runs that belong to nobody who lives. */
function segmentsOf(pid: number | undefined): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith(`btfuse.run-${pid}-`));
}

test('the first example of the README', () => {
  const script = 'echo hello > /bt/hello && cat /bt/hello && ls -l /bt';
  const { status, stdout, stderr } = btfuse(['run', '--', 'bash', '-c', script]);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^hello\ntotal 4\n-rw-r--r-- 1 \S+ \S+ 6 .* hello\n$/);
  expect(status).toBe(0);
});

test('each run has a tree of its own, and the host sees none of it', () => {
  expect(btfuse(['run', 'sh', '-c', 'echo a > /bt/a']).status).toBe(0);
  expect(btfuse(['run', 'ls', '-A', '/bt'])).toMatchObject({ status: 0, stdout: '' });
  expect(command('ls', ['/bt']).status).toBe(2);
});

test('another prefix, in another spelling', () => {
  const args = ['run', '--mount', '/some//where/./', '--', 'sh', '-c', 'cd /some/where && pwd'];
  expect(btfuse(args)).toMatchObject({ status: 0, stdout: '/some/where\n' });
});

test.each(['futex', 'atomics'])('a server that waits by %s', (how) => {
  const args = ['run', '--wait', how, '--spin-us', '0', 'sh', '-c', 'echo x > /bt/x; cat /bt/x'];
  expect(btfuse(args)).toMatchObject({ status: 0, stdout: 'x\n' });
});

test('--memory and --inodes bound the tree', () => {
  const full = 'head -c 3M /dev/zero > /bt/big; echo $?; stat -c %s /bt/big';
  const bytes = btfuse(['run', '--memory', '1M', 'sh', '-c', full], { env: { LC_ALL: 'C' } });
  expect(bytes.stdout).toBe(`1\n${1024 * 1024}\n`);
  expect(bytes.stderr).toContain('No space left on device');
  const many = 'cd /bt && for i in 1 2 3 4 5 6 7 8; do touch $i || exit; done';
  const inodes = btfuse(['run', '--inodes', '5', 'sh', '-c', many], { env: { LC_ALL: 'C' } });
  expect(inodes.stderr).toContain('No space left on device');
});

describe('exit statuses', () => {
  test('that of CMD', () => {
    expect(btfuse(['run', 'sh', '-c', 'exit 0']).status).toBe(0);
    expect(btfuse(['run', 'sh', '-c', 'exit 77']).status).toBe(77);
  });
  test.each([
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
  ])('128 + n when SIG%s ended it', (signal, status) => {
    expect(btfuse(['run', 'sh', '-c', `kill -${signal} $$`]).status).toBe(status);
  });
  test('127: not on PATH', () => {
    const { status, stderr } = btfuse(['run', 'no-such-command']);
    expect(stderr).toBe('btfuse: no-such-command: not found on PATH\n');
    expect(status).toBe(127);
  });
  test('127: no such file', () => {
    const { status, stderr } = btfuse(['run', '/no/such/file']);
    expect(stderr).toBe('btfuse: /no/such/file: there is no such file\n');
    expect(status).toBe(127);
  });
  test('127: not in the tree', () => {
    const { status, stderr } = btfuse(['run', '/bt/prog']);
    expect(stderr).toBe('btfuse: /bt/prog: there is no such file\n');
    expect(status).toBe(127);
  });
  test('127: the interpreter of a script is missing', () => {
    const script = file('script', '#!/no/such/interpreter\n', 0o755);
    const { status, stderr } = btfuse(['run', script]);
    expect(stderr).toContain('it or its interpreter is not there');
    expect(status).toBe(127);
  });
  test('126: not executable', () => {
    const plain = file('plain', 'text', 0o644);
    const { status, stderr } = btfuse(['run', plain]);
    expect(stderr).toBe(`btfuse: ${plain} is not executable\n`);
    expect(status).toBe(126);
  });
  test.skipIf(process.getuid?.() !== 0)('126: behind a directory that is closed to us', () => {
    const closed = mkdtempSync(join(folder, 'closed-'));
    writeFileSync(join(closed, 'prog'), '', { mode: 0o755 });
    chmodSync(folder, 0o755);
    const env = { HOME: closed, PATH: `${closed}:${process.env.PATH}` };
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, bin];
    const direct = command('setpriv', [...nobody, 'run', join(closed, 'prog')], { env });
    expect(direct).toMatchObject({
      status: 126,
      stderr: expect.stringContaining('not executable'),
    });
    // On PATH such a directory does not keep the search from going on.
    const { stderr } = command('setpriv', [...nobody, 'run', '/no/such/file'], { env });
    expect(stderr).toBe('btfuse: /no/such/file: there is no such file\n');
  });
  test('126: a directory', () => {
    const { status, stderr } = btfuse(['run', folder]);
    expect(stderr).toBe(`btfuse: ${folder} is a directory\n`);
    expect(status).toBe(126);
  });
  test('125: the command line is wrong, even where CMD would have run', () => {
    expect(btfuse(['run', '--nope', 'true']).status).toBe(125);
  });
});

describe('programs that the shim cannot reach', needs('gcc'), () => {
  const build = (name: string, ...flags: string[]): string => {
    const path = join(folder, name);
    const source = 'int main(void) { return 0; }';
    const { status } = spawnSync('gcc', ['-xc', '-', '-o', path, ...flags], { input: source });
    expect(status).toBe(0);
    return path;
  };
  test('a static program is refused where that is asked for', () => {
    const { status, stderr } = btfuse(['run', '--static', 'refuse', build('static', '-static')]);
    expect(stderr).toMatch(/^btfuse: \S+ is statically linked[^\n]+\n$/);
    expect(status).toBe(126);
  });
  test('a setuid program is refused', () => {
    const path = build('setuid');
    if (process.getuid?.() === 0) chownSync(path, 65534, 65534);
    chmodSync(path, 0o4755);
    const { status, stderr } = btfuse(['run', path]);
    expect(stderr).toMatch(/^btfuse: \S+ is a setuid program: [^\n]+\n$/);
    expect(status).toBe(126);
  });
  test('so is a script with a static interpreter', () => {
    const script = file('static-script', `#!${build('interpreter', '-static')}\n`, 0o755);
    expect(btfuse(['run', script]).status).toBe(0);
    const { status, stderr } = btfuse(['run', '--static', 'refuse', script]);
    expect(stderr).toContain('interpreter is statically linked');
    expect(status).toBe(126);
  });
});

describe('CMD', () => {
  test('follows PATH, in its order, past files that cannot be run', () => {
    const name = 'btfuse-path-test';
    file(name, '#!/bin/sh\necho wrong\n', 0o644);
    const second = mkdtempSync(join(folder, 'second-'));
    writeFileSync(join(second, name), '#!/bin/sh\necho right "$@"\n', { mode: 0o755 });
    const env = { PATH: `${folder}:${second}:${process.env.PATH}` };
    expect(btfuse(['run', name, 'a b'], { env })).toMatchObject({
      status: 0,
      stdout: 'right a b\n',
    });
  });
  test('keeps its name, its arguments and its options', () => {
    const args = ['run', '--', 'sh', '-c', 'echo "$0" "$@"', '--memory', '-x', '', '--', '--help'];
    expect(btfuse(args).stdout).toBe('--memory -x  -- --help\n');
  });
  test('may lie in the tree', () => {
    const from = mkdtempSync(join(folder, 'import-'));
    writeFileSync(join(from, 'prog'), '#!/bin/sh\necho in the tree "$@"\n', { mode: 0o755 });
    copyFileSync('/bin/ls', join(from, 'my-ls'));
    const run = btfuse(['run', '--import', from, '--', '/bt/prog', '1']);
    expect(run).toMatchObject({ status: 0, stdout: 'in the tree 1\n', stderr: '' });
    const env = { PATH: `/bt:${process.env.PATH}` };
    const list = btfuse(['run', '--import', from, '--', 'my-ls', '/bt'], { env });
    expect(list).toMatchObject({ status: 0, stdout: 'my-ls\nprog\n', stderr: '' });
  });
  test("keeps the user's LD_PRELOAD", () => {
    const env = { LD_PRELOAD: '/lib/x86_64-linux-gnu/libm.so.6' };
    const { stdout } = btfuse(['run', 'sh', '-c', 'echo $LD_AUDIT $LD_PRELOAD'], { env });
    expect(stdout).toBe(`${root}build/libbtfuse.so /lib/x86_64-linux-gnu/libm.so.6\n`);
  });
  test('sees the environment as it was, but for the session', () => {
    const plain = command('env', ['-0']).stdout.split('\0');
    const inside = btfuse(['run', 'env', '-0']).stdout.split('\0');
    const added = inside.filter((line) => !plain.includes(line)).map((line) => line.split('=')[0]);
    expect(added.sort()).toEqual(['BTFUSE_IMAGES', 'BTFUSE_SESSION', 'LD_AUDIT']);
  });
  test('reads our standard input', () => {
    const { stdout } = btfuse(['run', 'sh', '-c', 'cat > /bt/in; wc -c < /bt/in'], {
      input: 'abc',
    });
    expect(stdout.trim()).toBe('3');
  });
  test('gets every other descriptor that we were given', needs('bash'), () => {
    const script = `"${process.execPath}" "${bin}" run cat <(echo one) /dev/fd/7 7< <(echo two)`;
    const { stdout, stderr } = command('bash', ['-c', script]);
    expect({ stdout, stderr }).toEqual({ stdout: 'one\ntwo\n', stderr: '' });
  });
  test('gets no descriptor of ours', needs('bash'), () => {
    const script = `"${process.execPath}" "${bin}" run ls /proc/self/fd 7</dev/zero`;
    const fds = command('bash', ['-c', script]).stdout.trim().split('\n').map(Number);
    // 3 is the directory that ls reads; from 900 on they are the shim's.
    const others = spawnSync('ls', ['/proc/self/fd'], { stdio: ['pipe', 'pipe', 'pipe'] });
    expect(others.status).toBe(0);
    const plain = others.stdout.toString().trim().split('\n').map(Number);
    const extra = fds.filter((fd) => fd < 900 && !plain.includes(fd));
    expect(extra).toEqual([7]);
  });
  test('leaves a pipe as it was: nothing turns non-blocking', needs('bash'), () => {
    const script = `"${process.execPath}" "${bin}" run sh -c 'exec 9</proc/self/fdinfo/1; cat <&9' | cat`;
    const { stdout } = command('bash', ['-c', script]);
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(stdout)![1]!, 8);
    expect(flags & 0o4000).toBe(0);
  });
});

describe('inside a session', () => {
  const inside = (...args: string[]) => btfuse(['run', process.execPath, bin, ...args]);
  test('another one cannot be started: its programs would stay in the first', () => {
    for (const args of [['run', 'true'], ['serve'], ['run', '--session', 'other', 'true']]) {
      const { status, stderr } = inside(...args);
      expect(stderr).toMatch(/^btfuse: this is inside session "run-\S+": sessions cannot be/);
      expect(status).toBe(125);
    }
  });
  test('the same one can be used', () => {
    const script = `echo a > /bt/a; "$0" "$1" run --session $BTFUSE_SESSION cat /bt/a; "$0" "$1" fs ls`;
    const { status, stdout } = btfuse(['run', 'sh', '-c', script, process.execPath, bin]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'a\na\n' });
  });
});

describe('signals', () => {
  /** CMD says "ready" once its traps are set. */
  async function started(script: string) {
    const child = startBtfuse(['run', 'sh', '-c', script]);
    let stdout = '';
    const ended = new Promise<number>((resolve) => {
      child.on('close', (status, signal) => resolve(status ?? (signal ? -1 : 0)));
    });
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (data) => {
        stdout += data;
        if (stdout.includes('ready\n')) resolve();
      });
      child.on('close', () => resolve());
    });
    return { child, ended, output: () => stdout };
  }

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const)(
    '%s goes to CMD, which may handle it',
    async (signal) => {
      const script = `trap 'echo got; exit 42' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      const { child, ended, output } = await started(script);
      child.kill(signal);
      expect(await ended).toBe(42);
      expect(output()).toBe('ready\ngot\n');
      expect(segmentsOf(child.pid)).toEqual([]);
    },
  );

  test('CMD that is ended by the signal we passed on gives 128 + n', async () => {
    const { child, ended } = await started('echo ready; exec sleep 100');
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    expect(segmentsOf(child.pid)).toEqual([]);
  });

  test('a killed btfuse leaves segments that the next run removes', async () => {
    const { child, ended } = await started('echo ready; exec sleep 3');
    child.kill('SIGKILL');
    await ended;
    // Another test's run may have been the next one.
    expect(btfuse(['run', 'true']).status).toBe(0);
    expect(segmentsOf(child.pid)).toEqual([]);
  });
});

test('nothing is left when CMD is not there, cannot be imported for, or dies', () => {
  const before = readdirSync('/dev/shm').filter((name) => name.startsWith('btfuse.run-'));
  btfuse(['run', '/bt/missing']);
  btfuse(['run', '--import', '/no/such/dir', 'true']);
  btfuse(['run', 'sh', '-c', 'kill -9 $$']);
  const after = readdirSync('/dev/shm').filter((name) => name.startsWith('btfuse.run-'));
  expect(after.filter((name) => !before.includes(name) && isLeft(name))).toEqual([]);
});

/** Other sessions of this machine come and go meanwhile: left is what outlives its server. */
function isLeft(name: string): boolean {
  const pid = /^btfuse\.run-(\d+)-/.exec(name)?.[1];
  return spawnSync('kill', ['-0', String(pid)]).status !== 0 && existsSync(`/dev/shm/${name}`);
}
