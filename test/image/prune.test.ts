import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pruneDaily, pruneImages, UNUSED_DAYS } from '../../src/image/prune.ts';

const DAY = 24 * 60 * 60;
const now = Date.now();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-prune-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, daysOld: number): string {
  const path = join(folder, name);
  writeFileSync(path, 'x');
  utimesSync(path, now / 1000 - daysOld * DAY, now / 1000 - daysOld * DAY);
  return name;
}

test('what nobody has used for long goes; what is not ours stays', () => {
  file('0123abcd-91-00ff.img', UNUSED_DAYS + 1);
  file('file-1-2-3-4-5-91-00ff.none', UNUSED_DAYS + 1);
  file('0123abce-91-00ff.img.17.0badcafe', 2);
  const kept = [
    file('0123abcf-91-00ff.img', UNUSED_DAYS - 1),
    file('0123abcf-91-00ff.img.17.0badcafe', 0.5),
    file('notes.txt', 1000),
    file('.img', 1000),
  ];
  symlinkSync('/nowhere', join(folder, 'ab-1-00.img'));
  pruneImages(folder, now);
  expect(readdirSync(folder).sort()).toEqual([...kept, 'ab-1-00.img'].sort());
});

test('once a day, whoever asks; a directory that is not there is no failure', () => {
  pruneDaily(folder, now);
  file('0123abcd-91-00ff.img', UNUSED_DAYS + 1);
  pruneDaily(folder, now + 60_000);
  expect(existsSync(join(folder, '0123abcd-91-00ff.img'))).toBe(true);
  pruneDaily(folder, now + 2 * DAY * 1000);
  expect(existsSync(join(folder, '0123abcd-91-00ff.img'))).toBe(false);
  pruneDaily(join(folder, 'missing'));
});
