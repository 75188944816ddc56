/**
 * Random calls as root must not reach the machine: a chmod of "/" that a program of theirs came to by way of
 * ".." is one too many. As root the fuzzer therefore runs itself again in a mount namespace of its own,
 * where everything is read-only but a fresh /dev/shm and the caches of this checkout; where that
 * cannot be had it does nothing. Users without rights can do no harm, and get no path that leads up.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { root } from '../setup/run.ts';

const CONFINED = 'BTFUSE_FUZZ_CONFINED';

/** Is whatever lies outside the directories of the sequences out of reach? */
export function isConfined(): boolean {
  return process.env[CONFINED] === '1';
}

const WRITABLE = [`${root}build`, '/var/cache/btfuse', '/proc', '/sys', '/dev/shm'];

/** $1… are the folders that stay writable, then "--" and the command. */
const SCRIPT = `
set -e
while [ "$1" != -- ]; do
  case $1 in /proc|/sys|/dev/shm) ;; *) mount --bind "$1" "$1" ;; esac
  kept="$kept $1"; shift
done
shift
mount -t tmpfs -o mode=1777,size=8g tmpfs /dev/shm
while read -r _ _ _ _ point _; do
  case " $kept " in *" $point "*) continue ;; esac
  case $point in /proc/*|/sys/*) continue ;; esac
  mount -o remount,bind,ro "$point" 2>/dev/null || [ "$point" != / ]
done < /proc/self/mountinfo
exec "$@"
`;

/**
 * As root, the exit status of this command run again where it can do no harm, or 2 where there is no such place;
 * undefined: go on here.
 */
export function runConfined(): number | undefined {
  if (isConfined() || process.getuid?.() !== 0) return undefined;
  const unshare = ['-m', '--propagation', 'private'];
  if (spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status !== 0) {
    console.error('fuzz: root needs mount namespaces here, so that no call reaches the machine');
    return 2;
  }
  mkdirSync('/var/cache/btfuse', { recursive: true });
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const result = spawnSync(
    'unshare',
    [...unshare, 'sh', '-c', SCRIPT, 'sh', ...WRITABLE, '--', ...again],
    { stdio: 'inherit', env: { ...process.env, [CONFINED]: '1', TMPDIR: '/dev/shm' } },
  );
  return result.status ?? 1;
}
