/** Where the built parts of this checkout lie. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

export const shimPath = fileURLToPath(new URL('../../build/libbtfuse.so', import.meta.url));
/** Starts static programs; the shim knows it by its place beside it. */
export const launcherPath = fileURLToPath(new URL('../../build/btfuse-static', import.meta.url));
export const addonPath = fileURLToPath(new URL('../../build/btfuse.node', import.meta.url));
/** Set by bin.mjs. */
export const compileCachePath = fileURLToPath(
  new URL('../../build/compile-cache', import.meta.url),
);
export const commandPath = fileURLToPath(new URL('./bin.mjs', import.meta.url));

/** ld.so splits LD_PRELOAD at spaces and colons and knows no way to escape them. */
export const shimPathIsUsable = !/[\s:]/.test(shimPath);

export function checkBuilt(): void {
  for (const path of [shimPath, launcherPath, addonPath]) {
    if (!existsSync(path)) throw new Failure(`${path} is not built: run \`npm run build\``);
  }
  if (!shimPathIsUsable) {
    throw new Failure(`LD_PRELOAD cannot name ${shimPath}: its path has a space or a colon in it`);
  }
}
