import { defaultDatabase } from '../instances/names.ts';
import { spellSettings } from '../tuning/set-text.ts';
import { formatSize } from '../tuning/sizes.ts';
import type { DeclaredInstance } from './declared.ts';
import type { Compared } from './situation.ts';
import { migrationSteps, poolerOptions } from './plan-contents.ts';
import { grantSteps, userStep } from './plan-grants.ts';
import { fitInto, type Room } from './room.ts';
import type { Step } from './steps.ts';

/** The steps to an instance that is not there: itself, then all that it is to hold. */
export function planNew(one: Compared, room: Room): Step[] {
  const { declared, major, pending } = one;
  const plan = fitInto(room, one);
  const { name, state, port, pooler, databases, users } = declared;
  const step = (action: Step['action'], options: Step['options'], ...changes: Step['changes']): Step => {
    return { sign: '+', instance: name, action, options, changes };
  };
  const memory = formatSize(plan.memoryBytes);
  const why = `PostgreSQL ${major}, template ${declared.template}, port ${port ?? 'auto'}, ${memory}`;
  const created = { ...step('create', createOptions(declared), { what: 'instance', after: why }), pgVersion: major };
  const own = declared.database ?? defaultDatabase(name);
  const role = declared.role ?? defaultDatabase(name);
  const made = databases === 'any' ? [] : databases;
  const people = users === 'any' ? [] : users;
  return [
    created,
    ...people.filter((user) => user.name !== role).map((user) => userStep(name, user.name)),
    ...made.map((database) => {
      const owner = database.owner ?? role;
      const options = { database: database.name, owner };
      return step('create-db', options, { what: `database ${database.name}`, after: `of ${owner}` });
    }),
    ...(pooler === undefined
      ? []
      : [step('pooler', poolerOptions(declared), { what: 'pooler', after: `port ${pooler.port ?? 'auto'}` })]),
    ...migrationSteps(name, { name: own, contents: declared.contents }, pending.get(own)),
    ...made.flatMap((database) => migrationSteps(name, database, pending.get(database.name))),
    ...people.flatMap((user) => grantSteps({ instance: name, own, user, held: undefined })),
    ...(state === 'stopped' ? [{ ...step('stop', {}, { what: 'state', after: 'stopped' }), sign: '~' as const }] : []),
  ];
}

function createOptions(declared: DeclaredInstance): Step['options'] {
  const { template, port, portRange, tuning, overcommit, archive, role, database, locale } = declared;
  const { memoryBytes, maxConnections, settings } = tuning;
  return {
    template,
    ...(port === undefined ? {} : { port: String(port) }),
    ...(portRange === undefined ? {} : { 'port-range': portRange }),
    ...(memoryBytes === undefined ? {} : { memory: formatSize(memoryBytes) }),
    ...(maxConnections === undefined ? {} : { 'max-connections': maxConnections }),
    ...(settings === undefined ? {} : { set: spellSettings(settings) }),
    ...(overcommit ? { overcommit } : {}),
    ...(archive === 'streaming' ? { archive } : {}),
    ...(role === undefined ? {} : { username: role }),
    ...(database === undefined ? {} : { database }),
    ...(locale === undefined ? {} : { locale }),
  };
}
