import { describe, expect, it } from '@jest/globals';
import { migrationStatus } from '../../lib/migrations/apply.ts';
import { withMigrationLock } from '../../lib/migrations/lock.ts';
import { sessionSettings } from '../../lib/migrations/session.ts';
import { poll } from '../../lib/host/wait.ts';
import type { Client } from '../../lib/postgres/sql.ts';
import { refusal, usePlayground } from '../helpers/migrations.ts';

// The eleven traps of the peers (anchors, "Traps and the rule each forces"): each test is red without its rule.
const play = usePlayground();

async function until(probe: () => boolean | Promise<boolean>): Promise<void> {
  const found = await poll(async () => ((await probe()) ? true : undefined), {
    signal: play.stopper.signal,
    timeoutMs: 20_000,
  });
  expect(found).toBe(true);
}

/** Holds the migration lock on a connection of its own while `work` goes on beside a run that waits for it. */
async function whileWaiting(work: (holder: Client) => Promise<void>): Promise<void> {
  await play.server.query(play.database, async (holder) => {
    let waiting: Promise<unknown> = Promise.resolve();
    await withMigrationLock(play.task, holder, 0, async () => {
      waiting = play.run();
      waiting.catch(() => undefined);
      await until(() => play.warnings.some((warning) => warning.startsWith('waiting for another migration')));
      await work(holder);
    });
    await waiting;
  });
}

