import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { systemIdentifierOf } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { addressOf } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { type ClaimedPorts, claimPorts } from '../helpers/ports.ts';

let sandbox: Sandbox;
/** For those that ask for one. */
let own: ClaimedPorts;
/** Ten in a row were asked for once; every run of the tests does one. */
const rounds = Number(process.env['PG_TEST_ROUNDS'] ?? 1);

beforeEach(async () => {
  sandbox = await makeSandbox();
  own = await claimPorts();
});

afterEach(async () => {
  await sandbox.cleanup();
  own.release();
});

const small = ['--template', 'minimal', '--lock-timeout', '300', '--json'];

async function create(name: string, where: string[], root = sandbox.root, env = {}): Promise<Finished> {
  return await sandbox.manage(['create', name, ...where, ...small], {
    env: { PG_MANAGE_ROOT: root, ...env },
    timeoutMs: 600_000,
  });
}

/** Each server must answer on its own port with the identifier that is in its own data directory. */
async function expectOwnServer(created: Finished, root: string): Promise<number> {
  const { name, port, dataDirectory } = dataOf(created) as { name: string; port: number; dataDirectory: string };
  const { json } = await sandbox.manage(['connect', name, '--json'], { env: { PG_MANAGE_ROOT: root } });
  const client = new pg.Client({ connectionString: json().data.url as string });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>(
      'select system_identifier::text as id from pg_control_system()',
    );
    expect(rows[0]?.id).toBe(systemIdentifierOf(dataDirectory));
  } finally {
    await client.end();
  }
  return port;
}

describe('many hands at once', () => {
  for (let round = 1; round <= rounds; round++) {
    it(`48 creates: 16 on any port, 16 on ports of their own, 16 on one port (round ${round})`, async () => {
      const sixteen = Array.from({ length: 16 }, (_, index) => index);
      const all = await Promise.all([
        ...sixteen.map(async (n) => await create(`auto-${n}`, ['--port-range', sandbox.portRange])),
        ...sixteen.map(async (n) => await create(`own-${n}`, ['--port', String(own.first + n)])),
        ...sixteen.map(async (n) => await create(`one-${n}`, ['--port', String(own.last)])),
      ]);
      const made = all.filter(({ code }) => code === 0);
      const refused = all.filter(({ code }) => code !== 0);
      expect(refused.map((one) => one.json().error?.code)).toEqual(Array.from({ length: 15 }, () => 'PORT_IN_USE'));
      for (const one of refused) expect(one.json().error?.message).toMatch(`port ${own.last} is held by instance one-`);
      const ports = [];
      for (const one of made) ports.push(await expectOwnServer(one, sandbox.root));
      expect(ports).toHaveLength(33);
      expect(new Set(ports).size).toBe(33);
      await expectInvariants(sandbox);
    }, 900_000);
  }

  it('two roots, and two users where we are root, share the ports of the host', async () => {
    const account = serviceAccount();
    const other = join(sandbox.folder, 'other-root');
    const range = ['--port-range', sandbox.portRange];
    const asOther = account === undefined ? {} : { account };
    const all = await Promise.all(
      Array.from({ length: 4 }, (_, n) => n).flatMap((n) => [
        create(`here-${n}`, range),
        sandbox.manage(['create', `there-${n}`, ...range, ...small], {
          env: { PG_MANAGE_ROOT: other, HOME: sandbox.folder },
          ...asOther,
        }),
      ]),
    );
    const ports = all.map((one) => (dataOf(one) as { port: number }).port);
    expect(new Set(ports).size).toBe(8);
    const { ports: held } = dataOf(await sandbox.manage(['ports', '--json'])) as {
      ports: { port: number; finding: string }[];
    };
    expect(held.map(({ port, finding }) => [port, finding])).toEqual(
      ports.sort((a, b) => a - b).map((port) => [port, 'ok']),
    );
    await sandbox.manage(['destroy', 'all', '--yes'], {
      env: { PG_MANAGE_ROOT: other, HOME: sandbox.folder },
      ...asOther,
    });
  });

  it('a stopped instance keeps its port', async () => {
    await sandbox.create('first');
    const { port } = await addressOf(sandbox, 'first');
    expect((await sandbox.manage(['stop', 'first'])).code).toBe(0);
    await sandbox.create('second');
    expect((await addressOf(sandbox, 'second')).port).not.toBe(port);
    expect((await sandbox.manage(['start', 'first'])).code).toBe(0);
    const { instances } = dataOf(await sandbox.manage(['list', '--json'])) as { instances: { state: string }[] };
    expect(instances.map(({ state }) => state)).toEqual(['running', 'running']);
  });
});
