/**
 * How the command line fails: one sentence on stderr and a documented exit status. Everything that a
 * command throws otherwise is a mistake of ours and shows its stack.
 */

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
  // ServerError's BTFUSE_ERR_… and the errno names of the system and of FsError carry sentences.
  if (code.startsWith('BTFUSE_ERR_')) return new Failure(error.message);
  if (/^E[A-Z0-9]+$/.test(code)) return new Failure(error.message);
  return undefined;
}

export function complain(sentence: string): void {
  process.stderr.write(`btfuse: ${sentence}\n`);
}
