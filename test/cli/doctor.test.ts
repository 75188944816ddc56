/** `btfuse doctor`: what it says on a machine where all is well, and that it notices what is not. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs, needsMounts } from '../setup/needs.ts';
import { bin, btfuse, command } from '../setup/run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('all is well: kernel, memory, Node, shim, image, and a program that really runs', () => {
  const { status, stdout, stderr } = btfuse(['doctor']);
  expect(stdout).not.toMatch(/^broken/m);
  for (const topic of ['kernel', 'machine', 'node', '/dev/shm', 'addon', 'shim', 'image']) {
    expect(stdout).toMatch(new RegExp(`^(ok|note) +${topic} `, 'm'));
  }
  expect(stdout).toMatch(/^ok +libc +\/\S+, build-id [0-9a-f]{40}$/m);
  expect(stdout).toMatch(/^ok +patched +\d+ of \d+ system call sites/m);
  expect(stdout).toMatch(/^ok +trial +a program wrote a file into a tree/m);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a program that can see a tree', () => {
  const { status, stdout } = btfuse(['doctor', 'ls']);
  expect(stdout).toMatch(/^ok +program +\S+\/ls can see a tree$/m);
  expect(status).toBe(0);
});

test('a program that is not there', () => {
  const { status, stdout } = btfuse(['doctor', 'no-such-command']);
  expect(stdout).toMatch(/^broken +program +no-such-command: not found on PATH$/m);
  expect(status).toBe(1);
});

describe('a static program', needs('gcc'), () => {
  test('can', () => {
    const path = join(folder, 'static');
    spawnSync('gcc', ['-static', '-xc', '-', '-o', path], {
      input: 'int main(void) { return 0; }',
    });
    const { status, stdout } = btfuse(['doctor', path]);
    expect(stdout).toMatch(/^ok +program +\S+\/static is static, and can see a tree$/m);
    expect(status).toBe(0);
  });
});

test('another LD_PRELOAD is noted', () => {
  const env = { LD_PRELOAD: '/lib/x86_64-linux-gnu/libm.so.6' };
  const { stdout } = btfuse(['doctor'], { env });
  expect(stdout).toMatch(
    /^note +LD_PRELOAD +\/lib\/x86_64-linux-gnu\/libm\.so\.6 is preloaded too/m,
  );
});

test('an image directory that others may write is not trusted', needsMounts(), () => {
  const script = `mkdir -p /var/cache/btfuse && mount -t tmpfs none /var/cache/btfuse &&
    mkdir -m 777 /var/cache/btfuse/images && "$0" "$1" doctor; echo $?
    "$0" "$1" run true; echo $?`;
  const { stdout, stderr } = command('unshare', ['-m', 'sh', '-c', script, process.execPath, bin]);
  expect(stdout).toMatch(/^broken +image +.*can be written by others/m);
  expect(stdout).toMatch(/\n1\n125\n$/);
  expect(stderr).toMatch(/^btfuse: [^\n]*can be written by others[^\n]*\n$/);
});
