/** From argv to a command of the table, its option values and its operands. */
import { type Command, commandsOf, firstWords } from './commands.ts';
import { Failure } from './failure.ts';
import { escapeText } from './names.ts';
import { type Option, type OptionName, type OptionValues, options } from './options.ts';
import { closest } from './suggest.ts';

export interface Parsed {
  readonly command: Command;
  readonly values: Partial<OptionValues>;
  readonly operands: readonly string[];
}

/** Options that every command knows. */
const everywhere: readonly OptionName[] = ['help'];

/** The whole command line after `btfuse`. Throws a Failure for every mistake in it. */
export function parse(argv: readonly string[]): Parsed {
  const { command, rest } = findCommand(argv);
  const known = [...command.options, ...everywhere];
  const values: Partial<OptionValues> = {};
  const operands: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index]!;
    if (word === '--') {
      operands.push(...rest.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (command.passThrough) {
        operands.push(...rest.slice(index));
        break;
      }
      operands.push(word);
      continue;
    }
    const { name, inline } = findOption(word, known, command);
    const needsValue = options[name].value !== undefined;
    if (!needsValue && inline !== undefined) throw new Failure(`--${name} takes no value`);
    const text = inline ?? (needsValue ? rest[index + 1] : undefined);
    if (needsValue && inline === undefined) index += 1;
    take(values, name, text);
  }
  if (values.help === undefined) checkOperands(command, operands);
  return { command, values, operands };
}

function findCommand(argv: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first, second] = argv;
  if (first === undefined) throw new Failure('no command given; see `btfuse help`');
  const family = commandsOf(first);
  if (family.length === 0) throw new Failure(unknown('command', first, firstWords()));
  if (family[0]!.name === first) return { command: family[0]!, rest: argv.slice(1) };
  const words = family.map((command) => command.name.split(' ')[1]!);
  if (second === undefined || second.startsWith('-')) {
    throw new Failure(`\`${first}\` wants one of ${words.join(', ')}`);
  }
  const command = family.find((candidate) => candidate.name === `${first} ${second}`);
  if (command === undefined) throw new Failure(unknown(`\`${first}\` command`, second, words));
  return { command, rest: argv.slice(2) };
}

function findOption(word: string, known: readonly OptionName[], command: Command) {
  const [, flag, inline] = /^([^=]*)(?:=(.*))?$/s.exec(word)!;
  const name = known.find(
    (candidate) =>
      `--${candidate}` === flag ||
      (options[candidate].short !== undefined && `-${options[candidate].short}` === flag),
  );
  if (name !== undefined) return { name, inline };
  const flags = known.map((candidate) => `--${candidate}`);
  throw new Failure(`${unknown('option', flag!, flags)} (see \`btfuse help ${command.name}\`)`);
}

function take(values: Partial<OptionValues>, name: OptionName, text: string | undefined): void {
  const option: Option<unknown> = options[name];
  const store = values as Record<string, unknown>;
  if (option.value === undefined) {
    store[name] = true;
    return;
  }
  if (text === undefined) throw new Failure(`--${name} wants a value: --${name} ${option.value}`);
  if (name in values) throw new Failure(`--${name} is given twice`);
  const value = option.parse!(text);
  if (typeof value === 'object' && value !== null && 'mistake' in value) {
    throw new Failure(`--${name} "${escapeText(text)}" ${String(value.mistake)}`);
  }
  store[name] = value;
}

function checkOperands(command: Command, operands: readonly string[]): void {
  if (operands.length < command.least) {
    throw new Failure(
      `\`${command.name}\` wants ${command.operands}; see \`btfuse help ${command.name}\``,
    );
  }
  if (command.most !== undefined && operands.length > command.most) {
    const extra = escapeText(operands[command.most]!);
    throw new Failure(`\`${command.name}\` does not know what to do with "${extra}"`);
  }
}

function unknown(kind: string, word: string, candidates: readonly string[]): string {
  const guess = closest(word, candidates);
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
  return `unknown ${kind} ${escapeText(word)}${hint}`;
}
