import { describe, expect, it } from '@jest/globals';
import { baseline, initHistory } from '../../lib/migrations/baseline.ts';
import { pendingMigrations } from '../../lib/migrations/apply.ts';
import { previewMigrations } from '../../lib/migrations/preview.ts';
import { rollback, type RollbackTarget } from '../../lib/migrations/rollback.ts';
import { refusal, usePlayground } from '../helpers/migrations.ts';

const play = usePlayground();

const common = { lockTimeoutMs: 1000, toolVersion: '9.9.9' };

const undo = (target: RollbackTarget, more = {}) =>
  rollback(play.task, play.connection, { folder: play.folder, ...common, target, ...more });

const takeOver = (more: { to?: string; dryRun?: boolean } = {}) =>
  baseline(play.task, play.connection, { folder: play.folder, ...common, dryRun: false, ...more });

/** Two migrations in the files of each tool; the second needs no transaction where the tool can say so. */
const folders: Record<string, Record<string, string>> = {
  'the old manage.sh': {
    '001_create_a.sql': 'CREATE TABLE a (n int);\n',
    '002_create_b.sql': 'CREATE TABLE b (n int);\n',
    'rollback_001_create_a.sql': 'DROP TABLE a;\n',
    'rollback_002_create_b.sql': 'DROP TABLE b;\n',
  },
  dbmate: {
    '20240101120000_a.sql': '-- migrate:up\nCREATE TABLE a (n int);\n\n-- migrate:down\nDROP TABLE a;\n',
    '20240102120000_b.sql':
      '-- migrate:up transaction:false\nCREATE TABLE b (n int);\nCREATE INDEX CONCURRENTLY ON b (n);\n\n-- migrate:down\nDROP TABLE b;\n',
  },
  'golang-migrate': {
    '000001_a.up.sql': 'BEGIN;\n\nCREATE TABLE a (n int);\n\nCOMMIT;\n',
    '000001_a.down.sql': 'BEGIN;\nDROP TABLE a;\nCOMMIT;\n',
    '000002_b.up.sql': 'CREATE TABLE b (n int);',
    '000002_b.down.sql': 'DROP TABLE IF EXISTS b;',
  },
  'node-pg-migrate': {
    '1700000000000_add-a.sql': '-- Up Migration\nCREATE TABLE a (n int);\n-- Down Migration\nDROP TABLE a;\n',
    '1700000000001_add-b.up.sql': 'CREATE TABLE b (n int);\n',
    '1700000000001_add-b.down.sql': 'DROP TABLE b;\n',
  },
  goose: {
    '00001_a.sql':
      '-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE a (n int);\n-- +goose StatementEnd\n-- +goose Down\nDROP TABLE a;\n',
    '00002_b.sql':
      '-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE b (n int);\nVACUUM b;\n-- +goose Down\nDROP TABLE b;\n',
  },
};

describe('a folder made for another tool', () => {
  it.each(Object.keys(folders))('runs unchanged, forward and back: %s', async (tool) => {
    play.put(folders[tool] ?? {});
    expect((await play.run()).applied).toHaveLength(2);
    expect(await play.tables()).toEqual(['a', 'b']);
    expect((await undo({ steps: 1 })).undone).toHaveLength(1);
    expect(await play.tables()).toEqual(['a']);
    expect((await undo({ to: '0' })).current).toBeNull();
    expect(await play.tables()).toEqual([]);
    expect((await play.run()).applied).toHaveLength(2);
  });

  it('is refused where it is mixed, and the files are named', async () => {
    play.put({ '1_a.sql': '-- migrate:up\nSELECT 1;', '2_b.sql': '-- Up Migration\nSELECT 2;' });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_AMBIGUOUS');
    expect(error.message).toBe('1_a.sql is marked for dbmate, 2_b.sql for node-pg-migrate');
    expect(error.data).toEqual({ files: ['1_a.sql', '2_b.sql'] });
  });

  it('is refused where two things undo one version', async () => {
    play.put({ '1_a.sql': '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;', '1_a.down.sql': 'SELECT 3;' });
    expect((await refusal(play.run())).message).toBe(
      '1_a.sql holds a down section, and 1_a.down.sql undoes it as well',
    );
  });
});

