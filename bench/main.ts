// npm run bench: how fast the tree is beside the kernel's tmpfs, on this machine, now.
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { timeCalls } from './calls.ts';
import { timeExec } from './exec.ts';
import { options as parse, usage } from './options.ts';
import { callsTable, execTable, ringTable } from './report.ts';
import { timeRing } from './ring.ts';
import { startSession } from './session.ts';

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main(): Promise<void> {
  const options = parse(process.argv.slice(2));
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} CPUs, Linux ${release()}`;
  const about = `${machine}, Node ${process.versions.node}, ${options.rounds} rounds`;
  console.log(about);
  const report: Record<string, unknown> = { about };
  const session = await startSession();
  try {
    if (options.parts.has('calls')) {
      const calls = await timeCalls(options, session, progress);
      progress('');
      report.calls = calls;
      console.log(callsTable(calls));
    }
    if (options.parts.has('exec')) {
      const exec = timeExec(options, session);
      report.exec = exec;
      console.log(execTable(exec));
    }
  } finally {
    await session.stop();
  }
  if (options.parts.has('ring')) {
    const ring = await timeRing(options);
    report.ring = ring;
    console.log(ringTable(ring));
  }
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

try {
  await main();
} catch (error) {
  progress('');
  console.error(`bench: ${(error as Error).message}`);
  if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) console.error(usage);
  process.exitCode = 1;
}
