/** What ld.so would start without the shim is not started: it would see the host's files, and nobody would know. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs, needsMounts } from '../setup/needs.ts';
import { btfuse, root } from '../setup/run.ts';

const work = mkdtempSync(join(tmpdir(), 'btfuse-unreachable-'));
const program = (name: string): string => join(work, name);
const isRoot = process.getuid?.() === 0;

beforeAll(() => {
  chmodSync(work, 0o755);
  for (const [name, mode] of [
    ['setuid', 0o4711],
    ['hidden', 0o711],
  ] as const) {
    copyFileSync('/bin/ls', program(name));
    chmodSync(program(name), mode);
  }
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Lists the tree by `command`, a script; EACCES must be all that comes of it. */
function refused(command: string): void {
  const script = `chmod 755 /bt; touch /bt/file; ${command}; true`;
  const { stdout, stderr } = btfuse(['run', '--', 'sh', '-c', script]);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/Permission denied/);
  expect(stderr).not.toMatch(/ld\.so|cannot access/);
}

// setpriv has all its capabilities until it executes, and could read everything.
const drop = '$) = "1000 1000"; $( = 1000; ($<, $>) = (1000, 1000); exec @ARGV or die "$!\\n"';
const asUser = `perl -e '${drop}'`;

describe('execve', { skip: !isRoot }, () => {
  test('is refused where the shim cannot be found', needsMounts(), () => {
    const hide = `mount -t tmpfs -o mode=755 none ${root}build`;
    refused(`unshare -m sh -c '${hide}; ls /bt'`);
  });

  test(
    'is refused where the user that a process has become cannot read the shim',
    needsMounts(),
    () => {
      const locked = `cp ${root}build/libbtfuse.so ${work}/shim; chmod 700 ${work}/shim`;
      const bind = `${locked}; mount --bind ${work}/shim ${root}build/libbtfuse.so`;
      refused(
        `unshare -m sh -c '${bind}; setpriv --reuid 1000 --regid 1000 --clear-groups ls /bt'`,
      );
    },
  );

  test('is refused with different ids, none of them root', needs('setpriv'), () => {
    refused('setpriv --ruid 1000 --euid 1001 --clear-groups env ls /bt');
  });

  test(
    'set-id bits of programs in the tree do nothing, as on a mount with nosuid',
    needs('perl'),
    () => {
      const script = `chmod 755 /bt; cp /usr/bin/id /bt; chmod 6755 /bt/id; stat -c %a /bt/id; ${asUser} /bt/id -u; ${asUser} /bt/id -g`;
      const { stdout, stderr } = btfuse(['run', '--', 'sh', '-c', script]);
      expect({ stdout, stderr }).toEqual({ stdout: '6755\n1000\n1000\n', stderr: '' });
    },
  );

  test('is refused of what cannot be read: it may be static, or set-id', needs('perl'), () => {
    for (const name of ['setuid', 'hidden']) refused(`${asUser} ${program(name)} /bt`);
  });
});

test('a process of root with another effective user keeps the tree', { skip: !isRoot }, () => {
  const script = `chmod 755 /bt; touch /bt/file; for ids in '$> = 1000' '$< = 1000' '$) = "1000 1000"'; do
    perl -e "$ids"'; exec "ls", "/bt" or die "$!\\n"'; done; perl -e '$> = 1000; exec "touch", "/bt/new"'`;
  const { stdout, stderr } = btfuse(['run', '--', 'sh', '-c', script]);
  expect(stderr).toMatch(/^touch: .*\/bt\/new.*: Permission denied\n$/);
  expect(stdout).toBe('file\nfile\nfile\n');
});
