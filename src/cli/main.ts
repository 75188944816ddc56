/** The command line: parses it, runs the command, and turns failures into one sentence and a status. */
import { readFileSync } from 'node:fs';
import { asFailure, complain, exits } from './failure.ts';
import { commandHelp, overview } from './help.ts';
import { parse } from './parse.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  try {
    if (argv[0] === '--version' || argv[0] === '-V') return print(`btfuse ${version()}\n`);
    if (argv[0] === '--help' || argv[0] === '-h') return print(overview());
    const parsed = parse(argv);
    if (parsed.values.help) return print(commandHelp(parsed.command));
    return await parsed.command.run(parsed);
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) throw error;
    complain(failure.message);
    return failure.status;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return exits.OK;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** `btfuse fs ls | head -1`: the reader has gone, there is nobody to tell. */
function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(exits.SIGNAL + 13);
  });
}
