import type { InstanceName } from '../instances/names.ts';
import { planContents } from './plan-contents.ts';
import { planNew } from './plan-new.ts';
import { planAutostart, planSchedule } from './plan-schedule.ts';
import { planServer } from './plan-server.ts';
import type { Compared, Situation } from './situation.ts';
import { type FleetPlan, notInFile, type Refusal, type Step } from './steps.ts';

/**
 * What has to be done so that all is as declared. Pure. Removals of instances come first, as they make room; then those that
 * are there, the ones that get smaller before the ones that grow; then new ones.
 * @throws MEMORY_BUDGET, BAD_SETTING where all of it together cannot be
 */
export function planFleet({ compared, others, schedule, autostart, host, prune }: Situation): FleetPlan {
  const refusals: Refusal[] = [];
  const extra: string[] = [];
  const later: InstanceName[] = [];
  const removals = prune ? others.map(removal) : [];
  if (!prune) extra.push(...others.map((name) => `instance ${name}`));

  const claims = host.claims.filter(
    ({ name, root }) => !(prune && root === host.root && others.some((o) => o === name)),
  );
  const ordered = compared.toSorted((a, b) => growth(a) - growth(b));
  const room = { ...host, claims };
  const changes = ordered.flatMap((one): Step[] => {
    if (one.observed === undefined) return planNew(one, room);
    const known = { ...one, observed: one.observed };
    const { steps, refusals: refused } = planServer(known, room);
    refusals.push(...refused);
    if (one.declared.state === 'stopped') return steps;
    const { server } = one.observed;
    if (server === undefined) {
      later.push(one.declared.name);
      return steps;
    }
    const contents = planContents(known, server, prune);
    extra.push(...contents.extra);
    return [...steps, ...contents.steps];
  });
  const scheduled = schedule === undefined ? { steps: [], extra: [] } : planSchedule(schedule, prune);
  extra.push(...scheduled.extra);
  const back = autostart === undefined ? [] : planAutostart(autostart);
  return { steps: [...removals, ...changes, ...scheduled.steps, ...back], refusals, extra, later };
}

function removal(instance: InstanceName): Step {
  return {
    sign: '-',
    instance,
    action: 'destroy',
    options: {},
    changes: [{ what: 'instance', why: `${notInFile}: stopped, its data goes to quarantine` }],
    asks: `stops ${instance} and moves its data to quarantine`,
  };
}

/** How many bytes more it is to have, as far as that was wished; new ones come after all that are there. */
function growth({ declared, observed }: Compared): number {
  if (observed === undefined) return Infinity;
  const { memoryBytes = observed.record.committedBytes } = declared.tuning;
  return memoryBytes - observed.record.committedBytes;
}
