/** Completion scripts of bash, zsh and fish, made from the tables of commands and options. */
import { type Command, commands, commandsOf, firstWords, shells } from './commands.ts';
import { exits, Failure } from './failure.ts';
import { escapeText } from './names.ts';
import { type Option, type OptionName, options } from './options.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';
import { closest } from './suggest.ts';

export async function completion(parsed: Parsed): Promise<number> {
  const shell = parsed.operands[0]!;
  const scripts: Readonly<Record<string, () => string>> = { bash, zsh, fish };
  const script = scripts[shell];
  if (script === undefined) {
    const guess = closest(shell, shells);
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    throw new Failure(`no completion for ${escapeText(shell)}: one of ${shells.join(', ')}${hint}`);
  }
  print(script());
  return exits.OK;
}

const listSessions = "btfuse sessions 2>/dev/null | awk -F'\\t' '$2 == \"up\" { print $1 }'";

const flagsOf = (command: Command): OptionName[] => [...command.options, 'help'];

/** Second words, for commands that are families: fs → ls tree … */
function families(): [string, string[]][] {
  return firstWords()
    .map((word): [string, string[]] => [
      word,
      commandsOf(word)
        .filter((command) => command.name !== word)
        .map((command) => command.name.slice(word.length + 1)),
    ])
    .filter(([, words]) => words.length > 0);
}

/** Everything that can stand where one word is expected, as shell words. */
function operandWords(command: Command): string[] {
  if (Array.isArray(command.complete)) return command.complete;
  if (command.complete === 'topic') return firstWords();
  return [];
}

// ---- bash ---------------------------------------------------------------------------------------

function bash(): string {
  const values = valueOptions().map(
    (name) => `    --${name}) ${bashValue(options[name])}; return ;;`,
  );
  const second = families().map(
    ([word, words]) =>
      `    ${word}) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current")) ;;`,
  );
  const cases = commands.map((command) => {
    const flags = flagsOf(command).map((name) => `--${name}`);
    return `    '${command.name}')
      flags='${flags.join(' ')}'
      ${bashOperand(command)}
      ;;`;
  });
  return `# btfuse completion for bash; eval "$(btfuse completion bash)"
_btfuse() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} flags='' i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${firstWords().join(' ')} --help --version' -- "$current"))
    return
  fi
  if ((COMP_CWORD == 2)); then
    case $command in
${second.join('\n')}
    esac
    ((\${#COMPREPLY[@]})) && return
  fi
  case $command in
    ${families()
      .map(([word]) => word)
      .join('|')}) command="$command \${COMP_WORDS[2]}" ;;
    run)
      # What stands behind CMD or -- is completed as CMD itself would be.
      for ((i = 2; i < COMP_CWORD; i++)); do
        case \${COMP_WORDS[i]} in
          --) i=$((i + 1)); _btfuse_command "$i"; return ;;
          --*=*) ;;
          --keep|--help) ;;
          --*) i=$((i + 1)) ;;
          *) _btfuse_command "$i"; return ;;
        esac
      done
      ;;
  esac
  case $previous in
${values.join('\n')}
  esac
  case $command in
${cases.join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  fi
}
_btfuse_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    COMPREPLY=($(compgen -c -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o default -F _btfuse btfuse
`;
}

function bashValue(option: Option<unknown>): string {
  if (Array.isArray(option.complete)) return bashWords(`'${option.complete.join(' ')}'`);
  switch (option.complete) {
    case 'directory':
      return 'COMPREPLY=($(compgen -d -- "$current"))';
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$current"))';
    case 'session':
      return bashWords(`"$(${listSessions})"`);
    default:
      return 'COMPREPLY=()';
  }
}

function bashOperand(command: Command): string {
  switch (command.complete) {
    case undefined:
      return ':';
    case 'command':
      return 'COMPREPLY=($(compgen -c -- "$current"))';
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$current"))';
    case 'session':
      return bashWords(`"$(${listSessions})"`);
    default:
      return bashWords(`'${operandWords(command).join(' ')}'`);
  }
}

function bashWords(words: string): string {
  return `COMPREPLY=($(compgen -W ${words} -- "$current"))`;
}

function valueOptions(): OptionName[] {
  return (Object.keys(options) as OptionName[]).filter((name) => options[name].value !== undefined);
}

// ---- zsh ----------------------------------------------------------------------------------------

