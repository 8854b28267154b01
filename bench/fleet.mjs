import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pairs, run, seconds } from './measure.mjs';
import { create, destroy, environment, folderOf, manage } from './place.mjs';

const [instances, files] = [16, 20];

/**
 * Sixteen instances, twenty new files each: four at once beside one after the other, by one command and by one for each.
 * Every measurement applies the next twenty files of one long folder.
 * @param {{ runs: number | undefined }} options
 */
export async function fleet({ runs = 5 }) {
  const names = Array.from({ length: instances }, (_, index) => `bench-fleet-${index + 10}`);
  for (const name of names) await create(name, '--template', 'minimal');
  const folder = folderOf('migrations');
  let last = 0;
  const next = () => {
    for (const end = last + files; last < end;) writeFileSync(join(folder, `${++last}_table.sql`), tableOf(last));
    return ['-m', folder, '--quiet'];
  };
  const migrate = async (selector, ...args) =>
    await run([manage, 'migrate', selector, ...args, '--lock-timeout', '300'], { env: environment });
  const fourAtOnce = async () => (await migrate('bench-fleet-*', ...next(), '--jobs', '4')).seconds;
  const inTurn = async () => (await migrate('bench-fleet-*', ...next(), '--jobs', '1')).seconds;
  const byItself = async () => {
    const args = next();
    return await seconds(async () => {
      for (const name of names) await migrate(name, ...args);
    });
  };
  const what = `${instances} instances × ${files} migrations, \`--jobs 4\``;
  const row = { what, reach: 0.5, unit: 's' };
  const results = [
    { ...row, against: '`--jobs 1`', pairs: await pairs(runs, fourAtOnce, inTurn) },
    { ...row, against: `${instances} commands, one after the other`, pairs: await pairs(runs, fourAtOnce, byItself) },
  ];
  for (const name of names) await destroy(name);
  return results;
}

function tableOf(number) {
  return `CREATE TABLE t${number} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL, at timestamptz DEFAULT now());
CREATE INDEX ON t${number} (at);
INSERT INTO t${number} (note) SELECT 'note ' || n FROM generate_series(1, 100) n;
`;
}
