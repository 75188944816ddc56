/** The completion script of zsh. */
import { type Command, commands, commandsOf, firstWords } from '../commands.ts';
import { type Option, options } from '../options.ts';
import { families, flagsOf, listSessions } from './words.ts';

export function zsh(): string {
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
