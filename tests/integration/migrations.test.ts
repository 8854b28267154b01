import { describe, beforeEach, expect, it } from '@jest/globals';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../lib/host/clock.ts';
import { pause, poll } from '../../lib/host/wait.ts';
import { migrationStatus } from '../../lib/migrations/apply.ts';
import { checksumOf } from '../../lib/migrations/files.ts';
import { withMigrationLock } from '../../lib/migrations/lock.ts';
import { refusal, usePlayground } from '../helpers/migrations.ts';

const play = usePlayground();

async function lockHolders(): Promise<number> {
  const rows = await play.sql(
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
  return rows.length;
}

describe('migrate', () => {
  it('applies the files in order and writes what it did', async () => {
    play.put({
      '10_c.sql': 'INSERT INTO a SELECT max(n) + 1 FROM a;',
      '2_b.sql': 'INSERT INTO a VALUES (1);',
      '001_a.sql': '\uFEFFCREATE TABLE a (n int);\r\n',
      'rollback_001_a.sql': 'DROP TABLE a;',
      '2_b.down.sql': 'TRUNCATE a;',
    });
    const result = await play.run();
    expect(result.applied.map(({ version }) => version)).toEqual(['001', '2', '10']);
    expect(result).toMatchObject({ pending: [], current: '10' });
    expect(await play.sql('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    const [first] = await play.sql('SELECT * FROM pgmanage.migrations WHERE version = $$001$$');
    expect(first).toMatchObject({
      name: 'a',
      file: '001_a.sql',
      checksum: checksumOf('CREATE TABLE a (n int);\n'),
      tool_version: '9.9.9',
      applied_by: 'postgres',
    });
    expect(first?.['seconds']).toBeGreaterThan(0);
    expect(first?.['applied_at']).toBeInstanceOf(Date);
    expect(await play.run()).toEqual({ applied: [], pending: [], current: '10', restorePoint: null });
    expect(await lockHolders()).toBe(0);
  });

  it('stops at `to`, and a dry run touches nothing', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a();', '2_b.sql': 'CREATE TABLE b();', '3_c.sql': 'CREATE TABLE c();' });
    const dry = await play.run({ dryRun: true, to: '2' });
    expect(dry).toEqual({
      applied: [],
      pending: [
        { version: '1', name: 'a' },
        { version: '2', name: 'b' },
      ],
      current: null,
      restorePoint: null,
    });
    expect(await play.sql("SELECT to_regnamespace('pgmanage') AS found")).toEqual([{ found: null }]);
    expect(await play.run({ to: '2' })).toMatchObject({ pending: [{ version: '3', name: 'c' }], current: '2' });
    expect(await play.tables()).toEqual(['a', 'b']);
  });

  it('runs eight at once: each file applied once, all succeed', async () => {
    for (let n = 1; n <= 6; n += 1) play.put({ [`${n}_t.sql`]: `CREATE TABLE t${n}(); SELECT pg_sleep(0.05);` });
    const results = await Promise.all(Array.from({ length: 8 }, () => play.run()));
    expect(results.flatMap(({ applied }) => applied.map(({ version }) => version)).toSorted()).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
    ]);
    expect(results.every(({ current }) => current === '6')).toBe(true);
    expect(await play.history()).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(await lockHolders()).toBe(0);
  });

  it('does not let one file see what another has set', async () => {
    play.put({
      '1_a.sql':
        "CREATE ROLE weak; SET ROLE weak; SET SESSION AUTHORIZATION weak; SELECT set_config('search_path', '', false); SET DateStyle = 'German'; SET lock_timeout = 0; CREATE TEMP TABLE pg_temp.scratch();",
      '2_b.sql':
        'CREATE TEMP TABLE scratch(); CREATE TABLE a AS SELECT current_user AS who, current_setting($$lock_timeout$$) AS wait;',
    });
    await play.run();
    expect(await play.sql('SELECT * FROM public.a')).toEqual([{ who: 'postgres', wait: '5s' }]);
    expect((await migrationStatus(play.task, play.connection, play)).current).toBe('2');
    await play.sql('DROP ROLE weak');
  });

  it('names the running file and its run in pg_stat_activity', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a AS SELECT current_setting($$application_name$$) AS name;' });
    await play.run();
    expect(await play.sql('SELECT name FROM a')).toEqual([{ name: 'pg-manage migrate 1: 1_a.sql' }]);
  });
});

