/** flock, record locks and locks of open file descriptions. */
import { type Case, family } from '../case.ts';

const file = `
  f = open("f", O_CREAT|O_RDWR, 0644)
  write(f, "0123456789"*10)
`;
const lock = (command: string, type: string, start = '0', length = '0', fd = 'f'): string =>
  `fcntl(${fd}, ${command}, flock(${type}, SEEK_SET, ${start}, ${length}))`;

const records = [
  ['F_SETLK', 'F_GETLK', 'F_SETLKW'],
  ['F_OFD_SETLK', 'F_OFD_GETLK', 'F_OFD_SETLKW'],
].flatMap(([set = '', get = '', wait = '']) =>
  family('locks', {
    [`${set}: two processes`]: `${file}
      fork b
      b: g = open("f", O_RDWR)
      ${lock(set, 'F_WRLCK', '10', '20')}
      b: ${lock(get, 'F_WRLCK', '0', '0', 'g')}
      b: ${lock(get, 'F_RDLCK', '30', '5', 'g')}
      b: ${lock(set, 'F_RDLCK', '29', '1', 'g')}
      b: ${lock(set, 'F_RDLCK', '30', '1', 'g')}
      b: ${lock(set, 'F_WRLCK', '0', '10', 'g')}
      ${lock(get, 'F_WRLCK')}
      ${lock(set, 'F_UNLCK', '15', '5')}
      b: ${lock(set, 'F_WRLCK', '15', '5', 'g')}
      b: ${lock(set, 'F_WRLCK', '14', '2', 'g')}
      b: ${lock(get, 'F_WRLCK', '12', '100', 'g')}
      ${lock(set, 'F_RDLCK', '10', '5')}
      b: ${lock(set, 'F_RDLCK', '10', '2', 'g')}
      ${lock(set, 'F_WRLCK', '10', '5')}
      b: close(g)
      ${lock(set, 'F_WRLCK')}`,
    [`${set}: waiting until the other unlocks, closes, dies`]: `${file}
      fork b
      b: g = open("f", O_RDWR)
      ${lock(set, 'F_WRLCK')}
      b: & ${lock(wait, 'F_WRLCK', '5', '5', 'g')}
      b: pending
      ${lock(set, 'F_UNLCK', '0', '5')}
      b: pending
      ${lock(set, 'F_UNLCK')}
      b: collect
      & ${lock(wait, 'F_RDLCK')}
      pending
      b: close(g)
      collect
      b: g = open("f", O_RDWR)
      b: & ${lock(wait, 'F_WRLCK', '0', '0', 'g')}
      b: pending
      fork c
      exit 0
      b: pending
      kill c
      b: collect`,
    [`${set}: a signal interrupts the wait`]: `${file}
      fork b
      b: g = open("f", O_RDWR)
      ${lock(set, 'F_WRLCK')}
      b: & ${lock(wait, 'F_WRLCK', '0', '0', 'g')}
      b: pending
      signal b
      b: collect`,
    [`${set}: arguments`]: `${file}
      ${lock(set, 'F_WRLCK', '-1', '1')}
      ${lock(set, 'F_WRLCK', '5', '-5')}
      ${lock(set, 'F_WRLCK', '5', '-6')}
      ${lock(set, '77')}
      fcntl(f, ${set}, flock(F_WRLCK, 77, 0, 0))
      fcntl(f, ${set}, flock(F_WRLCK, SEEK_END, -10, 5))
      fcntl(f, ${set}, flock(F_WRLCK, SEEK_CUR, -5, 5))
      fcntl(f, ${set}, flock(F_WRLCK, SEEK_END, -101, 5))
      ${lock(set, 'F_WRLCK', 'LONG_MAX', '1')}
      ${lock(set, 'F_WRLCK', 'LONG_MAX', '2')}
      fcntl(f, ${set}, flock(F_WRLCK, SEEK_SET, 0, 1, 5))
      ${lock(get, 'F_UNLCK')}
      fcntl(f, ${set}, NULL)
      r = open("f", O_RDONLY)
      ${lock(set, 'F_WRLCK', '0', '0', 'r')}
      ${lock(set, 'F_RDLCK', '0', '0', 'r')}
      w = open("f", O_WRONLY)
      ${lock(set, 'F_RDLCK', '0', '0', 'w')}
      d = open(".", O_DIRECTORY)
      ${lock(set, 'F_RDLCK', '0', '0', 'd')}
      p = open("f", O_PATH)
      ${lock(set, 'F_RDLCK', '0', '0', 'p')}
      ${lock(set, 'F_RDLCK', '0', '0', '99')}`,
    [`${set}: another descriptor of the same file`]: `${file}
      fork b
      ${lock(set, 'F_WRLCK')}
      g = open("f", O_RDWR)
      ${lock(get, 'F_WRLCK', '0', '0', 'g')}
      ${lock(set, 'F_WRLCK', '0', '0', 'g')}
      close(g)
      b: ${lock(get, 'F_WRLCK')}
      h = dup(f)
      ${lock(set, 'F_WRLCK')}
      close(h)
      b: ${lock(get, 'F_WRLCK')}`,
    [`${set}: fork, threads and exec`]: `${file}
      ${lock(set, 'F_WRLCK')}
      fork b
      b: ${lock(get, 'F_WRLCK')}
      b: ${lock(set, 'F_WRLCK')}
      b: close(f)
      fork c
      c: g = open("f", O_RDWR)
      c: ${lock(get, 'F_WRLCK', '0', '0', 'g')}
      thread t
      t: ${lock(set, 'F_RDLCK', '0', '10')}
      c: ${lock(get, 'F_WRLCK', '0', '0', 'g')}
      b: exec
      c: ${lock(set, 'F_WRLCK', '0', '0', 'g')}`,
  }),
);

