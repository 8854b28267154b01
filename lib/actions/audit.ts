import { readAudit } from '../audit.ts';
import { hostAction } from './action.ts';
import { moment } from './moment.ts';

export const audit = hostAction({
  name: 'audit',
  summary: 'who did what, and what came of it',
  details: 'One line for every action that changes something; the file is only ever added to.',
  examples: [['./manage.ts --action audit --lines 20', 'the last twenty']],
  options: { lines: { type: 'number', alias: 'n', describe: 'how many lines (default 50)' } },
  target: 'none',
  lock: 'none',
  changes: false,
  async run({ places }, { lines }) {
    const entries = readAudit(places.audit).slice(-(lines ?? 50));
    const rows = entries.map(({ at, user, action, instance, arguments: given, result, seconds }) => [
      moment(at).replace(' UTC', ''),
      user,
      action,
      instance ?? '-',
      result,
      `${seconds.toFixed(1)} s`,
      Object.entries(given)
        .map(([name, value]) => `--${name} ${value}`)
        .join(' '),
    ]);
    const table = { head: ['when (UTC)', 'who', 'action', 'instance', 'result', 'took', 'options'], rows };
    return {
      data: { file: places.audit, entries },
      text: [rows.length === 0 ? { line: 'nothing was done yet' } : table],
    };
  },
});
