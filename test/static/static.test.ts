/** Static programs on tmpfs and in a tree: the same program, the same output, the same status. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parseElf } from '../../src/image/elf.ts';
import { isStaticProgram } from '../../src/image/executable.ts';
import { isInstalled, needs } from '../setup/needs.ts';
import { btfuse, root } from '../setup/run.ts';

const programs = fileURLToPath(new URL('./programs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'btfuse-static-'));
const shm = mkdtempSync('/dev/shm/btfuse-static-');
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(shm, { recursive: true, force: true });
});

function make(command: string, args: readonly string[], env: Record<string, string> = {}): void {
  const { status, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

/** Runs CMD with an empty directory as its last argument, which the output calls DIR. */
function onTmpfs(command: readonly string[]) {
  const directory = mkdtempSync(join(shm, 'run-'));
  const [file, ...rest] = command;
  const done = spawnSync(file!, [...rest, directory], { encoding: 'utf8' });
  return { status: done.status, stdout: done.stdout.replaceAll(directory, 'DIR'), stderr: '' };
}

function inTree(command: readonly string[]) {
  const { status, stdout, stderr } = btfuse(['run', '--', ...command, '/bt']);
  return { status, stdout: stdout.replaceAll('/bt', 'DIR'), stderr };
}

function compare(command: readonly string[]): void {
  const expected = onTmpfs(command);
  expect(expected.status).toBe(0);
  expect(inTree(command)).toEqual(expected);
}

describe('C', needs('gcc'), () => {
  test.each([
    ['glibc', 'gcc', ['-static']],
    ['glibc, position-independent', 'gcc', ['-static-pie']],
    ['glibc, optimised and stripped', 'gcc', ['-static', '-O3', '-s']],
    ['musl', 'musl-gcc', ['-static']],
  ])('%s', (name, compiler, options) => {
    if (!isInstalled(compiler)) return console.log(`skipped: needs ${compiler}`);
    const path = join(folder, name.replace(/\W/g, ''));
    make(compiler, ['-O1', '-pthread', ...options, '-o', path, join(programs, 'files.c')]);
    compare([path]);
  });

  test('started by a thread with a small stack', () => {
    const tiny = join(folder, 'nothing');
    writeFileSync(`${tiny}.c`, 'int main(void) { return 0; }\n');
    make('gcc', ['-static', '-o', tiny, `${tiny}.c`]);
    const narrow = join(folder, 'narrow');
    make('gcc', ['-O1', '-pthread', '-o', narrow, join(programs, 'narrow.c')]);
    compare([narrow, tiny]);
    compare([narrow, '/bin/true']);
    const inTheTree = 'cp "$1" /bin/true .; "$0" ./nothing; "$0" ./true';
    compare(['sh', '-c', `cd "$2"; ${inTheTree}`, narrow, tiny]);
  });
});

describe('Go', needs('go'), () => {
  const environment = {
    HOME: folder,
    GOCACHE: join(folder, 'go-cache'),
    GOPATH: join(folder, 'go'),
    GOFLAGS: '-mod=mod',
    GOTOOLCHAIN: 'local',
  };

  test('500 goroutines, children, itself', () => {
    const path = join(folder, 'files-go');
    const args = ['build', '-o', path, join(programs, 'files.go')];
    make('go', args, { ...environment, CGO_ENABLED: '0' });
    compare([path]);
  });

  test('children from all threads at once, with and without cgo', () => {
    const source = join(programs, 'children.go');
    const path = join(folder, 'children');
    make('go', ['build', '-o', path, source], { ...environment, CGO_ENABLED: '0' });
    compare([path, path]);
    const cgo = join(folder, 'children-cgo');
    writeFileSync(
      `${cgo}.go`,
      readFileSync(source, 'utf8').replace('import (', 'import "C"\nimport ('),
    );
    make('go', ['build', '-o', cgo, `${cgo}.go`], { ...environment, CGO_ENABLED: '1' });
    compare([cgo, path]);
    compare([path, cgo]);
  });

  test('go build of a module in the tree, its cache there too', () => {
    const script = `set -e; cd "$1"; mkdir m; cd m; cp ${programs}/files.go main.go
      export GOCACHE=$1/cache GOPATH=$1/path HOME=$1 GOFLAGS=-mod=mod CGO_ENABLED=0
      go mod init example.test/m 2>/dev/null; go build -o ../program; go vet .; cd ..
      mkdir work; ./program "$1/work"; gofmt -l m; ls`;
    compare(['sh', '-c', script, 'sh']);
  });
});

