import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkSettings } from '../../lib/tuning/check.ts';
import { type EffectiveSetting, isInForce } from '../../lib/tuning/effective.ts';
import { planInstance } from '../../lib/tuning/plan.ts';
import { planFile, renderPlan } from '../../lib/tuning/render.ts';
import { bytes, GB, MB } from '../../lib/tuning/sizes.ts';
import { loadTemplate, templateNames } from '../../lib/tuning/templates.ts';
import { serviceAccount } from '../helpers/cli.ts';
import { makeTestFolder } from '../helpers/places.ts';
import { startServerOn, type ThrowawayServer } from '../helpers/throwaway-server.ts';

const majors = installedServers();
const { signal } = new AbortController();

describe.each(majors)('PostgreSQL $major', ({ major, bindir }) => {
  let folder: string;
  const data = (): string => join(folder, 'data');

  beforeAll(() => {
    folder = makeTestFolder('pgm-templates-');
    const account = serviceAccount();
    if (account !== undefined) chownSync(folder, account.uid, account.gid);
    const initdb = ['-D', data(), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'];
    execFileSync(join(bindir, 'initdb'), initdb, { ...account, cwd: folder, stdio: 'pipe' });
    writeFileSync(join(data(), 'postgresql.conf'), `include '${planFile}'\n`);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(templateNames())('template %s: it starts, and pg_settings is the plan', async (name) => {
    const template = loadTemplate(name);
    const installation = { major, bindir, version: String(major) };
    await checkSettings(installation, template, {}, signal);
    const plan = planInstance({
      host: { memoryBytes: bytes(4 * GB), cores: 2 },
      template,
      major,
      others: [],
      wishes: {},
      budgetShare: 0.8,
      overcommit: false,
    });
    writeFileSync(join(data(), planFile), renderPlan(plan, { template: name, instance: 'test' }), { mode: 0o644 });
    const server = await startServerOn(folder, bindir);
    try {
      const rows = await settingsOf(server);
      expect(plan.settings.filter((planned) => !isAsPlanned(planned, rows))).toEqual([]);
      const shared = rows.get('shared_memory_size');
      // The formula is to be above what the server takes, and not by much.
      if (shared !== undefined) {
        const reportedBytes = Number(shared.setting) * MB;
        expect(plan.sharedMemoryBytes).toBeGreaterThanOrEqual(reportedBytes - MB);
        expect(plan.sharedMemoryBytes).toBeLessThan(reportedBytes * 1.02 + 3 * MB);
      }
    } finally {
      await server.stop();
    }
  });
});

function isAsPlanned({ name, value }: { name: string; value: string }, rows: Map<string, EffectiveSetting>): boolean {
  const row = rows.get(name);
  return row !== undefined && isInForce(value, row);
}

async function settingsOf(server: ThrowawayServer): Promise<Map<string, EffectiveSetting>> {
  const { rows } = await server.query('postgres', async (client) =>
    client.query<EffectiveSetting>('select name, setting, unit, vartype from pg_settings'),
  );
  return new Map(rows.map((row) => [row.name, row]));
}

/** Those of Debian's folder, one a major, and the folders that PG_TEST_BINDIRS names, colons between them. */
function installedServers(): { major: number; bindir: string }[] {
  const debian = '/usr/lib/postgresql';
  const installed = existsSync(debian) ? readdirSync(debian).map((major) => join(debian, major, 'bin')) : [];
  const named = (process.env['PG_TEST_BINDIRS'] ?? '').split(':').filter((bindir) => bindir !== '');
  return [...installed, ...named].map((bindir) => {
    const version = execFileSync(join(bindir, 'postgres'), ['--version'], { encoding: 'utf8' });
    return { bindir, major: Number(/\) (\d+)/.exec(version)?.[1]) };
  });
}
