import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fleet } from './fleet.mjs';
import { canMount } from './fresh.mjs';
import { againstBare, debianAtOnce } from './many.mjs';
import { migrate } from './migrate.mjs';
import { atEnd, pairs, run, timed } from './measure.mjs';
import {
  account,
  create,
  destroy,
  environment,
  folderOf,
  freePort,
  installation,
  manage,
  ours,
  socketOf,
} from './place.mjs';
import { pgbackrest } from './pgbackrest.mjs';
import { start } from './start.mjs';

/**
 * @typedef {{ what: string, against: string, unit: 's' | 'ms' | 'MB' | 'tps', pairs: { ours: number, peer: number }[],
 *   reach?: number, least?: boolean, mostExtra?: number }} Row a ratio to stay below (or, with least, above), or seconds that may be added
 * @typedef {{ runs: number | undefined, scales: number[] }} Options pgbench's scales, the first for what is measured at one
 */

/** Each measures one thing and gives its rows, or says why it cannot. @type {Record<string, (options: Options) => Promise<Row[] | string>>} */
export const benches = { createcluster, initdb, many, start, backup, pgbackrest, list, fleet, migrate };

async function createcluster({ runs = 7 }) {
  if (!existsSync('/usr/bin/pg_createcluster')) return 'pg_createcluster is not installed';
  if (process.getuid() !== 0) return 'pg_createcluster is for root';
  const { major } = await chosen();
  const against = `\`pg_createcluster ${major} NAME --start\``;
  const cluster = async (count) => {
    const name = `pgmanagebench${process.pid}n${count}`;
    const drop = async () => {
      if (existsSync(`/etc/postgresql/${major}/${name}`)) await run(['pg_dropcluster', '--stop', String(major), name]);
    };
    atEnd(drop);
    const { seconds } = await run(['pg_createcluster', String(major), name, '--start']);
    await drop();
    return seconds;
  };
  return [{ what: 'create to ready', against, reach: 0.5, unit: 's', pairs: await pairs(runs, created, cluster) }];
}

async function initdb({ runs = 7 }) {
  const { bindir } = await chosen();
  const bare = async (count) => {
    const folder = folderOf(`bare-${count}`);
    const data = join(folder, 'data');
    const port = await freePort();
    const stop = async () => {
      if (existsSync(join(data, 'postmaster.pid')))
        await run([join(bindir, 'pg_ctl'), '-D', data, '-m', 'immediate', '-w', 'stop'], account);
    };
    atEnd(stop);
    const made = await run(
      [join(bindir, 'initdb'), '-D', data, '-U', 'postgres', '-k', '-E', 'UTF8', '--locale=C.UTF-8'],
      account,
    );
    const started = await run(
      [join(bindir, 'pg_ctl'), '-D', data, '-l', join(folder, 'log'), '-o', `-p ${port} -k ${folder}`, '-w', 'start'],
      account,
    );
    await stop();
    rmSync(folder, { recursive: true });
    return made.seconds + started.seconds;
  };
  const against = '`initdb` (synced) + `pg_ctl -w start`';
  return [{ what: 'create to ready', against, reach: 1.5, unit: 's', pairs: await pairs(runs, created, bare) }];
}

async function many({ runs = 5 }) {
  const installation = await chosen();
  const measured = await againstBare(installation, runs);
  let beside = '';
  if (existsSync('/usr/bin/pg_createcluster') && process.getuid() === 0) {
    const { up, elapsed } = await debianAtOnce(installation.major);
    beside = `; 16 × \`pg_createcluster --start\` at once: ${up} of 16 came up, in ${elapsed.toFixed(1)} s`;
  }
  const against = `16 × \`initdb\` + \`pg_ctl -w start\` at once${beside}`;
  const where = canMount ? ', each side and turn on a fresh ext4' : '';
  return [{ what: `16 creates at once, all ready${where}`, against, reach: 1.25, unit: 's', pairs: measured }];
}

async function backup({ runs = 5, scales: [scale] }) {
  const { data: instance } = await create('bench-backup');
  const { bindir, major } = await installation(instance);
  const { folder: host, port } = socketOf(instance.dataDirectory);
  const { data: login } = await ours('connect', 'bench-backup');
  const env = { ...process.env, PGHOST: login.host, PGPORT: String(login.port), PGUSER: login.username };
  Object.assign(env, { PGPASSWORD: login.password, PGDATABASE: login.database });
  process.stderr.write(`  pgbench, scale ${scale}\n`);
  await run([join(bindir, 'pgbench'), '-i', '-q', '-s', String(scale)], { env });

  const form = ['-Ft', '-X', 'stream', '-c', 'fast'];
  let compression = 'none';
  const managed = async () => {
    const { seconds, data } = await ours('backup', 'bench-backup', '--no-verify');
    ({ compression } = data);
    return seconds;
  };
  const bare = async (count) => {
    const folder = folderOf(`basebackup-${count}`);
    const connection = ['-h', host, '-p', port, '-U', 'postgres'];
    const command = [join(bindir, 'pg_basebackup'), ...form, ...sameCompression(compression, major), ...connection];
    const { seconds } = await run([...command, '-D', join(folder, 'backup')], account);
    rmSync(folder, { recursive: true });
    return seconds;
  };
  const results = await pairs(runs, managed, bare);
  await destroy('bench-backup');
  const what = `\`backup --no-verify\`, pgbench scale ${scale}`;
  const against = `\`${['pg_basebackup', ...form, ...sameCompression(compression, major)].join(' ')}\``;
  return [{ what, against, reach: 1.2, unit: 's', pairs: results }];
}

/** What the tool asks pg_basebackup for, given the codec that it chose. */
function sameCompression(codec, major) {
  if (codec === 'none') return [];
  if (major < 15) return ['--gzip', '--compress=1'];
  return [`--compress=server-${codec}:level=1${codec === 'zstd' ? ',workers=1' : ''}`];
}

async function list({ runs = 15 }) {
  const names = [1, 2, 3, 4, 5].map((number) => `bench-list-${number}`);
  for (const name of names) await create(name);
  const results = await pairs(
    runs,
    async () => await timed([manage, '--action', 'list'], { env: environment }),
    async () => await timed([process.execPath, '-e', '0']),
  );
  for (const name of names) await destroy(name);
  const part = (key) => results.map((pair) => ({ ours: pair.ours[key], peer: pair.peer[key] }));
  const row = { against: '`node -e 0`', reach: 2, unit: 'ms' };
  return [
    { ...row, what: '`--action list`, 5 instances, wall', pairs: part('wall') },
    { ...row, what: '`--action list`, 5 instances, user + system', pairs: part('cpu') },
  ];
}

/** Seconds of one `create` that is taken away again. */
async function created(count) {
  const { seconds } = await create(`bench-create-${count}`);
  await destroy(`bench-create-${count}`);
  return seconds;
}

/** Which PostgreSQL the tool takes when it is not told. */
async function chosen() {
  const { data } = await create('bench-probe');
  const found = await installation(data);
  await destroy('bench-probe');
  return found;
}
