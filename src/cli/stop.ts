/** `btfuse stop`: ends the server of a session, and removes what a killed one left. */
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { exits, Failure } from './failure.ts';
import { lockHolder } from './locks.ts';
import type { Parsed } from './parse.ts';
import { allSessions, chooseSession, inspectSession, removeSegments } from './sessions.ts';

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

export async function stop(parsed: Parsed): Promise<number> {
  const named = parsed.operands[0] ?? parsed.values.session;
  const found = allSessions().find((session) => session.name === named);
  if (found?.state === 'dead') removeSegments(found.name);
  // Another version's server is ended too: its lock and its signals mean the same.
  else if (found?.state === 'other-version') await stopSession(found.name);
  else await stopSession(chooseSession(parsed, named).name);
  return exits.OK;
}

export async function stopSession(name: string): Promise<void> {
  const ring = `/dev/shm/btfuse.${name}.ring`;
  // Not the pid of the header: any client can write there, and we are about to send a signal.
  const pid = lockHolder(ring);
  if (pid === undefined) throw new Failure(`the server of session "${name}" is not to be found`);
  process.kill(pid, 'SIGTERM');
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    if (statSync(ring, { throwIfNoEntry: false }) === undefined) return;
    if (inspectSession(name).state === 'dead') return removeSegments(name);
    await sleep(POLL_MS);
  }
  throw new Failure(`the server of session "${name}" (process ${pid}) does not end`);
}
