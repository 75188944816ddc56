/**
 * Source packages of Debian, for the programs that tests build: `apt-get source` into build/sources,
 * with lists of our own, so that the machine's stay as they are.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const sources = fileURLToPath(new URL('../../build/sources', import.meta.url));

const wanted = ['hello', 'lua5.4'] as const;
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** For `needs`: the file that is there once the source package is. */
export function sourceOf(name: (typeof wanted)[number]): string {
  return `${sources}/${name}_*.dsc`;
}

export default function setup(): void {
  const missing = wanted.filter((name) => globSync(sourceOf(name)).length === 0);
  if (missing.length === 0 || !existsSync('/usr/bin/apt-get') || !existsSync(keyring)) return;
  const state = `${sources}/apt`;
  mkdirSync(`${state}/lists/partial`, { recursive: true });
  writeFileSync(`${state}/debian.sources`, stanza(release()));
  if (apt(state, ['update'])) apt(state, ['source', '--download-only', ...missing]);
  rmSync(state, { recursive: true, force: true });
}

function stanza(suite: string): string {
  return `Types: deb-src
URIs: http://deb.debian.org/debian
Suites: ${suite}
Components: main
Signed-By: ${keyring}
`;
}

function release(): string {
  const line = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'));
  return line?.[1] ?? 'stable';
}

function apt(state: string, args: readonly string[]): boolean {
  const options = {
    'Dir::Etc::sourcelist': `${state}/debian.sources`,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::Lists': `${state}/lists`,
    'APT::Sandbox::User': 'root',
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const result = spawnSync('apt-get', ['-q', ...settings, ...args], {
    cwd: sources,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 120_000,
  });
  return result.status === 0;
}
