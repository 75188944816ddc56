/** What all three completion scripts are made of. */
import { type Command, commandsOf, firstWords } from '../commands.ts';
import type { OptionName } from '../options.ts';

export const listSessions = "btfuse sessions 2>/dev/null | awk -F'\\t' '$2 == \"up\" { print $1 }'";

export const flagsOf = (command: Command): OptionName[] => [...command.options, 'help'];

/** Second words, for commands that are families: fs → ls tree … */
export function families(): [string, string[]][] {
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
export function operandWords(command: Command): string[] {
  if (Array.isArray(command.complete)) return command.complete;
  if (command.complete === 'topic') return firstWords();
  return [];
}
