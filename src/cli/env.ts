/** `btfuse env`: what a shell must export so that the programs it starts live in the session. */
import { ensureImages } from '../image/prepare.ts';
import { sessionEnvironment } from './environment.ts';
import { exits } from './failure.ts';
import { shellQuote } from './names.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';
import { checkBuilt } from './paths.ts';
import { chooseSession } from './sessions.ts';

export async function env(parsed: Parsed): Promise<number> {
  checkBuilt();
  const session = chooseSession(parsed);
  await ensureImages();
  for (const [name, value] of Object.entries(sessionEnvironment(session.name))) {
    print(`export ${name}=${shellQuote(value)}\n`);
  }
  return exits.OK;
}
