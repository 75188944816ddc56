/** What programs do to file systems, errors first. Each runs on the kernel's tmpfs and on the store. */
import { constants as c } from 'node:fs';
import type { Recorder } from './recorder.ts';

const O_PATH = 0o10000000;
const O_TMPFILE = 0o20200000;
const user = { uid: 1000, gid: 1000, groups: [1000, 2000] };
const mate = { uid: 1001, gid: 1001, groups: [1001, 1000] };
const stranger = { uid: 1002, gid: 1002, groups: [1002] };
const people = [user, mate, stranger];

/** One of each kind, and links to them. */
function menagerie(t: Recorder): void {
  t.mkdir('dir');
  t.mkdir('dir/sub');
  t.file('file', 'contents');
  t.file('dir/inner', 'x');
  t.mkdir('empty');
  t.symlink('file', 'to-file');
  t.symlink('dir', 'to-dir');
  t.symlink('dir/', 'to-dir-slash');
  t.symlink('file/', 'to-file-slash');
  t.symlink('nowhere', 'dangling');
  t.symlink('loop2', 'loop1');
  t.symlink('loop1', 'loop2');
}

const paths = [
  'file',
  'file/',
  'file/x',
  'file/.',
  'dir',
  'dir/',
  'dir/.',
  'dir/..',
  'dir/inner',
  'dir/../file',
  'dir//sub/..//inner',
  'empty',
  'missing',
  'missing/',
  'missing/x',
  'to-file',
  'to-file/',
  'to-dir',
  'to-dir/',
  'to-dir/inner',
  'to-dir-slash',
  'to-dir-slash/',
  'to-file-slash',
  'dangling',
  'dangling/',
  'loop1',
  'loop1/x',
  '.',
  './',
  'x'.repeat(255),
  'x'.repeat(256),
  `${'x'.repeat(256)}/y`,
] as const;

const openings: Readonly<Record<string, number>> = {
  rdonly: c.O_RDONLY,
  wronly: c.O_WRONLY,
  rdwr: c.O_RDWR,
  trunc: c.O_RDONLY | c.O_TRUNC,
  directory: c.O_DIRECTORY,
  'directory rdwr': c.O_DIRECTORY | c.O_RDWR,
  nofollow: c.O_NOFOLLOW,
  'path nofollow': O_PATH | c.O_NOFOLLOW,
  'path directory': O_PATH | c.O_DIRECTORY,
  'path wronly trunc': O_PATH | c.O_WRONLY | c.O_TRUNC,
  creat: c.O_CREAT | c.O_WRONLY,
  'creat rdonly': c.O_CREAT,
  'creat excl': c.O_CREAT | c.O_EXCL | c.O_RDWR,
  'creat trunc': c.O_CREAT | c.O_TRUNC | c.O_WRONLY,
  'creat nofollow': c.O_CREAT | c.O_NOFOLLOW,
  'creat directory': c.O_CREAT | c.O_DIRECTORY,
  excl: c.O_EXCL,
  noatime: c.O_NOATIME,
  'mode 3': 3,
  tmpfile: O_TMPFILE | c.O_RDWR,
  'tmpfile rdonly': O_TMPFILE,
  'tmpfile creat': O_TMPFILE | c.O_RDWR | c.O_CREAT,
};

