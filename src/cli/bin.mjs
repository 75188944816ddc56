#!/usr/bin/env node
// The `btfuse` command. Plain JavaScript: it must start on any Node, if only to go over to the
// Node that the checkout brings along, or to say which one to install.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants as osConstants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { forwardSignals } from './signals.mjs';

/** The exit status of every failure that is btfuse's own. */
const OWN_FAILURE = 125;

const [major, minor] = process.versions.node.split('.').map(Number);
// 22.18 runs TypeScript without a flag; odd releases are never maintained for long.
const supported = (major === 22 && minor >= 18) || major === 24 || major >= 26;

if (supported) {
  silenceTypeStripping();
  keepCompiledCode();
  await import('./main.ts');
} else {
  const pinned = fileURLToPath(
    new URL(`../../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
  );
  if (isExecutable(pinned)) {
    goOver(pinned);
  } else {
    process.stderr.write(
      `btfuse: Node ${process.versions.node} is not supported: install Node 22 (22.18 or later), ` +
        '24 or 26, or run `npm ci` in the checkout, which brings its own.\n',
    );
    process.exitCode = OWN_FAILURE;
  }
}

/** Only one warning, and only on 22: that type stripping is experimental there. */
function silenceTypeStripping() {
  if (major !== 22) return;
  const { emitWarning } = process;
  process.emitWarning = (warning, ...rest) => {
    const text = String(warning?.message ?? warning);
    if (text.startsWith('Type Stripping')) return;
    emitWarning.call(process, warning, ...rest);
  };
}

/**
 * Stripping types takes most of a start: 350 ms of processor time without the cache, 100 ms with it. Worker
 * threads learn of it from the environment; environment.ts keeps the variable from CMD.
 */
function keepCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = fileURLToPath(new URL('../../build/compile-cache', import.meta.url));
  // A folder that cannot be written does no harm.
  nodeModule.enableCompileCache(folder);
  process.env.NODE_COMPILE_CACHE = folder;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs the command on the other Node and ends as it ends. */
function goOver(node) {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit' });
  forwardSignals(() => child);
  child.on('error', (error) => {
    process.stderr.write(`btfuse: ${node} does not start: ${error.message}.\n`);
    process.exit(OWN_FAILURE);
  });
  child.on('exit', (status, signal) => {
    process.exit(status ?? 128 + osConstants.signals[signal]);
  });
}
