import { beforeAll, describe, expect, it } from '@jest/globals';
import { locksOf } from '../../../lib/migrations/lock-modes.ts';
import { dataWithin, offsetInFile, outgoing } from '../../../lib/migrations/outgoing.ts';
import { planSteps, StepsRefused } from '../../../lib/migrations/steps.ts';
import { type Grammar, loadGrammar, SyntaxRefused } from '../../../lib/postgres/grammar.ts';

let grammar: Grammar;
beforeAll(async () => {
  grammar = await loadGrammar();
});

const steps = (sql: string) => planSteps(outgoing(sql, { unwrap: false }), grammar, true);

describe('outgoing', () => {
  const sql = 'SELECT 1;\nCOPY t FROM stdin;\nä;\t1\nb\t2\n\\.\nSELECT 2;\nCOPY u FROM stdin\n;\nx\n';

  it('takes the data out of the text and knows where everything stood', () => {
    const out = outgoing(sql, { unwrap: true });
    expect(out.text).toBe('SELECT 1;\nCOPY t FROM stdin;\nSELECT 2;\nCOPY u FROM stdin\n;\n');
    expect(out.cuts.map(({ data }) => data)).toEqual(['ä;\t1\nb\t2\n', 'x\n']);
    for (const word of ['SELECT 1', 'SELECT 2', 'COPY u']) {
      expect(offsetInFile(out, out.text.indexOf(word))).toBe(sql.indexOf(word));
    }
    expect(dataWithin(out, 0, out.text.indexOf('SELECT 2'))).toEqual(['ä;\t1\nb\t2\n']);
  });

  it('takes away a BEGIN and COMMIT around everything, and leaves all else in its place', () => {
    const out = outgoing('BEGIN;\nSELECT 1;\nCOMMIT;', { unwrap: true });
    expect(out.text).toBe('      \nSELECT 1;\n       ');
    expect(out.statements).toHaveLength(1);
    expect(outgoing('BEGIN; A; COMMIT; B;', { unwrap: true }).text).toContain('COMMIT');
  });
});

describe('the grammar', () => {
  it('counts in UTF-16 units, whatever stands in the text', () => {
    const sql = "SELECT 'é😀'; -- ü\nVACUUM t";
    expect(grammar.parse(sql).map(({ start, end, kind }) => [sql.slice(start, end).trim(), kind])).toEqual([
      ["SELECT 'é😀'", 'SelectStmt'],
      ['VACUUM t', 'VacuumStmt'],
    ]);
  });

  it('says where it stumbles', () => {
    const sql = "SELECT '😀'; SELEC 1";
    const stumble = (): unknown => grammar.parse(sql);
    expect(stumble).toThrow(SyntaxRefused);
    expect(stumble).toThrow(expect.objectContaining({ at: sql.indexOf('SELEC 1') }));
  });
});

describe('planSteps', () => {
  it('makes a step of each statement, and of a transaction one', () => {
    const sql = 'SET a.b = 1;\n-- why\nBEGIN; INSERT INTO t VALUES (1); DELETE FROM u; COMMIT;\nVACUUM t;\n';
    const out = outgoing(sql, { unwrap: false });
    expect(
      steps(sql).map((step) => [out.text.slice(step.start, step.end), step.count, step.alone, step.first]),
    ).toEqual([
      ['SET a.b = 1', 1, false, 0],
      ['INSERT INTO t VALUES (1); DELETE FROM u', 2, false, 2],
      ['VACUUM t', 1, true, 5],
    ]);
    expect(steps(sql).map(({ setting }) => setting)).toEqual([true, false, false]);
  });

  it('counts the data of COPY as part of its step, and no comment', () => {
    const [first, second] = ['1', '2'].map((row) => steps(`COPY t FROM stdin;\n${row}\n\\.\n`)[0]?.checksum);
    expect(first).not.toBe(second);
    expect(steps('/* new */ SELECT 1;')[0]?.checksum).toBe(steps('SELECT 1;')[0]?.checksum);
  });

  it.each(['COMMIT; SELECT 1;', 'BEGIN; SELECT 1;', 'SELECT 1; ROLLBACK;', 'SELEC 1;'])('refuses %s', (sql) => {
    expect(() => steps(sql)).toThrow(StepsRefused);
  });

  it('leaves to a newer server what the grammar does not know', () => {
    const out = outgoing('SELEC 1; VACUUM t;', { unwrap: false });
    expect(planSteps(out, grammar, false).map(({ alone }) => alone)).toEqual([false, true]);
  });
});

describe('locksOf', () => {
  it.each([
    ['ALTER TABLE s.t ADD COLUMN n int', 'ACCESS EXCLUSIVE on s.t'],
    ['ALTER TABLE t VALIDATE CONSTRAINT c', 'SHARE UPDATE EXCLUSIVE on t'],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s.u', 'SHARE ROW EXCLUSIVE on t; SHARE ROW EXCLUSIVE on s.u'],
    ['CREATE INDEX ON t (n)', 'SHARE on t'],
    ['CREATE INDEX CONCURRENTLY ON t (n)', 'SHARE UPDATE EXCLUSIVE on t'],
    ['DROP TABLE t, s.u', 'ACCESS EXCLUSIVE on t, s.u'],
    ['DROP INDEX CONCURRENTLY i', 'SHARE UPDATE EXCLUSIVE on i'],
    ['TRUNCATE t', 'ACCESS EXCLUSIVE on t'],
    ['LOCK TABLE t IN SHARE MODE', 'SHARE on t'],
    ['INSERT INTO t VALUES (1)', 'ROW EXCLUSIVE on t'],
    ['VACUUM FULL t', 'ACCESS EXCLUSIVE on t'],
    ['VACUUM', 'SHARE UPDATE EXCLUSIVE on every table'],
    ['REINDEX TABLE CONCURRENTLY t', 'SHARE UPDATE EXCLUSIVE on t'],
    ['REFRESH MATERIALIZED VIEW CONCURRENTLY v', 'EXCLUSIVE on v'],
    ['CREATE TABLE p PARTITION OF t DEFAULT', 'ACCESS EXCLUSIVE on t'],
    ['CREATE TABLE t (a int REFERENCES u)', 'SHARE ROW EXCLUSIVE on u'],
    ['CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()', 'SHARE ROW EXCLUSIVE on t'],
    ['CREATE POLICY p ON t USING (true)', 'ACCESS EXCLUSIVE on t'],
    ['CREATE TABLE t (n int)', ''],
    ['DROP FUNCTION f()', ''],
    ['SELECT 1', ''],
  ])('%s', (sql, expected) => {
    const [statement] = grammar.parse(sql);
    const locks = statement === undefined ? [] : locksOf(statement);
    expect(locks.map(({ mode, on }) => `${mode} on ${on}`).join('; ')).toBe(expected);
  });
});