function zsh(): string {
  const describe = (rows: readonly (readonly [string, string])[]): string =>
    rows.map(([word, doc]) => `'${word}:${zshEscape(doc)}'`).join(' ');
  const tops = firstWords().map((word) => {
    const [command] = commandsOf(word);
    return [word, command!.name === word ? command!.summary : 'Files of a session'] as const;
  });
  const cases = commands
    .filter((command) => !command.name.includes(' '))
    .map((command) => `    ${command.name}) ${zshArguments(command)} ;;`);
  const nested = families().map(([word, words]) => {
    const inner = commandsOf(word).map(
      (command) => `        ${command.name.slice(word.length + 1)}) ${zshArguments(command)} ;;`,
    );
    const rows = words.map((w): [string, string] => [
      w,
      commands.find((command) => command.name === `${word} ${w}`)!.summary,
    ]);
    return `    ${word})
      if ((CURRENT == 2)); then
        local -a second=(${describe(rows)})
        _describe 'command' second
        return
      fi
      shift words; ((CURRENT--))
      case $words[1] in
${inner.join('\n')}
      esac
      ;;`;
  });
  return `#compdef btfuse
# btfuse completion for zsh; btfuse completion zsh > "\${fpath[1]}/_btfuse"
_btfuse_sessions() {
  local -a names=(\${(f)"$(${listSessions})"})
  _describe 'session' names
}
_btfuse() {
  if ((CURRENT == 2)); then
    local -a first=(${describe(tops)})
    _describe 'command' first
    return
  fi
  shift words; ((CURRENT--))
  case $words[1] in
${[...cases, ...nested].join('\n')}
  esac
}
if [[ $funcstack[1] == _btfuse ]]; then _btfuse "$@"; else compdef _btfuse btfuse; fi
`;
}

function zshArguments(command: Command): string {
  const specs = flagsOf(command).map((name) => {
    const option: Option<unknown> = options[name];
    const doc = `[${zshEscape(option.doc)}]`;
    if (option.value === undefined) return `'--${name}${doc}'`;
    return `'--${name}=${doc}:${option.value}:${zshAction(option.complete)}'`;
  });
  if (command.passThrough) specs.push(`'1:command:_command_names -e'`, `'*::arguments:_normal'`);
  else if (command.least > 0 || command.complete !== undefined) {
    specs.push(`'*:operand:${zshAction(command.complete)}'`);
  }
  return `_arguments -S ${specs.join(' ')}`;
}

function zshAction(complete: Command['complete'] | Option<unknown>['complete']): string {
  if (Array.isArray(complete)) return `(${complete.join(' ')})`;
  const actions: Readonly<Record<string, string>> = {
    directory: '_directories',
    file: '_files',
    session: '_btfuse_sessions',
    command: '_command_names -e',
    topic: `(${firstWords().join(' ')})`,
  };
  return actions[String(complete)] ?? ' ';
}

function zshEscape(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "'\\''")
    .replace(/[[\]:`$]/g, '\\$&');
}

// ---- fish ---------------------------------------------------------------------------------------

function fish(): string {
  const lines = firstWords().map((word) => {
    const [command] = commandsOf(word);
    const doc = command!.name === word ? command!.summary : 'Files of a session';
    return `complete -c btfuse -n __fish_use_subcommand -f -a ${word} -d ${fishQuote(doc)}`;
  });
  for (const command of commands) {
    const [first, second] = command.name.split(' ');
    const seen = `__fish_seen_subcommand_from ${first}`;
    if (second !== undefined) {
      const none = `${seen}; and not __fish_seen_subcommand_from ${secondWords(first!)}`;
      const summary = fishQuote(command.summary);
      lines.push(`complete -c btfuse -n ${fishQuote(none)} -f -a ${second} -d ${summary}`);
    }
    const condition = fishQuote(
      second === undefined ? seen : `${seen}; and __fish_seen_subcommand_from ${second}`,
    );
    for (const name of flagsOf(command)) lines.push(fishOption(condition, name));
    lines.push(...fishOperand(condition, command));
  }
  return `# btfuse completion for fish; btfuse completion fish > ~/.config/fish/completions/btfuse.fish
function __btfuse_sessions
  ${listSessions}
end
${lines.join('\n')}
`;
}

function secondWords(first: string): string {
  return families()
    .find(([word]) => word === first)![1]
    .join(' ');
}

function fishOption(condition: string, name: OptionName): string {
  const option: Option<unknown> = options[name];
  const short = option.short === undefined ? '' : ` -s ${option.short}`;
  const doc = fishQuote(option.doc);
  const line = `complete -c btfuse -n ${condition} -l ${name}${short} -d ${doc}`;
  if (option.value === undefined) return line;
  if (Array.isArray(option.complete))
    return `${line} -x -a ${fishQuote(option.complete.join(' '))}`;
  if (option.complete === 'session') return `${line} -x -a '(__btfuse_sessions)'`;
  if (option.complete === 'directory') return `${line} -x -a '(__fish_complete_directories)'`;
  return option.complete === 'file' ? `${line} -r` : `${line} -x`;
}

function fishOperand(condition: string, command: Command): string[] {
  const line = `complete -c btfuse -n ${condition}`;
  if (command.complete === 'command') return [`${line} -x -a '(__fish_complete_subcommand)'`];
  if (command.complete === 'session') return [`${line} -f -a '(__btfuse_sessions)'`];
  const words = operandWords(command);
  return words.length === 0 ? [] : [`${line} -f -a ${fishQuote(words.join(' '))}`];
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
