import { compareSettings } from '../tuning/changes.ts';
import type { Plan } from '../tuning/plan.ts';
import type { ObservedServer } from './observe.ts';
import type { Known } from './situation.ts';
import { planTuning } from './plan-tuning.ts';
import { fitInto, type Room } from './room.ts';
import { briefly, type Refusal, type Step } from './steps.ts';

export interface ServerPlan {
  steps: Step[];
  refusals: Refusal[];
}

/** What changes of an instance that is there, without what is in its databases: settings, port, whether it runs. */
export function planServer(one: Known, room: Room): ServerPlan {
  const { declared, observed } = one;
  const { name } = declared;
  const { state, server } = observed;
  const step = (action: Step['action'], options: Step['options'], ...changes: Step['changes']): Step => {
    return { sign: '~', instance: name, action, options, changes };
  };
  const tuned = planTuning(one);
  // Also where it does not run: what it is to have is not there for the others.
  const plan = tuned === undefined ? undefined : fitInto(room, one);
  const moves = declared.port !== undefined && declared.port !== observed.record.port;
  const port = moves ? { port: String(declared.port) } : {};
  const moved = { what: 'port', before: String(observed.record.port), after: String(declared.port) };
  const steps = tuned === undefined ? [] : [tuned];
  if (declared.state === 'stopped') {
    const stops = state === 'running' || state === 'starting';
    const change = { what: 'state', before: state, after: 'stopped' };
    if (stops) steps.push({ ...step('stop', {}, change), asks: `stops ${name}` });
  } else if (server === undefined) {
    const change = { what: 'state', before: state, after: 'running' };
    steps.push(step('start', port, change, ...(moves ? [moved] : [])));
  } else if (moves) {
    steps.push({ ...step('stop', {}, { what: 'state', why: 'stopped to be moved' }), asks: `restarts ${name}` });
    steps.push(step('start', port, moved));
  } else {
    const waiting = waitingNames(one, server, plan);
    const change = { what: 'restart', why: `for ${briefly(waiting, 3)}` };
    if (waiting.length > 0) steps.push({ ...step('restart', {}, change), asks: `restarts ${name}` });
  }
  return { steps, refusals: refuse(one) };
}

/** What waits for a restart already, of what the file or the plan speaks of, and what of a new plan only a restart brings into force. */
function waitingNames({ declared, observed: { configured } }: Known, server: ObservedServer, plan?: Plan): string[] {
  const { planned, values } = configured;
  const settings = [...server.settings];
  const ours = new Set([...planned, ...Object.keys(declared.tuning.settings ?? {})]);
  const pending = settings.flatMap(([name, { isPending }]) => (isPending && ours.has(name) ? [name] : []));
  if (plan === undefined) return pending;
  const takes = new Map(settings.map(([name, setting]) => [name, setting.takes]));
  const changes = compareSettings(plan, values, planned, takes).filter((change) => change.takes === 'restart');
  return [...new Set([...changes.map(({ name }) => name), ...pending])];
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
  const plain = (text: string): string => text.toLowerCase().replaceAll('utf-8', 'utf8');
  return plain(a) === plain(b);
}