export const lockCases: readonly Case[] = [
  ...records,
  ...family('locks', {
    'a deadlock of two is refused': `${file}
      fork b
      b: g = open("f", O_RDWR)
      ${lock('F_SETLK', 'F_WRLCK', '0', '1')}
      b: ${lock('F_SETLK', 'F_WRLCK', '1', '1', 'g')}
      & ${lock('F_SETLKW', 'F_WRLCK', '1', '1')}
      pending
      b: ${lock('F_SETLKW', 'F_WRLCK', '0', '1', 'g')}
      b: ${lock('F_SETLK', 'F_UNLCK', '0', '0', 'g')}
      collect`,
    'a deadlock of three is refused': `${file}
      fork b
      fork c
      ${lock('F_SETLK', 'F_WRLCK', '0', '1')}
      b: ${lock('F_SETLK', 'F_WRLCK', '1', '1')}
      c: ${lock('F_SETLK', 'F_WRLCK', '2', '1')}
      & ${lock('F_SETLKW', 'F_WRLCK', '1', '1')}
      b: & ${lock('F_SETLKW', 'F_WRLCK', '2', '1')}
      b: pending
      c: ${lock('F_SETLKW', 'F_WRLCK', '0', '1')}
      kill c
      b: collect
      kill b
      collect`,
    'record locks and locks of descriptions meet': `${file}
      ${lock('F_SETLK', 'F_WRLCK', '0', '10')}
      ${lock('F_OFD_SETLK', 'F_WRLCK', '5', '10')}
      g = open("f", O_RDWR)
      ${lock('F_OFD_GETLK', 'F_WRLCK', '0', '0', 'g')}
      ${lock('F_OFD_SETLK', 'F_WRLCK', '20', '10', 'g')}
      ${lock('F_SETLK', 'F_WRLCK', '25', '1')}
      ${lock('F_GETLK', 'F_WRLCK', '25', '1')}`,
    'flock and record locks do not meet': `${file}
      fork b
      b: g = open("f", O_RDWR)
      flock(f, LOCK_EX)
      b: ${lock('F_SETLK', 'F_WRLCK', '0', '0', 'g')}
      b: flock(g, LOCK_SH|LOCK_NB)`,
    'flock: shared, exclusive, converted': `${file}
      g = open("f", O_RDONLY)
      h = dup(f)
      flock(f, LOCK_SH)
      flock(g, LOCK_SH|LOCK_NB)
      flock(f, LOCK_EX|LOCK_NB)
      flock(g, LOCK_UN)
      flock(h, LOCK_EX|LOCK_NB)
      flock(g, LOCK_SH|LOCK_NB)
      close(f)
      flock(g, LOCK_SH|LOCK_NB)
      close(h)
      flock(g, LOCK_EX|LOCK_NB)
      flock(g, 0)
      flock(g, LOCK_SH|LOCK_EX)
      flock(g, 16)
      flock(g, LOCK_NB)
      flock(99, LOCK_SH)`,
    'flock: waiting': `${file}
      fork b
      b: g = open("f", O_RDWR)
      flock(f, LOCK_EX)
      b: & flock(g, LOCK_EX)
      b: pending
      flock(f, LOCK_UN)
      b: collect
      & flock(f, LOCK_SH)
      pending
      kill b
      collect`,
    'flock: fork shares it': `${file}
      flock(f, LOCK_EX)
      fork b
      g = open("f", O_RDWR)
      flock(g, LOCK_SH|LOCK_NB)
      close(f)
      flock(g, LOCK_SH|LOCK_NB)
      b: flock(f, LOCK_UN)
      flock(g, LOCK_SH|LOCK_NB)`,
    'flock of a directory, a fifo and O_PATH': `
      mkdir("d", 0755)
      d = open("d", O_RDONLY)
      e = open("d", O_RDONLY)
      flock(d, LOCK_EX|LOCK_NB)
      flock(e, LOCK_EX|LOCK_NB)
      p = open("d", O_PATH)
      flock(p, LOCK_SH|LOCK_NB)`,
    'flock: a signal interrupts the wait': `${file}
      fork b
      b: g = open("f", O_RDWR)
      flock(f, LOCK_EX)
      b: & flock(g, LOCK_EX)
      b: pending
      signal b
      b: collect`,
  }),
];
