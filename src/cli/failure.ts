/**
 * How the command line fails: one sentence on stderr and a documented exit status. Everything that a
 * command throws otherwise is a mistake of ours and shows its stack.
 */

import { printError } from './output.ts';

/** Exit statuses of btfuse itself; those of CMD pass through (README, "Exit statuses"). */
export const exits = {
  OK: 0,
  /** `fs`: the file operation failed. `doctor`: something is broken. */
  FAILED: 1,
  /** Our own failure: bad command line, no session, no memory. */
  OWN_FAILURE: 125,
  /** CMD is there but cannot be run. */
  NOT_EXECUTABLE: 126,
  /** CMD is not there. */
  NOT_FOUND: 127,
  /** Plus the number of the signal that ended CMD. */
  SIGNAL: 128,
} as const;

export class Failure extends Error {
  readonly status: number;
  constructor(sentence: string, status: number = exits.OWN_FAILURE) {
    super(sentence);
    this.name = 'Failure';
    this.status = status;
  }
}

/** The failure that a caught error means for the user, or undefined where it is a mistake of ours. */
export function asFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? String(error.code) : '';
  // BTFUSE_ERR_… of the other parts and the errno names of the system and of FsError carry sentences.
  if (!/^(BTFUSE_ERR_[A-Z_]+|E[A-Z0-9]+)$/.test(code)) return undefined;
  return new Failure(asClause(error.message));
}

/** "No session is running." → "no session is running", to stand behind "btfuse: ". */
function asClause(sentence: string): string {
  return sentence
    .replace(/\.$/, '')
    .replace(/^(A|An|The|This|No|Not|Cannot)\b/, (word) => word.toLowerCase());
}

export function complain(sentence: string): void {
  printError(`btfuse: ${sentence}\n`);
}
