import { parseFleet } from '../../../lib/fleet/file.ts';
import type { ObservedInstance, ObservedServer, ObservedSetting, Pending } from '../../../lib/fleet/observe.ts';
import { planFleet } from '../../../lib/fleet/plan.ts';
import type { HostSituation, ScheduleSituation, Situation } from '../../../lib/fleet/situation.ts';
import { describeChange, type FleetPlan } from '../../../lib/fleet/steps.ts';
import type { InstanceName } from '../../../lib/instances/names.ts';
import type { InstanceRecord } from '../../../lib/instances/record.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

type Server = Partial<Pick<ObservedServer, 'databases' | 'roles' | 'privileges'>>;

export interface Seen {
  record?: Partial<InstanceRecord>;
  state?: ObservedInstance['state'];
  values?: Record<string, string>;
  own?: Record<string, string>;
  /** What the tuning in force speaks of. */
  planned?: string[];
  poolerRuns?: boolean;
  server?: Server | false;
  settings?: Record<string, Partial<ObservedSetting> & { setting: string }>;
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
export function seen(
  name: string,
  { record, state = 'running', values, own, planned, poolerRuns = false, server, settings }: Seen = {},
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
      planned: new Set(planned ?? ['log_min_duration_statement', 'shared_buffers']),
      own: Object.fromEntries(
        Object.entries(own ?? {}).map(([key, value]) => [key, { value, place: 'a.conf, line 1 (included by b.conf)' }]),
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
  /** What is held of the host's memory; of each of the others 2 GB without it. */
  claims?: HostSituation['claims'];
  installed?: ScheduleSituation['observed']['installed'];
  autostart?: Situation['autostart'];
  without?: 'schedule';
}

export function plan(yaml: string, observed: Record<string, ObservedInstance>, around: Around = {}): FleetPlan {
  const { others = [], prune = false, pending = {}, memoryBytes = 64 * GB, autostart } = around;
  const installed = around.installed ?? { crontab: [], units: [] };
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
    schedule:
      around.without === 'schedule'
        ? undefined
        : { declared: schedule, observed: { stored: undefined, installed }, faults: ['x'] },
    autostart,
    host: {
      facts: { memoryBytes: bytes(memoryBytes), cores: 4 },
      budgetShare: 0.8,
      claims: around.claims ?? others.map((name) => ({ name, id: name, root: '/srv', committedBytes: 2 * GB })),
      root: '/srv',
    },
    prune,
  });
}

/** The steps as people read them: `~ tune work_mem: 4MB → 8MB`. */
export function told({ steps }: FleetPlan): string[] {
  return steps.flatMap(({ sign, action, changes }) =>
    changes.map((change) => `${sign} ${action} ${change.what}: ${describeChange(change)}`),
  );
}

export const one = (body = ''): string => `instances:\n  client-a: { template: minimal, ${body} }\n`;
export const role = (name: string, more: object = {}) => ({
  name,
  canLogin: true,
  attributes: [],
  memberOf: [],
  ...more,
});
export const holding = (rights: object) =>
  new Map([['client_a', new Map([['app', { isOwner: false, onDatabase: [], onTables: undefined, ...rights }]])]]);
