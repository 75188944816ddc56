// Builds the addon and the shim into build/. Run by `npm ci` (prepare) and `npm run build`.
// Plain JavaScript: it must start on any Node, if only to say which one to install.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = `${root}build`;

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) {
    console.error(`bt-fuse needs ${command} to build: ${error.message}`);
    process.exit(1);
  }
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(`${build}/CMakeCache.txt`)) run('cmake', ['-S', root, '-B', build]);
run('cmake', ['--build', build, '-j', '2', '--', '--no-print-directory']);
