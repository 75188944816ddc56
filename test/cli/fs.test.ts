/** `btfuse fs …` on a running session. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { bin, btfuse, command, uniqueSession } from '../setup/run.ts';

const session = uniqueSession('fs');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-fs-'));
  expect(btfuse(['run', '--session', session, 'true']).status).toBe(0);
});
afterAll(() => {
  btfuse(['stop', session]);
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  expect(fs('rm', '-r', '/').status).toBe(0);
});

function fs(command: string, ...args: string[]) {
  return btfuse(['fs', command, '--session', session, ...args]);
}
function inTree(script: string): string {
  const { status, stdout, stderr } = btfuse(['run', '--session', session, 'sh', '-ec', script]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

test('ls sorts by name, and takes paths as programs see them or from the root', () => {
  inTree('cd /bt; mkdir d; touch d/b d/a d/.c z');
  expect(fs('ls').stdout).toBe('d\nz\n');
  expect(fs('ls', '/bt/d').stdout).toBe('.c\na\nb\n');
  expect(fs('ls', 'd').stdout).toBe('.c\na\nb\n');
  expect(fs('ls', 'd', 'z').stdout).toBe('/d:\n.c\na\nb\n/z\n');
});

test('ls --long', () => {
  inTree('cd /bt; umask 022; printf 12345 > f; ln -s f l; mkdir -m 1777 d; chmod 4755 f');
  const lines = fs('ls', '-l').stdout.trim().split('\n');
  expect(lines[0]).toMatch(/^drwxrwxrwt +2 +\d+ +\d+ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d d$/);
  expect(lines[1]).toMatch(/^-rwsr-xr-x +1 +\d+ +\d+ +5 \S+ \S+ f$/);
  expect(lines[2]).toMatch(/^lrwxrwxrwx .* l -> f$/);
});

test('names with control bytes are escaped, in every command that prints them', () => {
  inTree(`cd /bt; touch "$(printf 'a\\033[2Jb')"; ln -s "$(printf 'x\\ty')" link`);
  expect(fs('ls').stdout).toBe('a\\e[2Jb\nlink\n');
  expect(fs('ls', '-l').stdout).toContain('link -> x\\ty\n');
  expect(fs('tree').stdout).toBe('/\n├── a\\e[2Jb\n└── link -> x\\ty\n');
  expect(fs('cat', 'no\x1b[2J').stderr).toBe('btfuse: no\\e[2J: no such file or directory\n');
});

test('tree', () => {
  inTree('cd /bt; mkdir -p a/b c; touch a/b/x a/y');
  expect(fs('tree').stdout).toBe('/\n├── a/\n│   ├── b/\n│   │   └── x\n│   └── y\n└── c/\n');
  expect(fs('tree', 'a/b').stdout).toBe('/a/b\n└── x\n');
});

test('stat says what stat(1) says', () => {
  const said = inTree('cd /bt; printf 123 > f; chmod 640 f; ln f g; stat -c "%s %h %a %i" f');
  const [size, links, mode, inode] = said.trim().split(' ');
  const { stdout } = fs('stat', '/bt/f');
  expect(stdout).toContain(`Size: ${size}\t`);
  expect(stdout).toContain(`Inode: ${inode}\tLinks: ${links}\n`);
  expect(stdout).toContain(`Mode: 0${mode} -rw-r-----`);
});

test('put and get: bytes, from files and from pipes', () => {
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) >> 3));
  const host = join(folder, 'bytes');
  writeFileSync(host, bytes, { mode: 0o640 });
  expect(fs('put', host, '/bt/copy')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(inTree('wc -c < /bt/copy; stat -c %a /bt/copy')).toBe('3000000\n640\n');
  expect(fs('cat', 'copy').stdoutBytes.equals(bytes)).toBe(true);
  const back = join(folder, 'back');
  expect(fs('get', 'copy', back).status).toBe(0);
  expect(readFileSync(back).equals(bytes)).toBe(true);
  expect(statSync(back).mtimeMs).toBeCloseTo(statSync(host).mtimeMs, 0);

  const piped = btfuse(['fs', 'put', '--session', session, '-', 'piped'], { input: 'by pipe' });
  expect(piped.status).toBe(0);
  expect(fs('get', 'piped', '-').stdout).toBe('by pipe');
});

test('put and get of directories, into directories that are there', () => {
  inTree('mkdir -p /bt/in/sub /bt/there; echo x > /bt/in/sub/x');
  expect(fs('get', 'in', folder).status).toBe(0);
  expect(readFileSync(join(folder, 'in/sub/x'), 'utf8')).toBe('x\n');
  expect(fs('put', join(folder, 'in'), 'there').status).toBe(0);
  expect(inTree('cat /bt/there/in/sub/x')).toBe('x\n');
  expect(fs('put', join(folder, 'in'), 'new').status).toBe(0);
  expect(inTree('cat /bt/new/sub/x')).toBe('x\n');
});

test('rm', () => {
  inTree('cd /bt; mkdir -p d/e; touch f d/e/g');
  expect(fs('rm', 'f').status).toBe(0);
  const refused = fs('rm', 'd');
  expect(refused.stderr).toBe('btfuse: d: /d is a directory: remove it with --recursive\n');
  expect(refused.status).toBe(1);
  expect(fs('rm', '--recursive', 'd').status).toBe(0);
  expect(inTree('ls -A /bt')).toBe('');
});

test('one path that fails: status 1, and the others are done', () => {
  inTree('echo one > /bt/1; echo two > /bt/2; mkdir /bt/d');
  const { status, stdout, stderr } = fs('cat', '1', 'missing', 'd', '/etc/passwd', '2');
  expect(stdout).toBe('one\ntwo\n');
  expect(stderr).toBe(
    'btfuse: missing: no such file or directory\n' +
      'btfuse: d: is a directory\n' +
      'btfuse: /etc/passwd: it is not under /bt\n',
  );
  expect(status).toBe(1);
});

test('links of the tree never lead to files of the host', () => {
  inTree('ln -s /etc/passwd /bt/out; ln -s ../../etc/passwd /bt/up');
  for (const link of ['out', 'up']) {
    const { status, stdout } = fs('cat', link);
    expect(stdout).toBe('');
    expect(status).toBe(1);
  }
});

test('the only session that is up needs no name; BTFUSE_SESSION chooses one too', () => {
  inTree('touch /bt/mine');
  const env = { BTFUSE_SESSION: session };
  expect(btfuse(['fs', 'ls'], { env }).stdout).toBe('mine\n');
  const without = btfuse(['fs', 'ls']);
  // Other tests may have sessions up at the same time: then the choice is refused, never guessed.
  if (without.status === 0) expect(without.stdout).toBe('mine\n');
  else expect(without.stderr).toMatch(/^btfuse: several sessions are up \(.*\): choose one/);
});

test('a reader that has had enough ends it quietly', () => {
  inTree('head -c 3000000 /dev/zero > /bt/zeros');
  const script = `"$0" "$1" fs cat --session ${session} zeros | head -c 1 | wc -c`;
  const { stdout, stderr } = shell(script);
  expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: '1', stderr: '' });
});

function shell(script: string) {
  return command('sh', ['-c', script, process.execPath, bin]);
}
