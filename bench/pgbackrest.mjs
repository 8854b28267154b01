// Backups beside Debian's pgBackRest, which is given the same data in a server of its own, the same codec and level, and
// otherwise its defaults.
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { atEnd, pairs, run, seconds, timed } from './measure.mjs';
import { account, create, destroy, folderOf, freePort, installation, ours, socketOf } from './place.mjs';

const name = 'bench-rest';
const full = '`pgbackrest backup --type=full`';

/** @type {(options: import('./rows.mjs').Options) => Promise<import('./rows.mjs').Row[] | string>} */
export async function pgbackrest({ runs = 3, scales }) {
  if (!existsSync('/usr/bin/pgbackrest')) return 'pgbackrest is not installed';
  const rows = [];
  for (const scale of scales) rows.push(...(await atScale(runs, scale)));
  return rows;
}

async function atScale(runs, scale) {
  const { data: instance } = await create(name);
  const { bindir } = await installation(instance);
  const socket = socketOf(instance.dataDirectory);
  process.stderr.write(`  pgbench, scale ${scale}\n`);
  const bench = (args, options = {}) =>
    run([join(bindir, 'pgbench'), ...args, '-h', socket.folder, '-p', socket.port, '-U', 'postgres', 'postgres'], {
      ...account,
      ...options,
    });
  await bench(['-i', '-q', '-s', String(scale)]);
  const peer = await makePeer(bindir, socket);

  const at = `pgbench scale ${scale}`;
  const rows = [
    ...(await backups(runs, at, peer)),
    await restores(runs, at, peer, bindir),
    await segments(runs * 10, at, instance, peer), // a matter of milliseconds: few would say nothing
    await throughput(runs, at, bench, bindir, socket),
  ];
  await peer.stop();
  await destroy(name);
  for (const folder of [peer.folder, folderOf('segments'), folderOf('copies')]) rmSync(folder, { recursive: true });
  return rows;
}

/** A copy of the instance's data under a server of its own, which archives by pgBackRest. */
async function makePeer(bindir, { folder: host, port: from }) {
  const folder = folderOf('pgbackrest');
  const data = join(folder, 'data');
  const connection = ['-h', host, '-p', from, '-U', 'postgres'];
  await run([join(bindir, 'pg_basebackup'), '-D', data, '-X', 'stream', '-c', 'fast', ...connection], account);
  const port = await freePort();
  const configuration = join(folder, 'pgbackrest.conf');
  const paths = ['repo', 'log', 'lock', 'spool'].map((part) => [part, folderOf(`pgbackrest/${part}`)]);
  const common = paths.map(([part, path]) => (part === 'repo' ? `repo1-path=${path}` : `${part}-path=${path}`));
  const options = [
    'start-fast=y',
    'compress-type=zst',
    'compress-level=1',
    'log-level-console=off',
    'log-level-file=off',
  ];
  const own = [`pg1-path=${data}`, `pg1-port=${port}`, `pg1-socket-path=${folder}`, 'pg1-user=postgres'];
  writeFileSync(configuration, ['[global]', ...common, ...options, '[bench]', ...own, ''].join('\n'), { mode: 0o644 });
  const call = (...args) => ['pgbackrest', `--config=${configuration}`, '--stanza=bench', ...args];
  writeFileSync(join(folder, 'pg_hba.conf'), 'local all all trust\nlocal replication all trust\n');
  const settings = {
    port,
    listen_addresses: '',
    unix_socket_directories: folder,
    hba_file: join(folder, 'pg_hba.conf'),
    logging_collector: 'off',
    archive_command: call('archive-push', '%p').join(' '),
    wal_keep_size: '1GB',
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = '${value}'`);
  appendFileSync(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
  const control = (...args) => run([join(bindir, 'pg_ctl'), '-D', data, '-w', ...args], account);
  const stop = async () => {
    if (existsSync(join(data, 'postmaster.pid'))) await control('-m', 'immediate', 'stop');
  };
  atEnd(stop);
  await control('-l', join(folder, 'log', 'server'), 'start');
  await run(call('stanza-create'), account);
  return { folder, data, port, call, stop };
}

/** Taken, taken and proven, and what each comes to in the repository. */
async function backups(runs, at, { call }) {
  const managed = async () => {
    const taken = await ours('backup', name, '--no-verify');
    const proven = await ours('backup', name);
    return { taken: taken.seconds, proven: proven.seconds, bytes: proven.data.sizeBytes };
  };
  const rest = async () => {
    const { seconds: taken } = await run(call('backup', '--type=full'), account);
    const { stdout } = await run(call('info', '--output=json'), account);
    return { taken, bytes: JSON.parse(stdout)[0].backup.at(-1).info.repository.size };
  };
  const results = await pairs(runs, managed, rest);
  const row = (what, reach, unit, mine, theirs) => ({
    what: `${what}, ${at}`,
    against: `${full}, zst level 1, process-max=1 (default), start-fast`,
    reach,
    unit,
    pairs: results.map((pair) => ({ ours: pair.ours[mine], peer: pair.peer[theirs] })),
  });
  return [
    row('`backup --no-verify`, zstd level 1', 0.6, 's', 'taken', 'taken'),
    row('`backup`, proven: every page and index read', 2, 's', 'proven', 'taken'),
    row('one backup in the repository (ours with its own WAL)', 1.1, 'MB', 'bytes', 'bytes'),
  ];
}

/** From the command to a server that takes writes. */
async function restores(runs, at, { call }, bindir) {
  const managed = async (count) => {
    const { seconds: taken } = await ours('restore', name, '--as', `bench-copy-${count}`);
    await destroy(`bench-copy-${count}`);
    return taken;
  };
  const rest = async (count) => {
    const place = folderOf(`restored-${count}`);
    const data = join(place, 'data');
    const port = await freePort();
    const settings = `-c port=${port} -c unix_socket_directories=${place} -c archive_mode=off`;
    const control = (...args) => run([join(bindir, 'pg_ctl'), '-D', data, ...args], account);
    const taken = await seconds(async () => {
      await run(call('restore', `--pg1-path=${data}`), account);
      await control('-w', '-l', join(place, 'log'), '-o', settings, 'start');
      const ask = [join(bindir, 'psql'), '-h', place, '-p', String(port), '-U', 'postgres', '-Atc'];
      for (;;) {
        const { stdout } = await run([...ask, 'select pg_is_in_recovery()', 'postgres'], account);
        if (stdout.trim() === 'f') return;
      }
    });
    await control('-m', 'immediate', '-w', 'stop');
    rmSync(place, { recursive: true });
    return taken;
  };
  const against = '`pgbackrest restore`, `pg_ctl -w start`, until it takes writes';
  return { what: `\`restore --as\`, ${at}`, against, reach: 1, unit: 's', pairs: await pairs(runs, managed, rest) };
}

