import { resolve } from 'node:path';
import { AppError, toAppError } from '../errors.ts';
import { writeSystemFile } from '../host/callers-files.ts';
import { type Served, serveLoopback } from '../host/loopback.ts';
import { select } from '../instances/names.ts';
import { instanceNames } from '../instances/record.ts';
import { parsePort } from '../ports/leases.ts';
import { contentType } from '../watch/exposition.ts';
import { type Scrape, scrape } from '../watch/scrape.ts';
import { type Context, hostAction, type Outcome } from './action.ts';

export const metrics = hostAction({
  name: 'metrics',
  summary: 'what Prometheus wants to know of all of them',
  details:
    'Of the host and of all instances, or of those selected: connections, transactions, locks, archive, backups and their test restores, memory, disks, and what diagnose finds. A server that does not answer has pg_up 0 and holds up nobody. The rules in templates/alerts.yaml are written for these names. Without --textfile and --listen, to stdout.',
  examples: [
    ['./manage.ts --action metrics', 'as a scrape would see them'],
    [
      './manage.ts metrics --textfile /var/lib/node_exporter/pg.prom --quiet',
      "for cron, with node_exporter's textfile collector",
    ],
    ['./manage.ts metrics --listen 9188', 'http://127.0.0.1:9188/metrics, until Ctrl-C'],
  ],
  options: {
    textfile: { type: 'string', describe: 'write them to this file (*.prom), whole or not at all' },
    listen: { type: 'number', describe: 'answer scrapes on this port of 127.0.0.1 until Ctrl-C' },
  },
  target: 'some',
  lock: 'none',
  changes: false,
  untilStopped: ({ listen }) => listen !== undefined,
  check({ textfile, listen }) {
    if (textfile !== undefined && listen !== undefined) {
      throw new AppError('USAGE', '--textfile and --listen are two ways: choose one');
    }
    if (textfile !== undefined && !textfile.endsWith('.prom')) {
      throw new AppError('USAGE', `the textfile collector reads *.prom files only, and not "${textfile}"`, {
        hint: `for example: --textfile ${textfile}.prom`,
      });
    }
    if (listen !== undefined) parsePort(listen);
  },
  async run(context, { textfile, listen }, selected, selector) {
    if (listen !== undefined) return await serve(context, listen, selector);
    const found = await scrape(context, selected);
    if (textfile !== undefined) return writeTextfile(context, textfile, found);
    const { text, ...counts } = found;
    return { data: { ...counts, metrics: text }, text: [{ line: text.trimEnd() }] };
  },
});

function writeTextfile({ callerFolder, dryRun }: Context, textfile: string, { text, ...counts }: Scrape): Outcome {
  const path = resolve(callerFolder, textfile);
  try {
    if (!dryRun) writeSystemFile(path, text);
  } catch (error) {
    throw new AppError('USAGE', `${path} cannot be written: ${(error as Error).message}`, {
      hint: "name a file in the folder of node_exporter's --collector.textfile.directory",
      cause: error,
    });
  }
  const line = `${path} ${dryRun ? 'would get' : 'has'} the metrics of ${counts.instances} instances, ${counts.up} up`;
  return { data: { ...counts, textfile: path }, text: [{ line }] };
}

async function serve(context: Context, port: number, selector: string): Promise<Outcome> {
  const { places, task } = context;
  let scrapes = 0;
  let running: Promise<Served> | undefined;
  const once = async (): Promise<Served> => {
    try {
      const { text } = await scrape(context, select(selector, instanceNames(places)));
      scrapes += 1;
      return { status: 200, contentType, body: text };
    } catch (error) {
      // Told to Prometheus as a failed scrape (its own metric `up`); the next one may succeed.
      return { status: 500, contentType: 'text/plain', body: `${toAppError(error).message}\n` };
    } finally {
      running = undefined;
    }
  };
  await serveLoopback(port, task.signal, {
    ready: () => task.emit({ type: 'notice', message: `metrics are at http://127.0.0.1:${port}/metrics until Ctrl-C` }),
    answer: async (path) => {
      if (path !== '/metrics') return { status: 404, contentType: 'text/plain', body: 'see /metrics\n' };
      // Scrapers that ask at the same moment share one answer.
      return await (running ??= once());
    },
  });
  return { data: { port, scrapes }, text: [] };
}
