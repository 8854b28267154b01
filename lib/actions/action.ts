import type { InstanceName } from '../instances/names.ts';
import type { Operation } from '../operation.ts';
import type { Recovered } from '../recovery.ts';
import type { Rollout } from '../rollout.ts';

/** An option as an action declares it; lib/cli turns it into what yargs wants. */
export interface OptionSpec {
  type: 'string' | 'number' | 'boolean';
  describe: string;
  alias?: string;
  choices?: readonly string[];
  /** Kept for the old tool's users: understood, not shown in the help. */
  hidden?: boolean;
}

export type Options = Record<string, OptionSpec>;

type ValueOf<S extends OptionSpec> = S['type'] extends 'number'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : string;

/** The values of an action's options; what was not given is undefined. */
export type Values<O extends Options> = { [K in keyof O]: ValueOf<O[K]> | undefined };

/** What every request carries beside the action's own options. Paths are absolute, times in milliseconds. */
export interface Common {
  dryRun: boolean;
  timeoutMs: number | undefined;
  lockTimeoutMs: number;
  bindir: string | undefined;
  /** What all instances of this host may commit, of its memory: 0.8 for 80 %. */
  budgetShare: number;
  pgVersion: number | undefined;
  /** The folder the caller stands in: relative paths they give are below it. */
  callerFolder: string;
  /** What stands behind `--`. */
  words: readonly string[];
  toolVersion: string;
  /** How many instances at once. */
  jobs: number;
  /** Whether several may be meant, so that lines carry the instance's name. */
  several: boolean;
  dialogue: Dialogue;
  live: Live;
}

/** The answer of an action that goes on until it is stopped, told while it goes on. */
export interface Live {
  /** False with --json and --quiet, where the answer comes at the end or not at all. */
  watched: boolean;
  /** One line for stdout, now. */
  print(line: string): void;
  /** Draws a whole screen over the one before; absent where stdout is no terminal. */
  draw?: (page: (size: { columns: number; rows: number }) => Text[]) => void;
}

/** A word with the person at the terminal in the middle of the work. */
export interface Dialogue {
  /** Says what is about to happen; nothing where nobody looks (--json, --quiet). */
  show(text: Text[]): void;
  /** Asks before going on; --yes answers. @throws CONFIRMATION_REQUIRED where nobody can be asked, or says no */
  confirm(question: string, name: string): Promise<void>;
}

export interface Context extends Operation, Common {
  /** What killed operations on this instance had left, and what has just become of it. */
  recovered: readonly Recovered[];
  /** Runs a step with the lock of an instance held. @throws LOCKED */
  withInstanceLock<T>(name: string, mode: 'shared' | 'exclusive', step: () => Promise<T>): Promise<T>;
}

/** What an action on the host is given beside: it may have other actions done. */
export interface HostContext extends Context {
  /**
   * Does another action as the operation of its own that it is: with its locks, its journal and its line in the audit. Its
   * confirmation is not asked for: whoever calls has asked.
   * @param target the instance, or the selector of an action on the host
   * @throws whatever it throws; the INTERRUPTED of the command where that was interrupted
   */
  act(
    action: Action,
    target: string,
    options: Readonly<Record<string, string | number | boolean | undefined>>,
    common?: Partial<Pick<Common, 'pgVersion' | 'dryRun'>>,
  ): Promise<Outcome>;
}

/** A piece of what people read; the reporter decides widths and colours. */
export type Text = { line: string } | { fields: [name: string, value: string][] } | Table;

export interface Table {
  head: string[];
  rows: string[][];
  /** Set where several instances' answers make one table. */
  joins?: true;
}

export interface Outcome {
  data: Record<string, unknown>;
  text: Text[];
  /** For status and verification: the answer is there, and it is not "all is well". */
  exitCode?: number;
}

interface Declaration<O extends Options> {
  name: string;
  summary: string;
  /** Said in the action's help below its usage. */
  details?: string;
  examples: readonly [command: string, what: string][];
  options: O;
  /** Set for an action that takes words behind `--`, as its usage names them; it lends its output to a program. */
  words?: string;
  /** Set where a dead-man service (--ping) is told of its begin and end. */
  pings?: true;
  /** How it locks the instance it works on. */
  lock: 'none' | 'shared' | 'exclusive';
  /** Whether it changes anything, which its options may decide: then it has a journal. */
  changes: boolean | ((options: Values<O>) => boolean);
  /** True for one that goes on until Ctrl-C or SIGTERM, which is then its proper end; such are not queued, but all begun at once. */
  untilStopped?: (options: Values<O>) => boolean;
  /** Throws for values that can be seen to be wrong without looking at anything: before a lock or a folder is made. */
  check?: (options: Values<O>, common: Common) => void;
  /** Set for an action that takes something away: what it is about to do, as a person is asked. */
  confirm?: (name: string, options: Values<O>) => string | undefined;
}

/** An action on one instance at a time; several selected are done one by one or side by side. */
export interface InstanceAction<O extends Options = Options> extends Declaration<O> {
  target: 'existing' | 'new' | 'either';
  /** Set where `all` and globs also mean what only the repository still knows. */
  alsoBackedUp?: true;
  /** The instance that is changed, where that is another than the one selected, which is then only read. */
  subject?: (name: InstanceName, options: Values<O>) => InstanceName;
  /** Asked when several are selected, before the first: the order, and what a failure means. Without it each is on its own. */
  rollout?: (context: Context, names: readonly InstanceName[], options: Values<O>) => Promise<Rollout>;
  run(context: Context, name: InstanceName, options: Values<O>): Promise<Outcome>;
}

/**
 * An action on the host or the whole root; with `some`, a selector may narrow it to some of the instances, with `declared`
 * to some of those that there are to be, which it looks up itself.
 */
export interface HostAction<O extends Options = Options> extends Declaration<O> {
  target: 'none' | 'some' | 'declared';
  /**
   * @param selected with the target `some`: all instances, unless a selector has narrowed that; else none
   * @param selector the words that selected them
   */
  run(context: HostContext, options: Values<O>, selected: readonly InstanceName[], selector: string): Promise<Outcome>;
}

export type Action = InstanceAction | HostAction;

export function isHostAction(action: Action): action is HostAction {
  return action.target === 'none' || action.target === 'some' || action.target === 'declared';
}

export function changesAnything({ changes }: Action, options: Values<Options>): boolean {
  return typeof changes === 'function' ? changes(options) : changes;
}

/** Declares an action on instances; the types of its option values follow from the declaration. */
export function instanceAction<const O extends Options>(action: InstanceAction<O>): InstanceAction {
  return action as unknown as InstanceAction;
}

export function hostAction<const O extends Options>(action: HostAction<O>): HostAction {
  return action as unknown as HostAction;
}
