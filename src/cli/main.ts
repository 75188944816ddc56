/** The command line: parses it, runs the command, and turns failures into one sentence and a status. */
import { readFileSync } from 'node:fs';
import { asFailure, complain, exits } from './failure.ts';
import { commandHelp, overview } from './help.ts';
import { print } from './output.ts';
import { parse } from './parse.ts';

process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  try {
    if (argv[0] === '--version' || argv[0] === '-V') return show(`btfuse ${version()}\n`);
    if (argv[0] === '--help' || argv[0] === '-h') return show(overview());
    const parsed = parse(argv);
    if (parsed.values.help) return show(commandHelp(parsed.command));
    return await parsed.command.run(parsed);
  } catch (error) {
    const failure = asFailure(error);
    complain(failure?.message ?? `internal error, please report it: ${(error as Error).stack}`);
    return failure?.status ?? exits.OWN_FAILURE;
  }
}

function show(text: string): number {
  print(text);
  return exits.OK;
}

export function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
