import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { atEnd, pairs, run, seconds } from './measure.mjs';
import { account, destroy, environment, folderOf, freePort, manage, ours } from './place.mjs';

const count = 16;
const numbers = Array.from({ length: count }, (_, index) => index);

/**
 * Sixteen creates begun at the same moment, until all are ready.
 * @param {{ bindir: string, major: number }} installation
 * @returns {Promise<{ ours: number, peer: number }[]>}
 */
export async function againstBare({ bindir }, runs) {
  return await pairs(runs, manyOurs, async (turn) => {
    const folders = numbers.map((n) => folderOf(`many-${turn}-${n}`));
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
    for (const folder of folders) rmSync(folder, { recursive: true });
    return elapsed;
  });
}

async function bare(bindir, folder, port) {
  const data = join(folder, 'data');
  await run([join(bindir, 'initdb'), '-D', data, '-U', 'postgres', '-k', '-E', 'UTF8', '--locale=C.UTF-8'], account);
  const options = `-p ${port} -k ${folder}`;
  await run([join(bindir, 'pg_ctl'), '-D', data, '-l', join(folder, 'log'), '-o', options, '-w', 'start'], account);
}

async function manyOurs(turn) {
  const names = numbers.map((n) => `many-${turn}-${n}`);
  for (const name of names) atEnd(() => destroy(name));
  const create = async (name) =>
    await run([manage, 'create', name, '--template', 'minimal', '--lock-timeout', '300'], { env: environment });
  const elapsed = await seconds(async () => await Promise.all(names.map(create)));
  const { data } = await ours('list');
  const up = data.instances.filter(({ name, state }) => names.includes(name) && state === 'running');
  if (up.length !== count || new Set(up.map(({ port }) => port)).size !== count) throw new Error('not all came up');
  for (const name of names) await destroy(name);
  return elapsed;
}

/** How many of sixteen clusters come up that Debian's own tool makes and starts at the same moment. */
export async function debianAtOnce(major) {
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
        await run(['pg_createcluster', String(major), name, '--start']);
        up += 1;
      }),
    );
  });
  await drop();
  return { up, elapsed };
}
