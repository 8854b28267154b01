import type { Client } from '../postgres/sql.ts';
import { instanceAction } from './action.ts';
import { restart } from './restart.ts';
import { installationOf, openRunning, summaryOutcome, withSuperuser } from './shared.ts';

export const upgrade = instanceAction({
  name: 'upgrade',
  summary: 'run the newest installed minor release',
  details:
    'Restarts an instance whose server still runs an older minor release than its programs on disk are by now, and leaves the others alone. The programs themselves come from your package manager. A new major version is another thing: make a new instance with --pg-version and bring the data over with a dump.',
  examples: [
    ['./manage.ts --action upgrade --instance all', 'after apt-get upgrade'],
    ['./manage.ts upgrade all --dry-run', 'who would be restarted'],
  ],
  options: {},
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name) {
    const opened = openRunning(context, name);
    const installed = (await installationOf(context, opened.record)).version;
    const running = await withSuperuser(context, opened, runningVersion);
    const data = { name, running, installed, restarted: false };
    if (running === installed) return { data, text: [{ line: `${name} runs ${running}, the newest installed` }] };
    if (context.dryRun) return { data, text: [{ line: `would restart ${name}: ${running} to ${installed}` }] };
    await restart.run(context, name, {});
    const { text } = summaryOutcome(context, name);
    return { data: { ...data, running: installed, restarted: true }, text };
  },
});

/** As `postgres --version` says it. */
async function runningVersion(client: Client): Promise<string> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version') as version");
  return rows[0]?.version ?? '';
}
