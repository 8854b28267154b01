import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../lib/errors.ts';
import { checksumOf, type MigrationFile } from '../../../lib/migrations/files.ts';
import type { AppliedMigration, History } from '../../../lib/migrations/history.ts';
import { migrationStates, planMigrations as planOf, type MigrationPlan } from '../../../lib/migrations/plan.ts';

function file(version: string, sql = `SELECT ${version}`): MigrationFile {
  const name = `${version}_x.sql`;
  return { version, name: 'x', file: name, path: `/m/${name}`, sql, transaction: true, checksum: checksumOf(sql) };
}

function applied(version: string, sql?: string): AppliedMigration {
  const { name, file: base, checksum } = file(version, sql);
  return { version, name, file: base, checksum, appliedAt: '2026-01-01T00:00:00.000Z', seconds: 0.1 };
}

function planMigrations(
  forward: MigrationFile[],
  done: AppliedMigration[],
  options: Parameters<typeof planOf>[2] = {},
): MigrationPlan {
  return planOf({ forward, repeatable: [] }, history(done), options);
}

function history(done: AppliedMigration[], more: Partial<History> = {}): History {
  return { applied: done, repeatable: [], statements: [], ...more };
}

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('planMigrations', () => {
  it('gives what is not applied, in order, and the newest applied version', () => {
    const plan = planMigrations([file('1'), file('2'), file('10')], [applied('1')]);
    expect(plan.pending.map(({ version }) => version)).toEqual(['2', '10']);
    expect(plan.current).toBe('1');
    expect(plan.states.map(({ state }) => state)).toEqual(['applied', 'pending', 'pending']);
  });

  it('knows a version by its number', () => {
    expect(planMigrations([file('001', 'A')], [applied('1', 'A')]).pending).toEqual([]);
  });

  it('stops at `to`', () => {
    const plan = planMigrations([file('1'), file('2'), file('3')], [], { to: '02' });
    expect(plan.pending.map(({ version }) => version)).toEqual(['1', '2']);
    expect(plan.later.map(({ version }) => version)).toEqual(['3']);
  });

  it('refuses a target that is not there or no version', () => {
    expect(refusal(() => planMigrations([file('1')], [], { to: '7' })).code).toBe('MIGRATIONS_NOT_FOUND');
    expect(refusal(() => planMigrations([file('1')], [], { to: 'latest' })).code).toBe('USAGE');
  });

  it('stops at a changed file and shows both checksums', () => {
    const error = refusal(() => planMigrations([file('1', 'new'), file('2')], [applied('1', 'old')]));
    expect(error.code).toBe('MIGRATION_CHANGED');
    expect(error.message).toContain('1_x.sql');
    expect(error.message).toContain(checksumOf('old').slice(0, 12));
    expect(error.message).toContain(checksumOf('new').slice(0, 12));
    expect(error.hint).toMatch(/new migration/);
  });

  it('stops where an applied file is gone', () => {
    const error = refusal(() => planMigrations([file('2')], [applied('1')]));
    expect(error.code).toBe('MIGRATION_MISSING');
    expect(error.message).toContain('1_x.sql');
  });

  it('stops at a file older than the newest applied', () => {
    const error = refusal(() => planMigrations([file('1'), file('2'), file('3')], [applied('3')]));
    expect(error.code).toBe('MIGRATION_OUT_OF_ORDER');
    expect(error.message).toMatch(/1_x\.sql.*version 3.*1 more/);
    expect(error.output).toContain('2_x.sql');
    expect(error.data).toEqual({ files: ['1_x.sql', '2_x.sql'] });
  });
});

describe('migrationStates', () => {
  it('tells every state without throwing', () => {
    const files = [file('1', 'new'), file('2'), file('4'), file('5'), file('6')];
    const states = migrationStates(
      { forward: files, repeatable: [] },
      history([applied('1', 'old'), applied('3'), applied('4'), applied('5')]),
    );
    expect(states.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 changed',
      '2 out-of-order',
      '3 missing',
      '4 applied',
      '5 applied',
      '6 pending',
    ]);
    expect(states[0]?.checksum).toBe(checksumOf('old'));
    expect(states[5]?.appliedAt).toBeNull();
  });
});
