// Builds the addon and the shim into build/. Run by `npm ci` (prepare) and `npm run build`.
// Plain JavaScript: it must start on any Node, if only to say what is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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

/** A build folder that was copied or moved along with the checkout belongs to another place. */
function forgetForeignBuild() {
  const cache = `${build}/CMakeCache.txt`;
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1];
  if (`${home}/` !== root) rmSync(build, { recursive: true });
}

/** `npx btfuse` in the checkout: npm links the commands of dependencies only, not the package's own. */
function linkCommand() {
  const folder = `${root}node_modules/.bin`;
  mkdirSync(folder, { recursive: true });
  rmSync(`${folder}/btfuse`, { force: true });
  symlinkSync('../../src/cli/bin.mjs', `${folder}/btfuse`);
}

forgetForeignBuild();
if (!existsSync(`${build}/CMakeCache.txt`)) run('cmake', ['-S', root, '-B', build]);
run('cmake', ['--build', build, '-j', String(availableParallelism())]);
linkCommand();
