import yargsParser from 'yargs-parser';
import type { Action, Options, Values } from '../actions/action.ts';
import { actions } from '../actions/index.ts';
import { AppError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { meantAction } from './habits.ts';
import { addressOptions, commonOptions } from './options.ts';

export type CommonValues = Values<typeof commonOptions>;

/** What was asked for, before anything of the machine has been looked at. */
export type Parsed =
  | { kind: 'text'; text: string }
  | {
      kind: 'action';
      action: Action;
      selector: string | undefined;
      options: Values<Options>;
      common: CommonValues;
      words: string[];
    };

/** The parts of an error that the reporter needs even where the command line could not be understood. */
export interface Style {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean | undefined;
  action: string | undefined;
  instance: string | undefined;
}

type RawValues = Record<string, unknown> & { _: (string | number)[] };

/** Reads words as yargs does, by its own parser: all of yargs takes 6 ms, which only the help needs. */
function read(argv: readonly string[], options: Options): { values: RawValues; error: Error | null } {
  const entries = Object.entries(options);
  // Numbers are read as text, and checked below like choices: the parser would make NaN of a slip of the finger.
  const [boolean, string] = [true, false].map((wanted) =>
    entries.filter(([, { type }]) => (type === 'boolean') === wanted).map(([name]) => name),
  );
  const { argv: values, error } = yargsParser.detailed([...argv], {
    boolean,
    string,
    narg: Object.fromEntries((string ?? []).map((name) => [name, 1])),
    alias: Object.fromEntries(entries.flatMap(([name, { alias }]) => (alias === undefined ? [] : [[name, [alias]]]))),
    configuration: {
      'duplicate-arguments-array': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'camel-case-expansion': false,
      'populate--': true,
    },
  });
  return { values, error };
}

/** @throws USAGE for an option without its value */
function rawValues(argv: readonly string[], options: Options): RawValues {
  const { values, error } = read(argv, { ...addressOptions, ...commonOptions, ...options });
  if (error === null) return values;
  const missing = /^Not enough arguments following: (\S+)/.exec(error.message)?.[1];
  throw new AppError('USAGE', missing ? `${dashed(missing)} needs a value` : error.message);
}

/** How to print, read leniently: an error about the command line is told in the form that was asked for. */
export function readStyle(argv: readonly string[]): Style {
  const own = ownWords(argv);
  const has = (name: string): boolean => own.includes(`--${name}`);
  const [action, instance] = address(own.filter((word) => word !== '--help' && word !== '-h'));
  const color = has('no-color') ? false : has('color') ? true : undefined;
  return { json: has('json'), quiet: has('quiet'), verbose: has('verbose'), color, action, instance };
}

/** The words before `--`; those behind it are another program's. */
function ownWords(argv: readonly string[]): readonly string[] {
  return argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
}

/** The action and its object, wherever they stand among the arguments. */
function address(argv: readonly string[]): [action: string | undefined, instance: string | undefined] {
  const { values } = read(argv, { ...addressOptions, ...commonOptions });
  const words = values._.map(String);
  const action = (values['action'] as string | undefined) ?? words.shift();
  return [action, (values['instance'] as string | undefined) ?? words[0]];
}

/**
 * @param style what `readStyle` made of the same words
 * @throws USAGE, with the nearest valid word
 */
export async function parse(argv: readonly string[], version: string, style: Style): Promise<Parsed> {
  const own = ownWords(argv);
  const wantsHelp = own.includes('--help') || own.includes('-h');
  if (own.includes('--version')) return { kind: 'text', text: version };
  const { action: given, instance: object } = style;
  if (argv.length === 0 || given === 'help' || (wantsHelp && given === undefined)) {
    return { kind: 'text', text: await (await import('./help.ts')).overview() };
  }
  if (given === 'completion') return { kind: 'text', text: await (await import('./completion.ts')).completion(object) };
  if (given === 'manual') return { kind: 'text', text: await (await import('./manual.ts')).manual(version) };
  const meant = meantAction(given ?? 'status');
  const action = await actions[meant.name].load();
  if (wantsHelp) return { kind: 'text', text: await (await import('./help.ts')).actionHelp(action) };

  const raw = rawValues(argv, action.options);
  assertKnown(raw, action);
  const words = raw._.map(String);
  if (raw['action'] === undefined) words.shift();
  const selector = (raw['instance'] as string | undefined) ?? words.shift() ?? meant.selector;
  const surplus = words[0];
  if (surplus !== undefined) {
    throw new AppError('USAGE', `what is "${surplus}" for?`, {
      hint: `see: ./manage.ts --action ${action.name} --help`,
    });
  }
  const behind = (raw['--'] ?? []) as string[];
  assertWords(action, behind, style);
  return {
    kind: 'action',
    action,
    words: behind,
    selector,
    options: typed(raw, action.options),
    common: typed(raw, commonOptions) as CommonValues,
  };
}

function assertWords(action: Action, words: readonly string[], { json }: Style): void {
  if (action.words === undefined && words.length > 0) {
    throw new AppError('USAGE', `what is "${words[0]}" for?`, {
      hint: `see: ./manage.ts --action ${action.name} --help`,
    });
  }
  if (action.words !== undefined && json) {
    throw new AppError('USAGE', `${action.name} lends its output to a program: there is no --json`, {
      hint: 'what the program prints is all that is printed',
    });
  }
}

function assertKnown(raw: RawValues, action: Action): void {
  const options: Options = { ...addressOptions, ...commonOptions, ...action.options };
  const aliases = Object.values(options).flatMap(({ alias }) => alias ?? []);
  const known = new Set([...Object.keys(options), ...aliases, '_', '--']);
  const unknown = Object.keys(raw).find((key) => !known.has(key));
  if (unknown === undefined) return;
  const meant = nearest(unknown, Object.keys(options));
  throw new AppError(
    'USAGE',
    `${action.name} has no option ${dashed(unknown)}${meant ? `; did you mean --${meant}?` : ''}`,
    {
      hint: `its options are shown by: ./manage.ts --action ${action.name} --help`,
    },
  );
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function typed(raw: RawValues, options: Options): Values<Options> {
  const values: Record<string, string | number | boolean | undefined> = {};
  for (const [name, { type, choices }] of Object.entries(options)) {
    const value = raw[name] as string | boolean | undefined;
    if (choices !== undefined && value !== undefined) assertChoice(name, String(value), choices);
    values[name] = type === 'number' && value !== undefined ? numberOf(name, String(value)) : value;
  }
  return values as Values<Options>;
}

function assertChoice(name: string, text: string, choices: readonly string[]): void {
  if (choices.includes(text)) return;
  const meant = nearest(text, choices);
  throw new AppError('USAGE', `--${name} cannot be "${text}"${meant ? `; did you mean ${meant}?` : ''}`, {
    hint: `it is one of: ${choices.join(', ')}`,
  });
}

function numberOf(name: string, text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new AppError('USAGE', `--${name} takes a number, not "${text}"`, { hint: `for example: --${name} 30` });
}
