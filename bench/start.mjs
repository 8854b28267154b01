import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pairs, run, seconds } from './measure.mjs';
import { account, create, destroy, environment, installation, manage } from './place.mjs';

const name = 'bench-start';

/** Start to "accepting", and how soon a server is reported that dies at once: both beside what the tool's own start costs. */
export async function start({ runs = 9 }) {
  const { data: instance } = await create(name);
  const { bindir } = await installation(instance);
  const pgCtl = [join(bindir, 'pg_ctl'), '-D', instance.dataDirectory, '-s', '-w'];
  const stop = async () => await run([...pgCtl, '-m', 'fast', 'stop'], account);
  await stop();

  const started = await pairs(
    runs,
    async () => await andThen(stop, await wall(manage, 'start', name)),
    async () => {
      const bare = await run([...pgCtl, '-l', '/dev/null', 'start'], account);
      return (await andThen(stop, bare.seconds)) + (await commandLine());
    },
  );
  const configuration = join(instance.dataDirectory, 'postgresql.conf');
  const whole = readFileSync(configuration);
  appendFileSync(configuration, '\nwork_mem = nonsense\n');
  const died = await pairs(runs, async () => await wall('sh', '-c', `! ${manage} start ${name}`), commandLine);
  writeFileSync(configuration, whole);
  await destroy(name);
  return [
    {
      what: 'start to accepting',
      against: '`pg_ctl -w start` + start of the tool (`list`)',
      mostExtra: 0.06,
      unit: 'ms',
      pairs: started,
    },
    {
      what: 'a server that dies at once (bad setting) is reported',
      against: 'start of the tool (`list`)',
      mostExtra: 0.5,
      unit: 'ms',
      pairs: died,
    },
  ];
}

/** What the tool costs before it does anything: bundle, arguments, places, one instance's record. */
async function commandLine() {
  return await wall(manage, 'list');
}

async function wall(...command) {
  return await seconds(async () => await run(command, { env: environment }));
}

async function andThen(step, value) {
  await step();
  return value;
}
