/** Processes and threads, who they are, and where they stand. */
import type { Call, Calls } from './generate.ts';
import { argument, existing, VARIABLES, type World } from './world.ts';

const someone = (w: World) => w.random.pick([...w.actors.keys()]);

/** Has its process other threads? exec and exit would end them. */
function isAlone(w: World, name: string): boolean {
  const process = w.actors.get(name);
  return [...w.actors.values()].filter((other) => other === process).length === 1;
}

const spawn: Call = (w) => {
  const name = w.random.pick(['b', 'c', 'd']);
  if (w.actors.has(name)) return exec(w);
  const parent = someone(w);
  const forks = w.random.chance(0.6);
  w.actors.set(name, forks ? w.processes++ : w.actors.get(parent)!);
  return `${parent}: ${forks ? 'fork' : 'thread'} ${name}`;
};

const exec: Call = (w) => {
  const name = someone(w);
  // A session belongs to one user: who has become another one cannot execute programs in it.
  return isAlone(w, name) && !w.users ? `${name}: exec` : umask(w);
};

const exit: Call = (w) => {
  const name = someone(w);
  if (name === 'a' || !isAlone(w, name)) return spawn(w);
  w.actors.delete(name);
  return `${name}: exit ${w.random.below(5)}`;
};

const become: Call = (w) => {
  const who = w.random.weighted([
    [6, '0'],
    [3, '1000'],
    [2, '1000, 1000, 2000'],
    [2, '1001, 2000'],
    [1, '1001, 1001, 1000'],
  ]);
  if (who !== '0') w.users = true;
  return `become(${who})`;
};

const umask: Call = (w) => `umask(${w.random.pick(['0', '022', '077', '0777', '027', '0111'])})`;

const chdir: Call = (w) =>
  w.random.weighted<() => string>([
    [3, () => `chdir(${argument(w, existing(w, 'directory'))})`],
    [1, () => `fchdir(${w.random.pick(VARIABLES)})`],
    // Back to the start, where the world knows its way about.
    [3, () => 'fchdir(r)'],
    [1, () => `getcwd(${w.random.pick([0, 1, 300, 4096])})`],
  ])();

const limit: Call = (w) => `setrlimit(RLIMIT_FSIZE, ${w.random.pick([-1, -1, 10, 5000])})`;

export const processCalls: Calls = [
  [3, spawn],
  [1, exec],
  [1.5, exit],
  [5, become],
  [2, umask],
  [3, chdir],
  [0.5, limit],
];
