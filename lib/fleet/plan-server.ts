import { compareSettings } from '../tuning/changes.ts';
import type { Known } from './situation.ts';
import { planTuning } from './plan-tuning.ts';
import { fitInto, type Room } from './room.ts';
import { briefly, type Refusal, type Step } from './steps.ts';

export interface ServerPlan {
  steps: Step[];
  refusals: Refusal[];
  /** Whether it does not run yet and is to: the rest can be seen only then. */
  startsFirst: boolean;
}

/** What changes of an instance that is there, without what is in its databases: settings, port, whether it runs. */
export function planServer(one: Known, room: Room): ServerPlan {
  const { declared, observed } = one;
  const { name } = declared;
  const { state } = observed;
  const step = (action: Step['action'], options: Step['options'], ...changes: Step['changes']): Step => {
    return { sign: '~', instance: name, action, options, changes };
  };
  const tuned = planTuning(one);
  const waiting = tuned === undefined ? pendingNames(one) : restartNames(one, room);
  const moves = declared.port !== undefined && declared.port !== observed.record.port;
  const port = moves ? { port: String(declared.port) } : {};
  const moved = { what: 'port', before: String(observed.record.port), after: String(declared.port) };
  const startsFirst = declared.state === 'running' && observed.server === undefined;
  const steps = tuned === undefined ? [] : [tuned];
  if (declared.state === 'stopped') {
    const stops = state === 'running' || state === 'starting';
    const change = { what: 'state', before: state, after: 'stopped' };
    if (stops) steps.push({ ...step('stop', {}, change), asks: `stops ${name}` });
  } else if (startsFirst) {
    const change = { what: 'state', before: state, after: 'running' };
    steps.push(step('start', port, change, ...(moves ? [moved] : [])));
  } else if (moves) {
    steps.push({ ...step('stop', {}, { what: 'state', why: 'stopped to be moved' }), asks: `restarts ${name}` });
    steps.push(step('start', port, moved));
  } else if (waiting.length > 0) {
    const change = { what: 'restart', why: `for ${briefly(waiting, 3)}` };
    steps.push({ ...step('restart', {}, change), asks: `restarts ${name}` });
  }
  return { steps, refusals: refuse(one), startsFirst };
}

/** What the file or the plan speaks of and waits for a restart already. */
function pendingNames({ declared, observed: { server, configured } }: Known): string[] {
  const ours = new Set([...configured.planned, ...Object.keys(declared.tuning.settings ?? {})]);
  return [...(server?.settings ?? [])].flatMap(([name, { isPending }]) => (isPending && ours.has(name) ? [name] : []));
}

/** What the tuning that is planned changes and only a restart brings into force. */
function restartNames(one: Known, room: Room): string[] {
  const { values, planned } = one.observed.configured;
  const plan = fitInto(room, one);
  const takes = new Map([...(one.observed.server?.settings ?? [])].map(([name, setting]) => [name, setting.takes]));
  if (takes.size === 0) return []; // it does not run
  const changes = compareSettings(plan, values, planned, takes);
  const names = changes.filter((change) => change.takes === 'restart').map(({ name }) => name);
  return [...new Set([...names, ...pendingNames(one)])];
}

/** What no action changes in place. */
function refuse({ declared, observed, major }: Known): Refusal[] {
  const { name, role, database, locale } = declared;
  const { record, server } = observed;
  const own = server?.databases.find((one) => one.name === record.database);
  const rows: [what: string, is: string | undefined, wanted: string | undefined, hint: string][] = [
    [
      'PostgreSQL',
      String(record.version),
      String(major),
      `make another instance with pg-version: ${major}, bring the data over with a dump (--action backup --backup-type dump), then leave ${name} out`,
    ],
    ['its role', record.role, role, `write username: ${record.role}, or leave it out`],
    ['its database', record.database, database, `write database: ${record.database}, or leave it out`],
    [
      'locale',
      own?.locale,
      locale,
      'a locale is chosen when an instance is made: make another, and restore a dump into it',
    ],
  ];
  return rows.flatMap(([what, is, wanted, hint]) =>
    is === undefined || wanted === undefined || sameWord(is, wanted)
      ? []
      : [{ instance: name, text: `${what} is ${is} and cannot become ${wanted} in place`, hint }],
  );
}

/** Systems write the names of locales in several ways: `C.UTF-8` and `C.utf8`. */
function sameWord(a: string, b: string): boolean {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/utf-?8/g, 'utf8');
  return plain(a) === plain(b);
}
