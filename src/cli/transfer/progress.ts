/** A bar on stderr while a tree is copied, where stderr is a terminal; nothing elsewhere. */
import { isatty } from 'node:tty';
import type { SingleBar } from 'cli-progress';

const STDERR = 2;

export interface Progress {
  add(count: number): void;
  stop(): void;
}

const silent: Progress = { add() {}, stop() {} };

/** `total` is asked for on a terminal only: counting may be as dear as copying. */
export async function startProgress(
  what: string,
  unit: 'entries' | 'KiB',
  total: () => number,
): Promise<Progress> {
  if (!isatty(STDERR)) return silent;
  const { default: cliProgress } = await import('cli-progress');
  const bar: SingleBar = new cliProgress.SingleBar({
    format: `${what} {bar} {percentage}% of {total} ${unit}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  });
  bar.start(Math.max(1, total()), 0);
  return { add: (count) => bar.increment(count), stop: () => bar.stop() };
}
