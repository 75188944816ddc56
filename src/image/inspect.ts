/**
 * What a program file is, as far as LD_PRELOAD is concerned: `btfuse run` refuses what the shim cannot
 * reach, and `btfuse doctor` explains it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { EM_X86_64, elf64Machine, isElf, PT_INTERP, parseElf } from './elf.ts';

export type ProgramKind =
  | 'dynamic'
  | 'static'
  | 'script'
  | 'setuid'
  | 'not-elf'
  | 'other-arch'
  | 'other-loader';

export interface Program {
  readonly kind: ProgramKind;
  /** The loader of a dynamic program, the interpreter of a script. */
  readonly interpreter?: string;
  /** Its file capabilities make the loader ignore LD_PRELOAD for this user. */
  readonly hasCapabilities?: boolean;
}

const HEAD_SIZE = 256;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;

function head(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(HEAD_SIZE);
    return bytes.subarray(0, readSync(fd, bytes, 0, HEAD_SIZE, 0));
  } finally {
    closeSync(fd);
  }
}

/** Interpreter of a `#!` line, as fs/binfmt_script.c reads it. */
function scriptInterpreter(bytes: Uint8Array): string | undefined {
  const line = Buffer.from(bytes).toString('latin1').split('\n', 1)[0]!;
  return /^#![ \t]*([^ \t]+)/.exec(line)?.[1];
}

/** The kernel starts it in secure mode (AT_SECURE) when it would change the effective ids. */
function changesIds(path: string): boolean {
  const { mode, uid, gid } = statSync(path);
  const setsUid = (mode & S_ISUID) !== 0 && uid !== process.geteuid?.();
  const setsGid =
    (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP) && gid !== process.getegid?.();
  return setsUid || setsGid;
}

/** Root gains nothing by file capabilities. getcap is in sbin, which is not on every PATH. */
function gainsCapabilities(path: string): boolean {
  if (process.getuid?.() === 0) return false;
  const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const { stdout } = spawnSync('getcap', [path], { encoding: 'utf8', env: { PATH } });
  return typeof stdout === 'string' && /[=+]/.test(stdout.slice(path.length));
}

/** Throws what fs throws when the file cannot be read. */
export function inspectProgram(path: string): Program {
  const bytes = head(path);
  const script = scriptInterpreter(bytes);
  if (script !== undefined) return { kind: 'script', interpreter: script };
  if (!isElf(bytes)) return { kind: 'not-elf' };
  if (elf64Machine(bytes) !== EM_X86_64) return { kind: 'other-arch' };
  if (changesIds(path)) return { kind: 'setuid', hasCapabilities: false };
  const elf = parseElf(readFileSync(path));
  const loader = elf.segments.find((s) => s.type === PT_INTERP);
  if (loader === undefined) {
    return gainsCapabilities(path) ? { kind: 'setuid', hasCapabilities: true } : { kind: 'static' };
  }
  const name = elf.bytes.subarray(loader.offset, loader.offset + loader.fileSize);
  const interpreter = Buffer.from(name).toString('latin1').replace(/\0.*$/s, '');
  // Another loader (that of musl, say) knows nothing of audit modules: it is out of reach as well.
  if (!/\/ld(-linux|\.so)[^/]*$/.test(interpreter)) return { kind: 'other-loader', interpreter };
  if (gainsCapabilities(path)) return { kind: 'setuid', interpreter, hasCapabilities: true };
  return { kind: 'dynamic', interpreter, hasCapabilities: false };
}
