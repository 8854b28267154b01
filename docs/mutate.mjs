// npm run mutate [-- WORD…]: StrykerJS changes what is decided without doing anything, in every way it knows, one change at a
// time, and the unit tests beside it must notice. Prints what survives, and writes the counts into the table of
// docs/mutation.md. A WORD picks the files whose path holds it.
import { execa } from 'execa';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(project, 'docs', 'mutation.md');
const version = '9.6.1';

/** By file: its tests below tests/unit and, where not all of it is pure, the functions from and to which it is. */
const parts = {
  'lib/backups/retention.ts': { tests: ['backups/retention*'] },
  'lib/backups/dumps/retention.ts': { tests: ['backups/dumps/retention'] },
  'lib/backups/restore-plan.ts': { tests: ['backups/restore-plan'] },
  'lib/backups/timelines.ts': {
    tests: ['backups/timelines', 'backups/retention*', 'backups/restore-plan'],
    functions: ['timelineNow', 'leadsTo'],
  },
  'lib/postgres/lsn.ts': { tests: ['postgres/lsn'] },
  'lib/postgres/wal.ts': { tests: ['postgres/wal'] },
  'lib/ports/leases.ts': { tests: ['ports/leases'], functions: ['parsePort', 'parseRange'] },
  'lib/instances/names.ts': { tests: ['instances/names'] },
  'lib/rollout.ts': { tests: ['rollout'] },
  'lib/migrations/plan.ts': { tests: ['migrations/plan'] },
  'lib/pooler/plan.ts': { tests: ['pooler/plan*'] },
  'lib/schedule/plan.ts': { tests: ['schedule/plan'] },
  'lib/tuning/plan.ts': { tests: ['tuning/plan', 'tuning/plan-budget', 'tuning/whole-plans'] },
  'lib/tuning/budget.ts': { tests: ['tuning/budget', 'tuning/plan-budget'] },
  'lib/tuning/derive.ts': { tests: ['tuning/plan', 'tuning/plan-budget', 'tuning/whole-plans'] },
  'lib/tuning/fit.ts': { tests: ['tuning/plan', 'tuning/plan-budget', 'tuning/whole-plans'] },
  'lib/tuning/guards.ts': { tests: ['tuning/guards'] },
  'lib/fleet/plan.ts': { tests: ['fleet/plan', 'fleet/plan-server', 'fleet/plan-contents'] },
  'lib/fleet/plan-contents.ts': { tests: ['fleet/plan-contents', 'fleet/plan-pooler'] },
  'lib/fleet/plan-grants.ts': { tests: ['fleet/plan-grants', 'fleet/plan-contents', 'fleet/plan-new'] },
  'lib/fleet/plan-new.ts': { tests: ['fleet/plan-new'] },
  'lib/fleet/plan-schedule.ts': { tests: ['fleet/plan-schedule'] },
  'lib/fleet/plan-server.ts': { tests: ['fleet/plan-server'] },
  'lib/fleet/plan-tuning.ts': { tests: ['fleet/plan-tuning'] },
};

/** The lines of a file from the beginning of one of its functions to the end of another, as Stryker takes them. */
function linesOf(file, [first, last]) {
  const lines = readFileSync(join(project, file), 'utf8').split('\n');
  const begin = (name) => lines.findIndex((line) => line.startsWith(`export function ${name}(`));
  const end = lines.indexOf('}', begin(last));
  if (begin(first) === -1 || begin(last) === -1) throw new Error(`${file} has no function ${first} or ${last}`);
  return `${file}:${begin(first) + 1}-${end + 1}`;
}

/** @returns how many changes there were, how many of them the tests noticed, and how many of those as they did not end */
async function mutate(file, { tests, functions }, folder) {
  const report = join(folder, 'report.json');
  const config = {
    mutate: [functions === undefined ? file : linesOf(file, functions)],
    testRunner: 'jest',
    testRunnerNodeArgs: ['--experimental-vm-modules'],
    jest: {
      // Jest's own search for the tests of a file takes ten times as long as the tests.
      enableFindRelatedTests: false,
      config: { testMatch: tests.map((name) => `<rootDir>/tests/unit/${name}.test.ts`) },
    },
    // Of words, tests ask what the issue names; the rest is looked at by people.
    mutator: { excludedMutations: ['StringLiteral'] },
    coverageAnalysis: 'perTest',
    plugins: ['@stryker-mutator/jest-runner'],
    tsconfigFile: 'none', // it would want TypeScript 5's library to read ours
    concurrency: 1,
    timeoutMS: 30_000, // a machine that is busy with something else is no endless loop
    warnings: { slow: false },
    reporters: ['clear-text', 'json'],
    jsonReporter: { fileName: report },
    clearTextReporter: { logTests: false, reportTests: false, reportScoreTable: false, allowColor: false },
    allowConsoleColors: false,
  };
  const path = join(folder, 'stryker.json');
  writeFileSync(path, JSON.stringify(config));
  const packages = ['core', 'jest-runner'].flatMap((name) => ['-p', `@stryker-mutator/${name}@${version}`]);
  await execa('npx', ['--yes', ...packages, 'stryker', 'run', path, '--logLevel', 'warn'], {
    cwd: project,
    stdio: 'inherit',
  });
  const { mutants } = Object.values(JSON.parse(readFileSync(report, 'utf8')).files)[0];
  const count = (...states) => mutants.filter(({ status }) => states.includes(status)).length;
  // A test file that cannot even be loaded has noticed it, too.
  const noticed = count('Killed', 'Timeout', 'RuntimeError');
  return { noticed, changes: noticed + count('Survived', 'NoCoverage'), endless: count('Timeout') };
}

/** Puts a row into the table, which has one for each part, in their order. */
function record(file, { changes, noticed }) {
  const text = readFileSync(page, 'utf8');
  const isRow = (line) => line.startsWith('| `lib/');
  const rows = new Map(text.split('\n').flatMap((line) => (isRow(line) ? [[line.split('`')[1], line]] : [])));
  rows.set(file, `| \`${file}\` | ${changes} | ${noticed} | ${changes - noticed} |`);
  const sorted = Object.keys(parts).flatMap((name) => rows.get(name) ?? []);
  const table = /(\| --- \|[^\n]*\n)(?:\| `lib\/[^\n]*\n)*/;
  writeFileSync(
    page,
    text.replace(table, (_, head) => `${head}${sorted.join('\n')}\n`),
  );
}

const words = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'pgm-mutate-'));
try {
  for (const [file, part] of Object.entries(parts)) {
    if (words.length > 0 && !words.some((word) => file.includes(word))) continue;
    const result = await mutate(file, part, folder);
    record(file, result);
    process.stdout.write(
      `${file}: ${result.noticed} of ${result.changes} changes noticed (${result.endless} as they never end)\n`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
