/**
 * After the last test: the run fails when it left a segment in /dev/shm or a process behind.
 *
 * Other sessions may live on the same machine, so only what belongs to this run counts: processes
 * that carry its mark in their environment, and segments that are new and whose server is gone or
 * carries the mark.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SEGMENT_HEADER_RECORD_SIZE, SEGMENT_HEADER_SERVER_PID } from '../../ringbuf/layout.gen.ts';

const MARK = 'BTFUSE_TEST_RUN';
/** What is still ending when the last test returns gets so long to end. */
const PATIENCE_MS = 5_000;
const POLL_MS = 100;

export default function setup(): () => Promise<void> {
  const mark = `${MARK}=${randomUUID()}`;
  process.env[MARK] = mark.slice(MARK.length + 1);
  const before = new Set([...segments(), ...nodesFolders()]);
  return async () => {
    let left = leftovers(mark, before);
    for (let waited = 0; left.length > 0 && waited < PATIENCE_MS; waited += POLL_MS) {
      await sleep(POLL_MS);
      left = leftovers(mark, before);
    }
    if (left.length === 0) return;
    for (const line of left) console.error(`left behind: ${line}`);
    process.exitCode = 1;
    throw new Error(`the tests left behind: ${left.join('; ')}`);
  };
}

function leftovers(mark: string, before: ReadonlySet<string>): string[] {
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => carries(pid, mark) && isSession(pid))
    .map((pid) => `process ${pid} (${commandLine(pid)})`);
  const files = segments()
    .filter((name) => !before.has(name))
    .filter((name) => {
      const server = serverOf(name);
      return server === 0 || !isAlive(server) || carries(String(server), mark);
    })
    .map((name) => `/dev/shm/${name}`);
  const nodes = nodesFolders()
    .filter((name) => !before.has(name))
    .filter((name) => {
      const ring = `${name.replace('btfuse-nodes.', 'btfuse.')}.ring`;
      const server = existsSync(`/dev/shm/${ring}`) ? serverOf(ring) : 0;
      return server === 0 || !isAlive(server) || carries(String(server), mark);
    })
    .map((name) => `/dev/shm/${name}`);
  return [...processes, ...files, ...nodes];
}

function nodesFolders(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('btfuse-nodes.'));
}

function segments(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('btfuse.'));
}

/** vitest's own processes carry the mark too: ours are servers, commands and their children. */
function isSession(pid: string): boolean {
  return carriesName(pid, 'BTFUSE_SESSION=') || commandLine(pid).includes('/src/cli/');
}

function carries(pid: string, variable: string): boolean {
  return environment(pid).includes(variable);
}

function carriesName(pid: string, prefix: string): boolean {
  return environment(pid).some((variable) => variable.startsWith(prefix));
}

function environment(pid: string): string[] {
  return read(`/proc/${pid}/environ`).split('\0');
}

function commandLine(pid: string): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

function isAlive(pid: number): boolean {
  return read(`/proc/${pid}/stat`) !== '';
}

function serverOf(name: string): number {
  const header = Buffer.alloc(SEGMENT_HEADER_RECORD_SIZE);
  try {
    const file = openSync(`/dev/shm/${name}`, 'r');
    readSync(file, header, 0, header.length, 0);
    closeSync(file);
  } catch {
    return 0;
  }
  return header.readUInt32LE(SEGMENT_HEADER_SERVER_PID * 4);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
