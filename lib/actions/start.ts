import { startInstance } from '../instances/lifecycle.ts';
import { instanceAction } from './action.ts';
import { defaultTimeoutMs, installationOf, openInstance, summaryOutcome } from './shared.ts';

export const start = instanceAction({
  name: 'start',
  summary: 'start, and wait until it answers',
  details:
    'Done when a query on its own database comes back from this very server. When time runs out while the server lives, it is left alone (exit status 6). An instance that runs already is success.',
  examples: [
    ['./manage.ts --action start --instance client-a', 'start one'],
    ["./manage.ts --action start --instance 'client-*' --jobs 4", 'start several, four at once'],
  ],
  options: {},
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name) {
    const { record, paths, archiveFolder } = openInstance(context, name);
    if (context.dryRun)
      return { data: { name, port: record.port }, text: [{ line: `would start ${name} on port ${record.port}` }] };
    const installation = await installationOf(context, record);
    const timeoutMs = context.timeoutMs ?? defaultTimeoutMs;
    const { id: instanceId, committedBytes, port } = record;
    context.leases.renew(port, {
      purpose: 'postgres',
      instanceId,
      instance: name,
      root: context.places.root,
      committedBytes,
    });
    await startInstance(context.task, installation, paths, record, { archiveFolder, timeoutMs });
    return summaryOutcome(context, name);
  },
});
