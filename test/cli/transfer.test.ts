/** --import and --export: what goes in comes out the same, through directories and through archives. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../setup/needs.ts';
import { btfuse, command, root } from '../setup/run.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;
let sample: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-transfer-'));
  sample = join(folder, 'sample');
  execFileSync('bash', ['-ec', makeSample], { env: { ...process.env, SAMPLE: sample } });
});
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+rwX', folder]);
  rmSync(folder, { recursive: true });
});

/** One of everything: modes, owners, times, links of both kinds, holes, odd names, long names, a fifo. */
const makeSample = `
  umask 022
  mkdir -p "$SAMPLE"/dir/deeper "$SAMPLE"/empty "$SAMPLE"/closed
  cd "$SAMPLE"
  printf 'hello\\n' > plain
  : > nothing
  head -c 300000 /dev/urandom > dir/random
  printf 'run me' > script; chmod 4755 script
  chmod 1777 empty
  ln plain dir/hard
  ln -s plain soft
  ln -s /nowhere/at/all dangling
  ln -s dir dirlink
  printf x > "$(printf 'with \\033 and \\n in it')"
  printf y > 'grüße'
  printf z > "$(printf '%0200d' 7)"
  mkdir -p "$(printf 'long%.0s' $(seq 40))/$(printf 'path%.0s' $(seq 40))"
  printf deep > "$(printf 'long%.0s' $(seq 40))/$(printf 'path%.0s' $(seq 40))/file"
  truncate -s 5M sparse; printf data | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
  printf start | dd of=hole-at-end bs=1 status=none; truncate -s 1M hole-at-end
  mkfifo fifo
  printf locked > closed/file; chmod 500 closed
  ${isRoot ? 'chown 1234:5678 dir/random; chown -h 77:88 soft; chown 3000000:3000001 nothing' : ''}
  touch -d '2001-02-03 04:05:06.123456789' plain
  touch -h -d '1999-01-01 00:00:00.5' soft
  touch -d '2038-02-01 00:00:00' nothing
  touch -d '2005-05-05 05:05:05' dir/deeper dir .
`;

/** Everything that a user can see of a tree, as lines to compare. */
function describeTree(base: string): string {
  const format = '%P\\0%y %m %n %s %l %T@\\0';
  const output = execFileSync('find', [base, '-printf', format]).toString('latin1');
  const fields = output.split('\0');
  const lines: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const facts = fields[at + 1]!;
    // Sizes of directories are the file system's own business.
    lines.push(`${JSON.stringify(fields[at])} ${facts.replace(/^(d \d+ \d+) \d+/, '$1')}`);
  }
  return lines.sort().join('\n');
}

function owners(base: string): string {
  const output = execFileSync('find', [base, '-printf', '%P\\0%U:%G\\n']).toString('latin1');
  return output.split('\n').sort().join('\n');
}

function sameContents(a: string, b: string): void {
  const args = ['-r', '--no-dereference', '--exclude=fifo', a, b];
  expect(command('diff', args)).toMatchObject({ status: 0, stdout: '', stderr: '' });
}

function same(target: string): void {
  expect(describeTree(target)).toBe(describeTree(sample));
  if (isRoot) expect(owners(target)).toBe(owners(sample));
  sameContents(sample, target);
}

function run(...args: string[]) {
  return btfuse(['run', ...args]);
}
const ok = { status: 0, stdout: '', stderr: '' };

