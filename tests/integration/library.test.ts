import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { backup, connectionOf, createInstance, listInstances, ManageError, statusOf } from 'pg-manage';
import { withClient } from '../../lib/postgres/sql.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let env: Record<string, string>;
beforeAll(async () => {
  sandbox = await makeSandbox();
  env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host };
});
afterAll(async () => await sandbox.cleanup());

it('makes an instance, asks it, and proves a backup of it', async () => {
  const { state, port } = await createInstance('client-a', { env, maxConnections: 20, portRange: sandbox.portRange });
  expect(state).toBe('running');
  const login = await connectionOf('client-a', { env });
  expect(login.port).toBe(port);
  const { username: user, ...address } = login;
  const limits = { signal: new AbortController().signal, timeoutMs: 10_000 };
  const answer = await withClient({ ...address, user, ...limits }, async (client) =>
    client.query('show max_connections'),
  );
  expect(answer.rows).toEqual([{ max_connections: '20' }]);
  expect(await backup('client-a', { env })).toMatchObject({ state: 'verified' });
  expect((await statusOf('client-a', { env })).lastVerifiedBackup).not.toBeNull();
  expect(await listInstances({ env })).toMatchObject([{ name: 'client-a', port }]);
});

it('says no with the code, the hint and the exit status of the command', async () => {
  const refused = statusOf('nobody', { env });
  await expect(refused).rejects.toBeInstanceOf(ManageError);
  await expect(refused).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND', exitCode: 4, hint: 'there are: client-a' });
});

it('ends at the signal', async () => {
  const controller = new AbortController();
  const begun = createInstance('client-b', { env, portRange: sandbox.portRange, signal: controller.signal });
  controller.abort();
  await expect(begun).rejects.toThrow();
  expect(await listInstances({ env })).toHaveLength(1);
});
