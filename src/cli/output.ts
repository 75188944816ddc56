/**
 * Writing to our own stdout and stderr, at once and completely.
 *
 * Not through process.stdout: making that stream turns a pipe non-blocking, and the pipe is shared with
 * the program that `run` starts.
 */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';

const STDOUT = 1;
const STDERR = 2;
const RETRY_MS = 1;

export function print(text: string): void {
  write(STDOUT, Buffer.from(text));
}

export function printBytes(bytes: Uint8Array): void {
  write(STDOUT, bytes);
}

export function printError(text: string): void {
  write(STDERR, Buffer.from(text));
}

function write(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Somebody else made the pipe non-blocking; and whoever read it may have had enough.
      if (code === 'EAGAIN') Atomics.wait(clock, 0, 0, RETRY_MS);
      else if (code === 'EPIPE' && fd === STDOUT) process.exit(128 + constants.signals.SIGPIPE);
      else if (fd === STDERR) return;
      else throw error;
    }
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4));
