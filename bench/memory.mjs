// node bench/memory.mjs [--seconds N] [--write]: what a loaded instance really takes (RSS and PSS of all its processes, from
// /proc/PID/smaps_rollup) beside the figure that the budget counts for it. --write puts the table into docs/memory.md too.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  const [buffersMB, clients] = (await ask(settingsQuery)).split('|').map(Number);
  // More data than shared_buffers hold, all of them touched: memory that nobody has touched is not there yet.
  const scale = Math.ceil((buffersMB * 1.4) / 15);
  await server(bindir, 'pgbench', instance, ['--initialize', '--quiet', `--scale=${scale}`, 'postgres']);
  await ask('create extension if not exists pg_prewarm');
  await ask("select pg_prewarm('pgbench_accounts'), pg_prewarm('pgbench_accounts_pkey')");
  const load = ['--no-vacuum', `--client=${clients}`, '--jobs=2', `--time=${values.seconds}`, 'postgres'];
  const running = server(bindir, 'pgbench', instance, load);
  await run(['sleep', String(Number(values.seconds) * 0.7)]);
  const taken = memoryOf(instance.dataDirectory);
  await running;
  const { data: status } = await ours('status', name);
  await destroy(name);
  const committed = status.memory.committedBytes;
  const used = taken.Pss + taken.VmPTE;
  return { title: [template, ...more].join(' '), buffersMB, clients, taken, used, committed };
}

/** Clients as many as ordinary roles may have. */
const settingsQuery = `
  select pg_size_bytes(current_setting('shared_buffers')) / 1048576,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0)`;

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

function line({ title, buffersMB, clients, taken, used, committed }) {
  const ratio = used / committed;
  const cells = [
    `\`${title}\``,
    `${buffersMB} MB`,
    clients,
    megabytes(taken.Rss),
    megabytes(taken.Pss),
    megabytes(taken.VmPTE),
    megabytes(committed),
    `${ratio.toFixed(2)} ${Math.abs(ratio - 1) <= 0.25 ? '✔' : '✘'}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** @param {Awaited<ReturnType<typeof measure>>[]} rows */
async function table(rows) {
  const { stdout: server } = await run(['pg_config', '--version']);
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return [
    `Machine: ${machine}; Linux ${release()}; Node ${process.version}; ${server.trim()}.`,
    '',
    '| instance | shared_buffers | clients | RSS | PSS | page tables | committed | (PSS + page tables) ÷ committed |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(line),
  ].join('\n');
}

/** The table stands between two marks. */
function write(text) {
  const file = join(project, 'docs', 'memory.md');
  const [before, , after] = readFileSync(file, 'utf8').split(/<!-- \/?measured -->\n/);
  writeFileSync(file, `${before}<!-- measured -->\n\n${text}\n\n<!-- /measured -->\n${after}`);
}

try {
  const rows = [];
  for (const [index, one] of cases.entries()) rows.push(await measure(one, index));
  const text = await table(rows);
  console.log(text);
  if (values.write) write(text);
} finally {
  await cleanUp();
}
