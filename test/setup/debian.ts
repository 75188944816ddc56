/**
 * Before the first test: the Debian packages of the programs that tests run, where they are missing
 * and we are root. Where they cannot be had, tests skip themselves (needs.ts).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isInstalled } from './needs.ts';

/** Program, or a pattern of files where no program is on PATH → the package that brings it. */
const packages: Readonly<Record<string, string>> = {
  '/usr/lib/postgresql/*/bin/initdb': 'postgresql',
  '/usr/lib/python3.11/test/test_os.py': 'libpython3.11-testsuite',
  '/usr/lib/python3/dist-packages/lmdb/__init__.py': 'python3-lmdb',
  '/usr/share/i18n/locales/de_DE': 'locales',
  '7zz': '7zip',
  automake: 'automake',
  autoreconf: 'autoconf',
  bash: 'bash',
  bison: 'bison',
  bsdtar: 'libarchive-tools',
  busybox: 'busybox-static',
  bzip2: 'bzip2',
  ccache: 'ccache',
  'clang++-14': 'clang-14',
  cmake: 'cmake',
  cmp: 'diffutils',
  column: 'bsdextrautils',
  convert: 'imagemagick',
  cpio: 'cpio',
  curl: 'curl',
  dbench: 'dbench',
  ed: 'ed',
  find: 'findutils',
  fio: 'fio',
  fish: 'fish',
  flex: 'flex',
  'g++': 'g++',
  gcc: 'gcc',
  gdb: 'gdb',
  getfacl: 'acl',
  getfattr: 'attr',
  git: 'git',
  go: 'golang-go',
  gpg: 'gnupg',
  grep: 'grep',
  gzip: 'gzip',
  hg: 'mercurial',
  inotifywait: 'inotify-tools',
  javac: 'openjdk-17-jdk-headless',
  less: 'less',
  mdb_stat: 'lmdb-utils',
  ls: 'coreutils',
  'lua5.4': 'lua5.4',
  m4: 'm4',
  make: 'make',
  makeinfo: 'texinfo',
  mandb: 'man-db',
  meson: 'meson',
  'musl-gcc': 'musl-tools',
  nc: 'netcat-openbsd',
  nginx: 'nginx-light',
  ninja: 'ninja-build',
  openssl: 'openssl',
  parallel: 'parallel',
  patch: 'patch',
  perl: 'perl',
  php: 'php8.2-cli',
  ps: 'procps',
  python3: 'python3',
  'redis-server': 'redis-server',
  rsync: 'rsync',
  ruby: 'ruby',
  script: 'bsdutils',
  sed: 'sed',
  setsid: 'util-linux',
  socat: 'socat',
  sqlite3: 'sqlite3',
  'ssh-agent': 'openssh-client',
  'ssh-keygen': 'openssh-client',
  strace: 'strace',
  'stress-ng': 'stress-ng',
  svn: 'subversion',
  tar: 'tar',
  tclsh: 'tcl',
  tmux: 'tmux',
  unzip: 'unzip',
  'vim.tiny': 'vim-tiny',
  wget: 'wget',
  xxd: 'xxd',
  xz: 'xz-utils',
  zip: 'zip',
  zsh: 'zsh',
  zstd: 'zstd',
  '/usr/lib/python3/dist-packages/pyinotify.py': 'python3-pyinotify',
  '/usr/lib/python3/dist-packages/watchdog/__init__.py': 'python3-watchdog',
};

export default function setup(): void {
  const missing = Object.keys(packages).filter((program) => !isInstalled(program));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  const wanted = [...new Set(missing.map((program) => packages[program]!))];
  console.log(`installing the Debian packages ${wanted.join(' ')}`);
  const undo = withoutServices();
  try {
    install(wanted);
  } finally {
    undo();
  }
}

/** Servers are installed to be run by tests: the packages must start none, nor make a cluster. */
function withoutServices(): () => void {
  const policy = '/usr/sbin/policy-rc.d';
  const cluster = '/etc/postgresql-common/createcluster.conf';
  if (!existsSync(cluster)) {
    mkdirSync('/etc/postgresql-common', { recursive: true });
    writeFileSync(cluster, 'create_main_cluster = false\n');
  }
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}

function install(wanted: readonly string[]): void {
  const command = [
    'install',
    '-y',
    '--no-install-recommends',
    '-o',
    'Dpkg::Options::=--force-confold',
    ...wanted,
  ];
  // The lists of a fresh machine are empty or old; update once, and only when it is needed.
  if (apt(command)) return;
  if (apt(['update']) && apt(command)) return;
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
