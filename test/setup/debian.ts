/**
 * Before the first test: the Debian packages of the programs that tests run, where they are missing
 * and we are root. Where they cannot be had, tests skip themselves (needs.ts).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isInstalled } from './needs.ts';

/** Program → the package that brings it. */
const packages: Readonly<Record<string, string>> = {
  bash: 'bash',
  busybox: 'busybox-static',
  cmp: 'diffutils',
  column: 'bsdextrautils',
  find: 'findutils',
  fish: 'fish',
  gcc: 'gcc',
  'g++': 'g++',
  gdb: 'gdb',
  getfacl: 'acl',
  getfattr: 'attr',
  git: 'git',
  go: 'golang-go',
  grep: 'grep',
  gzip: 'gzip',
  ls: 'coreutils',
  make: 'make',
  'musl-gcc': 'musl-tools',
  nc: 'netcat-openbsd',
  ps: 'procps',
  rsync: 'rsync',
  python3: 'python3',
  sed: 'sed',
  setsid: 'util-linux',
  socat: 'socat',
  sqlite3: 'sqlite3',
  'ssh-agent': 'openssh-client',
  strace: 'strace',
  tar: 'tar',
  xxd: 'xxd',
  zsh: 'zsh',
};

export default function setup(): void {
  const missing = Object.keys(packages).filter((program) => !isInstalled(program));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const wanted = [...new Set(missing.map((program) => packages[program]!))];
  console.log(`installing the Debian packages ${wanted.join(' ')}`);
  const install = ['install', '-y', '--no-install-recommends', ...wanted];
  // The lists of a fresh machine are empty or old; update once, and only when it is needed.
  if (apt(install)) return;
  if (apt(['update']) && apt(install)) return;
  console.log('not all packages could be installed; the tests that need them are skipped');
}

function apt(args: readonly string[]): boolean {
  const result = spawnSync('apt-get', ['-q', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 600_000,
  });
  return result.status === 0;
}
