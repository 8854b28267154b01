import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../lib/errors.ts';
import { checksumOf, type MigrationFile } from '../../../lib/migrations/files.ts';
import type { AppliedMigration, History, StatementRecord } from '../../../lib/migrations/history.ts';
import { migrationStates, planMigrations as planOf, type MigrationPlan } from '../../../lib/migrations/plan.ts';

function file(version: string, sql = `SELECT ${version}`): MigrationFile {
  const name = `${version}_x.sql`;
  return { version, name: 'x', file: name, path: `/m/${name}`, sql, transaction: true, checksum: checksumOf(sql) };
}

function applied(version: string, sql?: string): AppliedMigration {
  const { name, file: base, checksum } = file(version, sql);
  return { version, name, file: base, checksum, appliedAt: '2026-01-01T00:00:00.000Z', seconds: 0.1 };
}

function told(version: string) {
  const { name, file: base, checksum } = file(version);
  return { version, name, file: base, checksum };
}

/** Of a file that runs statement by statement, the first one. */
function begun(version: string): StatementRecord {
  return { version, direction: 'up', statement: 1, checksum: 'x', state: 'begun', indexes: [] };
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
    expect(plan.current).toBeNull();
  });

  it('refuses a target that is not there or no version', () => {
    const unknown = refusal(() => planMigrations([file('1'), file('2')], [], { to: '7' }));
    expect([unknown.code, unknown.hint]).toEqual(['MIGRATIONS_NOT_FOUND', 'known are 1, 2']);
    for (const to of ['latest', '1a', 'v1', '']) {
      const { code, hint } = refusal(() => planMigrations([file('1')], [], { to }));
      expect([code, hint]).toEqual(['USAGE', expect.stringContaining('003')]);
    }
  });

  it('stops at a changed file and shows both checksums', () => {
    const error = refusal(() => planMigrations([file('1', 'new'), file('2')], [applied('1', 'old')]));
    expect(error.code).toBe('MIGRATION_CHANGED');
    expect(error.message).toContain('1_x.sql');
    expect(error.message).toContain(checksumOf('old').slice(0, 12));
    expect(error.message).toContain(checksumOf('new').slice(0, 12));
    expect(error.message).not.toMatch(/[0-9a-f]{13}/);
    expect(error.hint).toMatch(/new migration/);
    // Of one file there is nothing to list.
    expect([error.message.includes('more)'), error.output]).toEqual([false, undefined]);
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
    expect(error.output?.split('\n')).toHaveLength(2);
    expect(error.data).toEqual({ files: ['1_x.sql', '2_x.sql'] });
  });

  it('applies it all the same where that is allowed', () => {
    const plan = planMigrations([file('1'), file('2'), file('3')], [applied('2')], { allowOutOfOrder: true });
    expect(plan.pending.map(({ version }) => version)).toEqual(['1', '3']);
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
    expect(states[2]).toEqual({ ...told('3'), state: 'missing', appliedAt: '2026-01-01T00:00:00.000Z' });
  });

  it('orders by number, also what is missing', () => {
    const forward = [file('2'), file('10')];
    const states = migrationStates({ forward, repeatable: [] }, history([applied('9')]));
    expect(states.map(({ version }) => version)).toEqual(['2', '9', '10']);
  });

  it('says of which files some statements have run, and not all', () => {
    const done = history([applied('1')], { statements: [begun('1'), begun('2')] });
    const states = migrationStates({ forward: [file('1'), file('2'), file('3')], repeatable: [] }, done);
    expect(states.map(({ state }) => state)).toEqual(['applied', 'partial', 'pending']);
  });
});

describe('repeatable files', () => {
  const view = (sql: string): MigrationFile => ({ ...file('R__view', sql), file: 'R__view.sql' });
  const folder = (sql: string) => ({ forward: [file('1')], repeatable: [view(sql)] });
  const had = { ...applied('R__view', 'old'), file: 'R__view.sql' };

  it('come last, where they are new or have changed', () => {
    const files = ({ pending }: MigrationPlan) => pending.map((one) => one.file);
    expect(files(planOf(folder('old'), history([])))).toEqual(['1_x.sql', 'R__view.sql']);
    expect(files(planOf(folder('old'), history([applied('1')], { repeatable: [had] })))).toEqual([]);
    const other = { ...had, version: 'R__other' };
    const changed = { ...had, checksum: checksumOf('older') };
    expect(files(planOf(folder('old'), history([applied('1')], { repeatable: [other, changed] })))).toEqual([
      'R__view.sql',
    ]);
  });

  it('wait while only a part of the others is applied', () => {
    const plan = planOf(folder('new'), history([], { repeatable: [had] }), { to: '1' });
    expect([plan.pending, plan.later].map((files) => files.map((one) => one.file))).toEqual([
      ['1_x.sql'],
      ['R__view.sql'],
    ]);
    expect(refusal(() => planOf(folder('new'), history([]), { to: '2' })).hint).toBe('known are 1');
  });

  it('say when they were applied, and of which some statements have run', () => {
    const state = (sql: string, more: Partial<History>) => {
      const { state: found, appliedAt } = migrationStates(folder(sql), history([], more))[1]!;
      return [found, appliedAt];
    };
    expect(state('old', {})).toEqual(['pending', null]);
    expect(state('old', { repeatable: [had] })).toEqual(['applied', had.appliedAt]);
    expect(state('new', { repeatable: [had] })).toEqual(['pending', had.appliedAt]);
    expect(state('new', { repeatable: [had], statements: [begun('1')] })).toEqual(['pending', had.appliedAt]);
    expect(state('new', { repeatable: [had], statements: [begun('R__view')] })).toEqual(['partial', had.appliedAt]);
    expect(state('old', { repeatable: [had], statements: [begun('R__view')] })).toEqual(['applied', had.appliedAt]);
    const half = history([applied('1')], { repeatable: [had], statements: [begun('R__view')] });
    expect(planOf(folder('new'), half).pending.map((one) => one.file)).toEqual(['R__view.sql']);
  });
});