/** One WAL segment, as the server has it archived. */
async function segments(runs, at, instance, { data, call }) {
  const wal = join(data, 'pg_wal');
  const names = readdirSync(wal).filter((file) => /^[0-9A-F]{24}$/.test(file) && statSync(join(wal, file)).size > 0);
  const place = dirname(instance.dataDirectory);
  const record = JSON.parse(readFileSync(join(place, 'instance.json'), 'utf8'));
  const archive = folderOf('segments');
  writeFileSync(join(archive, '.instance'), `${record.id}\n`);
  const script = join(place, 'archive-wal');
  // As the server's own archive_command has it.
  const packer = /'([^']*)'''$/m.exec(readFileSync(join(data, 'pg-manage.conf'), 'utf8'))?.[1] ?? '';
  const options = { ...account, cwd: data };
  const managed = async (count) => {
    const segment = names[count % names.length];
    for (const suffix of ['', '.zst', '.lz4', '.gz']) rmSync(join(archive, `${segment}${suffix}`), { force: true });
    const command = [script, `pg_wal/${segment}`, segment, archive, record.id, record.systemIdentifier, packer];
    return (await timed(command, options)).wall;
  };
  const rest = async (count) => {
    const segment = names[count % names.length];
    // One of its own each time: it would not store a segment twice.
    const repository = folderOf(`pgbackrest/segments-${count}`);
    await run(call(`--repo1-path=${repository}`, '--no-online', 'stanza-create'), account);
    return (await timed(call(`--repo1-path=${repository}`, 'archive-push', `pg_wal/${segment}`), options)).wall;
  };
  const against = '`pgbackrest archive-push`, zst level 1';
  const what = `archive of one segment, ${at}`;
  return { what, against, reach: 1, unit: 'ms', pairs: await pairs(runs, managed, rest) };
}

/** pgbench while WAL is archived by our script, and by cp. */
async function throughput(runs, at, bench, bindir, { folder: host, port }) {
  const ask = (sql) =>
    run([join(bindir, 'psql'), '-h', host, '-p', port, '-U', 'postgres', '-qAtc', sql, 'postgres'], account);
  const measure = async () => {
    const { stdout } = await bench(['-n', '-c', '2', '-j', '2', '-T', '15']);
    return Number(/tps = ([\d.]+)/.exec(stdout)[1]);
  };
  const under = async (sql) => {
    await ask(sql);
    await ask('select pg_reload_conf()');
    await ask('checkpoint'); // each begins with as many pages to be written whole
    return await measure();
  };
  const copies = folderOf('copies');
  const managed = () => under('alter system reset archive_command');
  const copying = () => under(`alter system set archive_command = 'cp %p ${copies}/%f'`);
  const results = await pairs(runs + 2, managed, copying);
  await ask('alter system reset archive_command');
  const row = { against: '`cp %p` as archive_command', reach: 0.95, least: true, unit: 'tps' };
  return { ...row, what: `pgbench with archiving, ${at}`, pairs: results };
}
