import { describe, expect, it } from '@jest/globals';
import { migrationStatus } from '../../lib/migrations/apply.ts';
import { poll } from '../../lib/host/wait.ts';
import { CuttingProxy } from '../helpers/cutting-proxy.ts';
import { Playground, refusal, usePlayground } from '../helpers/migrations.ts';

const play = usePlayground();

/** Everything that the file below makes, as one comparable value. */
const made = `SELECT
  (SELECT json_agg(t ORDER BY n) FROM s.t) AS rows,
  (SELECT json_agg(indexdef ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 's') AS indexes,
  (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid,
  (SELECT count(*)::int FROM pgmanage.statements) AS statements,
  (SELECT json_agg(version ORDER BY version) FROM pgmanage.migrations) AS versions`;

const stepwise = `-- migrate:up transaction:false
CREATE SCHEMA s;
SET search_path = s;
CREATE TABLE t (n int, m text);
COPY t FROM stdin;
1\tone; 1
2\ttwo
\\.
CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n);
CREATE INDEX CONCURRENTLY ON t (m);
BEGIN;
INSERT INTO t VALUES (3, 'three');
UPDATE t SET m = m || '!';
COMMIT;
VACUUM t;
CREATE INDEX CONCURRENTLY t_gone ON t (n, m);
DROP INDEX CONCURRENTLY t_gone;
INSERT INTO t VALUES (4, 'four');
`;

type Files = Record<string, string>;

async function countMessages(files: Files): Promise<number> {
  const other = await Playground.on(play.server);
  other.put(files);
  const proxy = await CuttingProxy.to(play.server.connection());
  await other.run({}, proxy.connection(other.database));
  await proxy.stop();
  other.remove();
  return proxy.messages;
}

/**
 * What a second run makes of it where the first has lost its connection: after the server had done what a message asks, and
 * before the answer was heard. To lose it before a message is to have lost it after the one before.
 */
async function madeAfterCut(files: Files, message: number) {
  const other = await Playground.on(play.server);
  other.put(files);
  const proxy = await CuttingProxy.to(play.server.connection());
  proxy.cutAt(message);
  const first = await other.run({}, proxy.connection(other.database)).catch((error: unknown) => error);
  await proxy.stop();
  await other.run();
  other.remove();
  expect(first).toBeInstanceOf(Error);
  return (await other.sql(made))[0];
}

describe('what is applied', () => {
  const steps: Files = { '1_a.sql': stepwise };
  const transactions: Files = {
    '1_a.sql': 'CREATE SCHEMA s; CREATE TABLE s.t (n int, m text); COPY s.t FROM stdin;\n1\tone\n\\.\n',
    '2_b.sql': "INSERT INTO s.t VALUES (2, 'two'); CREATE INDEX ON s.t (n);",
    '3_c.sql': "UPDATE s.t SET m = m || '!'; CREATE INDEX ON s.t (m);",
  };
  it.each([
    ['a file that goes statement by statement', steps, ['1'], 25], // 12 statements and a transaction, most of several messages
    ['files in transactions', transactions, ['1', '2', '3'], 8],
  ])('comes to the same wherever the connection is lost: %s', async (_, files, versions, least) => {
    play.put(files);
    await play.run();
    const [expected] = await play.sql(made);
    expect(expected).toMatchObject({ invalid: 0, statements: 0, versions });
    expect(expected?.['indexes']).toHaveLength(2);
    const messages = await countMessages(files);
    expect(messages).toBeGreaterThan(least);
    const cuts = Array.from({ length: messages }, (__, index) => index + 1);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let message = cuts.pop(); message !== undefined; message = cuts.pop()) {
          expect({ message, ...(await madeAfterCut(files, message)) }).toEqual({ message, ...expected });
        }
      }),
    );
  });
});

