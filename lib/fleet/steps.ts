import type { InstanceName } from '../instances/names.ts';

/** The actions that a plan is made of. */
export type StepAction =
  | 'destroy'
  | 'create'
  | 'tune'
  | 'restart'
  | 'stop'
  | 'start'
  | 'pooler'
  | 'create-user'
  | 'create-db'
  | 'migrate'
  | 'seed'
  | 'drop-db'
  | 'drop-user'
  | 'schedule'
  | 'autostart';

/** One thing to be done: an action that is there, and what it is called with. */
export interface Step {
  /** `+` makes, `~` changes, `-` takes away. */
  sign: '+' | '~' | '-';
  /** Undefined for what is the root's. */
  instance: InstanceName | undefined;
  action: StepAction;
  options: Record<string, string | number | boolean>;
  /** Which PostgreSQL a new instance is made by. */
  pgVersion?: number;
  changes: Change[];
  /** Set where a person is asked before: what is about to happen, in words. */
  asks?: string;
}

/** What a step changes, for people. */
export interface Change {
  what: string;
  before?: string | undefined;
  after?: string | undefined;
  why?: string | undefined;
}

/** What cannot be had by any step. */
export interface Refusal {
  instance: InstanceName;
  text: string;
  hint: string;
}

/** Why something is taken away. */
export const notInFile = 'not in the file';

export interface FleetPlan {
  /** In the order in which they are done. */
  steps: Step[];
  refusals: Refusal[];
  /** What is there and not in the file: left alone, as it is to be pruned only when that is said. */
  extra: string[];
  /** Those that can be compared as a whole only when they have started. */
  later: InstanceName[];
}

/** `old → new`, or the one of them that there is, and why. */
export function describeChange({ before, after, why }: Change): string {
  const values = before !== undefined && after !== undefined ? `${before} → ${after}` : (after ?? before ?? '');
  return why === undefined ? values : values === '' ? why : `${values}: ${why}`;
}

/** `a`, `a, b`, or of more than so many the first and the last of them. */
export function briefly(names: readonly string[], most = 2): string {
  if (names.length <= most) return names.join(', ');
  return `${names[0]} … ${names.at(-1)} (${names.length})`;
}
