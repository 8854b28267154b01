import { lastBackups } from '../backups/summary.ts';
import { instanceNames } from '../instances/record.ts';
import { summarize } from '../instances/summary.ts';
import { hostAction } from './action.ts';
import { moment } from './shared.ts';

export const list = hostAction({
  name: 'list',
  summary: 'all instances at a glance',
  examples: [
    ['./manage.ts --action list', 'as a table'],
    ["./manage.ts list --json | jq '.data.instances[].port'", 'for scripts'],
  ],
  options: {},
  target: 'none',
  lock: 'none',
  changes: false,
  async run(context) {
    const { places } = context;
    const instances = instanceNames(places).map((name) => ({
      ...summarize(context, name),
      ...lastBackups(places, name),
    }));
    const rows = instances.map(({ name, state, port, version, template, lastVerifiedBackup }) => [
      name,
      state,
      String(port ?? '-'),
      String(version ?? '-'),
      template ?? '-',
      moment(lastVerifiedBackup?.verifiedAt),
    ]);
    const messages = instances.flatMap(({ name, message }) =>
      message === null ? [] : [{ line: `${name}: ${message}` }],
    );
    const table = { head: ['instance', 'state', 'port', 'version', 'template', 'last verified backup'], rows };
    const empty = { line: 'there are no instances; make one with: ./manage.ts --action create --instance NAME' };
    return { data: { instances }, text: [instances.length === 0 ? empty : table, ...messages] };
  },
});
