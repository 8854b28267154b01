import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pairs, run, timed } from './measure.mjs';
import { create, destroy, environment, folderOf, installation, manage, ours } from './place.mjs';

const count = 200;

/** 200 small files: a table, an index, a comment, some rows each. */
function writeFiles() {
  const folder = folderOf('small-migrations');
  const files = Array.from({ length: count }, (_, index) =>
    join(folder, `${String(index + 1).padStart(3, '0')}_t.sql`),
  );
  files.forEach((file, index) => {
    const table = `t${index + 1}`;
    writeFileSync(
      file,
      `CREATE TABLE ${table} (id int PRIMARY KEY, note text);\nCREATE INDEX ON ${table} (note);\n` +
        `COMMENT ON TABLE ${table} IS 'one; of many';\nINSERT INTO ${table} SELECT n, 'note' FROM generate_series(1, 10) n;\n`,
    );
  });
  return { folder, files };
}

/** One run of all files against one psql session that does the same, and a run with nothing to do against the bare start. */
export async function migrate({ runs = 5 }) {
  const { folder, files } = writeFiles();
  const { data: instance } = await create('bench-migrate');
  const { bindir } = await installation(instance);
  const { data: login } = await ours('connect', 'bench-migrate');
  const reset = `DROP SCHEMA IF EXISTS pgmanage CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;`;
  const psql = [join(bindir, 'psql'), '-X', '-q', '-v', 'ON_ERROR_STOP=1', login.url];
  const empty = async () => await run([...psql, '-c', `SET client_min_messages = error; ${reset}`]);
  const script = join(folder, 'all.psql');
  writeFileSync(script, files.map((file) => `BEGIN;\n\\i ${file}\nCOMMIT;\n`).join(''));
  const all = await pairs(
    runs,
    async () => {
      await empty();
      return (await ours('migrate', 'bench-migrate', '-m', folder)).seconds;
    },
    async () => {
      await empty();
      return (await run([...psql, '-f', script])).seconds;
    },
  );
  await empty();
  await ours('migrate', 'bench-migrate', '-m', folder);
  const wall = async (...args) => (await timed([manage, ...args], { env: environment })).wall;
  const none = await pairs(
    runs,
    async () => await wall('migrate', 'bench-migrate', '-m', folder),
    async () => (await wall('migrate-list', 'bench-migrate', '-m', folder)) + 0.06,
  );
  await destroy('bench-migrate');
  return [
    {
      what: `\`migrate\`, ${count} small files`,
      against: 'one `psql`: BEGIN, `\\i`, COMMIT each',
      reach: 1.2,
      unit: 's',
      pairs: all,
    },
    {
      what: '`migrate` with nothing to do',
      against: '`migrate-list` (no server) + 60 ms',
      reach: 1,
      unit: 'ms',
      pairs: none,
    },
  ];
}
