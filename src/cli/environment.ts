/** The variables that put a program into a session; preload/image/start.h reads them. */
import { readFileSync } from 'node:fs';
import { defaultImagesDir, systemLoader } from '../image/prepare.ts';
import { Failure } from './failure.ts';
import { compileCachePath, shimPath } from './paths.ts';

export interface SessionEnvironment {
  readonly LD_AUDIT?: string;
  readonly LD_PRELOAD?: string;
  readonly BTFUSE_SESSION: string;
  readonly BTFUSE_IMAGES: string;
}

type Lists = Pick<SessionEnvironment, 'LD_AUDIT' | 'LD_PRELOAD'>;
const lists = ['LD_AUDIT', 'LD_PRELOAD'] as const;

/** What the variable names besides the shim. */
function others(variable: (typeof lists)[number]): string[] {
  const list = process.env[variable] ?? '';
  return list.split(/[\s:]+/).filter((path) => path !== '' && path !== shimPath);
}

/** Audit modules keep their thread-local data from glibc 2.35 on, which brought this version. */
function auditWorks(): boolean {
  return readFileSync(systemLoader()).includes('GLIBC_2.35\0');
}

/** The shim stands first in one of them; what the user has there stays behind it. */
function libraryLists(): Lists {
  const ours = auditWorks() ? 'LD_AUDIT' : 'LD_PRELOAD';
  const found = lists.map((variable) => {
    const paths = [...(variable === ours ? [shimPath] : []), ...others(variable)];
    return [variable, paths.join(':')] as const;
  });
  return Object.fromEntries(found.filter(([, paths]) => paths !== ''));
}

/** The variables that a program of the session starts with. */
export function sessionEnvironment(session: string): SessionEnvironment {
  return { ...libraryLists(), BTFUSE_SESSION: session, BTFUSE_IMAGES: defaultImagesDir() };
}

/** What CMD gets: our environment as the user set it, and the session. */
export function programEnvironment(session: string): NodeJS.ProcessEnv {
  const { LD_AUDIT, LD_PRELOAD, ...env } = ownEnvironment();
  return { ...env, ...sessionEnvironment(session) };
}

function ownEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  if (env.NODE_COMPILE_CACHE === compileCachePath) delete env.NODE_COMPILE_CACHE;
  return env;
}

/** Our own environment without any session: for a server that outlives us. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const env = ownEnvironment();
  delete env.BTFUSE_SESSION;
  delete env.BTFUSE_IMAGES;
  delete env.BTFUSE_INHERIT;
  for (const variable of lists) {
    const rest = others(variable);
    if (rest.length > 0) env[variable] = rest.join(':');
    else delete env[variable];
  }
  return env;
}

/** The session that this very process lives in, because the shim is in it. */
export function sessionAroundUs(): string | undefined {
  const session = process.env.BTFUSE_SESSION;
  const named = lists.some((variable) => (process.env[variable] ?? '').includes(shimPath));
  if (session === undefined || !named) return undefined;
  return readFileSync('/proc/self/maps', 'latin1').includes(shimPath) ? session : undefined;
}

/** What the shim is in hands its session on to whatever it starts: no way leads into another one. */
export function refuseNesting(wanted: string | undefined): void {
  const around = sessionAroundUs();
  if (around === undefined || around === wanted) return;
  throw new Failure(
    `this is inside session "${around}": sessions cannot be started in one another`,
  );
}
