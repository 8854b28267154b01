import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { commandLine, processesOn } from '../../lib/host/processes.ts';
import { placesOf } from '../../lib/instances/places.ts';
import { type Summary, summarizeAll } from '../../lib/instances/summary.ts';
import type { Sandbox } from './cli.ts';

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** What `list` says, by the same code, without a process for each look. */
export function instancesIn({ root, host }: Pick<Sandbox, 'root' | 'host'>): Summary[] {
  return summarizeAll({ places: placesOf(root, join(root, 'backups'), host) });
}

/**
 * What must hold whatever was killed, once the next action or `recover` has been there: leases and instances are the same
 * set, every server and pooler belongs to an instance, and no half-done work lies about.
 */
export async function expectInvariants(sandbox: Sandbox): Promise<void> {
  const own = join(sandbox.root, '.pg-manage');
  const instances = instancesIn(sandbox);
  expect(instances.filter(({ state }) => state === 'creating' || state === 'broken')).toEqual([]);

  const leases = names(join(sandbox.host, 'leases')).filter((name) => !name.startsWith('.'));
  const ports = instances.flatMap(({ port, poolerPort }) => (poolerPort === null ? [port] : [port, poolerPort]));
  expect(leases).toEqual(ports.map((port) => `${port}.json`).sort());
  expect(names(join(sandbox.root, 'instances'))).toEqual(instances.map(({ name }) => name).sort());

  expect(names(join(own, 'journal'))).toEqual([]);
  expect(names(join(own, 'scratch'))).toEqual([]);
  for (const name of names(join(sandbox.root, 'backups'))) {
    const base = names(join(sandbox.root, 'backups', name, 'base'));
    expect(base.filter((id) => id.startsWith('.'))).toEqual([]);
    expect(names(join(sandbox.root, 'backups', name, 'wal')).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  }

  const servers = processesOn(sandbox.root).filter((pid) => commandLine(pid)[1] === '-D');
  const running = instances.filter(({ state }) => state === 'running').map(({ dataDirectory }) => dataDirectory);
  expect(servers.map((pid) => String(commandLine(pid)[2])).sort()).toEqual(running.sort());

  const poolers = processesOn(sandbox.root).filter((pid) => commandLine(pid)[0]?.endsWith('/pgbouncer'));
  const pooled = instances.filter(({ state, poolerPort }) => state === 'running' && poolerPort !== null);
  const configurations = pooled.map(({ name }) => join(sandbox.root, 'instances', name, 'pooler', 'pgbouncer.ini'));
  expect(poolers.map((pid) => String(commandLine(pid)[1])).sort()).toEqual(configurations.sort());
}
