/**
 * Every option of every command: how it is written, what it takes, what it means. Parsing, help and
 * completion are made from this table and the one in commands.ts.
 */
import { PREFIX_MAX, SESSION_NAME_MAX } from '../../ringbuf/layout.gen.ts';
import { parseCount, parseSize } from './sizes.ts';

/** What each option's value is once parsed. */
export interface OptionValues {
  mount: string;
  memory: number;
  inodes: number;
  wait: 'futex' | 'atomics';
  'spin-us': number;
  import: string;
  export: string;
  keep: true;
  static: StaticMode;
  session: string;
  long: true;
  recursive: true;
  help: true;
  version: true;
}
/** What becomes of static programs. */
export type StaticMode = 'serve' | 'refuse' | 'allow';
const staticModes: readonly string[] = ['serve', 'refuse', 'allow'] satisfies StaticMode[];

export type OptionName = keyof OptionValues;

export interface Option<Value> {
  readonly short?: string;
  /** Placeholder of its value in the help; an option without one takes no value. */
  readonly value?: string;
  readonly doc: string;
  /** What a shell offers for its value. */
  readonly complete?: 'file' | 'directory' | 'session' | readonly string[];
  /** The value, or the rest of the sentence "--name TEXT …" that says what is wrong with it. */
  readonly parse?: (text: string) => Value | Mistake;
}

export interface Mistake {
  readonly mistake: string;
}

/** Longer spins than a second are slips of the keyboard. */
const SPIN_US_MAX = 1_000_000;

export const options: { readonly [Name in OptionName]: Option<OptionValues[Name]> } = {
  mount: {
    value: 'PREFIX',
    doc: 'Path under which programs see the tree (default /bt)',
    complete: 'directory',
    parse: parsePrefix,
  },
  memory: {
    value: 'SIZE',
    doc: 'Most bytes of file data: 64M, 1.5G, 50% of the memory (default 50%)',
    complete: ['64M', '256M', '1G', '50%'],
    parse: (text) =>
      parseSize(text) ?? { mistake: 'is not a size such as 64M, 1.5G or 50% of the memory' },
  },
  inodes: {
    value: 'N',
    doc: 'Most files and directories: 100000, 1m (default 1m)',
    parse: (text) => parseCount(text) ?? { mistake: 'is not a number such as 100000 or 1m' },
  },
  wait: {
    value: 'HOW',
    doc: 'How the idle server sleeps: futex (default) or atomics',
    complete: ['futex', 'atomics'],
    parse: (text) =>
      text === 'futex' || text === 'atomics' ? text : { mistake: 'is neither futex nor atomics' },
  },
  'spin-us': {
    value: 'N',
    doc: 'Microseconds that the idle server spins before it sleeps (default 50; 0: none)',
    complete: ['0', '50', '200'],
    parse: (text) =>
      /^\d+$/.test(text) && Number(text) <= SPIN_US_MAX
        ? Number(text)
        : { mistake: `is not a number of microseconds from 0 to ${SPIN_US_MAX}` },
  },
  import: {
    value: 'DIR|TAR',
    doc: 'Fill the tree first: a directory, a .tar or a .tar.gz/.tgz',
    complete: 'file',
    parse: nonEmpty,
  },
  export: {
    value: 'DIR|TAR',
    doc: 'Write the tree afterwards, whatever the status of CMD',
    complete: 'file',
    parse: nonEmpty,
  },
  keep: { doc: 'Leave the server up afterwards, and say its name' },
  static: {
    value: 'MODE',
    doc: 'Static programs: serve (default), refuse, or allow them on the files of the host',
    complete: staticModes,
    parse: (text) =>
      staticModes.includes(text)
        ? (text as StaticMode)
        : { mistake: 'is none of serve, refuse and allow' },
  },
  session: {
    value: 'NAME',
    doc: 'Session to use; `run` starts it when it is not up, and leaves it up',
    complete: 'session',
    parse: parseSession,
  },
  long: { short: 'l', doc: 'Mode, links, owner, size and time of each entry' },
  recursive: { short: 'r', doc: 'Directories with all that is in them' },
  help: { short: 'h', doc: 'Print help' },
  version: { short: 'V', doc: 'Print the version' },
};

function parsePrefix(text: string): string | Mistake {
  if (text === '') return { mistake: 'is empty: give an absolute path such as /bt' };
  if (!text.startsWith('/')) return { mistake: 'is relative: give an absolute path such as /bt' };
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0) return { mistake: 'is the whole file system: give a path below it' };
  if (parts.includes('..')) return { mistake: 'has ".." in it: give the path itself' };
  const prefix = `/${parts.join('/')}`;
  if (Buffer.byteLength(prefix) > PREFIX_MAX)
    return { mistake: `is over ${PREFIX_MAX} bytes long` };
  return prefix;
}

function parseSession(text: string): string | Mistake {
  if (text === '') return { mistake: 'is empty' };
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(text)) {
    return { mistake: 'is not a name of letters, digits, ".", "_" and "-" (not first a ".")' };
  }
  if (text.length > SESSION_NAME_MAX)
    return { mistake: `is over ${SESSION_NAME_MAX} letters long` };
  return text;
}

function nonEmpty(text: string): string | Mistake {
  return text === '' ? { mistake: 'is empty: give a directory or a tar file' } : text;
}
