/**
 * THE table of commands. Parsing (parse.ts), help (help.ts) and completion (completion.ts) are made
 * from it, so that none of them can know an option that the others do not.
 */
import type { OptionName } from './options.ts';
import type { Parsed } from './parse.ts';

export interface Command {
  /** The words after `btfuse`: "run", "fs ls". */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Operands as the help shows them: "[--] CMD…". */
  readonly operands?: string;
  readonly least: number;
  /** Most operands; absent: any number. */
  readonly most?: number;
  /** What a shell offers for an operand. */
  readonly complete?: 'command' | 'file' | 'session' | 'topic' | readonly string[];
  /** The first operand ends the options: what follows belongs to CMD. */
  readonly passThrough?: true;
  readonly options: readonly OptionName[];
  /** More for `btfuse help NAME`, after the options. */
  readonly details?: string;
  /** Resolves to the exit status. */
  readonly run: (parsed: Parsed) => Promise<number>;
}

const server = ['mount', 'memory', 'inodes', 'wait', 'spin-us'] as const;

export const shells = ['bash', 'zsh', 'fish'] as const;

export const commands: readonly Command[] = [
  {
    name: 'run',
    summary: 'Run a program with a tree of its own under /bt',
    operands: '[--] CMD [ARG…]',
    least: 1,
    complete: 'command',
    passThrough: true,
    options: [...server, 'import', 'export', 'keep', 'static', 'session'],
    details: `The tree is private to CMD and its children, lives in memory and is gone when CMD ends, unless --keep
or --session says otherwise. The exit status is that of CMD, 128 + N when signal N ended it, 125 when
btfuse itself failed, 126 when CMD cannot be run (setuid programs among them), 127 when it is
not there.

  btfuse run -- bash -c 'echo hello > /bt/hello && cat /bt/hello'
  btfuse run --import src.tar.gz --export out.tar -- make -C /bt
  btfuse run --session work -- touch /bt/a ; btfuse run --session work -- ls /bt`,
    run: async (parsed) => (await import('./run.ts')).run(parsed),
  },
  {
    name: 'serve',
    summary: 'Serve a session in the foreground until SIGTERM or ^C',
    least: 0,
    most: 0,
    options: [...server, 'session'],
    details: `Prints "ready NAME PREFIX" once programs can attach. The default name is "default".

  btfuse serve --session work --mount /work --memory 2G`,
    run: async (parsed) => (await import('./serve.ts')).serve(parsed),
  },
  {
    name: 'stop',
    summary: 'End a session: its server and its tree',
    operands: '[NAME]',
    least: 0,
    most: 1,
    complete: 'session',
    options: ['session'],
    run: async (parsed) => (await import('./stop.ts')).stop(parsed),
  },
  {
    name: 'sessions',
    summary: 'List the sessions of this machine that are up',
    least: 0,
    most: 0,
    options: [],
    run: async () => (await import('./sessions.ts')).listSessions(),
  },
  {
    name: 'env',
    summary: 'Print the environment that puts a program into a session',
    least: 0,
    most: 0,
    options: ['session'],
    details: `  eval "$(btfuse env --session work)"; ls /bt

Programs started from that shell see the tree; the shell itself does not.`,
    run: async (parsed) => (await import('./env.ts')).env(parsed),
  },
  {
    name: 'fs ls',
    summary: 'List a directory of a session',
    operands: '[PATH…]',
    least: 0,
    options: ['session', 'long'],
    run: async (parsed) => (await import('./fs.ts')).ls(parsed),
  },
  {
    name: 'fs tree',
    summary: 'List a directory of a session and all below it',
    operands: '[PATH]',
    least: 0,
    most: 1,
    options: ['session'],
    run: async (parsed) => (await import('./fs.ts')).tree(parsed),
  },
  {
    name: 'fs stat',
    summary: 'Show what stat(2) says of paths of a session',
    operands: 'PATH…',
    least: 1,
    options: ['session'],
    run: async (parsed) => (await import('./fs.ts')).stat(parsed),
  },
  {
    name: 'fs cat',
    summary: 'Write files of a session to standard output',
    operands: 'PATH…',
    least: 1,
    options: ['session'],
    run: async (parsed) => (await import('./fs.ts')).cat(parsed),
  },
  {
    name: 'fs put',
    summary: 'Copy a file or directory into a session',
    operands: 'HOST [PATH]',
    least: 1,
    most: 2,
    complete: 'file',
    options: ['session'],
    details: 'HOST is "-" for standard input. Without PATH it goes to the root under its own name.',
    run: async (parsed) => (await import('./fs.ts')).put(parsed),
  },
  {
    name: 'fs get',
    summary: 'Copy a file or directory out of a session',
    operands: 'PATH [HOST]',
    least: 1,
    most: 2,
    complete: 'file',
    options: ['session'],
    details: 'HOST is "-" for standard output. Without HOST it goes to the current directory.',
    run: async (parsed) => (await import('./fs.ts')).get(parsed),
  },
  {
    name: 'fs rm',
    summary: 'Remove paths of a session',
    operands: 'PATH…',
    least: 1,
    options: ['session', 'recursive'],
    run: async (parsed) => (await import('./fs.ts')).rm(parsed),
  },
  {
    name: 'doctor',
    summary: 'Say what works here, and what would not',
    operands: '[PROGRAM]',
    least: 0,
    most: 1,
    complete: 'command',
    options: [],
    details:
      'With PROGRAM also whether that program can see a tree. Exit status 1 if something is broken.',
    run: async (parsed) => (await import('./doctor.ts')).doctor(parsed),
  },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell',
    operands: shells.join('|'),
    least: 1,
    most: 1,
    complete: shells,
    options: [],
    details: `  eval "$(btfuse completion bash)"                               # in ~/.bashrc
  btfuse completion zsh > "\${fpath[1]}/_btfuse"
  btfuse completion fish > ~/.config/fish/completions/btfuse.fish`,
    run: async (parsed) => (await import('./completion.ts')).completion(parsed),
  },
  {
    name: 'help',
    summary: 'Explain a command',
    operands: '[COMMAND]',
    least: 0,
    most: 2,
    complete: 'topic',
    options: [],
    run: async (parsed) => (await import('./help.ts')).help(parsed),
  },
];

/** The first words of all commands, each once: run, serve, …, fs. */
export function firstWords(): string[] {
  return [...new Set(commands.map((command) => command.name.split(' ')[0]!))];
}

/** Commands that begin with this word: one, or the family of `fs`. */
export function commandsOf(word: string): readonly Command[] {
  return commands.filter((command) => command.name.split(' ')[0] === word);
}
