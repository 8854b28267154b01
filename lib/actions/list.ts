import { describeAlarm, readAlarm } from '../backups/alarm.ts';
import { lastBackups } from '../backups/summary.ts';
import type { InstanceName } from '../instances/names.ts';
import { summarizeAll } from '../instances/summary.ts';
import { hostAction } from './action.ts';
import { moment } from './moment.ts';

export const list = hostAction({
  name: 'list',
  summary: 'all instances at a glance',
  examples: [
    ['./manage.ts --action list', 'as a table'],
    ["./manage.ts list --json | jq '.data.instances[].port'", 'for scripts'],
  ],
  options: { names: { type: 'boolean', describe: 'the names alone, a line each' } },
  target: 'none',
  lock: 'none',
  changes: false,
  async run(context, { names }) {
    const { places } = context;
    const instances = summarizeAll(context).map((summary) => ({
      ...summary,
      ...lastBackups(places, summary.name as InstanceName),
      alarm: readAlarm(places, summary.name as InstanceName) ?? null,
    }));
    if (names) return { data: { instances }, text: instances.map(({ name }) => ({ line: name })) };
    const rows = instances.map(({ name, state, port, version, template, lastVerifiedBackup }) => [
      name,
      state,
      String(port ?? '-'),
      String(version ?? '-'),
      template ?? '-',
      moment(lastVerifiedBackup?.verifiedAt),
    ]);
    const messages = instances.flatMap(({ name, message, alarm }) => [
      ...(message === null ? [] : [{ line: `${name}: ${message}` }]),
      ...(alarm === null ? [] : [{ line: `${name}: ${describeAlarm(alarm)}` }]),
    ]);
    const table = { head: ['instance', 'state', 'port', 'version', 'template', 'last verified backup'], rows };
    const empty = { line: 'there are no instances; make one with: ./manage.ts create NAME' };
    return { data: { instances }, text: [instances.length === 0 ? empty : table, ...messages] };
  },
});
