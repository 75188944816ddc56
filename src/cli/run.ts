/** `btfuse run`: a session, CMD inside it, and its exit status. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Connection } from '../client/connect.ts';

import { defaultImagesDir, ensureImages, ImageError, prepareImage } from '../image/prepare.ts';
import { startServer } from '../server/session.ts';
import { runChild } from './child.ts';
import { inheritedDescriptors } from './descriptors.ts';
import { startDetached } from './detached.ts';
import { programEnvironment, refuseNesting } from './environment.ts';
import { complain, exits, Failure } from './failure.ts';
import { breathe, interrupt } from './interrupt.ts';
import type { OptionValues, StaticMode } from './options.ts';
import type { Parsed } from './parse.ts';
import { checkBuilt } from './paths.ts';
import { checkReachable, type FoundProgram, findProgram, type TreeLookup } from './program.ts';
import { defaultPrefix, serverOptionNames, serverOptions } from './serve.ts';
import { allSessions, chooseSession, inspectSession, sweepPrivate } from './sessions.ts';
import { forwardSignals } from './signals.mjs';
import { stopSession } from './stop.ts';

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const ANY_EXECUTE = 0o111;

/** A session for CMD, and how we let go of it. */
interface Lease {
  readonly name: string;
  readonly prefix: string;
  /** `started`: CMD did run, so a session that is to stay may stay. */
  release(started: boolean): Promise<void>;
}

export async function run({ values, operands }: Parsed): Promise<number> {
  const descriptors = inheritedDescriptors();
  let child: ChildProcess | undefined;
  let started = false;
  forwardSignals(() => child, interrupt);
  checkBuilt();
  refuseNesting(values.session);
  const statics = staticMode(values);
  const early = await findEarly(operands[0]!, prefixOf(values), statics);
  await ensureImages();
  sweepPrivate();
  const lease = await leaseSession(values);
  let connection: Connection | undefined;
  // Most runs need none of the client and the archivers: they are loaded when they are used.
  const tree = async (): Promise<Connection> => {
    connection ??= (await import('../client/connect.ts')).connect(lease.name);
    return connection;
  };
  try {
    await breathe();
    if (values.import !== undefined) {
      const { importTree } = await import('./transfer/import.ts');
      await importTree(await tree(), values.import);
    }
    const program =
      early ??
      (await find(operands[0]!, lease.prefix, treeLookup(await tree(), lease.prefix), statics));
    const status = await runChild({
      program,
      argv: operands,
      descriptors,
      env: {
        ...programEnvironment(lease.name),
        ...(values.static !== undefined && { BTFUSE_STATIC: values.static }),
      },
      started: (process) => {
        child = process;
        started = true;
      },
    });
    child = undefined;
    if (values.export !== undefined) {
      const { exportTree } = await import('./transfer/export.ts');
      await exportTree(await tree(), values.export);
    }
    return status;
  } finally {
    connection?.close();
    await lease.release(started);
  }
}

async function leaseSession(values: Partial<OptionValues>): Promise<Lease> {
  if (values.session === undefined && !values.keep) return privateSession(values);
  const name = values.session ?? `kept-${randomBytes(4).toString('hex')}`;
  const existing = allSessions().find((session) => session.name === name);
  if (existing !== undefined && existing.state !== 'dead') return attach(name, values);
  await startDetached(name, values);
  return {
    name,
    prefix: values.mount ?? defaultPrefix,
    release: async (started) => {
      if (!started) await stopSession(name);
      else if (values.keep) complain(`session ${name} stays up; \`btfuse stop ${name}\` ends it`);
    },
  };
}

/** The server lives in a worker thread of this process and ends with it. */
async function privateSession(values: Partial<OptionValues>): Promise<Lease> {
  const name = `run-${process.pid}-${randomBytes(4).toString('hex')}`;
  const server = await startServer({ ...serverOptions(name, values), signals: false });
  let death: unknown;
  server.stopped.catch((error: unknown) => {
    death = error;
  });
  return {
    name,
    prefix: server.prefix,
    release: async () => {
      await server.stop().catch(() => {});
      if (death !== undefined) throw death;
    },
  };
}

function attach(name: string, values: Partial<OptionValues>): Lease {
  const session = chooseSession({ values: { session: name } });
  for (const option of serverOptionNames) {
    if (values[option] === undefined) continue;
    if (option === 'mount' && values.mount === session.prefix) continue;
    throw new Failure(`session "${name}" is up already: --${option} cannot change it any more`);
  }
  return { name, prefix: session.prefix, release: async () => {} };
}

/** The option, else what the environment says, as the shim reads it. */
function staticMode(values: Partial<OptionValues>): StaticMode {
  if (values.static !== undefined) return values.static;
  const given = process.env.BTFUSE_STATIC;
  return given === 'allow' || given === 'refuse' ? given : 'serve';
}

/** Where the tree will be, as far as one can tell before the session is up. */
function prefixOf(values: Partial<OptionValues>): string {
  if (values.mount !== undefined) return values.mount;
  const running = values.session === undefined ? undefined : inspectSession(values.session);
  return running?.state === 'up' ? running.prefix : defaultPrefix;
}

/** A CMD that cannot be run is told before anything starts; undefined: the tree has to be asked. */
async function findEarly(
  command: string,
  prefix: string,
  statics: StaticMode,
): Promise<FoundProgram | undefined> {
  let mayBeInTree = false;
  const lookup: TreeLookup = () => {
    mayBeInTree = true;
    return 'missing';
  };
  try {
    const program = await find(command, prefix, lookup, statics);
    return mayBeInTree ? undefined : program;
  } catch (error) {
    if (!mayBeInTree) throw error;
    return undefined;
  }
}

async function find(
  command: string,
  prefix: string,
  lookup: TreeLookup,
  statics: StaticMode,
): Promise<FoundProgram> {
  const program = findProgram(command, prefix, lookup);
  if (program.inTree) return program;
  const launched = checkReachable(program.path, statics);
  if (launched === undefined) return program;
  try {
    await prepareImage(launched, defaultImagesDir());
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new Failure(`static program ${error.message.replace(/\.$/, '')}`, exits.NOT_EXECUTABLE);
  }
  return { ...program, launched: launched === program.path ? 'program' : 'interpreter' };
}

function treeLookup(tree: Connection, prefix: string): TreeLookup {
  return (path) => {
    try {
      const { mode } = tree.stat(path.slice(prefix.length) || '/');
      if ((mode & S_IFMT) === S_IFDIR) return 'directory';
      return (mode & ANY_EXECUTE) === 0 ? 'plain' : 'executable';
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
      throw error;
    }
  };
}
