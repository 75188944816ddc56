/**
 * One of the two sides of a comparison: a worker program that stays up, in a directory of the kernel's
 * tmpfs or in a tree, and is fed with sequences.
 *
 * Programs and transcripts are lines. A worker is given "seq ID COUNT" and COUNT lines, and answers
 * any number of lines and "end ID STATUS".
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { btfuse, startBtfuse, uniqueSession } from '../setup/run.ts';

export type Program = readonly string[];
export type Transcript = readonly string[];

export interface Side {
  readonly label: string;
  /** Runs programs one after the other → what each of them printed, with its "end" line last. */
  run(programs: readonly Program[]): Promise<Transcript[]>;
  close(): Promise<void>;
}

interface Place {
  readonly label: string;
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Frees the place; says whether something was wrong with it. */
  close(): Promise<void>;
}

/** The kernel's tmpfs: what is right. */
export function tmpfs(command: (directory: string) => readonly string[]): Side {
  const directory = mkdtempSync('/dev/shm/bt-fuzz-');
  return createSide(command, {
    label: 'tmpfs',
    directory,
    environment: process.env,
    close: async () => rmSync(directory, { recursive: true, force: true }),
  });
}

/** A session of its own, served in the background. */
export async function tree(command: (directory: string) => readonly string[]): Promise<Side> {
  const session = uniqueSession('fuzz');
  const prefix = `/bt-fuzz-${process.pid}`;
  const cwd = mkdtempSync(join(tmpdir(), 'btfuse-fuzz-'));
  const server = startBtfuse(
    ['serve', '--session', session, '--mount', prefix, '--memory', '1G', '--inodes', '100000'],
    { cwd },
  );
  let complaint = '';
  server.stderr.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  await new Promise<void>((resolve, reject) => {
    server.stdout.once('data', () => resolve());
    server.once('exit', (status) =>
      reject(new Error(`btfuse serve ended: ${status} ${complaint}`)),
    );
  });
  const result = btfuse(['env', '--session', session]);
  const environment: NodeJS.ProcessEnv = { ...process.env };
  for (const [, key, value] of result.stdout.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm)) {
    environment[key!] = value!;
  }
  return createSide(command, {
    label: 'bt-fuse',
    directory: prefix,
    environment,
    close: async () => {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      if (server.exitCode === null && server.signalCode === null) {
        btfuse(['stop', session]);
        await gone;
      }
      rmSync(cwd, { recursive: true, force: true });
      if (complaint !== '') throw new Error(`btfuse serve said: ${complaint}`);
    },
  });
}

/** How long a batch may take in all, at least; the worker itself ends a sequence that hangs. */
const BATCH_MS = 120_000;

function createSide(command: (directory: string) => readonly string[], place: Place): Side {
  let worker: Worker | undefined;
  let id = 0;
  return {
    label: place.label,
    async run(programs) {
      const transcripts: Transcript[] = [];
      for (let tries = 0; transcripts.length < programs.length; tries++) {
        worker ??= startWorker(command(place.directory), place.environment);
        const rest = programs.slice(transcripts.length);
        transcripts.push(...(await worker.run(rest, id)));
        id += rest.length;
        if (transcripts.length === programs.length) break;
        // The worker itself ended: the sequence that it was at has no end, and a new one goes on.
        const said = await worker.close();
        worker = undefined;
        transcripts.push([`the worker ended: ${said}`]);
        if (tries > programs.length) throw new Error(`${place.label}: no worker lives: ${said}`);
      }
      return transcripts;
    },
    async close() {
      await worker?.close();
      await place.close();
    },
  };
}

interface Worker {
  /** As many transcripts as were completed. */
  run(programs: readonly Program[], id: number): Promise<Transcript[]>;
  /** What it said on stderr, and its status. */
  close(): Promise<string>;
}

function startWorker(command: readonly string[], environment: NodeJS.ProcessEnv): Worker {
  const child: ChildProcess = spawn(command[0]!, command.slice(1), {
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  let receive: (line: string | undefined) => void = () => {};
  child.stderr!.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  child.stdin!.on('error', () => {});
  const lines = createInterface({ input: child.stdout!.setEncoding('latin1') });
  lines.on('line', (line) => receive(line));
  let over = false;
  lines.on('close', () => {
    over = true;
    receive(undefined);
  });
  const ended = new Promise<string>((resolve) => {
    child.on('close', (status, signal) => resolve(`${signal ?? status} ${complaint}`.trim()));
  });
  return {
    run(programs, id) {
      const transcripts: Transcript[] = [];
      let lines: string[] = [];
      return new Promise((resolve) => {
        if (over) return resolve(transcripts);
        const limit = setTimeout(() => child.kill('SIGKILL'), BATCH_MS);
        const finish = () => {
          clearTimeout(limit);
          receive = () => {};
          resolve(transcripts);
        };
        receive = (line) => {
          if (line === undefined) return finish();
          if (!line.startsWith('end ')) {
            lines.push(line);
            return;
          }
          // The number of a sequence differs between sides that were restarted; its status counts.
          transcripts.push([...lines, line.replace(/^end \d+/, 'end')]);
          lines = [];
          if (transcripts.length === programs.length) finish();
        };
        const text = programs.map(
          (program, at) =>
            `seq ${id + at} ${program.length}\n${program.map((l) => `${l}\n`).join('')}`,
        );
        child.stdin!.write(text.join(''), 'latin1');
      });
    },
    async close() {
      child.stdin!.end();
      const limit = setTimeout(() => child.kill('SIGKILL'), 5_000);
      const said = await ended;
      clearTimeout(limit);
      return said;
    },
  };
}
