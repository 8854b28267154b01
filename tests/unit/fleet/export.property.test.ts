import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { HeldPrivileges } from '../../../lib/databases/survey.ts';
import { fleetOf, fleetYaml } from '../../../lib/fleet/export.ts';
import { parseFleet } from '../../../lib/fleet/file.ts';
import type { ObservedInstance, ObservedSetting } from '../../../lib/fleet/observe.ts';
import { planFleet } from '../../../lib/fleet/plan.ts';
import type { StoredWish } from '../../../lib/schedule/compose.ts';
import { bytes } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

const template = loadTemplate('minimal');
const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
/** Also names and values that YAML, or a plain list of settings, would read as something else. */
const odd = fc.constantFrom('true', '0640', '1e6', '~', 'null', 'a: b', '# no', "it's", '"$user", public', 'é', ' x');
const sqlName = fc.oneof(word, odd);
const subset = <T>(of: readonly T[]) => fc.subarray([...of]);

const held = fc.record({
  isOwner: fc.boolean(),
  onDatabase: subset(['connect', 'create', 'temporary'] as const),
  onTables: fc.constantFrom('read', 'write', 'all', undefined),
}) as fc.Arbitrary<HeldPrivileges>;

const settings = fc.dictionary(
  fc.constantFrom('application_name', 'search_path', 'jit', 'my.own', 'syslog_ident'),
  fc.oneof(odd, fc.constant('8MB')),
);

/** The row of a running server that has this very value. */
function row(name: string, setting: string): ObservedSetting {
  return { name, setting, unit: null, vartype: 'string', takes: 'reload', isPending: false };
}

/** Any instance that is as its own record, files and server say. */
const instance = fc
  .record({
    port: fc.integer({ min: 1024, max: 65_535 }),
    role: sqlName,
    database: sqlName,
    memoryBytes: fc.option(fc.integer({ min: 100, max: 400 }), { nil: undefined }),
    maxConnections: fc.option(fc.integer({ min: 20, max: 90 }), { nil: undefined }),
    settings,
    own: settings,
    pooler: fc.option(
      fc.record({
        mode: fc.constantFrom('session', 'transaction', undefined),
        poolSize: fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }),
      }),
      { nil: undefined },
    ),
    runs: fc.boolean(),
    streams: fc.boolean(),
    databases: fc.dictionary(sqlName, sqlName, { maxKeys: 3 }),
    roles: fc.dictionary(
      sqlName,
      fc.record({
        canLogin: fc.boolean(),
        attributes: subset(['createdb', 'createrole', 'bypassrls', 'replication'] as const),
        memberOf: fc.uniqueArray(word, { maxLength: 2 }),
        onOwn: held,
        onOther: held,
      }),
      { maxKeys: 4 },
    ),
  })
  .map((drawn) => {
    const values = new Map([
      ['log_min_duration_statement', '1s'],
      ...(drawn.maxConnections === undefined ? [] : [['max_connections', String(drawn.maxConnections)] as const]),
      ...Object.entries({ ...drawn.settings, ...drawn.own }),
    ] as [string, string][]);
    const { pooler } = drawn;
    const names = { role: drawn.role, database: drawn.database };
    const others = Object.entries(drawn.databases).filter(([name]) => name !== names.database && name !== 'postgres');
    const roles = Object.entries(drawn.roles).filter(([name]) => name !== names.role);
    const on = (which: 'onOwn' | 'onOther') => new Map(roles.map(([name, facts]) => [name, facts[which]]));
    const observed = {
      record: {
        name: 'client-a',
        id: 'x',
        version: 16,
        template: 'minimal',
        committedBytes: 2 ** 27,
        ...(drawn.streams ? { archive: 'streaming' } : {}),
        port: drawn.port,
        ...names,
        wishes: {
          ...(drawn.memoryBytes === undefined ? {} : { memoryBytes: drawn.memoryBytes * 2 ** 20 }),
          ...(drawn.maxConnections === undefined ? {} : { maxConnections: drawn.maxConnections }),
          ...(Object.keys(drawn.settings).length === 0 ? {} : { settings: drawn.settings }),
        },
        ...(pooler === undefined ? {} : { pooler: { ...pooler, port: (drawn.port ^ 1) as never } }),
      },
      state: drawn.runs ? 'running' : 'stopped',
      message: undefined,
      configured: {
        values,
        planned: new Set(['log_min_duration_statement']),
        own: Object.fromEntries(Object.entries(drawn.own).map(([name, value]) => [name, { value, place: 'a line' }])),
      },
      poolerRuns: pooler !== undefined,
      server: drawn.runs
        ? {
            settings: new Map([...values].map(([name, value]) => [name, row(name, value)])),
            databases: [[names.database, names.role] as const, ...others].map(([name, owner]) => ({
              name,
              owner,
              sizeBytes: 1,
              locale: 'C.UTF-8',
            })),
            roles: [
              { name: names.role, canLogin: true, attributes: [], memberOf: [] },
              ...roles.map(([name, { canLogin, attributes, memberOf }]) => ({ name, canLogin, attributes, memberOf })),
            ],
            privileges: new Map([
              [names.database, on('onOwn')],
              ...others.map(([name]) => [name, on('onOther')] as const),
            ]),
          }
        : undefined,
    };
    return observed as unknown as ObservedInstance;
  });

const stored: fc.Arbitrary<StoredWish | undefined> = fc.option(
  fc.record({
    schema: fc.constant(1 as const),
    scheduler: fc.constantFrom('cron' as const, 'systemd' as const),
    selector: fc.constantFrom('all', 'client-*'),
    backup: fc.constant('0 2 * * *'),
    keep: fc.integer({ min: 1, max: 9 }),
    jitterSeconds: fc.integer({ min: 0, max: 300 }),
  }),
  { nil: undefined },
);

describe('export', () => {
  it('writes a file that differs in nothing from what is, also for --prune', () => {
    fc.assert(
      fc.property(instance, stored, fc.boolean(), (observed, schedule, autostart) => {
        const fleet = fleetOf([{ observed, template }], { schedule, autostart }, () => undefined);
        const declared = parseFleet('/srv/fleet.yaml', fleetYaml(fleet, ['a comment']));
        const [one] = declared.instances;
        const plan = planFleet({
          compared: [{ declared: one!, observed, template, major: 16, pending: new Map() }],
          others: [],
          schedule: {
            declared: declared.schedule,
            observed: { stored: schedule, installed: { crontab: [], units: [] } },
            faults: [],
          },
          autostart: { declared: declared.autostart, isThere: autostart },
          host: { facts: { memoryBytes: bytes(2 ** 34), cores: 4 }, budgetShare: 0.8, claims: [], root: '/srv' },
          prune: true,
        });
        expect(plan).toEqual({ steps: [], refusals: [], extra: [], later: [] });
      }),
      { numRuns: 120 },
    );
  });
});