describe('a file that goes statement by statement', () => {
  it('comes to the same when the server ends the session in the middle of a concurrent build', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t (n int);', '2_b.sql': 'CREATE INDEX CONCURRENTLY i ON t (n);' });
    await play.run({ to: '1' });
    await play.server.query(play.database, async (blocker) => {
      await blocker.query('BEGIN; INSERT INTO t VALUES (1)'); // the build waits for this transaction
      const running = play.run();
      running.catch(() => undefined);
      const building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'";
      const pid = await poll(async () => (await play.sql<{ pid: number }>(building))[0]?.pid, {
        signal: play.stopper.signal,
        timeoutMs: 20_000,
      });
      await play.sql(`SELECT pg_terminate_backend(${pid})`);
      expect((await refusal(running)).message).toContain('the connection was lost');
      await blocker.query('COMMIT');
    });
    expect(await play.sql('SELECT indisvalid FROM pg_index WHERE NOT indisvalid')).toHaveLength(1);
    const { migrations } = await migrationStatus(play.task, play.connection, play);
    expect(migrations.map(({ state }) => state)).toEqual(['applied', 'partial']);
    await play.run();
    expect(await play.sql("SELECT indisvalid FROM pg_index WHERE indrelid = 't'::regclass")).toEqual([
      { indisvalid: true },
    ]);
  });

  it('goes on after a statement that failed, and drops the invalid index that it left', async () => {
    play.put({
      '1_a.sql':
        'CREATE TABLE t (n int);\nINSERT INTO t VALUES (1), (1);\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (n);\nINSERT INTO t VALUES (2);',
    });
    const error = await refusal(play.run());
    expect(error.message).toMatch(/^1_a\.sql:3:1: could not create unique index "i" \(SQLSTATE 23505\)/);
    expect(error.hint).toMatch(/what stands before it .* is done.*an invalid index is left \(public\.i\)/);
    await play.sql('DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)');
    await play.run();
    expect(await play.sql('SELECT n FROM t ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await play.sql('SELECT FROM pg_index WHERE NOT indisvalid')).toEqual([]);
  });

  it('may be corrected after the statements that have run, and not before', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t (n int);\nVACUUM t;\nSELECT 1/0;' });
    expect((await refusal(play.run())).message).toMatch(/^1_a\.sql:3:1: division by zero/);
    play.put({ '1_a.sql': 'CREATE TABLE t (m int);\nVACUUM t;\nSELECT 1/1;' });
    const error = await refusal(play.run());
    expect(error.code).toBe('MIGRATION_CHANGED');
    expect(error.message).toContain('its statement 1');
    play.put({ '1_a.sql': '-- a word\nCREATE TABLE t (n int);\nVACUUM t;\nSELECT 1/1;' });
    expect((await play.run()).applied).toHaveLength(1);
  });

  it('shows the place of a mistake that only the grammar sees, before anything runs', async () => {
    play.put({ '1_a.sql': '-- migrate:up transaction:false\nCREATE TABLE t (n int);\nCREATE TABEL é (n int);\n' });
    expect((await refusal(play.run())).message).toMatch(/^1_a\.sql:3:8: syntax error at or near "TABEL"/);
    expect(await play.sql("SELECT to_regclass('t') AS t")).toEqual([{ t: null }]);
  });

  it('is chosen by the server where the words of a file do not tell', async () => {
    play.put({
      '1_a.sql': "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (e e);",
      '2_b.sql': "ALTER TYPE e ADD VALUE 'b'; INSERT INTO t VALUES ('b');",
      '3_c.sql': "DO $$ BEGIN INSERT INTO t VALUES ('a'); COMMIT; END $$;",
    });
    expect((await play.run()).applied).toHaveLength(3);
    expect(await play.sql('SELECT e::text FROM t')).toEqual([{ e: 'b' }, { e: 'a' }]);
    expect(play.warnings.join('\n')).toMatch(/2_b\.sql cannot run in a transaction \(unsafe use of new value/);
  });

  it('undoes statement by statement as well', async () => {
    play.put({ '1_a.sql': 'CREATE TABLE t (n int);', '2_b.sql': 'CREATE INDEX CONCURRENTLY i ON t (n);' });
    play.put({ '2_b.down.sql': 'DROP INDEX CONCURRENTLY i;' });
    await play.run();
    const { rollback } = await import('../../lib/migrations/rollback.ts');
    const options = { folder: play.folder, lockTimeoutMs: 0, toolVersion: '9.9.9' };
    const result = await rollback(play.task, play.connection, { ...options, target: { steps: 1 } });
    expect(result).toMatchObject({ undone: [{ version: '2' }], current: '1' });
    expect(await play.sql("SELECT to_regclass('i') AS i")).toEqual([{ i: null }]);
  });
});
