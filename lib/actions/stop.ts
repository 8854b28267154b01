import { intendCompanions, stopCompanions } from './companions.ts';
import { stopInstance } from '../instances/stop.ts';
import { meanToRun } from '../instances/record.ts';
import { instanceAction } from './action.ts';
import { openInstance, summaryOutcome } from './shared.ts';

export const stop = instanceAction({
  name: 'stop',
  summary: 'stop, and prove that it has stopped',
  details:
    'Sessions in the middle of something have five seconds to end it, then all are ended; the newest WAL is archived. When time runs out, nothing is killed. An instance that is stopped already is success. One that was stopped stays so when the machine comes back (see autostart), unless it was only for now.',
  examples: [
    ['./manage.ts --action stop --instance client-a', 'stop one'],
    ['./manage.ts --action stop --instance all', 'stop all of this root'],
    ['./manage.ts stop all --for-now', 'for work on the machine; start all --as-before brings them back'],
  ],
  options: {
    immediate: { type: 'boolean', describe: 'do not shut down in order; the next start recovers' },
    'for-now': { type: 'boolean', describe: 'it is still meant to run: start --as-before starts it' },
  },
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name, { immediate, 'for-now': forNow }) {
    const { record, paths } = openInstance(context, name);
    if (context.dryRun) return { data: { name }, text: [{ line: `would stop ${name}` }] };
    if (forNow !== true) meanToRun(context.places, record, false);
    const way = immediate ? 'immediate' : 'orderly';
    intendCompanions(context.journal, record);
    await stopCompanions(context, record, { orderly: way === 'orderly', timeoutMs: context.timeoutMs });
    await stopInstance(context.task, paths, record, { way, timeoutMs: context.timeoutMs ?? 60_000 });
    return summaryOutcome(context, name);
  },
});
