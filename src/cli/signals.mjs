// Passing signals on to a child that shares our terminal. Plain JavaScript, because bin.mjs needs it
// on a Node that cannot run TypeScript.
import { readFileSync } from 'node:fs';

/** What a user or a service manager sends to end, reload or poke a command. */
const FORWARDED = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'];
/** ^C and ^\: the terminal sends them to the whole foreground group, so the child has them already. */
const FROM_TERMINAL = new Set(['SIGINT', 'SIGQUIT']);

/**
 * From now on signals go to the child instead of ending us.
 * @param {() => { kill(signal: NodeJS.Signals): boolean } | undefined} child
 * @param {(signal: NodeJS.Signals) => void} [before] called when there is no child yet
 */
export function forwardSignals(child, before) {
  for (const signal of /** @type {NodeJS.Signals[]} */ (FORWARDED)) {
    process.on(signal, () => {
      const target = child();
      if (target === undefined) before?.(signal);
      else if (!(FROM_TERMINAL.has(signal) && isForeground())) target.kill(signal);
    });
  }
}

/** Is our process group the one that the terminal's ^C goes to? See proc_pid_stat(5). */
function isForeground() {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return terminal !== '0' && group === foreground;
  } catch {
    return false;
  }
}
