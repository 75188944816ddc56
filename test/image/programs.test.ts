/**
 * Programs under a fully hooked libc whose handlers are stand-ins (native/stub.cpp): the interception
 * itself must be invisible, whatever the handlers do.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseElf } from '../../src/image/elf.ts';
import {
  analyse,
  ensureImages,
  imageName,
  systemLibc,
  systemLoader,
} from '../../src/image/prepare.ts';
import { sealImage } from '../../src/image/trailer.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = join(root, 'test/image');
const work = mkdtempSync(join(tmpdir(), 'btfuse-image-'));
const images = join(work, 'images');
/** Images whose stubs all lie in gaps of the text, as where libc has no padding behind it. */
const scattered = join(work, 'scattered');
const shim = join(work, 'stub.so');

/** The options of CMakeLists.txt that matter here. */
const freestanding =
  `-O2 -g1 -std=gnu++20 -Wall -Wextra -Werror -ffreestanding -fno-exceptions -fno-rtti
  -fno-stack-protector -fvisibility=hidden -fPIC -mgeneral-regs-only -fno-threadsafe-statics
  -fasynchronous-unwind-tables -fcf-protection=none -U_FORTIFY_SOURCE`.split(/\s+/);
const linking = `-shared -nostdlib -Wl,-z,initfirst -Wl,-init,btfuse_init -Wl,-Bsymbolic
  -Wl,-z,noexecstack -Wl,--no-undefined`.split(/\s+/);
const sources = ['image/entry.S', 'image/start.cpp', 'image/object.cpp', 'image/map.cpp']
  .concat('image/classes.cpp', 'image/objects.cpp', 'client/memory.cpp')
  .map((name) => join(root, 'preload', name));

const programs = [
  'registers.c',
  'cancel.c',
  'backtrace.c',
  'exception.cpp',
  'processes.c',
  'small_stack.c',
];

beforeAll(async () => {
  await ensureImages(images);
  mkdirSync(scattered);
  for (const [path, padding] of [[systemLibc(), 0], [systemLoader()]] as const) {
    const { text, trailer } = analyse(parseElf(readFileSync(path)), padding);
    const image = join(scattered, imageName(trailer.buildId));
    writeFileSync(image, sealImage(text, trailer), { mode: 0o555 });
  }
  execFileSync('g++', [
    ...freestanding,
    ...linking,
    '-o',
    shim,
    ...sources,
    join(here, 'native/stub.cpp'),
  ]);
  for (const name of programs) {
    const options = ['-O1', '-Wall', '-pthread', '-rdynamic', '-o', join(work, name)];
    execFileSync(name.endsWith('.cpp') ? 'g++' : 'gcc', [...options, join(here, 'programs', name)]);
  }
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

function run(
  session: string,
  command: readonly string[],
  extra: Record<string, string> = {},
): Outcome {
  const env = {
    ...process.env,
    LD_PRELOAD: shim,
    BTFUSE_SESSION: session,
    BTFUSE_IMAGES: images,
    ...extra,
  };
  const [file, ...rest] = command;
  const done = spawnSync(file!, rest, { env, cwd: work, encoding: 'utf8', timeout: 50_000 });
  return { status: done.status, output: done.stdout + done.stderr };
}

describe.each([
  ['pass', images],
  ['fast', images],
  ['done', images],
  ['fast', scattered],
  ['done', scattered],
])('handlers that answer "%s", images in %s', (session, folder) => {
  const inFolder = (command: readonly string[]): Outcome =>
    run(session, command, { BTFUSE_IMAGES: folder });

  test.each(programs)('%s', (name) => {
    expect(inFolder([join(work, name)])).toEqual({ status: 0, output: 'ok\n' });
  });

  test('a shell with pipes, substitution and children', () => {
    const script = 'set -e; x=$(echo a | tr a b); (exit 3) || echo "$x $?"; ls /etc/passwd | cat';
    expect(inFolder(['bash', '-c', script])).toEqual({
      status: 0,
      output: 'b 3\n/etc/passwd\n',
    });
  });

  test('a compiler and what it makes', () => {
    writeFileSync(join(work, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello"); }\n');
    const script = `gcc hello.c -o hello-${session} && ./hello-${session}`;
    expect(inFolder(['sh', '-c', script])).toEqual({ status: 0, output: 'hello\n' });
  });

  test('node with its threads', () => {
    const script = `require('fs').promises.readFile('/etc/passwd').then((b) =>
      console.log(b.length, require('child_process').execSync('echo child').toString().trim()))`;
    const size = readFileSync('/etc/passwd').length;
    const outcome = inFolder([process.execPath, '-e', script]);
    expect(outcome).toEqual({ status: 0, output: `${size} child\n` });
  });
});

test('the handlers do see the calls: one reader of /dev/zero, counted', () => {
  const count = (bytes: number): number => {
    const script = `exec 9>count; exec dd if=/dev/zero of=/dev/null bs=1 count=${bytes} status=none`;
    expect(run('pass', ['bash', '-c', script])).toEqual({ status: 0, output: '' });
    return Number(readFileSync(join(work, 'count'), 'utf8').trim().split('\n').at(-1));
  };
  // One read and one write more per byte.
  expect(count(300) - count(100)).toBe(400);
});

describe('a start that cannot be made good ends the program', () => {
  test('no image and nobody to make one', () => {
    const outcome = run('pass', ['/bin/echo', 'hello'], { BTFUSE_IMAGES: join(work, 'nowhere') });
    expect(outcome.status).toBe(125);
    expect(outcome.output).toMatch(/^bt-fuse: there is no prepared image [^\n]*\.\n$/);
  });

  test('an empty session name', () => {
    const outcome = run('', ['/bin/echo', 'hello']);
    expect(outcome).toEqual({
      status: 125,
      output: 'bt-fuse: BTFUSE_SESSION is empty or too long.\n',
    });
  });

  test('an image that was damaged, or that others may write', async () => {
    const copy = join(work, 'copy');
    const path = await ensureImages(copy);
    const damaged = (change: string): Outcome => {
      execFileSync('sh', ['-c', change], { env: { ...process.env, IMAGE: path } });
      return run('pass', ['/bin/echo', 'hello'], { BTFUSE_IMAGES: copy });
    };
    expect(damaged('chmod 775 "$IMAGE"').output).toMatch(
      /^bt-fuse: the prepared image of [^\n]*libc.so.6 may not/,
    );
    expect(damaged('chmod 755 "$IMAGE"; truncate -s -1 "$IMAGE"').output).toMatch(
      /^bt-fuse: the prepared image of [^\n]*libc.so.6 is damaged/,
    );
    await ensureImages(copy);
    expect(damaged('true')).toEqual({ status: 0, output: 'hello\n' });
  });

  test('without BTFUSE_SESSION nothing happens', () => {
    const { BTFUSE_SESSION: _, ...env } = process.env;
    const script = 'grep -c "[.]img$" /proc/self/maps';
    const { stdout } = spawnSync('sh', ['-c', script], { env: { ...env, LD_PRELOAD: shim } });
    expect(stdout.toString()).toBe('0\n');
  });
});
