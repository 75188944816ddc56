/** Libraries of the tree where the kernel or a debugger looks closely. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs, needsMounts } from '../setup/needs.ts';
import { bin, btfuse, command, root } from '../setup/run.ts';

const work = mkdtempSync(join(tmpdir(), 'btfuse-image-loader-'));
const source = (name: string): string => join(work, name);

beforeAll(() => {
  writeFileSync(source('value.c'), 'int value(void) {\n  return 42;\n}\n');
  writeFileSync(
    source('show.c'),
    `#include <dlfcn.h>
     #include <stdio.h>
     int main(int argc, char **argv) {
       void *library = dlopen(argv[1], RTLD_NOW);
       if (!library) return puts(dlerror()), 1;
       printf("%d\\n", ((int (*)(void))dlsym(library, "value"))());
     }`,
  );
  execFileSync('gcc', ['-o', source('show'), source('show.c')]);
  execFileSync('gcc', ['-g', '-shared', '-fPIC', '-o', source('value.so'), source('value.c')]);
  execFileSync('gcc', ['-o', source('mdwe'), join(root, 'test/image/programs/mdwe.c')]);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const load = `cp ${work}/value.so /bt && ${work}/show /bt/value.so`;

describe('a library of the tree', needs('gcc'), () => {
  test('where no memory may become executable', () => {
    const { status, stdout } = btfuse(['run', '--', source('mdwe'), 'sh', '-c', load]);
    if (status === 77) return; // a kernel before 6.3
    expect(stdout).toBe('42\n');
  });

  test('where /dev/shm is mounted noexec', needsMounts(), () => {
    const mount = 'mount -t tmpfs -o size=100m,noexec,nosuid,nodev none /dev/shm';
    const script = `${mount} && "${process.execPath}" "${bin}" run sh -c '${load}'`;
    const { stdout, stderr } = command('unshare', ['-m', 'sh', '-c', script]);
    expect({ stdout, stderr }).toEqual({ stdout: '42\n', stderr: '' });
  });

  test(
    'breakpoints in libc, in the program and in a library that comes later',
    needs('gdb'),
    () => {
      const commands = [
        'set breakpoint pending on',
        'set debuginfod enabled off',
        ...['break main', 'break printf', 'break value', 'run'],
        ...['backtrace 1', 'continue', 'backtrace 1', 'continue', 'backtrace 1', 'continue'],
      ].flatMap((line) => ['-ex', line]);
      const gdb = ['gdb', '-nx', '-batch', ...commands, '--args', source('show'), '/bt/value.so'];
      const inner = `cp ${work}/value.so /bt && "$@"`;
      const { stdout } = btfuse(['run', '--', 'sh', '-c', inner, 'sh', ...gdb]);
      const hits = [...stdout.matchAll(/^#0 .*?\b(main|value|\w*printf) \(/gm)].map(
        (hit) => hit[1],
      );
      expect(hits).toEqual(['main', 'value', expect.stringContaining('printf')]);
      expect(stdout).toContain('exited normally');
    },
  );
});
