import { basename, resolve } from 'node:path';
import { exitStatus } from '../errors.ts';
import type { Fleet } from '../fleet/declared.ts';
import { readFleet } from '../fleet/file.ts';
import { planFleet } from '../fleet/plan.ts';
import type { FleetPlan } from '../fleet/steps.ts';
import { type InstanceName, sameName, select } from '../instances/names.ts';
import { instanceNames } from '../instances/record.ts';
import { unfinishedOf } from '../recovery.ts';
import { assertDoable } from './apply-checks.ts';
import { lookAtFleet } from './apply-look.ts';
import { type Done, doSteps, failure } from './apply-steps.ts';
import { extraLine, planText, stepData } from './apply-text.ts';
import { hostAction, type HostContext, type Outcome } from './action.ts';
import { recover } from './recover.ts';

export const apply = hostAction({
  name: 'apply',
  summary: 'make all as a file says',
  details:
    'Compares the file with what is (instances, settings, ports, poolers, users, databases, migrations, seeds, the schedule), shows the differences, and does those, each as the action of its own that it is. A second time it has nothing to do. What the file does not name is left alone; with --prune it is taken away: data of instances goes to quarantine, databases and users are dropped. It asks before a server is restarted or stopped and before anything is taken away. What cannot be done is seen before anything is touched. --instance says which instances, of the file and of this root; the schedule is then left out. export writes the file of what is.',
  examples: [
    ['./manage.ts --action apply --file fleet.yaml --dry-run', 'what differs'],
    ['./manage.ts apply --file fleet.yaml', 'make it so'],
    ["./manage.ts apply --instance 'client-*' --prune", 'some only, and without what is not in the file'],
    ['./manage.ts apply --dry-run --exit-code --quiet', 'for cron: exit status 1 when something differs'],
  ],
  options: {
    file: { type: 'string', alias: 'f', describe: 'what is to be (default ./fleet.yaml)' },
    prune: { type: 'boolean', describe: 'take away what the file does not name' },
    'exit-code': { type: 'boolean', describe: 'with --dry-run: exit status 1 when something differs' },
  },
  target: 'declared',
  lock: 'none',
  changes: true,
  check: ({ file }, { callerFolder }) => void readFleet(fileOf(callerFolder, file)),
  async run(context, given, _, selector) {
    const file = fileOf(context.callerFolder, given.file);
    const fleet = readFleet(file);
    const wish = { file, fleet, selector, prune: given.prune === true };
    if (context.dryRun) {
      for (const { action, instance } of unfinishedOf(context.places))
        context.task.warn(`${action} of ${instance || 'this root'} did not end: apply finishes or undoes that first`);
      const { plan } = await planWish(context, wish, selected(context, wish));
      return planned(wish, plan, given['exit-code'] === true);
    }
    // Two at once would each plan what the other is doing.
    return await context.withInstanceLock('+fleet', 'exclusive', async () => await applyAll(context, wish));
  },
});

interface Wish {
  file: string;
  fleet: Fleet;
  selector: string;
  prune: boolean;
}

function fileOf(callerFolder: string, given: string | undefined): string {
  return resolve(callerFolder, given ?? 'fleet.yaml');
}

/** Of the file and of the root. */
function selected({ places }: HostContext, { fleet, selector }: Wish): InstanceName[] {
  const declared = fleet.instances.map(({ name }) => name);
  const others = instanceNames(places).filter((name) => !declared.some((other) => sameName(other, name)));
  return select(selector, [...declared, ...others]);
}

async function planWish(context: HostContext, wish: Wish, names: readonly InstanceName[]) {
  const situation = await lookAtFleet(context, wish, names);
  const plan = planFleet(situation);
  await assertDoable(context, situation, plan);
  return { plan };
}

async function applyAll(context: HostContext, wish: Wish): Promise<Outcome> {
  const names = selected(context, wish);
  if (unfinishedOf(context.places).length > 0) await context.act(recover, 'all', {});
  const done: Done[] = [];
  const extra: string[] = [];
  let round = names;
  // What has only been started now can only now be seen as a whole: once more, of these.
  for (let rounds = 0; round.length > 0 && rounds < 2; rounds++) {
    const { plan } = await planWish(
      context,
      { ...wish, selector: rounds === 0 ? wish.selector : round.join(',') },
      round,
    );
    context.dialogue.show(planText(plan));
    await ask(context, plan);
    done.push(...(await doSteps(context, plan.steps)));
    extra.push(...plan.extra);
    const failed = new Set(done.flatMap(({ error, step }) => (error === undefined ? [] : [step.instance])));
    round = plan.later.filter((name) => !failed.has(name));
  }
  const failed = failure(done);
  if (failed !== undefined) throw failed;
  return finished(context, wish, names, done, extra);
}

/** Asks once for all that interrupts somebody or takes something away. */
async function ask({ dialogue }: HostContext, { steps }: FleetPlan): Promise<void> {
  const asked = [...new Set(steps.flatMap((step) => step.asks ?? []))];
  if (asked.length === 0) return;
  await dialogue.confirm(`This ${asked.join('; ')}`, steps.some(({ sign }) => sign === '-') ? 'prune' : 'apply');
}

function planned({ file }: Wish, plan: FleetPlan, tells: boolean): Outcome {
  const differs = plan.steps.length + plan.later.length > 0;
  const nothing = { line: `nothing to change: all is as ${basename(file)} says` };
  return {
    data: { file, changed: false, steps: plan.steps.map(stepData), extra: plan.extra, later: plan.later },
    text: [...(differs ? planText(plan) : [nothing]), ...extraLine(plan.extra)],
    ...(tells && differs ? { exitCode: exitStatus.failed } : {}),
  };
}

function finished(
  { task }: HostContext,
  { file, fleet }: Wish,
  names: readonly InstanceName[],
  done: readonly Done[],
  extra: readonly string[],
): Outcome {
  task.signal.throwIfAborted();
  const users = done.filter(
    ({ step }) => step.sign === '+' && step.action === 'create-user' && step.options['database'] === undefined,
  );
  const declared = fleet.instances.filter(({ name }) => names.some((other) => sameName(other, name))).length;
  const count = `${declared} instance${declared === 1 ? '' : 's'}`;
  const line =
    done.length === 0
      ? `nothing to change: ${count}, all as ${basename(file)} says`
      : `${done.length} change${done.length === 1 ? '' : 's'} made: ${count}, all as ${basename(file)} says`;
  const [first] = users;
  const logins =
    first === undefined
      ? []
      : [
          {
            line: `passwords were made: ./manage.ts connect ${first.step.instance} --username ${first.step.options['username']}`,
          },
        ];
  return {
    data: { file, changed: done.length > 0, steps: done.map(({ step }) => stepData(step)), extra, later: [] },
    text: [{ line }, ...logins, ...extraLine(extra)],
  };
}
