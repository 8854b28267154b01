import { AppError, type ErrorCode } from '../errors.ts';
import { compareVersions, type MigrationFile } from './files.ts';
import type { AppliedMigration } from './history.ts';

export type MigrationState = 'applied' | 'pending' | 'changed' | 'missing' | 'out-of-order';

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

/** Compares the folder with the history and says of each version where it stands, in order. Never throws. */
export function migrationStates(files: MigrationFile[], applied: AppliedMigration[]): MigrationEntry[] {
  const current = newest(applied);
  const recordOf = byVersion(applied);
  const fileOf = byVersion(files);
  const entries = files.map((file) => entry(file, recordOf.get(BigInt(file.version)), current));
  const missing = applied
    .filter(({ version }) => !fileOf.has(BigInt(version)))
    .map((record): MigrationEntry => ({ ...told(record), state: 'missing', appliedAt: record.appliedAt }));
  return [...entries, ...missing].toSorted((a, b) => compareVersions(a.version, b.version));
}

/**
 * What to apply, in order, up to and including version `to`.
 * @throws MIGRATION_CHANGED, MIGRATION_MISSING, MIGRATION_OUT_OF_ORDER where folder and history contradict each other
 * @throws USAGE when `to` is no number, MIGRATIONS_NOT_FOUND when there is no such version
 */
export function planMigrations(
  files: MigrationFile[],
  applied: AppliedMigration[],
  { to }: { to?: string | undefined } = {},
): MigrationPlan {
  const states = migrationStates(files, applied);
  if (to !== undefined) checkTarget(to, states);
  refuse('MIGRATION_CHANGED', states, 'changed', changedSince(files));
  refuse('MIGRATION_MISSING', states, 'missing', ({ file }) => `${file} was applied, but the folder holds it no more`);
  const current = newest(applied);
  refuse(
    'MIGRATION_OUT_OF_ORDER',
    states,
    'out-of-order',
    ({ file }) => `${file} is not applied, but the newer version ${current} is`,
  );
  const recordOf = byVersion(applied);
  const open = files.filter(({ version }) => !recordOf.has(BigInt(version)));
  const wanted = (file: MigrationFile): boolean => to === undefined || compareVersions(file.version, to) <= 0;
  return { pending: open.filter(wanted), later: open.filter((file) => !wanted(file)), current, states };
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
  MIGRATION_OUT_OF_ORDER: 'give the file a number above the newest applied one (it came in by a merge?)',
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
