import { intendCompanions, startCompanions, stopCompanions } from './companions.ts';
import { startInstance } from '../instances/lifecycle.ts';
import { meanToRun } from '../instances/record.ts';
import { stopInstance } from '../instances/stop.ts';
import { instanceAction } from './action.ts';
import { defaultTimeoutMs, installationOf, openInstance, summaryOutcome } from './shared.ts';

export const restart = instanceAction({
  name: 'restart',
  summary: 'stop and start',
  examples: [['./manage.ts --action restart --instance client-a', 'for settings that need a restart']],
  options: {},
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name) {
    const { record, paths, archiveFolder } = openInstance(context, name);
    if (context.dryRun) return { data: { name }, text: [{ line: `would restart ${name}` }] };
    const installation = await installationOf(context, record);
    meanToRun(context.places, record, true);
    intendCompanions(context.journal, record);
    await stopCompanions(context, record, { orderly: true, timeoutMs: context.timeoutMs });
    await stopInstance(context.task, paths, record, { way: 'orderly', timeoutMs: context.timeoutMs ?? 60_000 });
    const timeoutMs = context.timeoutMs ?? defaultTimeoutMs;
    await startInstance(context.task, installation, paths, record, { archiveFolder, timeoutMs });
    await startCompanions(context, record);
    return summaryOutcome(context, name);
  },
});
