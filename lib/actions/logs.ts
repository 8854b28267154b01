import { lastLogLines } from '../instances/logs.ts';
import { instanceAction } from './action.ts';
import { openInstance } from './shared.ts';

export const logs = instanceAction({
  name: 'logs',
  summary: "the end of the server's log",
  examples: [['./manage.ts --action logs --instance client-a --lines 100', 'the last hundred lines']],
  options: { lines: { type: 'number', alias: 'n', describe: 'how many lines (default 50)' } },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, { lines }) {
    const { paths } = openInstance(context, name);
    const last = lastLogLines(paths, lines ?? 50);
    return { data: { name, folder: paths.log, lines: last }, text: last.map((line) => ({ line })) };
  },
});
