import { AppError } from '../errors.ts';
import { pause } from '../host/wait.ts';
import { type Severity, severities, severityFilter } from '../instances/log-entries.ts';
import { LogFollower } from '../instances/log-follow.ts';
import { lastLogLines } from '../instances/logs.ts';
import type { InstancePaths } from '../instances/places.ts';
import { type Context, instanceAction } from './action.ts';
import { openInstance, untilStopped } from './shared.ts';

/** How soon a new line is seen, in milliseconds. */
const lookEveryMs = 250;

export const logs = instanceAction({
  name: 'logs',
  summary: "the end of the server's log",
  details:
    'Of several instances, each line begins with the name of its instance. --follow goes on until Ctrl-C, through the change of the log file at midnight. --severity shows the entries that are at least so bad, whole: with their DETAIL, HINT and STATEMENT.',
  examples: [
    ['./manage.ts --action logs --instance client-a --lines 100', 'the last hundred lines'],
    ["./manage.ts logs 'client-*' --follow --severity ERROR", 'errors of several, as they come'],
  ],
  options: {
    lines: { type: 'number', alias: 'n', describe: 'how many lines (default 50)' },
    follow: { type: 'boolean', alias: 'f', describe: 'go on with what comes, until Ctrl-C' },
    severity: { type: 'string', choices: severities, describe: 'only entries that are at least so bad' },
  },
  target: 'existing',
  lock: 'none',
  changes: false,
  untilStopped: ({ follow }) => follow === true,
  async run(context, name, { lines = 50, follow, severity }) {
    const { paths } = openInstance(context, name);
    const keep = keepOf(severity as Severity | undefined);
    const prefix = context.several ? `${name} | ` : '';
    if (!follow) {
      const last = lastLogLines(paths, lines, keep);
      return { data: { name, folder: paths.log, lines: last }, text: last.map((line) => ({ line: prefix + line })) };
    }
    if (!context.live.watched) {
      throw new AppError('USAGE', '--follow tells each line as it comes, which --json and --quiet do not', {
        hint: `without --follow: ./manage.ts logs ${name} --json`,
      });
    }
    await untilStopped(context, async () => await printOn(context, paths, { lines, prefix, keep: keep() }));
    return { data: { name, folder: paths.log }, text: [] };
  },
});

function keepOf(severity: Severity | undefined): () => (line: string) => boolean {
  return () => (severity === undefined ? () => true : severityFilter(severity));
}

interface Following {
  /** How many of the last lines to begin with. */
  lines: number;
  prefix: string;
  keep: (line: string) => boolean;
}

async function printOn({ live, task }: Context, paths: InstancePaths, { lines, prefix, keep }: Following) {
  const follower = new LogFollower(paths);
  for (const line of follower.begin(lines, keep)) live.print(prefix + line);
  for (;;) {
    await pause(lookEveryMs, task.signal);
    for (const line of follower.next().filter(keep)) live.print(prefix + line);
  }
}
