import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, listFolder, readText } from '../host/files.ts';
import { moveForGood, writeFileForGood } from '../host/for-good.ts';
import { assertNameFree } from '../instances/create.ts';
import { leaseHolderOf } from '../instances/memory.ts';
import { type InstanceName, parseName, sameName, select } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import { existingName, type InstanceRecord, writeRecord } from '../instances/record.ts';
import { leadLink, tablespacesOf } from '../instances/tablespaces.ts';
import { poolerHolderOf } from '../pooler/change.ts';
import { type RenamedJob, renamedJobs } from '../schedule/renamed.ts';
import { type Context, instanceAction, type Outcome, type Text } from './action.ts';
import { hadFinished, installationOf, openInstance, summaryOutcome } from './shared.ts';
import { goOn, mayStandStill, standStill } from './standstill.ts';

const jobMode = 0o700;

export const rename = instanceAction({
  name: 'rename',
  summary: 'give an instance another name',
  details:
    'Its folder, its backups and its archive go by the new name from then on; older backups can be restored as before. Port, roles, databases and passwords stay, so clients go on with what they have. One that runs is stopped for a moment, which needs --yes where there is no terminal.',
  examples: [
    ['./manage.ts --action rename --instance client-a --to shop', 'asks, where it runs'],
    ['./manage.ts rename client-a --to shop --dry-run', 'what would be renamed'],
  ],
  options: { to: { type: 'string', describe: 'the new name' } },
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  check({ to }, { several }) {
    if (to === undefined) {
      throw new AppError('USAGE', 'rename needs --to NAME', { hint: './manage.ts rename client-a --to shop' });
    }
    parseName(to);
    if (several) throw new AppError('USAGE', 'rename takes one instance: several cannot have one name');
  },
  async run(context, name, given) {
    const to = parseName(given.to ?? '');
    if (hadFinished(context, 'rename') && existingName(context.places, name) === undefined) {
      return renamed(context, name, to);
    }
    const { record } = openInstance(context, name);
    assertNew(context, name, to);
    const { runs } = mayStandStill(context, record);
    const installation = await installationOf(context, record);
    const jobs = renamedJobs(context.places, name, to);
    if (context.dryRun) return planned(context, name, to, { runs, jobs: jobs.map(({ path }) => path) });
    if (runs) await context.dialogue.confirm(`This stops ${name} for a moment and starts it as ${to}`, name);
    // Nothing is there to be taken away under the new name, but somebody else may be about to make it.
    await context.withInstanceLock(to, 'exclusive', async () => {
      assertNew(context, name, to);
      if (runs) await standStill(context, record);
      const moved = moveTo(context, record, to, jobs);
      if (runs) await goOn(context, moved, installation);
      else context.journal.settle();
    });
    warnOfGlobs(context, name, to);
    return renamed(context, name, to);
  },
});

/** @throws INSTANCE_EXISTS, USAGE; BACKUP_FAILED where the repository holds another's backups under that name */
function assertNew(context: Context, name: InstanceName, to: InstanceName): void {
  if (sameName(name, to)) {
    throw new AppError('USAGE', `${name} and ${to} are one name: case does not tell names apart`, {
      hint: 'choose a name that differs in more than case',
    });
  }
  assertNameFree(context, to);
  const folder = join(context.places.repository, to);
  if (listFolder(folder).length === 0) return;
  throw new AppError('INSTANCE_EXISTS', `the repository holds backups of an earlier instance called ${to}`, {
    hint: `two instances cannot share ${folder}: choose another name, or move that folder out of the repository`,
  });
}

/** Each thing with its intent before; the record is the last to say the new name, and the leases follow it. */
function moveTo(
  { places, journal, leases }: Context,
  record: InstanceRecord,
  to: InstanceName,
  jobs: RenamedJob[],
): InstanceRecord {
  const [from, paths] = [instancePaths(places, record.name), instancePaths(places, to)];
  journal.intend({ kind: 'claim', instance: record.name });
  const move = (source: string, target: string): void => {
    journal.intend({ kind: 'move', from: source, to: target });
    moveForGood(source, target);
  };
  const backups = join(places.repository, record.name);
  if (exists(backups)) move(backups, join(places.repository, to));
  move(from.folder, paths.folder);
  for (const { link, folder } of tablespacesOf(paths.data)) {
    if (folder.startsWith(`${from.folder}/`)) leadLink(journal, link, paths.folder + folder.slice(from.folder.length));
  }
  const old = { path: paths.record, text: readText(paths.record) ?? '' };
  const scripts = jobs.map(({ path, before }) => ({ path, text: before, mode: jobMode }));
  journal.intend({ kind: 'files', files: [old, ...scripts] });
  const moved = { ...record, name: to };
  for (const { path, after } of jobs) writeFileForGood(path, after, jobMode);
  writeRecord(places, moved);
  leases.revise(moved.port, leaseHolderOf(places, moved));
  if (moved.pooler !== undefined) leases.revise(moved.pooler.port, poolerHolderOf(places, moved));
  return moved;
}

/** A schedule may mean its instances by a pattern that the new name does not follow. */
function warnOfGlobs({ places, task }: Context, name: InstanceName, to: InstanceName): void {
  const scripts = ['backup', 'prove'].map((job) => readText(join(places.root, '.pg-manage', 'schedule', job)) ?? '');
  const words = scripts.flatMap((text) => [...text.matchAll(/--instance '([^']*)'/g)].map(([, word]) => word ?? ''));
  for (const glob of new Set(words.flatMap((word) => word.split(',')).filter((word) => /[*?[]/.test(word)))) {
    if (means(glob, name) && !means(glob, to)) {
      task.warn(`the schedule is for '${glob}', which does not mean ${to}: see it with ./manage.ts schedule --show`);
    }
  }
}

function means(glob: string, name: InstanceName): boolean {
  try {
    return select(glob, [name]).length > 0;
  } catch {
    return false;
  }
}

function planned(
  { places }: Context,
  name: InstanceName,
  to: InstanceName,
  { runs, jobs }: { runs: boolean; jobs: string[] },
): Outcome {
  const lines = [
    `would rename ${name} to ${to}${runs ? ', stopping it for a moment' : ''}:`,
    `  ${join(places.instances, name)} becomes ${join(places.instances, to)}`,
    `  ${join(places.repository, name)} becomes ${join(places.repository, to)}`,
    ...jobs.map((path) => `  ${path} names ${to}`),
    '  port, roles, databases and passwords stay',
  ];
  return { data: { name: to, before: name, runs, schedule: jobs }, text: lines.map((line) => ({ line })) };
}

function renamed(context: Context, name: InstanceName, to: InstanceName): Outcome {
  const stays: Text = { line: 'port, roles, databases and passwords are the same: clients connect as before' };
  const { data, text } = summaryOutcome(context, to, stays);
  return { data: { ...data, before: name }, text };
}
