import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd, run } from './measure.mjs';

export const project = dirname(dirname(fileURLToPath(import.meta.url)));
export const manage = join(project, 'manage.ts');

/** A folder of our own, gone at the end. Everything measured writes there, so on one file system. */
export const work = mkdtempSync('/var/tmp/pg-manage-bench-');
atEnd(() => rmSync(work, { recursive: true, force: true }));
chmodSync(work, 0o755);

/** The account that the bare programs run as; servers refuse to be root. The tool drops to it by itself. */
export const account = process.getuid() === 0 ? accountOf('postgres') : {};

function accountOf(name) {
  const id = (flag) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** A folder that the bare programs may write into. */
export function folderOf(name) {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  return folder;
}

export const environment = {
  ...process.env,
  PG_MANAGE_ROOT: join(work, 'root'),
  PG_MANAGE_HOST: join(work, 'host'),
};

/** @param {string[]} args */
export async function ours(...args) {
  const { seconds, stdout } = await run([manage, ...args, '--json'], { env: environment });
  return { seconds, data: JSON.parse(stdout).data };
}

export async function create(name, ...args) {
  const answer = await ours('create', name, ...args);
  atEnd(() => destroy(name));
  return answer;
}

/**
 * Stops and takes away an instance, its quarantined data too: what one side leaves in the page cache would make its own
 * next run touch new memory, which the other side is spared. One that is gone already is no error.
 */
export async function destroy(name) {
  const { data } = await ours('list');
  if (!data.instances.some((instance) => instance.name === name)) return;
  await ours('destroy', name, '--yes');
  rmSync(join(environment.PG_MANAGE_ROOT, 'quarantine'), { recursive: true, force: true });
}

/** The programs that the tool chose, and their version. */
export async function installation(instance) {
  const record = JSON.parse(readFileSync(join(dirname(instance.dataDirectory), 'instance.json'), 'utf8'));
  return { bindir: record.bindir, major: record.version };
}

/** Where the server of a data directory listens, by its own file. */
export function socketOf(dataDirectory) {
  const lines = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
  return { port: lines[3].trim(), folder: lines[4].trim() };
}

/** @returns {Promise<number>} a port that nobody listens on now */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
