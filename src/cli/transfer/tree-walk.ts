/** Walking the tree of a session, parents first. */
import type { Connection, Stat } from '../../client/connect.ts';
import { join } from './bytes.ts';
import { isDirectory } from './modes.ts';

export interface TreeEntry {
  /** In the tree, absolute. */
  readonly path: Buffer;
  /** From where the walk began; empty for that itself. */
  readonly relative: Buffer;
  readonly stat: Stat;
}

const nothing = Buffer.alloc(0);

export function* walkTree(
  connection: Connection,
  base: Buffer,
  relative: Buffer = nothing,
): Generator<TreeEntry> {
  const path = join(base, relative);
  const stat = connection.stat(path, false);
  yield { path, relative, stat };
  if (!isDirectory(stat.mode)) return;
  for (const { name } of connection.readdir(path)) {
    yield* walkTree(connection, base, relative.length === 0 ? name : join(relative, name));
  }
}
