/** The completion script of fish. */
import { type Command, commands, commandsOf, firstWords } from '../commands.ts';
import { type Option, type OptionName, options } from '../options.ts';
import { families, flagsOf, listSessions, operandWords } from './words.ts';

export function fish(): string {
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