test('the compiler of this repository, a Go program', () => {
  const compiler = join(root, 'node_modules/@typescript/typescript-linux-x64/lib/tsc');
  if (!existsSync(compiler)) return console.log('skipped: needs the tsc of x86-64');
  const config =
    '{"compilerOptions":{"rootDir":"src","outDir":"out","types":[]},"include":["src"]}';
  const script = `cd "$1"; mkdir src; echo '${config}' > tsconfig.json
    echo 'export const n: number = 1;' > src/a.ts
    echo 'import { n } from "./a"; const s: string = n; console.log(s);' > src/b.ts
    ${compiler}; echo $?; ls out; cat out/a.js`;
  compare(['sh', '-c', script, 'sh']);
});

/** The package busybox-static, where it is what \`busybox\` is. */
function staticBusybox(): string | undefined {
  const path = ['/bin/busybox', '/usr/bin/busybox'].find((name) => existsSync(name));
  if (path !== undefined && isStaticProgram(parseElf(readFileSync(path)))) return path;
  console.log('skipped: needs busybox-static');
  return undefined;
}

test('busybox: a shell script with the usual tools', () => {
  const busybox = staticBusybox();
  if (busybox !== undefined) compare([busybox, 'sh', join(programs, 'busybox.sh')]);
});

describe('what the user may say about them', needs('gcc'), () => {
  const path = (): string => {
    const program = join(folder, 'tiny');
    if (!existsSync(program)) {
      const source = join(folder, 'tiny.c');
      writeFileSync(
        source,
        '#include <stdio.h>\nint main(void) { return fopen("/btfuse-only/x", "w") ? 0 : 7; }\n',
      );
      make('gcc', ['-static', '-o', program, source]);
    }
    return program;
  };

  const run = (args: readonly string[]) => btfuse(['run', '--mount', '/btfuse-only', ...args]);

  test('--static refuse, for CMD and for what it starts', () => {
    const refused = run(['--static', 'refuse', path()]);
    expect(refused.stderr).toMatch(
      /^btfuse: \S+ is statically linked, and --static refuse is given\n$/,
    );
    expect(refused.status).toBe(126);
    const child = run(['--static', 'refuse', 'sh', '-c', `${path()}; echo $?`]);
    expect(child.stdout).toBe('126\n');
  });

  test('--static allow: on the files of the host', () => {
    expect(run(['--static', 'allow', path()]).status).toBe(7);
    expect(run(['--static', 'allow', 'sh', '-c', path()]).status).toBe(7);
  });

  test('--static serve is how it is anyway', () => {
    expect(run(['--static', 'serve', path()]).status).toBe(0);
    expect(run([path()]).status).toBe(0);
  });

  test('what a file may not do it may not do here: no x bit, noexec', () => {
    const directory = join(folder, 'plain');
    mkdirSync(directory, { recursive: true });
    const script = `cp ${path()} ${directory}/p; chmod 644 ${directory}/p; ${directory}/p; echo $?`;
    expect(btfuse(['run', 'sh', '-c', script]).stdout).toBe('126\n');
  });

  test('a system call that cannot be hooked: refused, with the reason', () => {
    // Every span that a rewrite could take, here or nearby, is jumped into.
    const source = join(folder, 'odd.S');
    const program = join(folder, 'odd');
    writeFileSync(
      source,
      `.globl _start
_start: test %rdi, %rdi
        jne 1f
        jne 2f
        jne 3f
3:      mov $2, %eax
1:      syscall
2:      jmp *%rcx
        .rept 100
        ret
        .endr
        .section .note.GNU-stack,"",@progbits
`,
    );
    make('gcc', ['-nostdlib', '-static', '-o', program, source]);
    const { status, stderr } = btfuse(['run', program]);
    expect(stderr).toMatch(
      /^btfuse: static program \S+ cannot be prepared: the system call at 0x\w+ cannot/,
    );
    expect(status).toBe(126);
    expect(btfuse(['run', 'sh', '-c', `${program} 2>/dev/null; echo $?`]).stdout).toBe('126\n');
  });
});
