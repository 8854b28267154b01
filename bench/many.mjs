import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onFresh } from './fresh.mjs';
import { atEnd, pairs, run, seconds } from './measure.mjs';
import { account, freePort, manage } from './place.mjs';

const count = 16;
const numbers = Array.from({ length: count }, (_, index) => index);

/**
 * Sixteen creates begun at the same moment, until all are ready; each side and turn on a fresh file system.
 * @param {{ bindir: string, major: number }} installation
 * @returns {Promise<{ ours: number, peer: number }[]>}
 */
export async function againstBare({ bindir }, runs) {
  return await pairs(
    runs,
    async (turn) => await onFresh(`many-${turn}-ours`, manyOurs),
    async (turn) => await onFresh(`many-${turn}-bare`, async (folder) => await manyBare(bindir, folder)),
  );
}

async function manyBare(bindir, base) {
  if (account.uid !== undefined) chownSync(base, account.uid, account.gid);
  const folders = numbers.map((n) => join(base, String(n)));
  const ports = [];
  for (const _ of numbers) ports.push(await freePort());
  const stop = async () => {
    for (const folder of folders.filter((one) => existsSync(join(one, 'data', 'postmaster.pid'))))
      await run([join(bindir, 'pg_ctl'), '-D', join(folder, 'data'), '-m', 'immediate', '-w', 'stop'], account);
  };
  atEnd(stop);
  const elapsed = await seconds(async () => {
    await Promise.all(folders.map(async (folder, n) => await bare(bindir, folder, ports[n])));
  });
  await stop();
  return elapsed;
}

async function bare(bindir, folder, port) {
  const data = join(folder, 'data');
  const locale = ['-k', '-E', 'UTF8', '--locale=C.UTF-8'];
  await run([join(bindir, 'initdb'), '-D', data, '-U', 'postgres', ...locale], account);
  const options = `-p ${port} -k ${folder}`;
  await run([join(bindir, 'pg_ctl'), '-D', data, '-l', join(folder, 'log'), '-o', options, '-w', 'start'], account);
}

async function manyOurs(base) {
  const env = { ...process.env, PG_MANAGE_ROOT: join(base, 'root'), PG_MANAGE_HOST: join(base, 'host') };
  mkdirSync(env.PG_MANAGE_ROOT);
  const destroy = async () => await run([manage, 'destroy', 'all', '--yes'], { env });
  const names = numbers.map((n) => `many-${n}`);
  // This host folder is its own, and knows nothing of what a stopped instance of another may start on.
  const options = ['--template', 'minimal', '--port-range', '16000-16999', '--lock-timeout', '300'];
  const create = async (name) => await run([manage, 'create', name, ...options], { env });
  try {
    const elapsed = await seconds(async () => await Promise.all(names.map(create)));
    const { data } = JSON.parse((await run([manage, 'list', '--json'], { env })).stdout);
    const up = data.instances.filter(({ name, state }) => names.includes(name) && state === 'running');
    if (up.length !== count || new Set(up.map(({ port }) => port)).size !== count) throw new Error('not all came up');
    return elapsed;
  } finally {
    await destroy();
  }
}

/** How many of sixteen clusters come up that Debian's own tool makes and starts at the same moment. */
export async function debianAtOnce(major) {
  return await onFresh('many-debian', async (folder) => {
    const names = numbers.map((n) => `pgmanagemany${process.pid}n${n}`);
    const drop = async () => {
      for (const name of names.filter((one) => existsSync(`/etc/postgresql/${major}/${one}`)))
        await run(['pg_dropcluster', '--stop', String(major), name]);
    };
    atEnd(drop);
    let up = 0;
    const elapsed = await seconds(async () => {
      await Promise.allSettled(
        names.map(async (name) => {
          await run(['pg_createcluster', String(major), name, '-d', join(folder, name), '--start']);
          up += 1;
        }),
      );
    });
    await drop();
    return { up, elapsed };
  });
}
