/** ^C and SIGTERM while there is no CMD yet, or not any more: work stops at its next safe point. */
import { constants } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { exits, Failure } from './failure.ts';

let received: NodeJS.Signals | undefined;

export function interrupt(signal: NodeJS.Signals): void {
  received ??= signal;
}

/** Lets signals and the progress bar in; throws once a signal has come. */
export async function breathe(): Promise<void> {
  await setImmediate();
  if (received === undefined) return;
  throw new Failure(`ended by ${received}`, exits.SIGNAL + constants.signals[received]);
}
