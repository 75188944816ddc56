/** bin.mjs on a Node that cannot run us: the pinned one takes over, or one sentence says what to install. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { command, root } from '../setup/run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'btfuse-node-'));
  mkdirSync(join(folder, 'src'));
  cpSync(`${root}src/cli`, join(folder, 'src/cli'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A Node that says it is an old one: what bin.mjs looks at is process.versions. */
const old = `data:text/javascript,Object.defineProperty(process, 'versions', {
  value: { ...process.versions, node: '20.19.0' } });`;

function onOldNode(bin: string, ...args: string[]) {
  const options = { env: { NODE_OPTIONS: `--import=${encodeURI(old)}` } };
  return command(process.execPath, [bin, ...args], options);
}

test('without a pinned Node: one sentence, status 125', () => {
  const { status, stdout, stderr } = onOldNode(join(folder, 'src/cli/bin.mjs'), 'help');
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^btfuse: Node 20\.19\.0 is not supported: install Node 22 [^\n]+\n$/);
  expect(status).toBe(125);
});

test('with one, it takes over, and its status and output are ours', () => {
  const pinned = join(folder, `node_modules/node-linux-${process.arch}/bin`);
  mkdirSync(pinned, { recursive: true });
  // Stands for the other Node: shows what it is started with.
  symlinkSync('/bin/echo', join(pinned, 'node'));
  const { status, stdout } = onOldNode(join(folder, 'src/cli/bin.mjs'), 'run', 'a b');
  expect(stdout).toBe(`${join(folder, 'src/cli/bin.mjs')} run a b\n`);
  expect(status).toBe(0);
});
