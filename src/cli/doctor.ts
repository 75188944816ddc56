/** `btfuse doctor`: what works here and what would not, one line each, the broken ones marked. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { SCHEMA_HASH, VERSION } from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { parseElf } from '../image/elf.ts';
import {
  analyse,
  checkImagesDir,
  defaultImagesDir,
  prepareImage,
  systemLibc,
} from '../image/prepare.ts';
import { sessionAroundUs } from './environment.ts';
import { exits } from './failure.ts';
import { escapeText } from './names.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';
import { addonPath, commandPath, shimPath, shimPathIsUsable } from './paths.ts';
import { checkReachable, findProgram, whyUnreachable } from './program.ts';
import { defaultPrefix } from './serve.ts';
import { allSessions } from './sessions.ts';
import { formatSize } from './sizes.ts';

/** pidfd_open, by which the server sees clients die, came with 5.3. */
const KERNEL_MIN = [5, 3] as const;
/** Docker's default for /dev/shm; below it a tree is soon full. */
const SHM_COMFORT = 64 * 1024 * 1024;
const SHM_MIN = 16 * 1024 * 1024;
const TRIAL_TIMEOUT_MS = 20_000;

type Level = 'ok' | 'note' | 'broken';
interface Finding {
  readonly level: Level;
  readonly topic: string;
  readonly text: string;
}

export async function doctor(parsed: Parsed): Promise<number> {
  const checks: [string, () => Promise<readonly Finding[]> | readonly Finding[]][] = [
    ['kernel', kernel],
    ['node', node],
    ['/dev/shm', sharedMemory],
    ['addon', addon],
    ['shim', shim],
    ['image', image],
    ['environment', environment],
    ['sessions', sessions],
    ['trial', trial],
    ['limits', limits],
  ];
  const [command] = parsed.operands;
  if (command !== undefined) checks.push(['program', () => program(command)]);
  let status: number = exits.OK;
  for (const [topic, check] of checks) {
    for (const finding of await attempt(topic, check)) {
      print(`${finding.level.padEnd(6)}  ${finding.topic.padEnd(11)}  ${finding.text}\n`);
      if (finding.level === 'broken') status = exits.FAILED;
    }
  }
  return status;
}

/** A check that throws has found something broken. */
async function attempt(
  topic: string,
  check: () => Promise<readonly Finding[]> | readonly Finding[],
) {
  try {
    return await check();
  } catch (error) {
    return [{ level: 'broken' as const, topic, text: (error as Error).message }];
  }
}

function found(level: Level, topic: string, text: string): Finding {
  return { level, topic, text };
}

function kernel(): Finding[] {
  const [major, minor] = release().split('.').map(Number) as [number, number];
  const old = major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]);
  const level = process.platform === 'linux' && !old ? 'ok' : 'broken';
  const machine = process.arch === 'x64' ? 'ok' : 'broken';
  return [
    found(
      level,
      'kernel',
      `${release()}${old ? `: ${KERNEL_MIN.join('.')} or later is needed` : ''}`,
    ),
    found(
      machine,
      'machine',
      machine === 'ok' ? 'x86-64' : `${process.arch}: the shim is for x86-64`,
    ),
  ];
}

function node(): Finding[] {
  return [found('ok', 'node', `${process.version} (${process.execPath})`)];
}

function sharedMemory(): Finding[] {
  const status = statfsSync('/dev/shm');
  const size = status.blocks * status.bsize;
  const free = status.bavail * status.bsize;
  const text = `${formatSize(size)}, ${formatSize(free)} free`;
  if (free < SHM_MIN) return [found('broken', '/dev/shm', `${text}: too little for a session`)];
  if (free < SHM_COMFORT) return [found('note', '/dev/shm', `${text}: a tree will soon be full`)];
  return [found('ok', '/dev/shm', text)];
}

function addon(): Finding[] {
  if (!existsSync(addonPath)) return [found('broken', 'addon', 'not built: run `npm run build`')];
  const { version, schemaHash, hasExternalSharedArrayBuffer } = native();
  if (version !== VERSION || schemaHash !== SCHEMA_HASH) {
    return [found('broken', 'addon', 'built from another version: run `npm run build`')];
  }
  const most = hasExternalSharedArrayBuffer ? 'segments of any size' : 'segments up to 4 GiB';
  return [found('ok', 'addon', `layout version ${version}, ${most}`)];
}