describe('the history of another tool', () => {
  const three = { '001_a.sql': 'SELECT 1/0;', '002_b.sql': 'SELECT 1/0;', '003_c.sql': 'CREATE TABLE c ();' };

  it.each([
    [
      'schema_migrations',
      "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('001'), ('002')",
    ],
    [
      'schema_migrations',
      "CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY, description text); INSERT INTO schema_migrations VALUES ('001_a'), ('002_b')",
    ],
    [
      'golang-migrate',
      'CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (2, false)',
    ],
    [
      'node-pg-migrate',
      "CREATE TABLE pgmigrations (id serial, name varchar(255), run_on timestamp); INSERT INTO pgmigrations (name) VALUES ('001_a'), ('002_b')",
    ],
  ])('is taken over from %s', async (tool, history) => {
    await play.sql(history);
    play.put(three);
    expect(await takeOver({ dryRun: true })).toMatchObject({
      from: tool,
      recorded: [{ version: '001' }, { version: '002' }],
    });
    expect(await play.sql("SELECT to_regnamespace('pgmanage') AS found")).toEqual([{ found: null }]);
    expect((await takeOver()).recorded.map(({ version }) => version)).toEqual(['001', '002']);
    expect((await takeOver()).recorded).toEqual([]);
    expect((await play.run()).applied.map(({ version }) => version)).toEqual(['003']);
  });

  it('may be said by hand instead', async () => {
    play.put(three);
    expect(await takeOver({ to: '2' })).toMatchObject({
      from: null,
      recorded: [{ version: '001' }, { version: '002' }],
    });
    expect((await play.run()).applied).toHaveLength(1);
  });

  it('is refused where it cannot be believed', async () => {
    play.put(three);
    expect((await refusal(takeOver())).message).toContain('no history of another tool');
    await play.sql('CREATE TABLE schema_migrations (version bigint, dirty boolean)');
    await play.sql('INSERT INTO schema_migrations VALUES (2, true)');
    expect((await refusal(takeOver())).message).toContain('version 2 dirty');
    await play.sql('UPDATE schema_migrations SET version = 9, dirty = false');
    expect((await refusal(takeOver())).message).toMatch(/names 9, and the folder has no such version/);
    await play.sql('CREATE TABLE pgmigrations (name text)');
    expect((await refusal(takeOver())).code).toBe('BASELINE_UNCLEAR');
  });

  it('is ours from the start where nobody else was here', async () => {
    await initHistory(play.task, play.connection, common);
    await initHistory(play.task, play.connection, common);
    expect(await play.sql('SELECT FROM pgmanage.migrations')).toEqual([]);
  });
});

describe('rollback', () => {
  it('refuses before anything is undone where one of them has nothing that undoes it', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a ();', '2_b.sql': 'CREATE TABLE b ();', '2_b.down.sql': 'DROP TABLE b;' });
    await play.run();
    const error = await refusal(undo({ to: '0' }));
    expect(error.code).toBe('MIGRATION_NO_DOWN');
    expect(error.message).toContain('1_a.sql');
    expect(await play.tables()).toEqual(['a', 'b']);
    expect((await undo({ steps: 1 }, { dryRun: true })).pending).toEqual([{ version: '2', name: 'b' }]);
    expect(await play.tables()).toEqual(['a', 'b']);
    expect((await undo({ to: '1' })).undone.map(({ version }) => version)).toEqual(['2']);
    expect((await undo({ to: '1' })).undone).toEqual([]);
    expect((await refusal(undo({ to: '7' }))).code).toBe('MIGRATIONS_NOT_FOUND');
  });

  it('leaves a version whose undoing fails as it was', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a ();', '1_a.down.sql': 'DROP TABLE a;\nDROP TABLE b;' });
    await play.run();
    const error = await refusal(undo({ from: '001' }));
    expect(error.message).toMatch(/^1_a\.down\.sql:2:1: table "b" does not exist/);
    expect(await play.tables()).toEqual(['a']);
    expect(await play.history()).toEqual(['1']);
  });
});