describe('folder against history', () => {
  beforeEach(async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a();', '3_c.sql': 'CREATE TABLE c();' });
    await play.run();
  });

  it('stops at a changed file', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a(n int);', '4_d.sql': 'CREATE TABLE d();' });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_CHANGED');
    expect(error.message).toContain('1_a.sql');
    expect(await play.tables()).toEqual(['a', 'c']);
  });

  it('is blind to line ends and a byte order mark', async () => {
    play.put({ '1_a.sql': '\uFEFFCREATE TABLE a();' });
    expect((await play.run()).applied).toEqual([]);
  });

  it('stops where an applied file is gone', async () => {
    unlinkSync(join(play.folder, '1_a.sql'));
    expect((await refusal(play.run())).code).toBe('MIGRATION_MISSING');
  });

  it('stops at a file that comes too late', async () => {
    play.put({ '2_b.sql': 'CREATE TABLE b();' });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_OUT_OF_ORDER');
    expect(error.message).toContain('2_b.sql');
    expect(await play.tables()).toEqual(['a', 'c']);
  });

  it('tells every state in status', async () => {
    play.put({ '1_a.sql': 'changed', '2_b.sql': '', '4_d.sql': '' });
    unlinkSync(join(play.folder, '3_c.sql'));
    const status = await migrationStatus(play.task, play.connection, play);
    expect(status.current).toBe('3');
    expect(status.migrations.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 changed',
      '2 out-of-order',
      '3 missing',
      '4 pending',
    ]);
    expect(status.migrations[0]?.appliedAt).toMatch(/^\d{4}-.*Z$/);
  });
});

describe('status', () => {
  it('works without a history and makes none', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a();' });
    const status = await migrationStatus(play.task, play.connection, play);
    expect(status).toMatchObject({ current: null, migrations: [{ version: '1', state: 'pending', appliedAt: null }] });
    expect(await play.sql("SELECT to_regnamespace('pgmanage') AS found")).toEqual([{ found: null }]);
  });
});

describe('a file that fails', () => {
  it('leaves nothing of itself, and those before it stay', async () => {
    play.put({
      '1_a.sql': 'CREATE TABLE a();',
      '2_b.sql': 'CREATE TABLE b();\nSELECT 1/0;',
      '3_c.sql': 'CREATE TABLE c();',
    });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_FAILED');
    // The server gives no position here: the statement after the finished ones is shown.
    expect(error.message).toBe('2_b.sql:2:1: division by zero (SQLSTATE 22012)');
    expect(error.output).toContain('LINE 2: SELECT 1/0;\n        ^');
    expect(error.data).toMatchObject({ version: '2', line: 2, column: 1, applied: [{ version: '1' }] });
    expect(await play.tables()).toEqual(['a']);
    expect(await play.history()).toEqual(['1']);
    expect(await lockHolders()).toBe(0);
    play.put({ '2_b.sql': 'CREATE TABLE b();' });
    expect((await play.run()).applied.map(({ version }) => version)).toEqual(['2', '3']);
  });

  it('shows file, line, column, the line with a caret, and the words of the server', async () => {
    play.put({ '1_a.sql': "CREATE TABLE a (n int);\n\nSELECT 'é😀', mm FROM a;\n" });
    const error = await refusal(play.run());
    expect(error.message).toBe('1_a.sql:3:14: column "mm" does not exist (SQLSTATE 42703)');
    expect(error.output).toBe(
      'LINE 3: SELECT \'é😀\', mm FROM a;\n                     ^\nERROR: column "mm" does not exist',
    );
  });

  it('shows detail, hint and context', async () => {
    play.put({ '1_a.sql': `DO $$ BEGIN RAISE 'no' USING DETAIL = 'because', HINT = 'try'; END $$;` });
    const { output } = await refusal(play.run());
    expect(output).toMatch(/ERROR: no\nDETAIL: because\nHINT: try\nCONTEXT: PL\/pgSQL function/);
  });

  it('fails at COMMIT when a deferred constraint does', async () => {
    play.put({
      '1_a.sql': 'CREATE TABLE a (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO a VALUES (1), (1);',
    });
    const error = await refusal(play.run());
    expect(error.message).toMatch(/1_a\.sql: at COMMIT: .*23505/);
    expect(await play.tables()).toEqual([]);
    expect(await play.history()).toEqual([]);
  });

  it('refuses COMMIT and psql commands before anything runs', async () => {
    for (const text of ['CREATE TABLE b(); COMMIT;', '\\i x.sql']) {
      play.put({ '1_a.sql': 'CREATE TABLE a(n int);', '2_b.sql': text });
      expect((await refusal(play.run())).message).toMatch(/^2_b\.sql:1:\d+: /);
      expect(await play.tables()).toEqual([]);
    }
  });

  it('tells a lost connection, and the server has kept nothing', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a(); SELECT pg_terminate_backend(pg_backend_pid());' });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_FAILED');
    expect(error.message).toContain('connection was lost');
    expect(await play.tables()).toEqual([]);
  });
});