function shim(): Finding[] {
  if (!existsSync(shimPath)) return [found('broken', 'shim', 'not built: run `npm run build`')];
  if (shimPathIsUsable) return [found('ok', 'shim', shimPath)];
  return [
    found('broken', 'shim', `${shimPath} has a space or colon, so LD_PRELOAD cannot name it`),
  ];
}

async function image(): Promise<Finding[]> {
  const folder = defaultImagesDir();
  checkImagesDir(folder);
  const libc = systemLibc();
  const { trailer, sites } = analyse(parseElf(readFileSync(libc)));
  const path = await prepareImage(libc, folder);
  const moved = sites.filter((site) => site.form === 'T');
  return [
    found('ok', 'libc', `${libc}, build-id ${Buffer.from(trailer.buildId).toString('hex')}`),
    found('ok', 'image', path),
    found(
      'ok',
      'patched',
      `${trailer.before + trailer.after} of ${trailer.sites} system call sites; ` +
        `${trailer.skipped} are no file calls and stay as they are`,
    ),
    ...moved.map((site) =>
      found(
        'ok',
        'patched',
        `behind the instruction at 0x${site.vaddr.toString(16)} (call ${site.nr}): ${site.reason}`,
      ),
    ),
  ];
}

function environment(): Finding[] {
  const others = (process.env.LD_PRELOAD ?? '')
    .split(/[\s:]+/)
    .filter((path) => path !== '' && path !== shimPath);
  const findings = others.map((path) =>
    found(
      'note',
      'LD_PRELOAD',
      `${escapeText(path)} is preloaded too: system calls that it makes itself are not seen`,
    ),
  );
  if (/^Seccomp:\s*[12]$/m.test(readFileSync('/proc/self/status', 'latin1'))) {
    findings.push(
      found(
        'note',
        'seccomp',
        'a filter is on: a call that it refuses to the shim fails in programs',
      ),
    );
  }
  return findings;
}

function sessions(): Finding[] {
  return allSessions().map(({ name, state, prefix, pid }) => {
    const text = escapeText(name);
    if (state === 'dead') {
      return found('note', 'session', `${text}: its server was killed; \`btfuse stop ${text}\``);
    }
    if (state === 'foreign') return found('note', 'session', `${text}: no segment of yours`);
    if (state === 'other-version') {
      return found('note', 'session', `${text}: of another version of bt-fuse`);
    }
    return found('ok', 'session', `${text}: ${state}, under ${escapeText(prefix)}, server ${pid}`);
  });
}

/** The whole way once: a shell writes into a tree of its own and reads it back. */
function trial(): Finding[] {
  const around = sessionAroundUs();
  if (around !== undefined) return [found('note', 'trial', `left out: this is inside "${around}"`)];
  const path = `${defaultPrefix}/doctor`;
  const script = `echo works > ${path} && read -r word < ${path} && echo "$word"`;
  const args = [
    commandPath,
    'run',
    '--memory',
    '4M',
    '--inodes',
    '1000',
    '--',
    '/bin/sh',
    '-c',
    script,
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: TRIAL_TIMEOUT_MS,
  });
  if (status === 0 && stdout === 'works\n') {
    return [found('ok', 'trial', 'a program wrote a file into a tree and read it back')];
  }
  const reason = stderr.trim().split('\n')[0] || `status ${status}, output "${escapeText(stdout)}"`;
  return [found('broken', 'trial', `a program does not see its tree: ${reason}`)];
}

/** True everywhere; doctor says it because nobody reads it elsewhere. */
function limits(): Finding[] {
  return [
    found(
      'note',
      'static',
      'statically linked programs (many Go ones) are started by a launcher: /proc/PID/exe names it',
    ),
    found('note', 'setuid', 'setuid programs cannot be run: the loader drops LD_PRELOAD there'),
    found(
      'note',
      'MDWE',
      'a program under PR_SET_MDWE works: its libc is mapped from the image, never written to',
    ),
  ];
}

async function program(command: string): Promise<Finding[]> {
  const { path } = findProgram(command, defaultPrefix, () => 'missing');
  const obstacle = whyUnreachable(path);
  if (obstacle !== undefined)
    return [found('broken', 'program', `${escapeText(path)} ${obstacle}`)];
  const launched = checkReachable(path, 'serve');
  if (launched !== undefined) {
    try {
      await prepareImage(launched, defaultImagesDir());
    } catch (error) {
      return [
        found('broken', 'program', `static program ${(error as Error).message.replace(/\.$/, '')}`),
      ];
    }
    return [found('ok', 'program', `${escapeText(path)} is static, and can see a tree`)];
  }
  return [found('ok', 'program', `${escapeText(path)} can see a tree`)];
}
