// npm run bench [-- --only NAME] [--runs N] [--scale N,N] [--write]: what the tool costs beside the bare programs, as one
// Markdown table. --write puts it into docs/benchmarks.md too. The whole takes some 20 minutes on 2 cores.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp, median } from './measure.mjs';
import { project } from './place.mjs';
import { benches } from './rows.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    runs: { type: 'string' },
    scale: { type: 'string', default: '100,300' },
    write: { type: 'boolean', default: false },
  },
});

/** @param {import('./rows.mjs').Row} row */
function line({ what, against, unit, pairs, ...row }) {
  const { difference, reach, within } = row.mostExtra === undefined ? asRatio(row, pairs) : asExtra(row, pairs);
  const cells = [
    what,
    spread(
      pairs.map((pair) => pair.ours),
      unit,
    ),
    `${against}: ${spread(
      pairs.map((pair) => pair.peer),
      unit,
    )}`,
    difference,
    `${reach} ${within ? '✔' : '✘'}`,
    pairs.length,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** One that fails costs the others nothing. */
function whyNot({ message }) {
  console.error(message);
  process.exitCode = 1;
  return `failed: ${message.split('\n', 1)[0]}`;
}

function asRatio({ reach, least = false }, pairs) {
  const ratio = median(pairs.map(({ ours, peer }) => ours / peer));
  const within = least ? ratio >= reach : ratio <= reach;
  return { difference: `${ratio.toFixed(2)} ×`, reach: `${least ? '≥' : '≤'} ${reach} ×`, within };
}

function asExtra({ mostExtra }, pairs) {
  const extra = median(pairs.map(({ ours, peer }) => ours - peer));
  const [shown, most] = [extra, mostExtra].map(
    (value) => `${value < 0 ? '−' : '+'}${Math.abs(value * 1000).toFixed(0)} ms`,
  );
  return { difference: shown, reach: `≤ ${most}`, within: extra <= mostExtra };
}

function spread(seconds, unit) {
  const scale = { ms: 1000, MB: 1e-6 }[unit] ?? 1;
  const show = (value) => (value * scale).toFixed(unit === 's' || unit === 'MB' ? 2 : 0);
  return `${show(median(seconds))} ${unit} (${show(Math.min(...seconds))}–${show(Math.max(...seconds))})`;
}

function header() {
  const git = (...args) => execFileSync('git', ['-C', project, ...args], { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
  const cores = availableParallelism();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return [
    `Machine: ${cores} cores (${cpus()[0]?.model.trim()}), ${memory}; Node ${process.version}; ${postgresVersion()};`,
    `commit ${git('rev-parse', '--short', 'HEAD')}${changed}.`,
    'Median (min–max); ours and the other in turn, the ratio (or what is added) being the median of the pairs’.',
  ].join('\n');
}

/** As it was typed. */
function command() {
  return ['npm run bench --', ...process.argv.slice(2)].join(' ');
}

function postgresVersion() {
  try {
    return execFileSync('pg_config', ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return execFileSync('psql', ['--version'], { encoding: 'utf8' }).trim();
  }
}

async function main() {
  const options = { runs: values.runs && Number(values.runs), scales: values.scale.split(',').map(Number) };
  const unknown = values.only?.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined) throw new Error(`no bench "${unknown}"; there are: ${Object.keys(benches).join(', ')}`);
  const lines = [];
  const skipped = [];
  for (const [name, bench] of Object.entries(benches)) {
    if (values.only !== undefined && !values.only.includes(name)) continue;
    process.stderr.write(`${name}\n`);
    const rows = await bench(options).catch(whyNot);
    if (typeof rows === 'string') skipped.push(`Not measured: ${name} (${rows}).`);
    else lines.push(...rows.map(line));
  }
  const head = ['| what | ours | against | beside it | reach | n |', '| --- | --- | --- | --- | --- | --- |'];
  const text = [header(), '', ...head, ...lines, ...(skipped.length > 0 ? ['', ...skipped] : [])].join('\n');
  console.log(text);
  if (values.write)
    writeFileSync(join(project, 'docs', 'benchmarks.md'), `# Benchmarks\n\nMade by \`${command()}\`.\n\n${text}\n`);
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await cleanUp();
}
