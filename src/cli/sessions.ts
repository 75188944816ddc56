/**
 * Which sessions are there: read from the ring segments in /dev/shm, whose lock a server holds for as
 * long as it lives (ringbuf/segment.ts).
 */
import { fstatSync, readdirSync, readSync, statSync } from 'node:fs';
import {
  MAGIC,
  PREFIX_MAX,
  SCHEMA_HASH,
  SEGMENT_HEADER_MAGIC,
  SEGMENT_HEADER_PREFIX_BYTES,
  SEGMENT_HEADER_PREFIX_LENGTH,
  SEGMENT_HEADER_RECORD_SIZE,
  SEGMENT_HEADER_SCHEMA_HASH,
  SEGMENT_HEADER_SERVER_PID,
  SEGMENT_HEADER_STATE,
  SEGMENT_STATE_READY,
} from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { removeNodes } from '../server/nodes.ts';
import { exits, Failure } from './failure.ts';
import { lockHolder } from './locks.ts';
import { escapeText } from './names.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';

const FOLDER = '/dev/shm';
const KINDS = ['ring', 'store', 'data'] as const;
/** A segment that has been unfinished for so long was left by a server killed while it started. */
const UNFINISHED_MS = 60_000;

export interface Session {
  readonly name: string;
  /**
   * up: programs can attach. starting: not yet. dead: its server is gone. other-version: a live server
   * of another bt-fuse. foreign: no segment of ours, or not readable by us.
   */
  readonly state: 'up' | 'starting' | 'dead' | 'other-version' | 'foreign';
  readonly prefix: string;
  readonly pid: number;
}

/** All sessions whose ring segment lies in /dev/shm, by name. */
export function allSessions(): Session[] {
  return readdirSync(FOLDER)
    .map((file) => /^btfuse\.(.+)\.ring$/.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .sort()
    .map(inspectSession);
}

export function inspectSession(name: string): Session {
  const file = `btfuse.${name}.ring`;
  const fd = native().shmOpen(file);
  if (fd < 0) return { name, prefix: '', pid: 0, state: 'foreign' };
  try {
    const header = new DataView(new ArrayBuffer(SEGMENT_HEADER_RECORD_SIZE));
    const length = readSync(fd, header, 0, header.byteLength, 0);
    const magic = header.getBigUint64(SEGMENT_HEADER_MAGIC * 4, true);
    if (length < header.byteLength || (magic !== MAGIC && magic !== 0n)) {
      return { name, prefix: '', pid: 0, state: 'foreign' };
    }
    return describe(name, header, isServed(fd, `${FOLDER}/${file}`, magic === 0n));
  } finally {
    native().close(fd);
  }
}

/**
 * Trying the lock is the sure way, for a server in another pid namespace too, but it could make one that
 * is just starting believe that it has a rival: the kernel's list is asked first, and a segment without a
 * header is given the time to get one.
 */
function isServed(fd: number, path: string, isUnfinished: boolean): boolean {
  if (lockHolder(path) !== undefined) return true;
  if (isUnfinished && Date.now() - fstatSync(fd).mtimeMs < UNFINISHED_MS) return true;
  return native().isLocked(fd);
}

function describe(name: string, header: DataView, locked: boolean): Session {
  const length = header.getUint32(SEGMENT_HEADER_PREFIX_LENGTH * 4, true);
  const prefix = Buffer.from(
    header.buffer,
    SEGMENT_HEADER_PREFIX_BYTES,
    Math.min(length, PREFIX_MAX),
  ).toString();
  const pid = header.getUint32(SEGMENT_HEADER_SERVER_PID * 4, true);
  const facts = { name, prefix, pid };
  if (!locked) return { ...facts, state: 'dead' };
  const hash = header.getBigUint64(SEGMENT_HEADER_SCHEMA_HASH * 4, true);
  const state = header.getUint32(SEGMENT_HEADER_STATE * 4, true);
  if (hash !== 0n && hash !== SCHEMA_HASH) return { ...facts, state: 'other-version' };
  return { ...facts, state: state === SEGMENT_STATE_READY ? 'up' : 'starting' };
}

/** The session that a command means: --session, else BTFUSE_SESSION, else the only one that is up. */
export function chooseSession(
  parsed: Pick<Parsed, 'values'>,
  named = parsed.values.session,
): Session {
  const wanted = named ?? process.env.BTFUSE_SESSION;
  const sessions = allSessions();
  if (wanted !== undefined) {
    const session = sessions.find((candidate) => candidate.name === wanted);
    if (session?.state === 'up') return session;
    throw new Failure(whyNot(wanted, session));
  }
  const up = sessions.filter((session) => session.state === 'up');
  if (up.length === 1) return up[0]!;
  if (up.length === 0) throw new Failure('no session is up; start one with `btfuse serve`');
  const names = up.map((session) => session.name).join(', ');
  throw new Failure(`several sessions are up (${names}): choose one with --session`);
}

function whyNot(name: string, session: Session | undefined): string {
  const text = escapeText(name);
  switch (session?.state) {
    case undefined:
      return `no session "${text}" is up`;
    case 'dead':
      return `the server of session "${text}" was killed; \`btfuse stop ${text}\` removes what it left`;
    case 'starting':
      return `session "${text}" is still starting`;
    case 'other-version':
      return `session "${text}" belongs to another version of bt-fuse`;
    default:
      return `/dev/shm/btfuse.${text}.ring is no segment of yours made by bt-fuse`;
  }
}

/** Removes the segments of a session that has no server. */
export function removeSegments(name: string): void {
  for (const kind of KINDS) native().shmUnlink(`btfuse.${name}.${kind}`);
  removeNodes(name);
}

/**
 * Removes what killed servers of private runs left: nobody will ever ask for those names again. Named
 * sessions stay until their name is used again, so that their end does not go unnoticed.
 */
export function sweepPrivate(): void {
  for (const file of readdirSync(FOLDER)) {
    const name =
      /^btfuse\.(run-.+)\.(ring|store|data)$/.exec(file)?.[1] ??
      /^btfuse-nodes\.(run-.+)$/.exec(file)?.[1];
    if (name === undefined) continue;
    const status = statSync(`${FOLDER}/${file}`, { throwIfNoEntry: false });
    if (status === undefined || status.uid !== process.geteuid?.()) continue;
    const hasRing = statSync(`${FOLDER}/btfuse.${name}.ring`, { throwIfNoEntry: false });
    const isOld = Date.now() - status.mtimeMs > UNFINISHED_MS;
    const state = hasRing === undefined ? 'foreign' : inspectSession(name).state;
    if (state === 'dead' || (state === 'foreign' && isOld)) removeSegments(name);
  }
}

/** `btfuse sessions` */
export async function listSessions(): Promise<number> {
  for (const { name, state, prefix, pid } of allSessions()) {
    print(`${escapeText(name)}\t${state}\t${escapeText(prefix) || '-'}\t${pid || '-'}\n`);
  }
  return exits.OK;
}
