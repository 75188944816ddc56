// docs/compatibility.md: a row for each program of catalogue.ts with the outcome that the last test run
// had (build/test-report.json). `npm run compatibility` runs the programs and writes the page;
// `--check` fails when the page does not list exactly the programs of the catalogue, or says of one
// what the report contradicts. A program that the run skipped keeps what the page says.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { groups, type Program, programs } from './catalogue.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = `${root}docs/compatibility.md`;
const report = `${root}build/test-report.json`;

type Outcome = 'as on tmpfs' | 'differs';

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const titles: Readonly<Record<Program['group'], string>> = {
  archivers: 'Archivers and copies',
  editors: 'Editors and filters',
  languages: 'Shells and languages',
  builds: 'Compilers and builds',
  servers: 'Servers and databases',
  suites: 'Test suites',
  versions: 'Version control',
  tools: 'Tools',
};

function outcomes(): Map<string, Outcome> {
  const found = new Map<string, Outcome>();
  if (!existsSync(report)) return found;
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const { fullName, status } of testResults.flatMap((file) => file.assertionResults)) {
    if (status === 'passed') found.set(fullName, 'as on tmpfs');
    if (status === 'failed') found.set(fullName, 'differs');
  }
  return found;
}

function version(program: Program): string {
  if (program.package === undefined) return '';
  const result = spawnSync('dpkg-query', ['-W', program.package], { encoding: 'utf8' });
  return result.status === 0 ? (result.stdout.trim().split('\t')[1] ?? '') : '';
}

/** Name → the cells of its row, as the page has them. */
function written(): Map<string, string[]> {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const rows = text.split('\n').filter((line) => /^\| (?!Program|---)/.test(line));
  const cells = rows.map((row) => row.slice(2, -2).split(' | '));
  return new Map(cells.map(([name, ...rest]) => [name!, rest]));
}

function render(): string {
  const found = outcomes();
  const before = written();
  const row = (program: Program): string => {
    const { name, exercises, notes = '' } = program;
    const [brings = '', , outcome = 'not run'] = before.get(name) ?? [];
    const present = [program.package ?? '', version(program)].join(' ').trim();
    const now = found.get(program.test ?? `programs ${name}`);
    // A machine that lacks the program has nothing new to say about it.
    const cells = [name, now === undefined ? brings : present, exercises, now ?? outcome, notes];
    return `| ${cells.join(' | ')} |`;
  };
  const sections = groups.map((group) => {
    const rows = programs.filter((program) => program.group === group).map(row);
    return [
      `## ${titles[group]}`,
      '',
      '| Program | Debian package | What runs | Result | Notes |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  return [
    '<!-- Made by `npm run compatibility` from test/programs/catalogue.ts and the run of its programs. -->',
    '',
    '# Programs that run in the tree',
    '',
    'Each program runs the same script twice: in a directory of the kernel’s tmpfs, and in a tree under',
    '`btfuse run`. "As on tmpfs" means that output, exit status and the files left behind are the same',
    'to the last byte; times, process numbers and the like are taken out first. The scripts are in',
    '[test/programs/scripts](../test/programs/scripts). Packages without a version came another way.',
    '',
    ...sections,
  ].join('\n');
}

function check(): string[] {
  const before = written();
  const found = outcomes();
  const complaints: string[] = [];
  for (const { name, exercises, notes = '', test } of programs) {
    const [, says, outcome, noted] = before.get(name) ?? [];
    const now = found.get(test ?? `programs ${name}`);
    if (says === undefined) complaints.push(`${name} is missing`);
    else if (says !== exercises || noted !== notes) complaints.push(`${name} is described anew`);
    else if (now !== undefined && now !== outcome)
      complaints.push(`${name}: ${outcome}, now ${now}`);
    before.delete(name);
  }
  return [...complaints, ...[...before.keys()].map((name) => `${name} is no longer a program`)];
}

if (process.argv.includes('--check')) {
  const complaints = check();
  for (const line of complaints) console.error(`docs/compatibility.md: ${line}`);
  if (complaints.length > 0) console.error('run: npm run compatibility');
  process.exitCode = complaints.length > 0 ? 1 : 0;
} else {
  writeFileSync(page, render());
  const rows = [...written().values()];
  const same = rows.filter(([, , outcome]) => outcome === 'as on tmpfs').length;
  console.log(`docs/compatibility.md: ${rows.length} programs, ${same} as on tmpfs`);
}
