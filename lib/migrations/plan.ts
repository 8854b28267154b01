import { AppError, type ErrorCode } from '../errors.ts';
import { compareVersions, type MigrationFile, type MigrationFolder } from './files.ts';
import type { AppliedMigration, History } from './history.ts';

/** `partial`: some statements of a file that is not transactional have run. A repeatable one that has changed is pending. */
export type MigrationState = 'applied' | 'pending' | 'partial' | 'changed' | 'missing' | 'out-of-order';

export interface MigrationEntry {
  version: string;
  name: string;
  file: string;
  state: MigrationState;
  /** ISO-8601 UTC; null while it is not applied. */
  appliedAt: string | null;
  /** Of the text that was applied; of the file while it is not applied. */
  checksum: string;
}

export interface MigrationPlan {
  /** What to apply now, in this order. */
  pending: MigrationFile[];
  /** What stays unapplied because it lies beyond `to`. */
  later: MigrationFile[];
  /** The newest applied version. */
  current: string | null;
  states: MigrationEntry[];
}

export type Observed = Pick<MigrationFolder, 'forward' | 'repeatable'>;

/** Compares the folder with the history and says of each version where it stands, in order. Never throws. */
export function migrationStates({ forward, repeatable }: Observed, history: History): MigrationEntry[] {
  const { applied } = history;
  const current = newest(applied);
  const recordOf = byVersion(applied);
  const fileOf = byVersion(forward);
  const begun = new Set(history.statements.map(({ version }) => version));
  const entries = forward.map((file): MigrationEntry => {
    const found = entry(file, recordOf.get(BigInt(file.version)), current);
    return begun.has(file.version) && found.appliedAt === null ? { ...found, state: 'partial' } : found;
  });
  const missing = applied
    .filter(({ version }) => !fileOf.has(BigInt(version)))
    .map((record): MigrationEntry => ({ ...told(record), state: 'missing', appliedAt: record.appliedAt }));
  const versioned = [...entries, ...missing].toSorted((a, b) => compareVersions(a.version, b.version));
  return [...versioned, ...repeatable.map((file) => repeatableEntry(file, history))];
}

/**
 * What to apply, in order, up to and including version `to`; without it the repeatable files that are new or have changed
 * come last.
 * @throws MIGRATION_CHANGED, MIGRATION_MISSING, MIGRATION_OUT_OF_ORDER where folder and history contradict each other
 * @throws USAGE when `to` is no number, MIGRATIONS_NOT_FOUND when there is no such version
 */
export function planMigrations(
  folder: Observed,
  history: History,
  { to, allowOutOfOrder = false }: { to?: string | undefined; allowOutOfOrder?: boolean | undefined } = {},
): MigrationPlan {
  const { forward, repeatable } = folder;
  const states = migrationStates(folder, history);
  const versioned = states.filter(({ version }) => !isRepeatable(version));
  if (to !== undefined) checkTarget(to, versioned);
  refuse('MIGRATION_CHANGED', versioned, 'changed', changedSince(forward));
  refuse(
    'MIGRATION_MISSING',
    versioned,
    'missing',
    ({ file }) => `${file} was applied, but the folder holds it no more`,
  );
  const current = newest(history.applied);
  if (!allowOutOfOrder) {
    refuse(
      'MIGRATION_OUT_OF_ORDER',
      versioned,
      'out-of-order',
      ({ file }) => `${file} is not applied, but the newer version ${current} is`,
    );
  }
  const open = new Set(
    states
      .filter(({ appliedAt, state }) => appliedAt === null || state === 'pending' || state === 'partial')
      .map(({ file }) => file),
  );
  const wanted = ({ version }: MigrationFile): boolean =>
    to === undefined || (!isRepeatable(version) && compareVersions(version, to) <= 0);
  const unapplied = [...forward, ...repeatable].filter(({ file }) => open.has(file));
  return {
    pending: unapplied.filter(wanted),
    later: unapplied.filter((file) => !wanted(file)),
    current,
    states,
  };
}

/** True for the version of a file `R__name.sql`. */
export function isRepeatable(version: string): boolean {
  return version.startsWith('R__');
}

/** The newest of these versions. */
export function newest(applied: { version: string }[]): string | null {
  return (
    applied
      .map(({ version }) => version)
      .toSorted(compareVersions)
      .at(-1) ?? null
  );
}

const hints = {
  MIGRATION_CHANGED: 'put the file back as it was applied, and write the change as a new migration',
  MIGRATION_MISSING:
    'put the file back (is this the right folder, the right branch?); --action migrate-status shows all',
  MIGRATION_OUT_OF_ORDER:
    'give the file a number above the newest applied one (it came in by a merge?), or apply it now with --allow-out-of-order',
} as const satisfies Partial<Record<ErrorCode, string>>;

function refuse(
  code: keyof typeof hints,
  states: MigrationEntry[],
  state: MigrationState,
  tell: (entry: MigrationEntry) => string,
): void {
  const wrong = states.filter((entry) => entry.state === state);
  const [first, ...others] = wrong.map(tell);
  if (first === undefined) return;
  throw new AppError(code, others.length === 0 ? first : `${first} (and ${others.length} more)`, {
    hint: hints[code],
    ...(others.length === 0 ? {} : { output: [first, ...others].join('\n') }),
    data: { files: wrong.map(({ file }) => file) },
  });
}

function changedSince(files: MigrationFile[]): (entry: MigrationEntry) => string {
  const fileOf = byVersion(files);
  return ({ version, checksum }) => {
    const present = fileOf.get(BigInt(version));
    return (
      `${present?.file} has changed since it was applied: ` +
      `SHA-256 ${short(checksum)} was applied, the file has ${short(present?.checksum ?? '')}`
    );
  };
}

function checkTarget(to: string, states: MigrationEntry[]): void {
  if (!/^\d+$/.test(to)) {
    throw new AppError('USAGE', `"${to}" is not a version`, {
      hint: 'give the number at the head of a file name: 003',
    });
  }
  if (states.some(({ version }) => compareVersions(version, to) === 0)) return;
  throw new AppError('MIGRATIONS_NOT_FOUND', `there is no migration of version ${to}`, {
    hint: `known are ${states.map(({ version }) => version).join(', ')}`,
  });
}

function entry(file: MigrationFile, record: AppliedMigration | undefined, current: string | null): MigrationEntry {
  if (record !== undefined) {
    const state = record.checksum === file.checksum ? 'applied' : 'changed';
    return { ...told(file), checksum: record.checksum, state, appliedAt: record.appliedAt };
  }
  const late = current !== null && compareVersions(file.version, current) < 0;
  return { ...told(file), state: late ? 'out-of-order' : 'pending', appliedAt: null };
}

/** An applied one is applied, or waits to be applied again. */
function repeatableEntry(file: MigrationFile, { repeatable, statements }: History): MigrationEntry {
  const record = repeatable.find(({ version }) => version === file.version);
  const state = record?.checksum === file.checksum ? 'applied' : 'pending';
  const begun = state === 'pending' && statements.some(({ version }) => version === file.version);
  return { ...told(file), state: begun ? 'partial' : state, appliedAt: record?.appliedAt ?? null };
}

function told({
  version,
  name,
  file,
  checksum,
}: MigrationFile | AppliedMigration): Omit<MigrationEntry, 'state' | 'appliedAt'> {
  return { version, name, file, checksum };
}

/** By the number, not the text: `001` and `1` are one version. */
function byVersion<T extends { version: string }>(list: T[]): Map<bigint, T> {
  return new Map(list.map((one) => [BigInt(one.version), one]));
}

function short(checksum: string): string {
  return checksum.slice(0, 12);
}
