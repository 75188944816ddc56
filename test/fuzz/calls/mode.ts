/** The calls mode: any file calls by several processes, told to test/driver. */
import { type Driver, startInTree, startOnTmpfs } from '../../driver/driver.ts';
import type { Difference, Mode } from '../mode.ts';
import type { Program, Side, Transcript } from '../side.ts';
import { generate } from './generate.ts';

export const calls: Mode = {
  name: 'calls',
  length: 28,
  generate,
  start: async () => [driverSide('tmpfs', startOnTmpfs), driverSide('bt-fuse', startInTree)],
  compare,
  simpler,
};

function driverSide(label: string, start: () => Driver): Side {
  let driver: Driver | undefined;
  let number = 0;
  return {
    label,
    async run(programs) {
      const transcripts: Transcript[] = [];
      while (transcripts.length < programs.length) {
        driver ??= start();
        // All cases have names of one length: paths show in results.
        const rest = programs.slice(transcripts.length);
        const lines = rest.flatMap((program) => [
          `begin s${String(number++).padStart(7, '0')}`,
          ...program,
          'end',
        ]);
        const answers = await driver.exchange(lines);
        let at = 0;
        for (const program of rest) {
          const transcript = answers.slice(at, at + program.length + 2);
          at += program.length + 2;
          transcripts.push(transcript);
          // So does one that lost count of its answers.
          const whole =
            transcript[0] === 'ok' && /^(ok|not removed)$/.test(transcript.at(-1) ?? '');
          if (whole) continue;
          // The driver itself died in this one: a new one goes on behind it.
          await driver.close();
          driver = undefined;
          break;
        }
      }
      return transcripts;
    },
    close: async () => driver?.close(),
  };
}

function compare(program: Program, expected: Transcript, got: Transcript): Difference | undefined {
  for (let at = 0; at < expected.length; at++) {
    const right = visible(expected[at]!);
    const other = visible(got[at] ?? 'nothing');
    if (right === other) continue;
    if (isExcluded(program[at - 1] ?? '', right)) return undefined;
    // sendfile onto what it still has to read: the kernel's memcpy decides.
    if (expected.slice(0, at).some((line) => line.endsWith(' overlapping'))) return undefined;
    const [shortRight, shortOther] = shortened(right, other);
    return { step: at - 1, expected: shortRight, got: shortOther, oracle: 'tmpfs' };
  }
  return undefined;
}

/**
 * Directories of cases have numbers, which differ. Whether a read moves the access time is decided by
 * comparing it with times of the same tick (README, "Access times"): the conformance table, which waits
 * for ticks, looks at these.
 */
function visible(line: string): string {
  return (
    line
      .replace(/\$B\/s\d{7}/g, '$D')
      // The checksum of a long target with the directory's name in it.
      .replace(/ -> <(\d+) bytes [0-9a-f]+>/g, ' -> <$1 bytes>')
      .replace(/\b(socket|pipe):\[\d+\]/g, '$1:[]')
      .replace(/ moved=a?(m?c?)/g, ' moved=$1')
  );
}

/**
 * Differences that are known and wanted: the rest of such a sequence is not compared.
 *
 * - What /proc/self/fd tells of a file with several names: README, "/proc".
 * - linkat with AT_EMPTY_PATH by users: the kernel compares the credentials of the descriptor's opener.
 */
function isExcluded(line: string, expected: string): boolean {
  if (/readlink\("\/(proc|dev)/.test(line) && /"\$D/.test(expected)) return true;
  return line.includes('AT_EMPTY_PATH') && /^(\w: )?linkat/.test(line) && expected === '-ENOENT';
}

/** Of snapshots only the entries that differ. */
function shortened(expected: string, got: string): [string, string] {
  if (!expected.startsWith('tree\t') || !got.startsWith('tree\t')) return [expected, got];
  const left = expected.split('\t');
  const right = got.split('\t');
  const only = (lines: string[], others: string[]) =>
    lines.filter((line) => !others.includes(line)).join('\n           ');
  return [only(left, right), only(right, left)];
}

/** Without the actor, without additions to paths, with plain numbers and fewer flags. */
function simpler(line: string): string[] {
  const forms: string[] = [];
  if (/^[a-z]: /.test(line)) forms.push(line.slice(3));
  const replace = (pattern: RegExp, by: (match: string) => string) => {
    for (const match of line.matchAll(pattern)) {
      const text = by(match[0]);
      if (text === match[0]) continue;
      forms.push(line.slice(0, match.index) + text + line.slice(match.index + match[0].length));
    }
  };
  replace(/\|[A-Z_]+/g, () => '');
  replace(/"[^"]*"\+/g, () => '');
  replace(/\+"[^"]*"/g, () => '');
  replace(/"[a-z]+\/\.\.\//g, () => '"');
  replace(/"n"\*25[56]/g, () => '"a"');
  replace(/"(x|abc|hello)"\*\d+/g, () => '"x"');
  replace(/\b0[0-7]+\b/g, (mode) => (mode === '0644' || mode === '0755' ? mode : '0644'));
  replace(/\b[1-9]\d*\b/g, (number) => (number === '1000' ? number : '1'));
  replace(/\bRENAME_[A-Z]+\b/g, () => '0');
  return [...new Set(forms)];
}