describe('directories', () => {
  test('in and out again', () => {
    const target = join(folder, 'out');
    expect(run('--import', sample, '--export', target, 'true')).toEqual(
      expect.objectContaining(ok),
    );
    same(target);
  });

  test('CMD sees what was imported: links are links, holes are holes', () => {
    const script = `cd /bt
      [ "$(stat -c %i plain)" = "$(stat -c %i dir/hard)" ] && stat -c %h plain
      readlink soft dangling
      stat -c '%s %b' sparse hole-at-end
      stat -c %a script empty closed; stat -c %F fifo`;
    expect(run('--import', sample, 'sh', '-c', script).stdout.split('\n')).toEqual([
      '2',
      'plain',
      '/nowhere/at/all',
      '5242880 8',
      '1048576 8',
      '4755',
      '1777',
      '500',
      'fifo',
      '',
    ]);
  });

  test('holes stay holes on the way out', () => {
    const target = join(folder, 'holes');
    run('--export', target, 'truncate', '-s', '64M', '/bt/big');
    const { size, blocks } = statSync(join(target, 'big'));
    expect(size).toBe(64 * 1024 * 1024);
    expect(blocks * 512).toBeLessThan(1024 * 1024);
  });

  test('an export merges into what is there, and follows no link there', () => {
    const target = join(folder, 'merge');
    const outside = join(folder, 'outside');
    mkdirSync(target);
    mkdirSync(outside);
    writeFileSync(join(target, 'kept'), 'kept');
    execFileSync('ln', ['-s', outside, join(target, 'sub')]);
    const script = 'mkdir /bt/sub; echo new > /bt/sub/file; echo over > /bt/kept';
    expect(run('--export', target, 'sh', '-c', script)).toMatchObject(ok);
    expect(readFileSync(join(target, 'kept'), 'utf8')).toBe('over\n');
    expect(readFileSync(join(target, 'sub/file'), 'utf8')).toBe('new\n');
    expect(readdirSync(outside)).toEqual([]);
  });

  test('sockets and, as root, device nodes', needs('python3'), () => {
    const from = join(folder, 'nodes');
    const target = join(folder, 'nodes-out');
    mkdirSync(from);
    const script = 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])';
    execFileSync('python3', ['-c', script, join(from, 'socket')]);
    if (isRoot) execFileSync('mknod', [join(from, 'null'), 'c', '1', '3']);
    expect(run('--import', from, '--export', target, 'true')).toMatchObject(ok);
    const list = (path: string) =>
      command('stat', ['-c', '%n %F %t %T %a', ...readdirSync(path)], { cwd: path });
    expect(list(target).stdout).toBe(list(from).stdout);
    const archive = join(folder, 'nodes.tar');
    const packed = run('--import', from, '--export', archive, 'true');
    expect(packed.status).toBe(0);
    expect(packed.stderr).toBe('btfuse: "/socket" is a socket and is not exported\n');
  });

  test('names that are no UTF-8 pass through', () => {
    const target = join(folder, 'bytes');
    const script = `printf b > "/bt/$(printf 'a\\377')"`;
    expect(run('--export', target, 'sh', '-c', script)).toMatchObject(ok);
    const names = readdirSync(target, { encoding: 'buffer' });
    expect(names.map((name) => name.toString('latin1'))).toEqual(['a\xff']);
    expect(run('--import', target, 'sh', '-c', `cat "/bt/$(printf 'a\\377')"`).stdout).toBe('b');
  });
});

