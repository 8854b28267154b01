import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Port } from '../../../lib/host/ports.ts';
import { type LeaseHolder, Leases, parsePort, parseRange, type PortRange } from '../../../lib/ports/leases.ts';

let host: string;
let leases: Leases;
let server: Server | undefined;
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), 'pgm-leases-'));
  leases = new Leases(host);
});
afterEach(async () => {
  if (server !== undefined) {
    server.close();
    await once(server, 'close');
    server = undefined;
  }
  rmSync(host, { recursive: true });
});

function holder(instance: string): LeaseHolder {
  return { purpose: 'postgres', instanceId: `id-${instance}`, instance, root: '/srv/pg' };
}

function rangeOf(count: number): PortRange {
  // Below the range that the system hands out to clients, and of each test worker's own.
  const first = 10_000 + (Number(process.env['JEST_WORKER_ID'] ?? 1) % 5) * 1000; // below what sandboxes claim
  return { first: parsePort(first), last: parsePort(first + count - 1) };
}

async function listen(port: number): Promise<Port> {
  server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port as Port;
}

const nothing = (): void => undefined;

describe('take', () => {
  it('gives the first port of the range that is free, and says so before it takes it', async () => {
    const { first } = rangeOf(20);
    const told: [Port, boolean][] = [];
    const intend = (port: Port): void => void told.push([port, leases.find(port) !== undefined]);
    expect(await leases.take(holder('a'), rangeOf(20), intend)).toBe(first);
    expect(await leases.take(holder('b'), rangeOf(20), intend)).toBe(first + 1);
    expect(told).toEqual([
      [first, false],
      [first + 1, false],
    ]);
    expect(leases.find(first)).toMatchObject({ port: first, instance: 'a', instanceId: 'id-a', root: '/srv/pg' });
    expect(leases.all().map((lease) => lease.instance)).toEqual(['a', 'b']);
  });

  it('holds a port though nothing listens on it, for every user of the host', async () => {
    await leases.take(holder('a'), rangeOf(20).first, nothing);
    expect(new Leases(host).find(rangeOf(20).first)?.instance).toBe('a');
    const folder = join(host, 'leases');
    expect(statSync(folder).mode & 0o7777).toBe(0o1777);
    expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o644]);
  });

  it('passes over a port that another program listens on', async () => {
    const range = rangeOf(20);
    await listen(range.first);
    expect(await leases.take(holder('a'), range, nothing)).toBe(range.first + 1);
  });

  it('names the program when that very port is asked for, and leaves nothing', async () => {
    const port = await listen(0);
    await expect(leases.take(holder('a'), port, nothing)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`process ${process.pid} `),
      data: { port },
    });
    expect(leases.all()).toEqual([]);
  });

  it('names the instance when the port is leased, running or not', async () => {
    const { first } = rangeOf(20);
    await leases.take(holder('client-a'), first, nothing);
    await expect(leases.take(holder('b'), first, nothing)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringMatching(/instance client-a of .+ in \/srv\/pg/),
      hint: expect.stringContaining('--port'),
    });
    expect(leases.find(first)?.instance).toBe('client-a');
  });

  it('says when the range is used up', async () => {
    const range = rangeOf(2);
    await leases.take(holder('a'), range, nothing);
    await leases.take(holder('b'), range, nothing);
    await expect(leases.take(holder('c'), range, nothing)).rejects.toMatchObject({ code: 'NO_FREE_PORT', exitCode: 8 });
  });

  it('never gives one port to two, however many ask at once', async () => {
    const other = new Leases(host);
    const takers = Array.from({ length: 30 }, (_, index) => index);
    const ports = await Promise.all(
      takers.map(async (index) => await (index % 2 ? leases : other).take(holder(`i${index}`), rangeOf(200), nothing)),
    );
    expect(new Set(ports).size).toBe(30);
    for (const [index, port] of ports.entries()) expect(leases.find(port)?.instance).toBe(`i${index}`);
    expect(readdirSync(join(host, 'leases'))).toHaveLength(30);
  });

  it('gives one explicit port to exactly one of many', async () => {
    const { first } = rangeOf(20);
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, async (_, index) => await new Leases(host).take(holder(`i${index}`), first, nothing)),
    );
    // Those that lost found the lease, or the port bound by a probe of another: never a second lease.
    const won = results.flatMap((result, index) => (result.status === 'fulfilled' ? [`i${index}`] : []));
    expect(won.length).toBeLessThanOrEqual(1);
    expect(leases.all().map((lease) => lease.instance)).toEqual(won);
  });
});

