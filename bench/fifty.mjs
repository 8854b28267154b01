// node bench/fifty.mjs [--count N] [--jobs N] [--runs N]: a host full of instances of template minimal. How long it takes to make,
// look at, back up, stop and start all of them, and whether two who ask for backups at once are served alike.
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { atEnd, cleanUp, median, run, timed } from './measure.mjs';
import { environment, manage } from './place.mjs';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    jobs: { type: 'string', default: '4' },
    runs: { type: 'string', default: '5' },
  },
});
const count = Number(values.count);
const names = Array.from({ length: count }, (_, index) => `fifty-${String(index + 1).padStart(2, '0')}`);
const half = count >> 1;

async function command(...args) {
  return await run([manage, ...args], { env: { ...environment, NO_COLOR: '1' } });
}

function tell(what, ...cells) {
  process.stdout.write(`| ${[what, ...cells].join(' | ')} |\n`);
}

async function once(what, ...args) {
  const { seconds, stderr } = await command(...args, '--jobs', values.jobs);
  tell(what, `${seconds.toFixed(1)} s`, stderr.trimEnd().split('\n').at(-1));
}

/** Wall and processor time of something that is looked at often; within a second is asked for. */
async function often(what, ...args) {
  const looks = [];
  for (let run = 0; run < Number(values.runs); run++) looks.push(await timed([manage, ...args], { env: environment }));
  const [wall, cpu] = ['wall', 'cpu'].map((part) => median(looks.map((look) => look[part])));
  tell(what, `${wall.toFixed(2)} s`, `${cpu.toFixed(2)} s user + system; ≤ 1 s ${wall <= 1 ? '✔' : '✘'}`);
}

try {
  process.stdout.write(
    `${availableParallelism()} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB; `,
  );
  process.stdout.write(
    `${count} instances of template minimal, --jobs ${values.jobs}\n\n| what | time | |\n|---|---|---|\n`,
  );
  atEnd(async () => await command('destroy', 'all', '--yes', '--quiet'));
  await once('create', 'create', names.join(','), '--template', 'minimal', '--port-range', '16000-16999');
  await often('`list`', 'list');
  await often('`status all`', 'status', 'all');
  await often('`status all --json`', 'status', 'all', '--json');
  await often('`monitor`, one round', 'monitor', '--count', '1');
  await once('backup, proven', 'backup', 'fifty-*');
  await often('`list`', 'list');
  await often('`status all`', 'status', 'all');
  await often('`check all`', 'check', 'all', '--max-age', '1d');
  const halves = [names.slice(0, half), names.slice(half)].map((part) => part.join(','));
  const ends = await Promise.all(halves.map(async (part) => (await command('backup', part, '--no-verify')).seconds));
  tell('two `backup --no-verify` of half of them at once', ends.map((end) => `${end.toFixed(1)} s`).join(' and '), '');
  await once('stop', 'stop', 'fifty-*');
  await once('start', 'start', 'fifty-*');
  await once('destroy', 'destroy', 'fifty-*', '--yes');
} finally {
  await cleanUp();
}
