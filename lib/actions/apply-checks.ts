import { AppError } from '../errors.ts';
import type { Compared, Situation } from '../fleet/situation.ts';
import type { FleetPlan, Step } from '../fleet/steps.ts';
import { isBindable } from '../host/ports.ts';
import { findPgbouncer } from '../pooler/program.ts';
import { describeLease, describeListener, Leases, portInUse } from '../ports/leases.ts';
import { chooseInstallation } from '../postgres/installations.ts';
import type { HostContext } from './action.ts';
import { assertCallable } from './called-later.ts';
import { installationOf, ownPrograms } from './shared.ts';
import { checkTuning } from './tuning-wishes.ts';

/**
 * What can be known to fail is said before anything is touched.
 * @throws NOT_IN_PLACE with all that cannot be changed; BAD_SETTING, PORT_IN_USE, NO_PGBOUNCER …
 */
export async function assertDoable(context: HostContext, situation: Situation, plan: FleetPlan): Promise<void> {
  assertInPlace(plan);
  const { steps } = plan;
  const has = (action: Step['action']): boolean => steps.some((step) => step.action === action && step.sign !== '-');
  if (has('pooler')) await findPgbouncer(context.task.signal);
  if (has('schedule') || has('autostart')) assertCallable();
  await assertPortsFree(context, situation, plan);
  for (const one of situation.compared) {
    const touched = steps.some(
      ({ instance, action }) => instance === one.declared.name && /^(create|tune)$/.test(action),
    );
    if (touched) await assertSettings(context, one);
  }
}

function assertInPlace({ refusals }: FleetPlan): void {
  const [first] = refusals;
  if (first === undefined) return;
  const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : '';
  const told = refusals.map(({ instance, text, hint }) => `${instance}: ${text}; ${hint}`);
  throw new AppError('NOT_IN_PLACE', `${first.instance}: ${first.text}${more}`, {
    hint: first.hint,
    ...(refusals.length > 1 ? { output: told.join('\n') } : {}),
    data: { refusals },
  });
}

/** The server itself looks at names, units and ranges. */
async function assertSettings(context: HostContext, { declared, observed, template }: Compared): Promise<void> {
  const { bindir, task } = context;
  const major = declared.major ?? context.pgVersion;
  const installation =
    observed === undefined
      ? await chooseInstallation({ bindir, major }, ownPrograms(context), task.signal)
      : await installationOf(context, observed.record);
  try {
    await (
      await checkTuning(context, installation, template, declared.tuning)
    ).checking;
  } catch (error) {
    throw error instanceof AppError
      ? error.with({ instance: declared.name }, `${declared.name}: ${error.message}`)
      : error;
  }
}

/** Ports that the file names and that are not held yet. Those of instances that go are free by then. */
async function assertPortsFree({ places }: HostContext, situation: Situation, { steps }: FleetPlan): Promise<void> {
  const leases = new Leases(places.host);
  const gone = steps.flatMap(({ action, instance }) => (action === 'destroy' ? [instance] : []));
  for (const { declared, observed } of situation.compared) {
    for (const port of [declared.port, declared.pooler?.port]) {
      if (port === undefined || port === observed?.record.port || port === observed?.record.pooler?.port) continue;
      const lease = leases.find(port);
      if (lease !== undefined && lease.root === places.root && gone.some((name) => name === lease.instance)) continue;
      const holder = lease === undefined ? undefined : describeLease(lease);
      if (holder !== undefined) throw portInUse(port, holder).with({ instance: declared.name });
      if (!(await isBindable(port))) throw portInUse(port, describeListener(port)).with({ instance: declared.name });
    }
  }
}
