import { resolve } from 'node:path';
import { type Level, levels, type VerifyOptions } from '../backups/levels.ts';
import { readInvariants } from '../backups/verify-sql.ts';
import type { Backup, Check } from '../backups/catalogue.ts';
import type { Context, Text, Values } from './action.ts';

/** What every action that makes a test restore takes. */
export const verifyOptions = {
  level: {
    type: 'string',
    choices: levels,
    describe: 'how thorough',
  },
  'verify-sql': {
    type: 'string',
    describe: 'a file with invariants of your own, asked of the test restore (see above)',
  },
} as const;

/** Said in the help of these actions. */
export const verifyDetails =
  'Levels: quick starts the server and asks for its catalogue; standard, the default, also reads every page, table and index and a row written just before; full also replays the archive to its end and compares every index with its table. The file of --verify-sql is asked in the database of the instance: a statement that fails is a failure, and so is a row whose first column is a boolean and not true (null is not).';

/** @throws USAGE when the file of SQL cannot be used */
export function readVerifyOptions(
  { callerFolder }: Pick<Context, 'callerFolder'>,
  given: Values<typeof verifyOptions>,
): VerifyOptions {
  const file = given['verify-sql'];
  const level = (given.level ?? 'standard') as Level;
  return file === undefined ? { level } : { level, sql: readInvariants(resolve(callerFolder, file)) };
}

/** Every check with its result, as a table. */
export function checkTable(checks: readonly Check[]): Text {
  const result = ({ ok, possible }: Check): string => (ok ? 'ok' : possible === false ? 'not possible' : 'failed');
  return {
    head: ['check', 'result', 'detail'],
    rows: checks.map((check) => [check.name, result(check), check.detail]),
  };
}

/** What a verification measured, in words. */
export function measured({ verification }: Backup): string {
  const { restoreSeconds = null, rpoSeconds = null } = verification ?? {};
  if (restoreSeconds === null) return 'not proven yet';
  const safe = rpoSeconds === null ? '' : `, a commit was safe after ${rpoSeconds.toFixed(1)} s`;
  return `restored in ${restoreSeconds.toFixed(1)} s${safe}`;
}
