import { describe, expect, it } from '@jest/globals';
import { parseFleet } from '../../../lib/fleet/file.ts';
import type { ObservedInstance, ObservedServer, Pending } from '../../../lib/fleet/observe.ts';
import { planFleet } from '../../../lib/fleet/plan.ts';
import { describeChange, type FleetPlan } from '../../../lib/fleet/steps.ts';
import type { InstanceName } from '../../../lib/instances/names.ts';
import type { InstanceRecord } from '../../../lib/instances/record.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

type Server = Partial<Pick<ObservedServer, 'databases' | 'roles' | 'privileges'>>;

interface Seen {
  record?: Partial<InstanceRecord>;
  state?: ObservedInstance['state'];
  values?: Record<string, string>;
  own?: Record<string, string>;
  poolerRuns?: boolean;
  server?: Server | false;
  settings?: Record<string, { setting: string; isPending?: boolean; takes?: 'reload' | 'restart' }>;
}

const usual = {
  version: 16,
  template: 'minimal',
  port: 5440,
  role: 'client_a',
  database: 'client_a',
  committedBytes: 192 * MB,
  wishes: {},
};

/** An instance that is as `client-a: { template: minimal }` says, but for what is given. */
function seen(
  name: string,
  { record, state = 'running', values, own, poolerRuns = false, server, settings }: Seen = {},
) {
  const facts = record as Partial<InstanceRecord> | undefined;
  const database = { name: 'client_a', owner: 'client_a', sizeBytes: 1, locale: 'C.UTF-8' };
  const all = {
    record: {
      ...usual,
      name,
      id: name,
      ...facts,
    },
    state,
    message: undefined,
    configured: {
      values: new Map(Object.entries({ log_min_duration_statement: '1s', ...values, ...own })),
      planned: new Set(['log_min_duration_statement', 'shared_buffers']),
      own: Object.fromEntries(
        Object.entries(own ?? {}).map(([key, value]) => [key, { value, place: 'a.conf, line 1' }]),
      ),
    },
    poolerRuns,
    server:
      server === false || state !== 'running'
        ? undefined
        : {
            settings: new Map(
              Object.entries(settings ?? {}).map(([key, row]) => [
                key,
                { name: key, unit: null, vartype: 'string', takes: 'reload', isPending: false, ...row },
              ]),
            ),
            databases: [database],
            roles: [],
            privileges: new Map([['client_a', new Map()]]),
            ...server,
          },
  };
  return all as unknown as ObservedInstance;
}

interface Around {
  others?: string[];
  prune?: boolean;
  pending?: Record<string, Pending>;
  memoryBytes?: number;
}

function plan(yaml: string, observed: Record<string, ObservedInstance>, around: Around = {}): FleetPlan {
  const { others = [], prune = false, pending = {}, memoryBytes = 64 * GB } = around;
  const { instances, schedule } = parseFleet('/srv/fleet.yaml', yaml);
  return planFleet({
    compared: instances.map((declared) => ({
      declared,
      observed: observed[declared.name],
      template: loadTemplate(declared.template),
      major: declared.major ?? 16,
      pending: new Map(Object.entries(pending)),
    })),
    others: others as InstanceName[],
    schedule: {
      declared: schedule,
      observed: { stored: undefined, installed: { crontab: [], units: [] } },
      faults: ['x'],
    },
    autostart: undefined,
    host: {
      facts: { memoryBytes: bytes(memoryBytes), cores: 4 },
      budgetShare: 0.8,
      claims: others.map((name) => ({ name, id: name, root: '/srv', committedBytes: 2 * GB })),
      root: '/srv',
    },
    prune,
  });
}

/** The steps as people read them: `~ tune work_mem: 4MB → 8MB`. */
function told({ steps }: FleetPlan): string[] {
  return steps.flatMap(({ sign, action, changes }) =>
    changes.map((change) => `${sign} ${action} ${change.what}: ${describeChange(change)}`),
  );
}

const one = (body = ''): string => `instances:\n  client-a: { template: minimal, ${body} }\n`;
const role = (name: string, more: object = {}) => ({ name, canLogin: true, attributes: [], memberOf: [], ...more });
const holding = (rights: object) =>
  new Map([['client_a', new Map([['app', { isOwner: false, onDatabase: [], onTables: undefined, ...rights }]])]]);

describe('nothing', () => {
  it('where all is as declared', () => {
    expect(plan(one(), { 'client-a': seen('client-a') })).toEqual({ steps: [], refusals: [], extra: [], later: [] });
  });
});

