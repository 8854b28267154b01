import type { InstanceName } from '../instances/names.ts';
import type { DeclaredContents, DeclaredInstance } from './declared.ts';
import type { ObservedServer, Pending } from './observe.ts';
import { grantSteps, userStep } from './plan-grants.ts';
import type { Known } from './situation.ts';
import { briefly, type Change, notInFile, type Step } from './steps.ts';

export interface ContentsPlan {
  steps: Step[];
  /** What is there and not in the file, where that is left alone. */
  extra: string[];
}

/**
 * What changes in a running instance: roles, databases, its pooler, migrations and seeds, and then privileges and
 * memberships, of roles and on tables that migrations may have made. Removals come last.
 */
export function planContents(one: Known, server: ObservedServer, prune: boolean): ContentsPlan {
  const { declared, observed, pending } = one;
  const { name, users, databases } = declared;
  const { record } = observed;
  const own = record.database;
  const people = users === 'any' ? [] : users;
  const made = databases === 'any' ? [] : databases;
  const roleOf = (user: string) => server.roles.find((role) => role.name === user);
  const steps: Step[] = [];
  for (const { name: user } of people) {
    const role = roleOf(user);
    if (role === undefined) steps.push(userStep(name, user));
    else if (!role.canLogin) {
      const change = { what: `user ${user}`, before: 'no login', after: 'login' };
      steps.push({ ...userStep(name, user), sign: '~', changes: [change] });
    }
  }
  for (const database of made) {
    steps.push(...databaseSteps(name, server, database.name, database.owner ?? record.role));
  }
  const pooler = poolerSteps(one, prune);
  steps.push(...pooler.steps);
  for (const one of [{ name: own, contents: declared.contents }, ...made]) {
    steps.push(...migrationSteps(name, one, pending.get(one.name)));
  }
  const grants = people.flatMap((user) => {
    return grantSteps({ instance: name, own, user, held: { server, role: roleOf(user.name) } });
  });
  const last = [...grants, ...removals(one, server)];
  steps.push(...last.filter(({ sign }) => prune || sign !== '-'));
  const surplus = prune ? [] : last.filter(({ sign }) => sign === '-').flatMap(({ changes }) => changes);
  const told = surplus.map(({ what, before }) => `${what} of ${name}${before === undefined ? '' : ` (${before})`}`);
  return { steps, extra: [...told, ...pooler.extra] };
}

function databaseSteps(name: InstanceName, server: ObservedServer, database: string, owner: string): Step[] {
  const there = server.databases.find((one) => one.name === database);
  const what = `database ${database}`;
  const step = { instance: name, action: 'create-db' as const, options: { database, owner } };
  if (there === undefined) return [{ ...step, sign: '+', changes: [{ what, after: `of ${owner}` }] }];
  if (there.owner === owner) return [];
  const options = { ...step.options, 'change-owner': true };
  return [{ ...step, sign: '~', options, changes: [{ what, before: `of ${there.owner}`, after: `of ${owner}` }] }];
}

export function migrationSteps(
  instance: InstanceName,
  { name: database, contents }: { name: string; contents: DeclaredContents },
  pending: Pending | undefined,
): Step[] {
  const { migrations = [], seeds = [] } = pending ?? {};
  const step = (action: 'migrate' | 'seed', option: string, path: string | undefined, files: string[]): Step[] => {
    if (path === undefined || files.length === 0) return [];
    const what = `${action === 'migrate' ? 'migrations' : 'seeds'} of ${database}`;
    const options = { [option]: path, database };
    return [{ sign: '+', instance, action, options, changes: [{ what, after: briefly(files) }] }];
  };
  return [
    ...step('migrate', 'migrations-dir', contents.migrations, migrations),
    ...step('seed', 'seed-path', contents.seeds, seeds),
  ];
}

export function poolerOptions({ pooler, portRange }: DeclaredInstance): Step['options'] {
  const { mode, size, port } = pooler ?? {};
  return {
    ...(mode === undefined ? {} : { 'pool-mode': mode }),
    ...(size === undefined ? {} : { 'pool-size': size }),
    ...(port === undefined ? {} : { port: String(port) }),
    ...(portRange === undefined ? {} : { 'port-range': portRange }),
  };
}

function poolerSteps({ declared, observed }: Known, prune: boolean): { steps: Step[]; extra: string[] } {
  const { name, pooler: wanted } = declared;
  const { record, poolerRuns } = observed;
  const there = record.pooler;
  const step = (sign: Step['sign'], options: Step['options'], changes: Change[]): Step => {
    return { sign, instance: name, action: 'pooler', options, changes };
  };
  if (wanted === undefined) {
    if (there === undefined) return { steps: [], extra: [] };
    const what = `pooler of ${name}`;
    if (!prune) return { steps: [], extra: [what] };
    const off = step('-', { off: true }, [{ what: 'pooler', why: notInFile }]);
    return { steps: [{ ...off, asks: `takes the ${what} away` }], extra: [] };
  }
  const options = poolerOptions(declared);
  if (there === undefined) {
    return { steps: [step('+', options, [{ what: 'pooler', after: `port ${wanted.port ?? 'auto'}` }])], extra: [] };
  }
  const rows: [what: string, before: string | number | undefined, after: string | number | undefined][] = [
    ['pooler mode', there.mode, wanted.mode],
    ['pooler size', there.poolSize, wanted.size],
    ['pooler port', there.port, wanted.port],
  ];
  const changes: Change[] = rows.flatMap(([what, before, after]) =>
    after === undefined || before === after
      ? []
      : [{ what, before: String(before ?? 'as planned'), after: String(after) }],
  );
  if (!poolerRuns) changes.push({ what: 'pooler', before: 'crashed', after: 'running' });
  return { steps: changes.length === 0 ? [] : [step('~', options, changes)], extra: [] };
}

/** The databases and users that are there and not in the file. */
function removals({ declared, observed: { record } }: Known, server: ObservedServer): Step[] {
  const { name, databases, users } = declared;
  const databaseNames = databases === 'any' ? undefined : [record.database, ...databases.map((one) => one.name)];
  const userNames = users === 'any' ? undefined : [record.role, ...users.map((user) => user.name)];
  const drops = server.databases
    .filter((database) => databaseNames?.includes(database.name) === false)
    .map(({ name: database }): Step => {
      const asks = `drops database ${database} of ${name}, with all that is in it`;
      const change = { what: `database ${database}`, why: `${notInFile}: dropped with all that is in it` };
      return { sign: '-', instance: name, action: 'drop-db', options: { database }, changes: [change], asks };
    });
  const leaves = server.roles
    .filter((role) => role.canLogin && userNames?.includes(role.name) === false)
    .map(({ name: username }): Step => {
      const why = `${notInFile}: what it owns goes to ${record.role}`;
      const options = { username, 'reassign-to': record.role };
      const asks = `drops user ${username} of ${name}`;
      return {
        sign: '-',
        instance: name,
        action: 'drop-user',
        options,
        changes: [{ what: `user ${username}`, why }],
        asks,
      };
    });
  return [...drops, ...leaves];
}
