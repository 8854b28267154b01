import { identifier } from '../../postgres/sql.ts';
import { namePattern, statementsIn } from './statements.ts';

const databaseName = new RegExp(`\\bDATABASE ${namePattern}`);

/** The statements that make a database, for one of another name; settings of the script's own session are left out. Pure. */
export function renamed(script: string, name: string): string[] {
  return statementsIn(script)
    .filter((statement) => databaseName.test(statement))
    .map((statement) => statement.replace(databaseName, () => `DATABASE ${identifier(name)}`));
}
