/** The completion script of bash. */
import { type Command, commands, firstWords } from '../commands.ts';
import { type Option, type OptionName, options } from '../options.ts';
import { families, flagsOf, listSessions, operandWords } from './words.ts';

export function bash(): string {
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