describe('release', () => {
  it('gives the port back, to be taken again', async () => {
    const range = rangeOf(20);
    const port = await leases.take(holder('a'), range, nothing);
    leases.release(port, 'id-a');
    expect(leases.find(port)).toBeUndefined();
    leases.release(port, 'id-a');
    expect(await leases.take(holder('b'), range, nothing)).toBe(port);
  });

  it('leaves the lease of another instance', async () => {
    const port = await leases.take(holder('a'), rangeOf(20), nothing);
    leases.release(port, 'id-b');
    expect(leases.find(port)?.instanceId).toBe('id-a');
  });
});

describe('renew', () => {
  it('puts back a lease that was cleaned away, and never another one', async () => {
    const port = await leases.take(holder('a'), rangeOf(20), nothing);
    leases.renew(port, holder('a'));
    expect(() => leases.renew(port, holder('b'))).toThrow(
      expect.objectContaining({ code: 'PORT_IN_USE', message: expect.stringContaining('instance a ') }),
    );
    expect(leases.find(port)?.instance).toBe('a');
    rmSync(join(host, 'leases', `${port}.json`));
    leases.renew(port, holder('b'));
    expect(leases.find(port)?.instance).toBe('b');
  });

  it('follows an instance to where it was moved', async () => {
    const port = await leases.take(holder('a'), rangeOf(20), nothing);
    leases.renew(port, { ...holder('a'), root: '/srv/other' });
    expect(leases.find(port)).toMatchObject({ instance: 'a', root: '/srv/other' });
  });
});

it('passes over what is no lease, and says which lease file is damaged', async () => {
  await leases.take(holder('a'), rangeOf(20), nothing);
  writeFileSync(join(host, 'leases', '.5433.json.abc.tmp'), 'half');
  expect(leases.all()).toHaveLength(1);
  writeFileSync(join(host, 'leases', '5433.json'), '{}');
  expect(() => leases.all()).toThrow(expect.objectContaining({ code: 'FILE_DAMAGED' }));
});

describe('parsePort and parseRange', () => {
  const badPort = (hint: string) => expect.objectContaining({ code: 'BAD_PORT', hint: expect.stringContaining(hint) });

  it.each(['', '0', '80', '1023', '65536', '-5433', '5433.5', 'abc', 'Infinity', '0x1539', '5.433e3', ' '])(
    'refuse the port %j',
    (text) => expect(() => parsePort(text)).toThrow(badPort('1024 to 65535')),
  );

  it('take the first and the last port there is', () => {
    expect([parsePort('1024'), parsePort(65535)]).toEqual([1024, 65535]);
  });

  it.each(['', '-', '5433-', '-5433', '80-90', '5433:5440'])('refuse the range %j: its ports are none', (text) =>
    expect(() => parseRange(text)).toThrow(badPort('1024 to 65535')),
  );

  it.each(['5499-5433', '5433-5440-5450'])('refuse the range %j, and say how one is written', (text) =>
    expect(() => parseRange(text)).toThrow(badPort('5433-5499')),
  );

  it('read a range, and one port as a range of one', () => {
    expect(parseRange('5433-5499')).toEqual({ first: 5433, last: 5499 });
    expect(parseRange('5433')).toEqual({ first: 5433, last: 5433 });
  });
});
