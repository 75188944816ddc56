/** Finding CMD as a shell would, and refusing what the shim cannot reach. */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { inspectProgram } from '../image/inspect.ts';
import { exits, Failure } from './failure.ts';
import { escapeText } from './names.ts';
import type { StaticMode } from './options.ts';

/** What the tree says of a path in it: "missing", "directory", or whether it may be executed. */
export type TreeLookup = (path: string) => 'missing' | 'directory' | 'plain' | 'executable';

export interface FoundProgram {
  readonly path: string;
  /** It lies in the tree: the kernel cannot start it, the shim can. */
  readonly inTree: boolean;
  /** It is static, or a script with a static interpreter, and so not for the kernel to start either. */
  readonly launched?: 'program' | 'interpreter';
}

/** A script's interpreter may be a script; the kernel goes so deep too. */
const INTERPRETERS_MAX = 5;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o0010;

export function findProgram(command: string, prefix: string, lookup: TreeLookup): FoundProgram {
  let refused: string | undefined;
  for (const candidate of candidates(command)) {
    const path = resolve(candidate);
    const inTree = isUnder(path, prefix);
    const kind = inTree ? lookup(path) : hostLookup(path);
    if (kind === 'executable') return { path: inTree ? path : candidate, inTree };
    if (kind === 'missing') continue;
    // A shell passes over directories on PATH, but remembers files that it may not execute.
    if (kind === 'directory' && !command.includes('/')) continue;
    refused ??= kind === 'directory' ? 'is a directory' : 'is not executable';
  }
  const name = escapeText(command);
  if (refused !== undefined) throw new Failure(`${name} ${refused}`, exits.NOT_EXECUTABLE);
  const reason = command.includes('/') ? 'there is no such file' : 'not found on PATH';
  throw new Failure(`${name}: ${reason}`, exits.NOT_FOUND);
}

/**
 * Ends with 126 where the program would run outside the session without anybody noticing. Returns the
 * static program that will run, if it is one.
 */
export function checkReachable(path: string, mode: StaticMode): string | undefined {
  let current = path;
  for (let depth = 0; depth < INTERPRETERS_MAX; depth += 1) {
    const obstacle = whyUnreachable(current);
    if (obstacle !== undefined) {
      const through = current === path ? '' : `, the interpreter of ${escapeText(path)},`;
      throw new Failure(`${escapeText(current)}${through} ${obstacle}`, exits.NOT_EXECUTABLE);
    }
    const program = inspectOrGiveUp(current);
    if (program?.kind === 'static') return checkStatic(current, mode);
    if (program?.kind !== 'script' || program.interpreter === undefined) return undefined;
    current = program.interpreter;
  }
  return undefined;
}

function checkStatic(path: string, mode: StaticMode): string | undefined {
  if (mode === 'serve') return path;
  if (mode === 'allow') return undefined;
  const sentence = `${escapeText(path)} is statically linked, and --static refuse is given`;
  throw new Failure(sentence, exits.NOT_EXECUTABLE);
}

/** The reason why LD_PRELOAD does not reach this program, as the end of a sentence. */
export function whyUnreachable(path: string): string | undefined {
  const program = inspectOrGiveUp(path);
  if (isSetId(path)) {
    return 'is a setuid program: the loader drops LD_PRELOAD there, so it would see the files of the host';
  }
  switch (program?.kind) {
    case 'setuid':
      return 'has file capabilities: the loader drops LD_PRELOAD there, so it would see the files of the host';
    case 'other-arch':
      return 'is a program of another architecture: the shim is for x86-64';
    case 'other-loader':
      return `is started by ${program.interpreter}, which is not the loader of glibc`;
    default:
      return undefined;
  }
}

/** A file that may be executed but not read tells nothing; the shim will. */
function inspectOrGiveUp(path: string): ReturnType<typeof inspectProgram> | undefined {
  try {
    return inspectProgram(path);
  } catch {
    return undefined;
  }
}

function isSetId(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & S_ISUID) !== 0 || (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
}

export function isUnder(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

function candidates(command: string): string[] {
  if (command.includes('/')) return [command];
  if (command === '') return [];
  const path = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin';
  return path.split(':').map((directory) => `${directory || '.'}/${command}`);
}

function hostLookup(path: string): ReturnType<TreeLookup> {
  try {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) return 'missing';
    if (status.isDirectory()) return 'directory';
    accessSync(path, constants.X_OK);
    return 'executable';
  } catch {
    // Not for us to execute, or behind a directory that we may not search.
    return 'plain';
  }
}
