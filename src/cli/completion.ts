/** Completion scripts of bash, zsh and fish, made from the tables of commands and options. */
import { shells } from './commands.ts';
import { bash } from './completion/bash.ts';
import { fish } from './completion/fish.ts';
import { zsh } from './completion/zsh.ts';
import { exits, Failure } from './failure.ts';
import { escapeText } from './names.ts';
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
