import { observeDisks } from '../diagnosis/disk.ts';
import { AppError } from '../errors.ts';
import { monotonicMs, nowIso } from '../host/clock.ts';
import { pause } from '../host/wait.ts';
import { claimsOf } from '../instances/memory.ts';
import { select } from '../instances/names.ts';
import { instanceNames } from '../instances/record.ts';
import { Leases } from '../ports/leases.ts';
import { budgetOf } from '../tuning/budget.ts';
import { readHostFacts } from '../tuning/host.ts';
import type { Figures } from '../watch/figures.ts';
import { Watcher } from '../watch/watcher.ts';
import { type Context, hostAction } from './action.ts';
import { type HostFigures, monitorLine, monitorPage, monitorTable } from './monitor-text.ts';
import { untilStopped } from './shared.ts';

interface Round {
  host: HostFigures;
  instances: Figures[];
}

/** In seconds. */
const defaultInterval = 5;

export const monitor = hostAction({
  name: 'monitor',
  summary: 'how they are, on a screen that goes on',
  details:
    'On a terminal: a screen of its own, drawn anew every --interval seconds until Ctrl-C; the unwell come first. Elsewhere: one line for each instance and round. conn: connections used and possible; tps: transactions a second; hits: blocks found in shared memory; wait: sessions that wait for locks; lag: how long WAL waits to be archived; memory: what it commits; disk: its databases; verified: the age of its newest verified backup. An instance that does not answer holds up no other.',
  examples: [
    ['./manage.ts --action monitor', 'all of them, until Ctrl-C'],
    ["./manage.ts monitor 'client-*' --interval 60 >> fleet.log", 'a line a minute for each'],
    ['./manage.ts monitor --count 2 --interval 1 --json', 'two looks, for scripts'],
  ],
  options: {
    interval: { type: 'number', describe: `seconds from look to look (default ${defaultInterval})` },
    count: { type: 'number', describe: 'end after so many looks' },
  },
  target: 'some',
  lock: 'none',
  changes: false,
  untilStopped: () => true,
  check({ interval = defaultInterval, count = 1 }) {
    if (interval < 1) throw new AppError('USAGE', `--interval is a second or more, not ${interval}`);
    if (count < 1 || !Number.isInteger(count)) throw new AppError('USAGE', `--count is 1 or more, not ${count}`);
  },
  async run(context, { interval = defaultInterval, count }, _selected, selector) {
    if (!context.live.watched && count === undefined) {
      throw new AppError('USAGE', 'a monitor goes on, and --json and --quiet wait for its end', {
        hint: 'say how long: ./manage.ts monitor --count 2 --json',
      });
    }
    const rounds: Round[] = [];
    await untilStopped(context, async () => {
      for await (const round of roundsOf(context, selector, { intervalMs: interval * 1000, count })) {
        tell(context, round);
        // They are only kept where they are told at the end: a monitor may go on for weeks.
        if (context.live.watched) rounds.length = 0;
        rounds.push(round);
      }
    });
    const last = rounds.at(-1);
    const drawn = context.live.draw !== undefined && last !== undefined;
    return {
      data: { intervalSeconds: interval, rounds },
      // The screen is gone with its end: what it showed last stays.
      text: drawn ? [monitorTable(last.instances, 80)] : [],
    };
  },
});

async function* roundsOf(
  context: Context,
  selector: string,
  { intervalMs, count = Infinity }: { intervalMs: number; count: number | undefined },
): AsyncGenerator<Round> {
  const { places, task } = context;
  const watcher = new Watcher({ places, signal: task.signal, sizes: true });
  const begunMs = monotonicMs();
  for (let round = 1; ; round += 1) {
    const instances = await watcher.round(select(selector, instanceNames(places)));
    yield { host: hostFigures(context), instances };
    if (round >= count) return;
    await pause(Math.max(0, begunMs + round * intervalMs - monotonicMs()), task.signal);
  }
}

function hostFigures({ places, budgetShare }: Context): HostFigures {
  const others = claimsOf(places, new Leases(places.host));
  const { othersBytes: committedBytes, budgetBytes } = budgetOf({ host: readHostFacts(), others, budgetShare });
  const room = observeDisks(places)[0]?.room;
  const disk = room === undefined ? null : { freeBytes: room.freeBytes, sizeBytes: room.sizeBytes };
  return { at: nowIso(), committedBytes, budgetBytes, disk };
}

function tell({ live }: Context, { host, instances }: Round): void {
  if (live.draw !== undefined) return live.draw((size) => monitorPage(host, instances, size));
  for (const figures of instances) live.print(monitorLine(host.at, figures));
}
