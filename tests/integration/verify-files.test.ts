import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { halves, verifyUnpacked } from '../../lib/postgres/manifest.ts';
import { Task } from '../../lib/task.ts';
import { startThrowawayServer, type ThrowawayServer } from '../helpers/throwaway-server.ts';

let server: ThrowawayServer;
beforeAll(async () => {
  server = await startThrowawayServer({}, { withClients: true });
});
afterAll(async () => await server.stop());

/** So little is large here that a new server's files are made two halves. */
const least = { file: 16 * 1024, all: 0 };

it('two processes find what is wrong in either half of the large files, in the small ones, and in the WAL', async () => {
  const { folder, bindir, connection } = server;
  const { host, user, port } = connection();
  const data = join(folder, 'backup');
  const command = ['-D', data, '-h', host, '-U', user, '-p', String(port), '-c', 'fast'];
  execFileSync(join(bindir, 'pg_basebackup'), command);
  const installation = { bindir, major: 15, version: '15' };
  const task = new Task(new AbortController().signal, () => undefined);
  const compare = async (): Promise<void> => await verifyUnpacked(installation, data, task, least);
  await compare();

  const { Files } = JSON.parse(readFileSync(join(data, 'backup_manifest'), 'utf8'));
  const [some = [], others = []] = halves(Files, least);
  const [segment] = execFileSync('ls', [join(data, 'pg_wal')], { encoding: 'utf8' }).split('\n');
  const ill = [some[0], some.at(-1), others[0], others.at(-1), 'PG_VERSION', 'global/pg_control'];
  expect(new Set(ill).size).toBe(ill.length);
  for (const path of [...ill, `pg_wal/${segment}`]) {
    const file = join(data, path ?? '');
    const whole = readFileSync(file);
    writeFileSync(file, Buffer.concat([Buffer.from([(whole[0] ?? 0) ^ 0x40]), whole.subarray(1)]));
    await expect(compare()).rejects.toMatchObject({ code: 'PROGRAM_FAILED' });
    writeFileSync(file, whole);
  }
  await compare();
});
