import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../lib/errors.ts';
import { checkMigration } from '../../../lib/migrations/check.ts';
import { locate, offsetOf, quoteLine } from '../../../lib/migrations/place.ts';
import { scanStatements } from '../../../lib/migrations/scan.ts';

const firstWords = (sql: string): (string | undefined)[] => scanStatements(sql).map(({ words }) => words[0]);

describe('scanStatements', () => {
  it.each([
    ['SELECT 1; DROP TABLE a', ['select', 'drop']],
    [`SELECT ';'; DROP TABLE ";"`, ['select', 'drop']],
    [`SELECT 'it''s;'; DROP TABLE a`, ['select', 'drop']],
    [String.raw`SELECT E'\';'; DROP TABLE a`, ['select', 'drop']],
    [String.raw`SELECT '\'; DROP TABLE a`, ['select', 'drop']],
    [`SELECT $$;$$, $a$ ; $$ ; $a$; DROP TABLE a`, ['select', 'drop']],
    ['SELECT a$b; DROP TABLE a$c', ['select', 'drop']],
    ['SELECT 1 -- ; COMMIT\n; DROP TABLE a', ['select', 'drop']],
    ['SELECT 1 /* ; /* ; */ ; */; DROP TABLE a', ['select', 'drop']],
    ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); DROP TABLE a', ['create', 'drop']],
    [
      'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; DROP TABLE a',
      ['create', 'drop'],
    ],
    [';;  -- nothing\n;', []],
    ["SELECT 'open; DROP TABLE a", ['select']],
  ])('%s', (sql, words) => {
    expect(firstWords(sql)).toEqual(words);
  });

  it('says where each begins', () => {
    const sql = '-- one\nSELECT 1;\n\nSELECT 2;';
    expect(scanStatements(sql).map(({ start }) => locate(sql, start).line)).toEqual([2, 4]);
  });
});

describe('checkMigration', () => {
  function refused(sql: string): AppError | undefined {
    try {
      checkMigration({ version: '1', file: '1_x.sql', sql, transaction: true });
      return undefined;
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  }

  it.each([
    ['SELECT 1;\n\\i other.sql\n', '1_x.sql:2:1: \\i is a command of psql'],
    ['\\restrict abc\nSELECT 1;', '1_x.sql:1:1: \\restrict is a command of psql'],
    ['SELECT 1 \\gset', '1_x.sql:1:10: \\gset is'],
    ['SELECT 1;\n COPY t (a) FROM stdin; SELECT 2;\n1\n\\.\n', '1_x.sql:2:2: the rows of COPY … FROM stdin'],
    ['CREATE TABLE a(); COMMIT;', '1_x.sql:1:19: the file begins or ends a transaction itself (COMMIT)'],
    ['SELECT 1; END;', 'the file begins or ends a transaction itself (END)'],
    ['BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;', '1_x.sql:1:1: the file begins or ends'],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;', '1_x.sql:1:1: the file begins or ends'],
    ['ROLLBACK;', '(ROLLBACK)'],
    ['ABORT', '(ABORT)'],
    ["PREPARE TRANSACTION 'x'", '(PREPARE)'],
    ['SELECT \uFFFD', 'not UTF-8'],
    ['S\0E\0L\0', 'not UTF-8'],
  ])('refuses %j', (sql, message) => {
    const error = refused(sql);
    expect(error?.code).toBe('MIGRATION_FAILED');
    expect(error?.message).toContain(message);
  });

  it.each([
    "SELECT '\n\\i other.sql\n'",
    'DO $$ BEGIN\n\\i\nCOMMIT; END $$',
    '/*\n\\i other.sql */ SELECT 1',
    "SELECT E'\n\\\\'",
    'SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a',
    "COPY t FROM '/tmp/stdin'",
    'COPY (SELECT 1 FROM stdin) TO stdout',
    'CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; END;',
    'PREPARE commit AS SELECT 1',
    '',
  ])('lets %j be', (sql) => {
    expect(refused(sql)).toBeUndefined();
  });
});

describe('places', () => {
  it('counts characters, not UTF-16 units', () => {
    const sql = "SELECT '😀';\r\n\tSELECT 'é😀', bad;";
    // The server counts from 1; the mark and the smile are one character each.
    const position = Array.from(sql.slice(0, sql.indexOf('bad'))).length + 1;
    const place = locate(sql, offsetOf(sql, position));
    expect(place).toEqual({ line: 2, column: 15, text: "\tSELECT 'é😀', bad;" });
    expect(quoteLine(place)).toBe(`LINE 2: \tSELECT 'é😀', bad;\n        \t             ^`);
  });

  it('shows a part of a long line', () => {
    const [shown, caret] = quoteLine({ line: 1, column: 501, text: `${'a'.repeat(500)}X${'b'.repeat(500)}` }).split(
      '\n',
    );
    expect(shown?.length).toBeLessThan(140);
    expect(shown?.[caret?.indexOf('^') ?? 0]).toBe('X');
  });
});
