/**
 * Roughly what the sequence has made so far: names with their kinds, descriptors, processes. It need not be
 * right, only often: it is how the generator finds arguments that make calls succeed.
 */
import { isConfined } from '../confine.ts';
import type { Random } from '../random.ts';

export type Kind = 'directory' | 'file' | 'symlink' | 'fifo';

export interface Descriptor {
  readonly name: string;
  kind: Kind;
  path: string;
}

export interface World {
  readonly random: Random;
  /** Paths from the root of the case, '' for that itself. */
  readonly entries: Map<string, Kind>;
  readonly descriptors: Map<string, Descriptor>;
  /** Processes and threads that take turns. */
  readonly actors: Map<string, number>;
  processes: number;
  /** Somebody has become another user: see exec in processes.ts. */
  users: boolean;
}

export const VARIABLES = ['f', 'g', 'h', 'i', 'j'] as const;

/** As strings of the driver's language: the last ones are 255 and 256 bytes long. */
const NAMES: readonly (readonly [number, string])[] = [
  [8, '"a"'],
  [8, '"b"'],
  [6, '"c"'],
  [4, '"d"'],
  [2, '"l"'],
  [1, '".h"'],
  [1, '"\\xff\\xfe\\n"'],
  [1, '"sp ace\\\\"'],
  [1, '"n"*255'],
  [0.3, '"n"*256'],
  [0.3, '"..."'],
];

export function createWorld(random: Random): World {
  return {
    random,
    entries: new Map([['', 'directory']]),
    descriptors: new Map(),
    actors: new Map([['a', 0]]),
    processes: 1,
    users: false,
  };
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function pathsOf(world: World, kinds: readonly Kind[]): string[] {
  return [...world.entries].filter(([, kind]) => kinds.includes(kind)).map(([path]) => path);
}

/** A path that is most likely there, of one of these kinds where there is one. */
export function existing(world: World, ...kinds: Kind[]): string {
  const { random } = world;
  if (random.chance(0.12)) return fresh(world);
  const every: Kind[] = ['directory', 'file', 'symlink', 'fifo'];
  const some = pathsOf(world, kinds.length === 0 || random.chance(0.08) ? every : kinds);
  const named = some.filter((path) => path !== '');
  if (named.length === 0) return fresh(world);
  return random.chance(0.03) ? '' : random.pick(named);
}

/** A path whose directory is most likely there; it may itself be there. */
export function fresh(world: World): string {
  const { random } = world;
  const directory = random.chance(0.05)
    ? random.pick([...world.entries.keys()])
    : random.pick(pathsOf(world, ['directory', 'directory']));
  const depth = directory === '' ? 0 : directory.split('/').length;
  const name = random.weighted(NAMES);
  if (depth > 4) return name;
  return directory === '' ? name : `${directory}/${name}`;
}

/**
 * The path as an argument: as it is, or with something added that means the same, or does not. Names are
 * kept as strings of the language, so that a path is their concatenation.
 */
export function argument(world: World, path: string): string {
  const { random } = world;
  if (path === '')
    return random.pick(['"."', '"."', '"./"', '"$D"', isConfined() ? '"b/.."' : '"."', '""']);
  let text = path.split('/').join('+"/"+');
  let kind = random.below(40);
  // Upwards only where nothing can be harmed.
  if (!isConfined() && [2, 5, 7].includes(kind)) kind = 1;
  if (kind === 0) text = `"$D/"+${text}`;
  else if (kind === 1) text = `"./"+${text}`;
  else if (kind === 2) text = `"a/../"+${text}`;
  else if (kind === 3) text = `${text}+"/"`;
  else if (kind === 4) text = `${text}+"/."`;
  else if (kind === 5) text = `${text}+"/.."`;
  else if (kind === 6) text = `"l/"+${text}`;
  else if (kind === 7) text = `"../"+${text}`;
  return joined(text);
}

/** "a"+"/"+"b" → "a/b", where both are plain. */
function joined(text: string): string {
  let before: string;
  let after = text;
  do {
    before = after;
    after = before.replace(/"((?:[^"\\]|\\.)*)"\+"((?:[^"\\]|\\.)*)"(?!\*)/, '"$1$2"');
  } while (after !== before);
  return after;
}

export function remember(world: World, path: string, kind: Kind): void {
  if (world.entries.get(parentOf(path)) !== 'directory' || path.includes('*256')) return;
  if (!world.entries.has(path)) world.entries.set(path, kind);
}

export function forget(world: World, path: string): void {
  if (path === '') return;
  for (const other of [...world.entries.keys()]) {
    if (other === path || other.startsWith(`${path}/`)) world.entries.delete(other);
  }
}

export function moved(world: World, from: string, to: string): void {
  const kind = world.entries.get(from);
  if (kind === undefined || from === '' || to === '' || from === to) return;
  if (world.entries.get(parentOf(to)) !== 'directory' || to.startsWith(`${from}/`)) return;
  const below = [...world.entries].filter(([path]) => path.startsWith(`${from}/`));
  forget(world, to);
  forget(world, from);
  world.entries.set(to, kind);
  for (const [path, other] of below) world.entries.set(to + path.slice(from.length), other);
}
