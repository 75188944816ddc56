/**
 * What is known to differ from tmpfs, and why. A difference that is not listed fails the run, and so does a
 * listed one that no longer differs: then its entry goes, here and in README under "Differences".
 */
import type { TargetName } from './compare.ts';

export interface KnownDifference {
  readonly reason: string;
  /** Words of the README's entry. */
  readonly readme: string;
  /** Cases where it may show. */
  readonly cases: RegExp;
  /** tmpfs's line: the call, ` → `, its answer; or an entry of a tree. */
  readonly expected: RegExp;
  /** The line of the other. */
  readonly actual: RegExp;
  /** What follows in the case rests on this answer, and is not looked at. */
  readonly rest?: boolean;
  readonly target?: TargetName;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    reason: 'Nobody counts who runs a program that is opened for writing.',
    readme: 'Opening a running program for writing',
    cases: /^open: ETXTBSY|^descriptors: execve/,
    expected: /→ -ETXTBSY$/,
    actual: /→ (exit 0|-ENOEXEC)$/,
  },
  {
    reason: 'The store counts offsets in doubles: the last byte below 2^63 cannot be written.',
    readme: 'just below 2^63',
    cases: /^io: (write at negative|sparse files)/,
    expected: /^pwrite\(.*LONG_MAX-1\) → 1$/,
    actual: /→ -EFBIG$/,
    rest: true,
  },
  {
    reason: 'copy_file_range checks offsets in another order than the kernel.',
    readme: 'just below 2^63',
    cases: /^io: copy_file_range$/,
    expected: /^copy_file_range\(.*(-1|LONG_MAX)\), .* → -(EOVERFLOW|EFBIG)$/,
    actual: /→ -(EINVAL|EOVERFLOW)$/,
  },
  {
    reason: 'Requests carry the ids of the process, not of the thread.',
    readme: 'ids of one thread',
    cases: /^ids: ids of one thread$/,
    expected: /→ \d+$/,
    actual: /→ (-EACCES|\d+)$/,
    rest: true,
  },
  {
    reason: 'F_CREATED_QUERY is not remembered.',
    readme: '`F_CREATED_QUERY`',
    cases: /^descriptors: fcntl of a file$/,
    expected: /^fcntl\(f, F_CREATED_QUERY\) → 1$/,
    actual: /→ 0$/,
  },
  {
    reason: 'The file is made before a descriptor for it is sought.',
    readme: 'EMFILE',
    cases: /^open: EMFILE/,
    expected: /^( {2}|$)/,
    actual: /^ {2}"/,
  },
  {
    reason:
      'Who transfers nothing does not move atime; mapping does not either, and a store through a map moves mtime.',
    readme: '**Times**',
    cases: /^(times|maps|pointers): /,
    expected: /^ {2}.* moved=a?(mc)?$/,
    actual: /^ {2}.* moved=a?(mc)?$/,
  },
  {
    reason: 'A map holds the blocks of its whole range.',
    readme: '**Memory maps**',
    cases: /^maps: /,
    expected: /fstat\(f\) → .* blocks=/,
    actual: /fstat\(f\) → .* blocks=/,
    rest: true,
  },
  {
    reason: 'Mounts are refused before their paths are looked at.',
    readme: '**`mount`, `chroot`',
    cases: /^refused: mounts of things/,
    expected: /→ -ENOENT$/,
    actual: /→ -E(PERM|INVAL)$/,
  },
  {
    reason: 'A map holds the whole pages of its range, and its process alone sees the file grow.',
    readme: '**Memory maps**',
    cases: /^maps: /,
    expected: /^peek\(/,
    actual: /^peek\(/,
    rest: true,
  },
  {
    reason: 'An offset that cannot be written back is found before anything is copied.',
    readme: 'cannot be written back',
    cases: /^pointers: copy_file_range\(f, NULL, g, readonly/,
    expected: /^lseek\(.*→ 5$/,
    actual: /→ 0$/,
    rest: true,
  },
];