export const scenarios: Readonly<Record<string, (t: Recorder) => void>> = {
  'stat, lstat, readlink and access of every kind of path'(t) {
    menagerie(t);
    for (const path of paths) {
      t.stat(path);
      t.lstat(path);
      t.readlink(path);
      t.access(path, c.F_OK);
      t.access(path, c.X_OK);
    }
  },

  'mkdir and rmdir'(t) {
    menagerie(t);
    for (const path of paths) t.mkdir(path);
    for (const path of paths) t.rmdir(path);
    t.mkdir('made/');
    t.mkdir('made/deep/');
    t.rmdir('made/deep/');
    t.mkdir('bits', 0o7777);
    t.lstat('bits');
    t.umask(0o27);
    t.mkdir('masked', 0o777);
    t.lstat('masked');
    t.stat('.');
    t.readdir('.');
  },

  unlink(t) {
    menagerie(t);
    for (const path of paths) t.unlink(path);
    t.readdir('.');
    t.stat('.');
  },

  symlink(t) {
    menagerie(t);
    for (const path of paths) t.symlink('file', path);
    t.symlink('', 'nothing');
    t.symlink('x'.repeat(127), 'short');
    t.symlink('x'.repeat(128), 'long');
    t.symlink('x'.repeat(4095), 'longest');
    t.symlink('x'.repeat(4096), 'too-long');
    for (const path of ['short', 'long', 'longest']) t.lstat(path);
    t.readlink('longest');
    t.stat('longest');
  },

  'chains of symlinks'(t) {
    t.file('s0', 'end');
    for (let i = 1; i <= 41; i++) t.symlink(`s${i - 1}`, `s${i}`);
    for (const i of [39, 40, 41]) t.stat(`s${i}`);
    t.mkdir('d');
    t.symlink('d', 'd1');
    t.symlink('../d1', 'd/up');
    t.file('d/f');
    t.stat('d1/up/up/up/f');
    t.stat('d1/up/../d/f');
    t.symlink('.', 'here');
    t.stat(`${'here/'.repeat(40)}s0`);
    t.stat(`${'here/'.repeat(41)}s0`);
    t.symlink('d1/', 'slashed');
    t.rmdir('slashed');
    t.touch('slashed', c.O_NOFOLLOW);
    t.touch('slashed/', c.O_NOFOLLOW);
  },

  link(t) {
    menagerie(t);
    for (const path of paths) t.link('file', path);
    for (const path of paths) t.link(path, `new-${path.length}-${paths.indexOf(path)}`);
    t.lstat('file');
    t.readdir('.');
    t.link('file', 'again');
    t.lstat('again');
    t.unlink('file');
    t.lstat('again');
  },

  'rename of every kind onto every kind'(t) {
    const kinds = ['file', 'dir', 'empty', 'to-file', 'to-dir', 'dangling', 'missing'];
    for (const from of kinds)
      for (const to of [...kinds, 'file/', 'missing/', 'empty/', 'to-dir/', '.', 'dir/..']) {
        const base = `${kinds.indexOf(from)}-${to.replaceAll('/', '_')}`;
        t.mkdir(base);
        for (const side of ['a', 'b']) {
          t.mkdir(`${base}/${side}`);
          t.mkdir(`${base}/${side}/dir`);
          t.file(`${base}/${side}/dir/inner`);
          t.mkdir(`${base}/${side}/empty`);
          t.file(`${base}/${side}/file`);
          t.symlink('file', `${base}/${side}/to-file`);
          t.symlink('dir', `${base}/${side}/to-dir`);
          t.symlink('nowhere', `${base}/${side}/dangling`);
        }
        t.rename(`${base}/a/${from}`, `${base}/b/${to}`);
        t.rename(`${base}/a/${from}/`, `${base}/b/${to}`);
        t.rename(`${base}/b/${from}`, `${base}/b/${to}`);
        t.stat(`${base}/a`);
        t.stat(`${base}/b`);
        t.readdir(`${base}/a`);
        t.readdir(`${base}/b`);
      }
  },

  'rename and ancestors'(t) {
    t.mkdir('a');
    t.mkdir('a/b');
    t.mkdir('a/b/c');
    t.file('a/b/f');
    t.rename('a', 'a/b/c/d');
    t.rename('a', 'a/b');
    t.rename('a/b', 'a/b');
    t.rename('a/b/c', 'a');
    t.rename('a/b/f', 'a');
    t.rename('a/b/c', 'a/b');
    t.rename('a/b', 'a/b/');
    t.rename('a/.', 'x');
    t.rename('a/b/..', 'x');
    t.rename('a', '.');
    t.rename('a/b/c', 'c');
    t.rename('c', 'a/c');
    t.link('a/b/f', 'g');
    t.rename('g', 'a/b/f');
    t.readdir('.');
    t.readdir('a');
    t.stat('a/b');
    t.stat('a');
  },

  'open in every way'(t) {
    for (const [name, flags] of Object.entries(openings))
      for (const path of paths) {
        const base = `${Object.keys(openings).indexOf(name)}.${paths.indexOf(path)}`;
        t.mkdir(base);
        t.file(`${base}/file`, 'contents');
        t.mkdir(`${base}/dir`);
        t.file(`${base}/dir/inner`, 'x');
        t.symlink('file', `${base}/to-file`);
        t.symlink('dir', `${base}/to-dir`);
        t.symlink('nowhere', `${base}/dangling`);
        t.symlink('loop1', `${base}/loop1`);
        t.touch(`${base}/${path}`, flags, 0o6751);
        t.stat(`${base}/${path}`);
        t.readdir(base);
      }
  },

  'reads and writes'(t) {
    const f = t.open('f', c.O_RDWR | c.O_CREAT);
    t.read(f, 10);
    t.write(f, 'hello world');
    t.read(f, 10);
    t.read(f, 5, 6);
    t.read(f, 100, 6);
    t.read(f, 5, 100);
    t.write(f, 'HELLO', 0);
    t.write(f, '', 50);
    t.write(f, 'far', 10_000);
    t.fstat(f);
    t.read(f, 20, 9_990);
    t.ftruncate(f, 5);
    t.fstat(f);
    t.ftruncate(f, 9000);
    t.read(f, 10, 0);
    t.fstat(f);
    t.write(f, 'position');
    t.fstat(f);
    const reader = t.open('f', c.O_RDONLY);
    t.write(reader, 'x');
    t.ftruncate(reader, 0);
    const writer = t.open('f', c.O_WRONLY | c.O_APPEND);
    t.read(writer, 1);
    t.write(writer, 'appended');
    t.write(writer, 'again', 0);
    t.fstat(writer);
    const both = t.open('f', c.O_WRONLY | c.O_TRUNC);
    t.fstat(both);
    const path = t.open('f', O_PATH);
    t.read(path, 1);
    t.write(path, 'x');
    t.fstat(path);
    const dir = t.open('.', c.O_RDONLY);
    t.read(dir, 1);
    t.truncate('f', 3);
    t.truncate('.', 3);
    t.truncate('nope', 3);
    t.stat('f');
  },

  'files without names'(t) {
    const f = t.open('f', c.O_RDWR | c.O_CREAT);
    t.write(f, 'still here');
    t.unlink('f');
    t.fstat(f);
    t.read(f, 20, 0);
    t.write(f, 'more', 10);
    t.fstat(f);
    t.file('f', 'another');
    t.stat('f');
    t.close(f);
    const nameless = t.open('.', O_TMPFILE | c.O_RDWR, 0o600);
    t.write(nameless, 'x');
    t.fstat(nameless);
    t.readdir('.');
    t.mkdir('d');
    const d = t.open('d', c.O_RDONLY);
    t.rmdir('d');
    t.fstat(d);
    t.stat('d');
  },

  'times of each operation'(t) {
    t.mkdir('d');
    t.mkdir('e');
    t.moved(['d'], () => t.file('d/f', 'text'));
    t.moved(['d', 'd/f'], () => t.link('d/f', 'd/g'));
    t.moved(['d', 'd/f'], () => t.unlink('d/g'));
    t.moved(['d', 'd/f'], () => t.chmod('d/f', 0o600));
    t.moved(['d', 'd/f'], () => t.chown('d/f', 0, 0));
    t.moved(['d', 'd/f'], () => t.chown('d/f', -1, -1));
    t.moved(['d/f'], () => t.truncate('d/f', 2));
    t.moved(['d/f'], () => t.truncate('d/f', 2));
    t.moved(['d/f'], () => t.touch('d/f', c.O_WRONLY | c.O_TRUNC));
    t.moved(['d/f'], () => t.touch('d/f', c.O_WRONLY | c.O_TRUNC));
    const f = t.open('d/f', c.O_RDWR);
    t.moved(['d/f'], () => t.write(f, 'abc'));
    t.moved(['d/f'], () => t.write(f, ''));
    t.moved(['d/f'], () => t.read(f, 1, 0));
    t.moved(['d/f'], () => t.read(f, 1, 0));
    t.moved(['d/f'], () => t.write(f, 'abc'));
    t.moved(['d/f'], () => t.read(f, 1, 1000));
    t.moved(['d'], () => t.readdir('d'));
    t.moved(['d'], () => t.readdir('d'));
    t.moved(['d'], () => t.mkdir('d/sub'));
    t.moved(['d'], () => t.rmdir('d/sub'));
    t.moved(['d'], () => t.symlink('f', 'd/link'));
    t.moved(['d', 'd/link'], () => t.readlink('d/link'));
    t.moved(['d', 'd/link'], () => t.readlink('d/link'));
    t.symlink('f', 'd/link2');
    t.moved(['d/link2', 'd/f'], () => t.stat('d/link2'));
    t.moved(['d', 'e', 'd/f', 'e/f'], () => t.rename('d/f', 'e/f'));
    t.file('e/g');
    t.link('e/g', 'h');
    t.moved(['e', 'e/f', 'h'], () => t.rename('e/f', 'e/g'));
    t.moved(['e', 'e/g'], () => t.rename('e/g', 'e/g'));
    t.moved(['e/g'], () => t.utimes('e/g', 1000, 2000));
    t.moved(['e/g'], () => t.utimes('e/g', 1000, 2000));
    t.moved(['e', 'd'], () => t.rmdir('missing'));
    t.moved(['e', 'd'], () => t.mkdir('e'));
  },

  'permissions of files by class and mode'(t) {
    for (const mode of [
      0o000, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o751,
    ]) {
      const path = `f${mode.toString(8)}`;
      t.file(path, 'x');
      t.chown(path, user.uid, user.gid);
      t.chmod(path, mode);
      for (const who of people) {
        t.as(who);
        t.touch(path, c.O_RDONLY);
        t.touch(path, c.O_WRONLY);
        t.touch(path, c.O_RDWR);
        t.touch(path, c.O_RDONLY | c.O_TRUNC);
        t.touch(path, c.O_RDONLY | c.O_NOATIME);
        t.truncate(path, 1);
        t.utimes(path, 1, 2);
        t.chmod(path, mode);
        t.asRoot();
      }
      t.access(path, c.X_OK);
      t.touch(path, c.O_RDWR);
    }
  },

  'permissions of directories by class and mode'(t) {
    for (const mode of [
      0o000, 0o100, 0o300, 0o500, 0o600, 0o700, 0o070, 0o030, 0o005, 0o003, 0o007,
    ]) {
      const dir = `d${mode.toString(8)}`;
      t.mkdir(dir);
      t.mkdir(`${dir}/sub`);
      t.file(`${dir}/f`, 'x', 0o666);
      t.chown(dir, user.uid, user.gid);
      t.chmod(dir, mode);
      for (const who of people) {
        t.as(who);
        t.stat(dir);
        t.stat(`${dir}/f`);
        t.stat(`${dir}/.`);
        t.stat(`${dir}/..`);
        t.stat(`${dir}/missing`);
        t.readdir(dir);
        t.file(`${dir}/new${who.uid}`);
        t.touch(`${dir}/f`, c.O_CREAT | c.O_WRONLY);
        t.mkdir(`${dir}/newdir${who.uid}`);
        t.mkdir(`${dir}/f`);
        t.symlink('x', `${dir}/link${who.uid}`);
        t.link(`${dir}/f`, `${dir}/hard${who.uid}`);
        t.rename(`${dir}/f`, `${dir}/moved`);
        t.rename(`${dir}/moved`, `${dir}/f`);
        t.unlink(`${dir}/new${who.uid}`);
        t.unlink(`${dir}/missing`);
        t.rmdir(`${dir}/newdir${who.uid}`);
        t.rmdir(`${dir}/f`);
        t.unlink(`${dir}/sub`);
        t.touch(dir, O_TMPFILE | c.O_RDWR);
        t.asRoot();
      }
      t.readdir(dir);
    }
  },

  'moving directories asks for write permission on them'(t) {
    t.mkdir('here', 0o777);
    t.mkdir('there', 0o777);
    for (const mode of [0o555, 0o755]) {
      t.mkdir('here/d');
      t.chown('here/d', user.uid, user.gid);
      t.chmod('here/d', mode);
      t.as(user);
      t.rename('here/d', 'here/e');
      t.rename('here/e', 'there/d');
      t.rename('there/d', 'here/d');
      t.asRoot();
      t.rmdir('here/d');
      t.rmdir('here/e');
      t.rmdir('there/d');
    }
  },

  'sticky directories'(t) {
    for (const owner of [0, user.uid]) {
      const dir = `sticky${owner}`;
      t.mkdir(dir);
      t.chown(dir, owner, 0);
      t.chmod(dir, 0o1777);
      for (const [i, who] of people.entries()) {
        t.as(who);
        t.file(`${dir}/f${i}`, 'x', 0o666);
        t.mkdir(`${dir}/d${i}`, 0o777);
        t.asRoot();
      }
      t.mkdir('plain', 0o777);
      for (const who of people) {
        t.as(who);
        for (const i of [0, 1, 2]) {
          t.rename(`${dir}/f${i}`, `${dir}/f${i}x`);
          t.rename(`${dir}/f${i}x`, `${dir}/f${i}`);
          t.rename(`${dir}/d${i}`, 'plain/d');
          t.rename('plain/d', `${dir}/d${i}`);
          t.link(`${dir}/f${i}`, `plain/l${i}${who.uid}`);
        }
        t.file('plain/own', 'x');
        t.rename('plain/own', `${dir}/f2`);
        t.unlink('plain/own');
        t.unlink(`${dir}/f1`);
        t.rmdir(`${dir}/d1`);
        t.asRoot();
      }
      t.readdir(dir);
    }
  },

  'setgid directories and new files'(t) {
    t.mkdir('g');
    t.chown('g', 0, 2000);
    t.chmod('g', 0o2777);
    for (const who of people) {
      t.as(who);
      for (const mode of [0o644, 0o2644, 0o2755, 0o6777]) {
        t.file(`g/f${who.uid}-${mode}`, '', mode);
        t.lstat(`g/f${who.uid}-${mode}`);
      }
      t.mkdir(`g/d${who.uid}`, 0o755);
      t.lstat(`g/d${who.uid}`);
      t.symlink('x', `g/l${who.uid}`);
      t.lstat(`g/l${who.uid}`);
      t.asRoot();
    }
    t.mkdir('g/root');
    t.lstat('g/root');
    t.file('g/root-file', '', 0o2755);
    t.lstat('g/root-file');
  },

  'chmod and chown by everybody'(t) {
    for (const who of [{ uid: 0, gid: 0, groups: [0] }, ...people])
      for (const mode of [0o644, 0o2755, 0o2745, 0o4755, 0o6755, 0o6777]) {
        const path = `f${who.uid}-${mode.toString(8)}`;
        const reset = (): void => {
          t.asRoot();
          t.chown(path, user.uid, user.gid);
          t.chmod(path, mode);
          t.as(who);
        };
        t.asRoot();
        t.file(path, 'x');
        for (const [uid, gid] of [
          [-1, -1],
          [user.uid, -1],
          [-1, user.gid],
          [-1, 2000],
          [-1, 3000],
          [user.uid, 2000],
          [mate.uid, -1],
          [0, 0],
        ]) {
          reset();
          t.chown(path, uid, gid);
          t.lstat(path);
        }
        for (const bits of [0o600, 0o2711, 0o4711, 0o7777]) {
          reset();
          t.chmod(path, bits);
          t.lstat(path);
        }
        reset();
        t.asRoot();
        t.chown(path, user.uid, 2000);
        t.as(who);
        t.chmod(path, 0o2755);
        t.lstat(path);
        t.asRoot();
        t.chown(path, user.uid, 3000);
        t.as(who);
        t.chmod(path, 0o2755);
        t.lstat(path);
        t.asRoot();
      }
    t.mkdir('dir', 0o777);
    t.chmod('dir', 0o6777);
    t.chown('dir', 5, 5);
    t.lstat('dir');
    t.symlink('dir', 'link');
    t.lchown('link', 7, 8);
    t.lstat('link');
    t.lstat('dir');
    t.chown('link', 9, 9);
    t.lstat('dir');
  },

  'writing clears set-id bits, but not for root'(t) {
    for (const who of [user, stranger, { uid: 0, gid: 0, groups: [0] }])
      for (const mode of [0o4777, 0o2777, 0o6777, 0o2767, 0o2766]) {
        const path = `f${who.uid}-${mode.toString(8)}`;
        t.asRoot();
        t.file(path, 'text');
        t.chown(path, user.uid, user.gid);
        const again = (): void => {
          t.asRoot();
          t.chmod(path, mode);
          t.as(who);
        };
        again();
        const f = t.open(path, c.O_RDWR);
        t.write(f, '', 0);
        t.fstat(f);
        t.write(f, 'x', 0);
        t.fstat(f);
        again();
        t.ftruncate(f, 2);
        t.fstat(f);
        again();
        t.ftruncate(f, 2);
        t.fstat(f);
        again();
        t.touch(path, c.O_WRONLY | c.O_TRUNC);
        t.fstat(f);
      }
  },

  'hard links to what one may not write'(t) {
    t.mkdir('d', 0o777);
    for (const mode of [0o644, 0o666, 0o4777, 0o2777, 0o2767]) {
      t.file(`d/f${mode}`, 'x');
      t.chmod(`d/f${mode}`, mode);
    }
    t.symlink('f', 'd/link');
    t.as(user);
    for (const mode of [0o644, 0o666, 0o4777, 0o2777, 0o2767]) t.link(`d/f${mode}`, `d/l${mode}`);
    t.link('d/link', 'd/link2');
    t.link('d', 'd/dir');
    t.asRoot();
    t.link('d', 'd/dir');
  },

  'a directory that is gone'(t) {
    t.mkdir('d');
    for (let i = 0; i < 300; i++) t.file(`d/file-with-a-name-of-some-length-${i}`);
    t.readdir('d');
    t.stat('d');
    for (let i = 0; i < 300; i += 2) t.unlink(`d/file-with-a-name-of-some-length-${i}`);
    t.readdir('d');
    t.rmdir('d');
    for (let i = 1; i < 300; i += 2) t.unlink(`d/file-with-a-name-of-some-length-${i}`);
    t.rmdir('d');
    t.rmdir('d');
    t.stat('.');
  },
};