describe('archives', needs('tar', 'gzip'), () => {
  test.each(['tar', 'tar.gz', 'tgz'])('out as .%s, unpacked by tar', (suffix) => {
    const archive = join(folder, `out.${suffix}`);
    const target = join(folder, `unpacked-${suffix}`);
    expect(run('--import', sample, '--export', archive, 'true')).toMatchObject(ok);
    mkdirSync(target);
    execFileSync('tar', ['--warning=no-timestamp', '-xpf', archive, '-C', target]);
    same(target);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test.each(['gnu', 'posix', 'ustar'])('in, as tar packs it in the %s format', (format) => {
    const archive = join(folder, `${format}.tar`);
    const target = join(folder, `out-${format}`);
    // ustar holds neither such names nor such ids.
    const only = format === 'ustar' ? ['plain', 'dir', 'soft', 'script'] : ['.'];
    const args = [`--format=${format}`, '-cf', archive, '-C', sample, ...only];
    execFileSync('tar', ['--warning=no-timestamp', ...args]);
    expect(run('--import', archive, '--export', target, 'true')).toMatchObject(ok);
    if (format !== 'ustar') {
      const seconds = (text: string): string => text.replace(/\.\d+$/gm, '');
      const trees = [target, sample].map(describeTree);
      const [found, wanted] = format === 'gnu' ? trees.map(seconds) : trees;
      expect(found).toBe(wanted);
      if (isRoot) expect(owners(target)).toBe(owners(sample));
      sameContents(sample, target);
    } else {
      for (const name of only) sameContents(join(sample, name), join(target, name));
    }
  });

  test('in, compressed, whatever its name', () => {
    const archive = join(folder, 'packed');
    execFileSync('tar', ['-czf', archive, '-C', sample, '.']);
    expect(run('--import', archive, 'cat', '/bt/plain').stdout).toBe('hello\n');
  });

  test('times are exact to the nanosecond', () => {
    const archive = join(folder, 'ns.tar');
    const again = join(folder, 'ns-again.tar');
    run('--export', archive, 'touch', '-d', '2020-01-01 00:00:00.123456789 UTC', '/bt/f');
    const shown = run('--import', archive, '--export', again, 'stat', '-c', '%.9Y', '/bt/f');
    expect(shown.stdout).toBe('1577836800.123456789\n');
  });

  test('a real source tree, over a thousand files, byte for byte', () => {
    const archive = join(folder, 'modules.tar');
    const back = join(folder, 'modules-back.tar.gz');
    const modules = join(root, 'node_modules');
    // All packages but those that are mostly one large binary.
    const binaries = /^(\.|node-linux|@(biomejs|rolldown|typescript))/;
    const present = readdirSync(modules).filter((name) => !binaries.test(name));
    execFileSync('tar', ['-cf', archive, '-C', modules, ...present]);
    const list = run('--import', archive, '--export', back, 'sh', '-c', 'find /bt -type f | wc -l');
    expect(list.stderr).toBe('');
    expect(Number(list.stdout)).toBeGreaterThan(1000);
    const out = join(folder, 'modules');
    mkdirSync(out);
    execFileSync('tar', ['-xzf', back, '-C', out]);
    for (const name of present) sameContents(join(modules, name), join(out, name));
  }, 120_000);
});

describe('the status of CMD', () => {
  test('does not keep the tree from being exported, and stays what it was', () => {
    const archive = join(folder, 'failed.tar');
    const { status } = run('--export', archive, 'sh', '-c', 'echo half > /bt/result; exit 9');
    expect(status).toBe(9);
    expect(command('tar', ['-xOf', archive, 'result']).stdout).toBe('half\n');
  });
  test('nor does a signal that ends it', () => {
    const target = join(folder, 'killed');
    const { status } = run('--export', target, 'sh', '-c', 'echo half > /bt/result; kill -9 $$');
    expect(status).toBe(137);
    expect(readFileSync(join(target, 'result'), 'utf8')).toBe('half\n');
  });
});

describe('what cannot be imported or exported', () => {
  function fails(args: readonly string[], sentence: RegExp): void {
    const { status, stdout, stderr } = run(...args, 'echo', 'CMD has run');
    expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
    expect(status).toBe(125);
    expect(stdout).not.toContain('CMD has run');
  }
  test('nothing there', () => fails(['--import', '/no/such'], /there is no such file/));
  test('a device', () => fails(['--import', '/dev/null'], /neither a directory nor a tar file/));
  test('no archive', () => {
    const path = join(folder, 'text.tar');
    writeFileSync(path, 'this is no archive. '.repeat(100));
    fails(['--import', path], /is no whole tar file/);
  });
  test('an empty file', () => {
    const path = join(folder, 'empty.tar');
    writeFileSync(path, '');
    fails(['--import', path], /is an empty archive/);
  });
  test('a truncated archive', () => {
    const whole = join(folder, 'whole.tar');
    execFileSync('tar', ['-cf', whole, '-C', sample, 'dir']);
    const path = join(folder, 'truncated.tar');
    writeFileSync(path, readFileSync(whole).subarray(0, 100_000));
    fails(['--import', path], /is no whole tar file/);
  });
  test('a truncated compressed archive', () => {
    const whole = join(folder, 'whole.tgz');
    execFileSync('tar', ['-czf', whole, '-C', sample, 'dir']);
    expect(gunzipSync(readFileSync(whole)).length).toBeGreaterThan(0);
    const path = join(folder, 'truncated.tgz');
    writeFileSync(path, readFileSync(whole).subarray(0, 100_000));
    fails(['--import', path], /is no whole tar file/);
  });
  test('names that climb out of the tree', () => {
    const path = join(folder, 'climbing.tar');
    execFileSync('tar', ['-cPf', path, '-C', join(sample, 'dir'), '../plain']);
    fails(['--import', path], /the entry "\.\.\/plain" has "\.\." in its name/);
  });
  test('entries below a link that leads out of the tree', () => {
    const path = join(folder, 'links.tar');
    const script = `d=$(mktemp -d "$1/XXXX"); cd "$d"; ln -s /tmp a; tar -cf "$2" a; rm a
      mkdir a; echo x > a/btfuse-escaped; tar -rf "$2" a/btfuse-escaped`;
    execFileSync('sh', ['-ec', script, 'sh', folder, path]);
    const { status, stderr } = run('--import', path, 'true');
    expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
    expect(status).toBe(125);
    expect(existsSync('/tmp/btfuse-escaped')).toBe(false);
  });
  test('more than the tree may hold', () => {
    fails(['--memory', '64k', '--import', sample], /ENOSPC|full/);
  });
  test('an export over a file', () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'mine');
    const { status, stderr } = run('--export', path, 'true');
    expect(stderr).toMatch(/^btfuse: cannot export to "[^"]+": it is there and no directory\n$/);
    expect(status).toBe(125);
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });
  test('an archive where there is no directory for it', () => {
    const { status, stderr } = run('--export', '/no/such/dir/out.tar', 'true');
    expect(stderr).toMatch(/^btfuse: [^\n]+\n$/);
    expect(status).toBe(125);
  });
  test('an export that fails leaves the old archive as it was', () => {
    const path = join(folder, 'old.tar');
    writeFileSync(path, 'old');
    const { status, stderr } = run('--export', path, 'sh', '-c', `touch "/bt/$(printf 'a\\377')"`);
    expect(stderr).toMatch(/is not UTF-8: export to a directory instead\n$/);
    expect(status).toBe(125);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe.skipIf(!isRoot)('attributes and ACLs', needs('setfattr', 'setfacl', 'tar'), () => {
  /** On a tmpfs: not every file system has them. */
  let source: string;
  beforeAll(() => {
    source = mkdtempSync('/dev/shm/bt-transfer-');
    execFileSync('bash', ['-ec', makeAttributes], { cwd: source });
  });
  afterAll(() => rmSync(source, { recursive: true, force: true }));

  const long = 'n'.repeat(120);
  const makeAttributes = `
    mkdir -p in/d out; cd in; echo text > f; ln f hard; ln -s f l; echo x > ${long}; mkfifo p
    setfattr -n user.text -v blue f; setfattr -n user.bytes -v 0x00ff800a3d f; setfattr -n user.empty f
    setfattr -n user.a=b%c -v equals ${long}
    setfattr -n trusted.t -v t d; setfattr -h -n trusted.l -v l l; setfattr -n security.s -v s p
    setfacl -m u:1000:rw,g:2000:r f; setfacl -d -m u:7:rwx,m::rx d; chmod 2750 d`;

  function told(base: string): string {
    const script =
      'find . | sort | xargs getfattr -hd -e hex -m -; find . | sort | xargs getfacl -n';
    return execFileSync('bash', ['-ec', script], { cwd: base }).toString();
  }

  test('through directories', () => {
    const target = join(source, 'out/directory');
    const result = run('--import', join(source, 'in'), '--export', target, 'true');
    expect(result).toMatchObject(ok);
    expect(told(target)).toBe(told(join(source, 'in')));
  });

  test('through an archive of ours, which tar understands', () => {
    const archive = join(source, 'out/ours.tar.gz');
    const result = run('--import', join(source, 'in'), '--export', archive, 'true');
    expect(result).toMatchObject(ok);
    const target = join(source, 'out/unpacked');
    mkdirSync(target);
    const include = '--xattrs-include=*';
    execFileSync('tar', ['--xattrs', include, '--acls', '-xpf', archive, '-C', target]);
    expect(told(target)).toBe(told(join(source, 'in')));
    const back = join(source, 'out/back');
    expect(run('--import', archive, '--export', back, 'true')).toMatchObject(ok);
    expect(told(back)).toBe(told(join(source, 'in')));
  });

  test('from an archive of tar', () => {
    const archive = join(source, 'out/theirs.tar');
    const include = '--xattrs-include=*';
    const from = join(source, 'in');
    execFileSync('tar', ['--xattrs', include, '--acls', '-cf', archive, '-C', from, '.']);
    const target = join(source, 'out/theirs');
    expect(run('--import', archive, '--export', target, 'true')).toMatchObject(ok);
    expect(told(target)).toBe(told(from));
  });
});