describe('a new instance', () => {
  it('is made first; its users before migrations, its privileges after', () => {
    const body =
      'migrations-dir: ./m, pooler: true, databases: { d: { owner: u } }, users: { u: { privileges: read } }';
    const made = plan(one(body), {}, { pending: { client_a: { migrations: ['1.sql', '2.sql', '3.sql'], seeds: [] } } });
    expect(made.steps.map(({ action }) => action)).toEqual([
      'create',
      'create-user',
      'create-db',
      'pooler',
      'migrate',
      'create-user',
    ]);
    expect(told(made)[4]).toBe('+ migrate migrations of client_a: 1.sql … 3.sql (3)');
    expect(made.steps.every(({ asks }) => asks === undefined)).toBe(true);
  });

  it('one after the other, they share the memory that there is', () => {
    const yaml = 'defaults: { template: minimal, memory: 500MB }\ninstances: { a: {}, b: {}, c: {} }\n';
    expect(plan(yaml, {}, { memoryBytes: 2 * GB }).steps).toHaveLength(3);
    expect(() => plan(yaml, {}, { memoryBytes: 1.2 * GB })).toThrow(/^c: what --memory asks for/);
  });

  it('has the memory of what is pruned', () => {
    const around = { others: ['old'], memoryBytes: 2.6 * GB };
    expect(() => plan(one('memory: 500MB'), {}, around)).toThrow('client-a: ');
    expect(plan(one(), {}, { ...around, memoryBytes: 64 * GB }).extra).toEqual(['instance old']);
    const { steps } = plan(one('memory: 500MB'), {}, { ...around, prune: true });
    expect(steps.map(({ action, instance }) => `${action} ${instance}`)).toEqual(['destroy old', 'create client-a']);
  });
});

describe('settings', () => {
  it.each<[string, string, Seen, string[]]>([
    ['by another wish', 'set: { work_mem: 8MB }', { values: { work_mem: '4MB' } }, ['~ tune work_mem: 4MB → 8MB']],
    [
      'by a line of their own',
      'set: { work_mem: 8MB }',
      { own: { work_mem: '4MB' } },
      ['~ tune work_mem: 4MB → 8MB: a.conf, line 1'],
    ],
    ['not named in the file, in a line of their own', '', { own: { log_min_duration_statement: '0' } }, []],
    [
      'wished for once, and no more',
      '',
      { record: { wishes: { settings: { jit: 'off' } } } },
      ['~ tune jit: off → as planned'],
    ],
    ['memory', 'memory: 1GB', {}, ["~ tune memory: the template's → 1GB"]],
    ['archive', 'archive: streaming', {}, ['~ tune archive: command → streaming']],
    ['template', '', { record: { template: 'saas' } }, ['~ tune template: saas → minimal']],
    [
      'waiting for a restart',
      'set: { jit: off }',
      { values: { jit: 'off' }, settings: { jit: { setting: 'on', isPending: true } } },
      ['~ restart restart: for jit'],
    ],
  ])('%s', (_, body, facts, expected) => {
    expect(told(plan(one(body), { 'client-a': seen('client-a', facts) }))).toEqual(expected);
  });

  it('that are written, and not read by the server', () => {
    const facts = { values: { work_mem: '8MB' }, settings: { work_mem: { setting: '4MB' } } };
    const found = plan(one('set: { work_mem: 8MB }'), { 'client-a': seen('client-a', facts) });
    expect(told(found)[0]).toBe('~ tune work_mem: 4MB → 8MB');
  });

  it('that take a restart are asked about', () => {
    const settings = { shared_buffers: { setting: '1', takes: 'restart' as const } };
    const { steps } = plan(one('memory: 1GB'), { 'client-a': seen('client-a', { settings }) });
    expect(steps.map(({ action, asks }) => [action, asks])).toEqual([
      ['tune', undefined],
      ['restart', 'restarts client-a'],
    ]);
  });

  it('are written as --set reads them, and what is wished no more is forgotten', () => {
    const wishes = { maxConnections: 30, memoryBytes: 300 * MB, settings: { jit: 'off' } };
    const facts = { record: { wishes }, own: { search_path: 'x' } };
    const [step] = plan(one("set: { search_path: 'a, b' }"), { 'client-a': seen('client-a', facts) }).steps;
    expect(step?.options).toEqual({
      apply: true,
      template: 'minimal',
      memory: 'default',
      set: "search_path='a, b',jit=default,max_connections=default",
      'replace-own': true,
    });
  });
});

