/** `btfuse help`, `btfuse help COMMAND`, and what --help prints: made from the tables. */
import { type Command, commands, commandsOf } from './commands.ts';
import { exits, Failure } from './failure.ts';
import { type Option, type OptionName, options } from './options.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';

export async function help(parsed: Parsed): Promise<number> {
  const topic = parsed.operands.join(' ');
  print(topic === '' ? overview() : topicHelp(topic));
  return exits.OK;
}

export function overview(): string {
  const rows = commands.map((command) => [command.name, command.summary] as const);
  return `Usage: btfuse COMMAND [OPTION…] …

A private in-memory file tree for any unmodified program.

Commands:
${columns(rows)}
Options:
${columns([optionRow('help'), optionRow('version')])}
\`btfuse help COMMAND\` explains one of them.
`;
}

/** Help of one command, or of all commands that begin with the word (`fs`). */
function topicHelp(topic: string): string {
  const exact = commands.filter((command) => command.name === topic);
  const found = exact.length > 0 ? exact : commandsOf(topic);
  if (found.length === 0) throw new Failure(`there is no command "${topic}"; see \`btfuse help\``);
  return found.map(commandHelp).join('\n');
}

export function commandHelp(command: Command): string {
  const usage = ['btfuse', command.name, '[OPTION…]', command.operands ?? ''].join(' ').trim();
  const rows = [...command.options, 'help' as const].map(optionRow);
  const details = command.details === undefined ? '' : `\n${command.details}\n`;
  return `Usage: ${usage}\n\n${command.summary}.\n\nOptions:\n${columns(rows)}${details}`;
}

function optionRow(name: OptionName): readonly [string, string] {
  const option: Option<unknown> = options[name];
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  const value = option.value === undefined ? '' : ` ${option.value}`;
  return [`${short}--${name}${value}`, option.doc];
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