describe('traps', () => {
  it('trap 1: a waiter holds no snapshot, so the CREATE INDEX CONCURRENTLY of the holder does not wait for it', async () => {
    play.put({ '1_a.sql': 'SELECT 1;' });
    await play.sql('CREATE TABLE t (n int)');
    await whileWaiting(async (holder) => {
      await holder.query("SET statement_timeout = '5s'");
      await holder.query('CREATE INDEX CONCURRENTLY ON t (n)');
    });
    expect(await play.history()).toEqual(['1']);
  });

  it('trap 2: the lock is one of the session, on the very connection that runs the files', async () => {
    play.put({
      '1_a.sql': `CREATE TABLE t (n int);
        CREATE TABLE held AS SELECT pid = pg_backend_pid() AS own, virtualtransaction <> '' AS v FROM pg_locks
          WHERE locktype = 'advisory' AND objsubid = 1 AND classid = ${0x70675f6d} AND objid = ${0x616e6167};
        CREATE INDEX CONCURRENTLY ON t (n);`,
    });
    await play.run({ lockRetry: { timeoutMs: 500, tries: 1, pauseMs: 1 } });
    expect(await play.sql('SELECT own FROM held')).toEqual([{ own: true }]);
  });

  it('trap 3: an unlock that freed nothing is told, as behind a pooler', async () => {
    await play.server.query(play.database, async (client) =>
      withMigrationLock(play.task, client, 0, async () => {
        await client.query('SELECT pg_advisory_unlock_all()');
      }),
    );
    expect(play.warnings).toEqual([expect.stringContaining('not through a pooler')]);
  });

  it('trap 4: idle timeouts do not end the session, keepalives are set, and no step is recorded without the lock', async () => {
    await play.sql(`ALTER DATABASE ${play.database} SET idle_in_transaction_session_timeout = '1s'`);
    await play.sql(`ALTER DATABASE ${play.database} SET idle_session_timeout = '1s'`);
    play.put({
      '1_a.sql': `CREATE TABLE seen AS SELECT current_setting('idle_session_timeout') AS idle,
          current_setting('idle_in_transaction_session_timeout') AS open,
          current_setting('client_connection_check_interval') AS checks;`,
      '2_b.sql': `CREATE TABLE t (n int); SELECT pg_advisory_unlock_all(); CREATE INDEX CONCURRENTLY i ON t (n);`,
    });
    const error = await refusal(play.run());
    expect(error.message).toContain('the migration lock was lost');
    expect(await play.history()).toEqual(['1']);
    expect(await play.sql('SELECT * FROM seen')).toEqual([{ idle: '0', open: '0', checks: '1s' }]);
    expect(await play.sql("SELECT to_regclass('i') AS i")).toEqual([{ i: null }]);
    expect(sessionSettings(1)).toMatchObject({ tcp_keepalives_idle: 30, tcp_keepalives_count: 3 });
  });

  it('trap 5: nothing is made before the lock is had, and what is applied is read after', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t ();' });
    await whileWaiting(async (holder) => {
      const { rows } = await holder.query("SELECT to_regnamespace('pgmanage') AS found");
      expect(rows).toEqual([{ found: null }]);
    });
    const results = await Promise.all(Array.from({ length: 6 }, () => play.run()));
    expect(results.flatMap(({ applied }) => applied)).toEqual([]);
    expect(await play.history()).toEqual(['1']);
  });

  it('trap 6: several statements outside a transaction go one by one, not as one string', async () => {
    play.put({
      '1_a.sql':
        '-- migrate:up transaction:false\nCREATE TABLE t (n int);\nVACUUM t;\nCREATE INDEX CONCURRENTLY i ON t (n);',
    });
    await play.run();
    expect(await play.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass")).toEqual([
      { indisvalid: true },
    ]);
    play.put({ '2_b.sql': '-- migrate:up transaction:false\nCREATE TABLE kept ();\nSELECT 1/0;' });
    await refusal(play.run());
    expect(await play.sql("SELECT to_regclass('kept')::text AS kept")).toEqual([{ kept: 'kept' }]);
  });

  it('trap 7: statements end where the grammar ends them; a command of psql is refused with its line', async () => {
    play.put({
      '1_a.sql': `CREATE TABLE t (s text);
        CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN ';'; END; $f$;
        CREATE FUNCTION g() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 'a;' END; SELECT 'b;'; END;
        INSERT INTO t VALUES ('one; two'), (E'\\'; three');
COPY t FROM stdin;
four; 'five
\\.
        /* six; /* seven; */ */ VACUUM t; -- eight;`,
    });
    await play.run();
    expect(await play.sql('SELECT s, f(), g() FROM t ORDER BY s LIMIT 1')).toEqual([
      { s: "'; three", f: ';', g: 'b;' },
    ]);
    expect(await play.sql('SELECT FROM t')).toHaveLength(3);
    // In a transaction: what only looks like the end of one, or like a statement that none may hold, stands in bodies and words.
    play.put({
      '2_b.sql': `CREATE PROCEDURE p() LANGUAGE plpgsql AS $p$ DECLARE n int; BEGIN COMMIT; END; $p$;
        CREATE FUNCTION h() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'a'; SELECT 'b'; END;
        INSERT INTO t VALUES ('; COMMIT; VACUUM t;'); /* ; COMMIT; */`,
    });
    expect((await play.run()).applied).toHaveLength(1);
    expect(play.warnings).toEqual([]);
    play.put({ '3_c.sql': 'SELECT 1;\n\\gexec\n' });
    expect((await refusal(play.run())).message).toMatch(/^3_c\.sql:2:1: \\gexec is a command of psql/);
  });

  it('trap 8: the key of a dump that became a migration is refused with its line', async () => {
    play.put({ '1_a.sql': '--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\nCREATE TABLE u ();\n' });
    expect((await refusal(play.run())).message).toMatch(/^1_a\.sql:5:1: \\restrict is a command of psql/);
  });

  it('trap 9: line ends and a byte order mark change no checksum', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t ();\nSELECT 1;\n' });
    await play.run();
    play.put({ '1_a.sql': '\uFEFFCREATE TABLE t ();\r\nSELECT 1;\r\n' });
    expect((await play.run()).applied).toEqual([]);
    const { migrations } = await migrationStatus(play.task, play.connection, play);
    expect(migrations.map(({ state }) => state)).toEqual(['applied']);
  });

  it('trap 10: a database that is copied while somebody is connected to it is tried again', async () => {
    await play.server.createDatabase('mould');
    play.put({ '1_a.sql': 'CREATE DATABASE cast_of_it TEMPLATE mould;' });
    const { run: running } = await play.server.query('mould', async (visitor) => {
      await visitor.query('SELECT 1');
      const run = play.run({ lockRetry: { timeoutMs: 500, tries: 5, pauseMs: 10 } });
      run.catch(() => undefined);
      await until(() => play.warnings.some((warning) => warning.includes('being accessed by other users')));
      return { run };
    });
    expect((await running).applied).toHaveLength(1);
    await play.server.query('postgres', async (client) => client.query('DROP DATABASE cast_of_it'));
  });

  it('trap 11: an invalid index that IF NOT EXISTS takes for good is an error that names it', async () => {
    await play.sql('CREATE TABLE t (n int)');
    await play.sql('INSERT INTO t VALUES (1), (1)');
    await play.sql('CREATE UNIQUE INDEX CONCURRENTLY i ON t (n)').catch(() => undefined);
    play.put({ '1_a.sql': 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (n);' });
    const error = await refusal(play.run());
    expect(error.message).toMatch(/1_a\.sql: the index "i" is there and invalid/);
    expect(error.hint).toContain('DROP INDEX CONCURRENTLY "i"');
    expect(await play.history()).toEqual([]);
    await play.sql('DROP INDEX CONCURRENTLY i');
    await play.sql('DELETE FROM t');
    expect((await play.run()).applied).toHaveLength(1);
  });

  it('trap 11: a run ends with the name of every invalid index', async () => {
    await play.sql('CREATE TABLE t (n int)');
    await play.sql('INSERT INTO t VALUES (1), (1)');
    await play.sql('CREATE UNIQUE INDEX CONCURRENTLY i ON t (n)').catch(() => undefined);
    play.put({ '1_a.sql': 'CREATE UNIQUE INDEX IF NOT EXISTS i ON t (n);' });
    await play.run();
    expect(play.warnings.at(-1)).toMatch(/the index public\.i on t is invalid: DROP INDEX CONCURRENTLY public\.i;/);
  });
});