describe('what is applied, and when', () => {
  it('applies R__ files last, and again when they change', async () => {
    play.put({ 'R__v.sql': 'CREATE OR REPLACE VIEW v AS SELECT count(*) FROM a;', '1_a.sql': 'CREATE TABLE a ();' });
    expect((await play.run()).applied.map(({ version }) => version)).toEqual(['1', 'R__v']);
    expect(await play.run()).toMatchObject({ applied: [], current: '1' });
    play.put({ 'R__v.sql': 'CREATE OR REPLACE VIEW v AS SELECT count(*) + 1 FROM a;' });
    await refusal(play.run()); // the column has another type: nothing of it remains
    play.put({ 'R__v.sql': 'CREATE OR REPLACE VIEW v AS SELECT count(*) FROM a WHERE true;', '2_b.sql': 'SELECT 2;' });
    expect((await play.run({ to: '2' })).applied.map(({ version }) => version)).toEqual(['2']);
    expect((await play.run()).applied.map(({ version }) => version)).toEqual(['R__v']);
    expect((await play.run()).applied).toEqual([]);
  });

  it('applies a file that comes late only where it is told to', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a ();', '3_c.sql': 'CREATE TABLE c ();' });
    await play.run();
    play.put({ '2_b.sql': 'CREATE TABLE b ();' });
    const error = await refusal(play.run());
    expect([error.code, error.hint]).toEqual([
      'MIGRATION_OUT_OF_ORDER',
      expect.stringContaining('--allow-out-of-order'),
    ]);
    expect(await play.run({ allowOutOfOrder: true })).toMatchObject({ applied: [{ version: '2' }], current: '3' });
  });

  it('notes the restore point of a run, and makes none where nothing is to be done', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a ();' });
    let made = 0;
    const restorePoint = async (): Promise<string> => `point-${(made += 1)}`;
    expect((await play.run({ restorePoint })).restorePoint).toBe('point-1');
    expect((await play.run({ restorePoint })).restorePoint).toBeNull();
    expect(made).toBe(1);
    const runs = 'SELECT what, restore_point, m.version FROM pgmanage.runs JOIN pgmanage.migrations m USING (run)';
    expect(await play.sql(runs)).toEqual([{ what: 'migrate', restore_point: 'point-1', version: '1' }]);
  });

  it('shows before, in a dry run, each statement with its line and its lock', async () => {
    play.put({
      '1_a.sql': 'BEGIN;\nALTER TABLE t ADD n int;\nCOMMIT;\n',
      '2_b.sql': '\nCREATE INDEX CONCURRENTLY ON t (n);',
    });
    const { pending } = await pendingMigrations(play.task, play.connection, { folder: play.folder });
    expect(await previewMigrations(pending)).toMatchObject([
      {
        transaction: true,
        statements: [{ line: 2, sql: 'ALTER TABLE t ADD n int', locks: [{ mode: 'ACCESS EXCLUSIVE', on: 't' }] }],
      },
      { transaction: false, statements: [{ line: 2, locks: [{ mode: 'SHARE UPDATE EXCLUSIVE' }] }] },
    ]);
    expect(await play.sql("SELECT to_regnamespace('pgmanage') AS found")).toEqual([{ found: null }]);
  });

  it('shows the place of a mistake after the data of a COPY', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t (n int);\nCOPY t FROM stdin;\n1\n2\n\\.\nSELECT 1,\n  m FROM t;\n' });
    expect((await refusal(play.run())).message).toMatch(/^1_a\.sql:7:3: column "m" does not exist/);
    play.put({ '1_a.sql': 'CREATE TABLE t (n int);\nSELECT 1;\nCOPY t FROM stdin;\n1\nx\n\\.\n' });
    const error = await refusal(play.run());
    expect(error.message).toMatch(/^1_a\.sql:3:1: invalid input syntax for type integer: "x"/);
    expect(error.output).toContain('CONTEXT: COPY t, line 2, column n: "x"');
    expect(await play.tables()).toEqual([]);
  });

  it('shows the end of a file whose parenthesis stays open', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t (\n  n int\n' });
    expect((await refusal(play.run())).message).toMatch(/^1_a\.sql:2:8: syntax error/);
  });
});
