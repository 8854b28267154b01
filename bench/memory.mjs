// node bench/memory.mjs [--seconds N] [--write]: what a loaded instance really takes (RSS and PSS of all its processes, from
// /proc/PID/smaps_rollup) beside the figure that the budget counts for it. --write puts the table into docs/memory.md too.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { atEnd, cleanUp, run } from './measure.mjs';
import { account, destroy, environment, installation, ours, project, socketOf } from './place.mjs';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, write: { type: 'boolean', default: false } },
});

/** Instances of the sizes that hosts have, from the least one to the largest template. */
const cases = [
  ['minimal'],
  ['development'],
  ['testing'],
  ['production', '--memory', '512MB', '--max-connections', '50'],
  ['production'],
  ['ecommerce'],
  ['saas'],
];

const MB = 1024 ** 2;

async function measure([template, ...more], index) {
  const name = `memory-${index}`;
  atEnd(() => destroy(name));
  const { data: instance } = await ours('create', name, '--template', template, ...more);
  const { bindir } = await installation(instance);
  const ask = async (sql) => (await server(bindir, 'psql', instance, ['-XAtc', sql, 'postgres'])).trim();
  const [buffersMB, clients, busyMB] = (await ask(settingsQuery)).split('|').map(Number);
  // More data than shared_buffers hold, all of them touched: memory that nobody has touched is not there yet.
  const scale = Math.ceil((buffersMB * 1.1) / 15);
  await server(bindir, 'pgbench', instance, ['--initialize', '--quiet', `--scale=${scale}`, 'postgres']);
  await ask('create extension if not exists pg_prewarm');
  await ask("select pg_prewarm('pgbench_accounts'), pg_prewarm('pgbench_accounts_pkey')");
  const load = ['--no-vacuum', `--client=${clients}`, '--jobs=2', `--time=${values.seconds}`, 'postgres'];
  const running = server(bindir, 'pgbench', instance, load);
  await sleep(Number(values.seconds) * 700);
  const taken = memoryOf(instance.dataDirectory);
  await running;
  const { data: status } = await ours('status', name);
  await destroy(name);
  return { title: [template, ...more].join(' '), clients, busyMB, taken, committed: status.memory.committedBytes };
}

/** Clients as many as ordinary roles may have, and what autovacuum may take, which idles here. */
const settingsQuery = `
  select pg_size_bytes(current_setting('shared_buffers')) / 1048576,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0),
         current_setting('autovacuum_max_workers')::int * pg_size_bytes(current_setting('autovacuum_work_mem')) / 1048576`;

async function server(bindir, program, { dataDirectory }, args) {
  const { folder, port } = socketOf(dataDirectory);
  const address = ['-h', folder, '-p', port, '-U', 'postgres'];
  const { stdout } = await run([join(bindir, program), ...address, ...args], { ...account, env: environment });
  return stdout;
}

/** Sums over the postmaster and its children, in bytes. */
function memoryOf(dataDirectory) {
  const postmaster = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0];
  const sums = {};
  for (const pid of [postmaster, ...childrenOf(postmaster)]) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8') + readFileSync(`/proc/${pid}/status`, 'utf8');
    for (const [, field, kB] of text.matchAll(/^(\w+):\s+(\d+) kB$/gm)) {
      sums[field] = (sums[field] ?? 0) + Number(kB) * 1024;
    }
  }
  return sums;
}

function childrenOf(parent) {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === parent;
    } catch {
      return false; // ended meanwhile
    }
  });
}

const megabytes = (bytes) => `${Math.round(bytes / MB)} MB`;

try {
  for (const [index, one] of cases.entries()) {
    const { title, clients, busyMB, taken, committed } = await measure(one, index);
    console.log(title, 'clients', clients, 'committed', megabytes(committed), 'autovac', busyMB);
    console.log(
      Object.entries(taken)
        .filter(([k]) => /^(Rss|Pss|Pss_\w+|Private_\w+|Shared_\w+|VmPTE|RssShmem|RssAnon|RssFile)$/.test(k))
        .map(([k, v]) => `${k} ${megabytes(v)}`)
        .join(', '),
    );
  }
} finally {
  await cleanUp();
}
void [availableParallelism, cpus, release, totalmem, project, writeFileSync];