describe('servers', () => {
  it('one that is down is started, and compared as a whole later', () => {
    const found = plan(one('pooler: true, users: { u: {} }'), { 'client-a': seen('client-a', { state: 'crashed' }) });
    expect([told(found), found.later]).toEqual([['~ start state: crashed → running'], ['client-a']]);
  });

  it('another port takes a stop, which is asked about', () => {
    const { steps } = plan(one('port: 5441'), { 'client-a': seen('client-a') });
    expect(steps.map(({ action, options, asks }) => [action, options, asks])).toEqual([
      ['stop', {}, 'restarts client-a'],
      ['start', { port: '5441' }, undefined],
    ]);
  });

  it('one that is to be stopped is, and nothing else is looked at', () => {
    const found = plan(one('state: stopped, users: { u: {} }'), { 'client-a': seen('client-a') });
    expect([told(found), found.later]).toEqual([['~ stop state: running → stopped'], []]);
    expect(plan(one('state: stopped'), { 'client-a': seen('client-a', { state: 'stopped' }) }).steps).toEqual([]);
  });

  it('what cannot be changed in place is refused', () => {
    const { refusals } = plan(one('pg-version: 17, username: x'), { 'client-a': seen('client-a') });
    expect(refusals.map(({ text }) => text)).toEqual([
      'PostgreSQL is 16 and cannot become 17 in place',
      'its role is client_a and cannot become x in place',
    ]);
  });
});

describe('users and databases', () => {
  const withApp = (rights: object, facts: object = {}): Record<string, ObservedInstance> => ({
    'client-a': seen('client-a', { server: { roles: [role('app', facts)], privileges: holding(rights) } }),
  });

  it.each<[string, string, Record<string, ObservedInstance>, string[]]>([
    [
      'missing',
      'users: { app: {} }',
      { 'client-a': seen('client-a') },
      ['+ create-user user app: with a new password'],
    ],
    [
      'too few privileges',
      'users: { app: { privileges: write } }',
      withApp({ onTables: 'read' }),
      ['~ create-user user app: write on client_a'],
    ],
    [
      'more than declared',
      'users: { app: { privileges: read } }',
      withApp({ onTables: 'all', onDatabase: ['connect'] }),
      [],
    ],
    ['no longer a member', 'users: { app: { member-of: [x] } }', withApp({}), ['~ create-user user app: member of x']],
    [
      'not to log in',
      'users: { app: {} }',
      withApp({}, { canLogin: false }),
      ['~ create-user user app: no login → login'],
    ],
    ['any', 'users: any', withApp({ onTables: 'all' }), []],
  ])('%s', (_, body, observed, expected) => {
    expect(told(plan(one(body), observed))).toEqual(expected);
  });

  it('what is more than declared is told, and taken with --prune alone', () => {
    const observed = withApp(
      { onTables: 'all', onDatabase: ['connect', 'create'] },
      { attributes: ['createdb'], memberOf: ['x'] },
    );
    const body = one('users: { app: { privileges: read } }');
    expect(plan(body, observed).extra).toEqual([
      'user app of client-a (all, create, createdb on client_a)',
      'user app of client-a (member of x)',
    ]);
    const [step, ...more] = plan(body, observed, { prune: true }).steps;
    expect(more).toEqual([]);
    expect(step).toMatchObject({
      sign: '-',
      action: 'create-user',
      options: {
        username: 'app',
        database: 'client_a',
        privileges: 'read',
        without: 'all,create,createdb',
        'not-member-of': 'x',
      },
      asks: expect.stringContaining('takes from app of client-a'),
    });
  });

  it('what is not named goes with --prune, databases before the users who may own them', () => {
    const databases = [
      { name: 'client_a', owner: 'client_a', sizeBytes: 1, locale: 'C' },
      { name: 'old', owner: 'app', sizeBytes: 1, locale: 'C' },
    ];
    const observed = { 'client-a': seen('client-a', { server: { databases, roles: [role('app')] } }) };
    expect(plan(one(), observed).extra).toEqual(['database old of client-a', 'user app of client-a']);
    const { steps } = plan(one(), observed, { prune: true });
    expect(steps.map(({ action, options }) => [action, options])).toEqual([
      ['drop-db', { database: 'old' }],
      ['drop-user', { username: 'app', 'reassign-to': 'client_a' }],
    ]);
    expect(plan(one('databases: any, users: any'), observed, { prune: true }).steps).toEqual([]);
  });

  it('the pooler: missing, otherwise, dead', () => {
    const pooled = (poolerRuns: boolean) =>
      seen('client-a', { record: { pooler: { port: 6000 as never } }, poolerRuns });
    expect(told(plan(one('pooler: true'), { 'client-a': seen('client-a') }))).toEqual(['+ pooler pooler: port auto']);
    expect(told(plan(one('pooler: true'), { 'client-a': pooled(true) }))).toEqual([]);
    expect(told(plan(one('pooler: { size: 5 }'), { 'client-a': pooled(false) }))).toEqual([
      '~ pooler pooler size: as planned → 5',
      '~ pooler pooler: crashed → running',
    ]);
    expect(plan(one(), { 'client-a': pooled(true) }).extra).toEqual(['pooler of client-a']);
  });
});
