import { AppError } from '../errors.ts';
import { type Plan, planInstance, type PlanInput } from '../tuning/plan.ts';
import type { Compared, HostSituation } from './situation.ts';

/** The host's memory while a plan is made: what is planned first is not there for what comes after. */
export type Room = Omit<HostSituation, 'claims'> & { claims: HostSituation['claims'] };

/**
 * Plans the memory and settings of one instance beside all others, and takes it from the room.
 * @throws MEMORY_BUDGET, BAD_SETTING, naming the instance
 */
export function fitInto(room: Room, { declared, observed, template, major }: Compared): Plan {
  const { name, tuning, overcommit, archive } = declared;
  const id = observed?.record.id ?? `new ${name}`;
  const others = room.claims.filter((claim) => claim.id !== id);
  const settings = tuning.settings ?? {};
  // What the file names wins over lines of the operator's own, which go; the others stay and count.
  const own = Object.entries(observed?.configured.own ?? {}).filter(([setting]) => !(setting in settings));
  const input: PlanInput = {
    host: room.facts,
    budgetShare: room.budgetShare,
    template,
    major,
    others,
    wishes: tuning,
    overcommit: overcommit || observed?.record.overcommit === true,
    streaming: archive === 'streaming',
    // Their names are the server's to judge, before the first effect; see lib/actions/apply-checks.ts.
    vouched: new Set([...Object.keys(settings), ...Object.keys(template.settings)]),
    own: Object.fromEntries(own),
  };
  const plan = naming(name, () => planInstance(input));
  const { committedBytes, stressBytes } = plan;
  room.claims = [...others, { id, name, root: room.root, committedBytes, stressBytes }];
  return plan;
}

/** An error about one of many says of which. */
export function naming<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw error.with({ instance: name }, `${name}: ${error.message}`);
  }
}
