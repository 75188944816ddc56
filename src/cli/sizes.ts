/** Sizes as tmpfs's size= takes them: bytes, k m g t of 1024, or a share of the memory; fractions too. */
import { totalmem } from 'node:os';
import { PAGE_SIZE } from '../../ringbuf/layout.gen.ts';

const POWERS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4 };

/** Whole pages, or undefined where the text is no size. */
export function parseSize(text: string): number | undefined {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const bytes = share ? (Number(share[1]) / 100) * totalmem() : parseScaled(text);
  if (bytes === undefined || !(bytes >= 1) || bytes > Number.MAX_SAFE_INTEGER) return undefined;
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** A number of things, with the same suffixes (tmpfs: nr_inodes=1m). */
export function parseCount(text: string): number | undefined {
  const count = /%|i?b$/i.test(text) ? undefined : parseScaled(text);
  if (count === undefined || !Number.isSafeInteger(count) || count < 1) return undefined;
  return count;
}

function parseScaled(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?)?$/i.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1024 ** POWERS[(match[2] ?? '').toLowerCase()]!;
}

/** 1536 → "1.5K"; for people, one decimal at most. */
export function formatSize(bytes: number): string {
  const suffixes = ['', 'K', 'M', 'G', 'T'];
  let power = 0;
  let value = bytes;
  while (value >= 1024 && power < suffixes.length - 1) {
    value /= 1024;
    power += 1;
  }
  const rounded = Math.round(value * 10) / 10;
  return `${rounded}${suffixes[power]}`;
}
