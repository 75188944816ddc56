/** The variables that put a program into a session; preload/image/start.h reads them. */
import { readFileSync } from 'node:fs';
import { defaultImagesDir } from '../image/prepare.ts';
import { Failure } from './failure.ts';
import { compileCachePath, shimPath } from './paths.ts';

export interface SessionEnvironment {
  readonly LD_PRELOAD: string;
  readonly BTFUSE_SESSION: string;
  readonly BTFUSE_IMAGES: string;
}

/** The shim stands first; what the user preloads stays behind it. */
export function sessionEnvironment(session: string): SessionEnvironment {
  const others = (process.env.LD_PRELOAD ?? '')
    .split(/[\s:]+/)
    .filter((path) => path !== '' && path !== shimPath);
  return {
    LD_PRELOAD: [shimPath, ...others].join(':'),
    BTFUSE_SESSION: session,
    BTFUSE_IMAGES: defaultImagesDir(),
  };
}

/** What CMD gets: our environment as the user set it, and the session. */
export function programEnvironment(session: string): NodeJS.ProcessEnv {
  return { ...ownEnvironment(), ...sessionEnvironment(session) };
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
  const others = (env.LD_PRELOAD ?? '').split(/[\s:]+/).filter((path) => path && path !== shimPath);
  if (others.length > 0) env.LD_PRELOAD = others.join(':');
  else delete env.LD_PRELOAD;
  return env;
}

/** The session that this very process lives in, because the shim is in it. */
export function sessionAroundUs(): string | undefined {
  const session = process.env.BTFUSE_SESSION;
  if (session === undefined || !(process.env.LD_PRELOAD ?? '').includes(shimPath)) return undefined;
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
