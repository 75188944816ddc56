/** `btfuse serve`: a session in the foreground, until a signal or `btfuse stop`. */
import { totalmem } from 'node:os';
import { PAGE_SIZE } from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { defaultImagesDir, ensureImages } from '../image/prepare.ts';
import { type ServerOptions, startServer } from '../server/session.ts';
import { refuseNesting } from './environment.ts';
import { exits } from './failure.ts';
import { escapeText } from './names.ts';
import type { OptionName, OptionValues } from './options.ts';
import { print } from './output.ts';
import type { Parsed } from './parse.ts';
import { checkBuilt } from './paths.ts';
import { sweepPrivate } from './sessions.ts';

export const defaultPrefix = '/bt';
const DEFAULT_NAME = 'default';
/** tmpfs's default is half of the memory too. */
const DEFAULT_SHARE = 0.5;
/** A Node that maps segments by way of WebAssembly memory only: 4 GiB, headers and spare blocks included. */
const SMALL_MAPPING_MAX = 4 * 1024 ** 3 - 64 * 1024 ** 2;
const DEFAULT_INODES = 1024 * 1024;

/** Options that shape a server; they mean nothing to one that is up already. */
export const serverOptionNames = [
  'mount',
  'memory',
  'inodes',
  'wait',
  'spin-us',
] as const satisfies readonly OptionName[];

export function serverOptions(name: string, values: Partial<OptionValues>): ServerOptions {
  return {
    name,
    prefix: values.mount ?? defaultPrefix,
    bytes: values.memory ?? defaultMemory(),
    inodes: values.inodes ?? DEFAULT_INODES,
    imagesDir: defaultImagesDir(),
    ...(values.wait !== undefined && { wait: values.wait }),
    ...(values['spin-us'] !== undefined && { spinUs: values['spin-us'] }),
  };
}

function defaultMemory(): number {
  const most = native().hasExternalSharedArrayBuffer ? Number.POSITIVE_INFINITY : SMALL_MAPPING_MAX;
  const bytes = Math.min(totalmem() * DEFAULT_SHARE, most);
  return Math.floor(bytes / PAGE_SIZE) * PAGE_SIZE;
}

export async function serve(parsed: Parsed): Promise<number> {
  checkBuilt();
  refuseNesting(undefined);
  await ensureImages();
  sweepPrivate();
  const name = parsed.values.session ?? DEFAULT_NAME;
  const server = await startServer({ ...serverOptions(name, parsed.values), signals: true });
  print(`ready ${server.name} ${escapeText(server.prefix)}\n`);
  await server.stopped;
  return exits.OK;
}