describe('what the reader of SQL misses', () => {
  // With this setting '\'' is one string for the server and not for our reader, which takes what follows for a string.
  beforeEach(() => play.sql(`ALTER DATABASE ${play.database} SET standard_conforming_strings = off`));

  it('a COMMIT is noticed by the number of the transaction and not recorded', async () => {
    play.put({ '1_a.sql': String.raw`SELECT '\''; COMMIT; SELECT 'x';` });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_FAILED');
    expect(error.message).toContain('the file ends the transaction itself');
    expect(await play.history()).toEqual([]);
  });

  it('a COPY FROM stdin ends in an error and does not hang', async () => {
    play.put({ '1_a.sql': String.raw`CREATE TABLE a(n int); SELECT '\''; COPY a FROM stdin; SELECT 'x';` });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_FAILED');
    expect(error.message).toMatch(/COPY from stdin failed.*57014/);
    expect(await play.tables()).toEqual([]);
  });
});

describe('locks', () => {
  it('names the session that holds the migration lock past the limit', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a();' });
    await play.server.query(play.database, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await client.query("SET application_name = 'the other'");
      await withMigrationLock(play.task, client, 0, async () => {
        const error = await refusal(play.run({ lockTimeoutMs: 300 }));
        expect(error.code).toBe('MIGRATION_LOCKED');
        expect(error.exitCode).toBe(75);
        expect(error.message).toContain(`pid ${rows[0]?.pid} (the other), connected since 20`);
        expect(play.warnings).toHaveLength(1);
        expect(play.warnings[0]).toContain(`pid ${rows[0]?.pid}`);
      });
    });
    expect(await play.tables()).toEqual([]);
    expect((await play.run()).applied).toHaveLength(1);
  });

  it('does not record a file that has freed the lock', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a(); SELECT pg_advisory_unlock_all();' });
    expect((await refusal(play.run())).message).toContain('the migration lock was lost');
    expect(await play.tables()).toEqual([]);
  });

  /** Holds ACCESS EXCLUSIVE on table a while `work` goes on, for `ms` at most. */
  async function blocking<T>(ms: number, work: () => Promise<T>): Promise<T> {
    return play.server.query(play.database, async (client) => {
      await client.query('BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
      const worked = work();
      const over = new AbortController();
      const limit = pause(ms, over.signal).catch(() => undefined);
      await Promise.race([limit, worked.catch(() => undefined)]);
      over.abort();
      await client.query('ROLLBACK');
      return worked;
    });
  }

  it('rolls a file back and tries it again when a table stays locked', async () => {
    await play.sql('CREATE TABLE a()');
    play.put({ '1_b.sql': 'CREATE TABLE b();', '2_a.sql': 'CREATE TABLE c(); ALTER TABLE a ADD n int;' });
    const lockRetry = { timeoutMs: 100, tries: 50, pauseMs: 50 };
    const startedMs = monotonicMs();
    const result = await blocking(800, () => play.run({ lockRetry }));
    expect(monotonicMs() - startedMs).toBeGreaterThan(700);
    expect(result.applied).toHaveLength(2);
    expect(play.warnings[0]).toMatch(/^2_a\.sql:1:19: canceling statement due to lock timeout.*tried again/);
    expect(await play.history()).toEqual(['1', '2']);
    expect(await play.tables()).toEqual(['a', 'b', 'c']);
  });

  it('gives up after so many tries, and leaves nothing', async () => {
    await play.sql('CREATE TABLE a()');
    play.put({ '1_a.sql': 'CREATE TABLE c(); ALTER TABLE a ADD n int;' });
    const lockRetry = { timeoutMs: 50, tries: 3, pauseMs: 10 };
    const error = await refusal(blocking(10_000, () => play.run({ lockRetry })));
    expect(error.message).toMatch(/55P03.*tried 3 times/);
    expect(await play.tables()).toEqual(['a']);
    expect(await play.history()).toEqual([]);
  });
});

describe('an interrupted run', () => {
  it('leaves the database unlocked and the file rolled back, at once', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE a(); SELECT pg_sleep(60);' });
    const running = play.run();
    running.catch(() => undefined);
    const asleep =
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg-manage migrate 1: 1_a.sql' AND wait_event = 'PgSleep'";
    await poll(async () => ((await play.sql(asleep)).length > 0 ? true : undefined), {
      signal: play.stopper.signal,
      timeoutMs: 10_000,
    });
    const reason = new DOMException('stop', 'AbortError');
    play.stopper.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(await lockHolders()).toBe(0);
    expect(await play.sql(asleep)).toEqual([]);
    expect(await play.tables()).toEqual([]);
    play.stopper = new AbortController();
    play.put({ '1_a.sql': 'CREATE TABLE a();' });
    expect((await play.run()).applied).toHaveLength(1);
  });
});
