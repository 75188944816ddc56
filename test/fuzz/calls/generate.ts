/** Random sequences of file calls, as lines of the driver's language (test/driver/README.md). */
import type { Random } from '../random.ts';
import { descriptorCalls } from './descriptors.ts';
import { nameCalls } from './names.ts';
import { processCalls } from './processes.ts';
import { specialCalls } from './special.ts';
import { createWorld, type Kind, remember, type World } from './world.ts';

export type Call = (world: World) => string;
export type Calls = readonly (readonly [number, Call])[];

/**
 * All sequences end with a look at the whole tree. So many also take one between, from which on it is known which
 * times move: it waits for the clock.
 */
const LOOKING = 0.4;

export function generate(random: Random, length: number): string[] {
  const world = createWorld(random);
  const calls: Calls = [...nameCalls, ...descriptorCalls, ...processCalls, ...specialCalls];
  const lines = [...prologue(random), ...plant(world)];
  const look = random.chance(LOOKING) ? random.between(lines.length, length - 1) : -1;
  while (lines.length < length) {
    const line = random.weighted(calls)(world);
    const actors = [...world.actors.keys()];
    const other = actors.length > 1 && random.chance(0.4) && !/^[a-z]: /.test(line);
    lines.push(other ? `${random.pick(actors)}: ${line}` : line);
    if (lines.length === look) lines.push('snapshot');
  }
  lines.push('changes');
  return lines;
}

/** Who may do what at the start: root alone, everybody, everybody in a sticky directory. */
function prologue(random: Random): string[] {
  return random.weighted([
    [4, []],
    [2, ['chmod(".", 0777)']],
    [2, ['chmod(".", 01777)']],
    [1, ['chmod(".", 02777)']],
  ]);
}

/** Something to begin with, mostly. */
function plant(world: World): string[] {
  const { random } = world;
  // The way back from wherever chdir led.
  const lines = [
    'mkdir("w", 0777)',
    'mkdir("w/w", 01777)',
    'chdir("w/w")',
    'r = open(".", O_PATH)',
  ];
  const make = (path: string, kind: Kind, line: string) => {
    if (random.chance(0.3)) return;
    remember(world, path, kind);
    lines.push(line);
  };
  if (random.chance(0.15)) return lines;
  make(
    '"a"',
    'directory',
    `mkdir("a", ${random.pick(['0755', '0777', '01777', '02775', '0700'])})`,
  );
  make('"a"/"b"', 'directory', 'mkdir("a/b", 0755)');
  make('"a"/"c"', 'file', `mknod("a/c", S_IFREG|${random.pick(['0644', '0600', '06755'])}, 0)`);
  make('"d"', 'directory', 'mkdir("d", 0777)');
  make(
    '"l"',
    'symlink',
    `symlink(${random.pick(['"a"', '"a/b"', '"."', '"nothing"', '"a/c"'])}, "l")`,
  );
  if (random.chance(0.7)) {
    remember(world, '"b"', 'file');
    world.descriptors.set('f', { name: 'f', kind: 'file', path: '"b"' });
    lines.push('f = open("b", O_RDWR|O_CREAT, 0644)', 'write(f, "hello"*1000)');
  }
  if (random.chance(0.5)) {
    world.descriptors.set('g', { name: 'g', kind: 'directory', path: '' });
    lines.push('g = open(".", O_RDONLY|O_DIRECTORY)');
  }
  return lines;
}
