import { dirname, join, resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { mayEnter } from '../host/callers-files.ts';
import { copyTree } from '../host/copy-tree.ts';
import { exists, folderBytes, freeBytes, realPath } from '../host/files.ts';
import { ensureFolder } from '../host/folders.ts';
import { moveForGood } from '../host/for-good.ts';
import { unwritableFolders } from '../host/inspect.ts';
import { linkTarget, removeLink } from '../host/links.ts';
import { dataOwner } from '../host/users.ts';
import { type Home, homeOf, quarantineFor } from '../instances/home.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { leadLink, type Tablespace, tablespacesOf } from '../instances/tablespaces.ts';
import { systemIdentifierOf } from '../postgres/postmaster.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Outcome } from './action.ts';
import { hadFinished, installationOf, openInstance, summaryOutcome } from './shared.ts';
import { goOn, mayStandStill, standStill } from './standstill.ts';

/** What goes where. */
interface Move {
  record: InstanceRecord;
  from: Home;
  /** Holds the data, and tablespaces that come along; on the other disk, or the instance's own folder. */
  folder: string;
  data: string;
  /** Whether the data is to be in the instance's own folder again, with no link to it. */
  back: boolean;
  tablespaces: (Tablespace & { to: string })[];
  sizeBytes: number;
}

export const move = instanceAction({
  name: 'move',
  summary: 'bring its data to another disk',
  details:
    "Copies the data to FOLDER/NAME/data while the server stands still (which needs --yes where there is no terminal), syncs and compares every file, and starts it there; a link in the instance's folder leads to it. Whatever fails on the way, the server is started where it was. The old data waits in quarantine on its own disk. Name, port, passwords and backups stay. --to the root's own folder instances/ brings it back.",
  examples: [
    ['./manage.ts --action move --instance client-a --to /mnt/disk2', 'to /mnt/disk2/client-a/data'],
    [
      './manage.ts move client-a --to /mnt/disk2 --tablespaces --dry-run',
      'what would go, and how much there is room for',
    ],
  ],
  options: {
    to: { type: 'string', describe: 'a folder on the other disk; it is made where it is missing' },
    tablespaces: { type: 'boolean', describe: 'bring tablespaces that are elsewhere along; otherwise they stay' },
  },
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  check({ to }) {
    if (to !== undefined) return;
    throw new AppError('USAGE', 'move needs --to FOLDER', { hint: './manage.ts move client-a --to /mnt/disk2' });
  },
  async run(context, name, given) {
    const { record } = openInstance(context, name);
    const move = planMove(context, record, resolve(context.callerFolder, given.to ?? ''), given.tablespaces === true);
    if (move.from.data === move.data) {
      const done = hadFinished(context, 'move') ? [] : [{ line: `its data is in ${move.data} already` }];
      return summaryOutcome(context, name, ...done);
    }
    const { runs } = mayStandStill(context, record);
    await assertPossible(context, move);
    const installation = await installationOf(context, record);
    if (context.dryRun) return planned(move, runs);
    const size = humanBytes(move.sizeBytes);
    if (runs) await context.dialogue.confirm(`This stops ${name} while ${size} are copied to ${move.data}`, name);
    await prepareFolder(context, move);
    if (runs) await standStill(context, record);
    const left = await bringOver(context, move);
    if (runs) await goOn(context, record, installation);
    else context.journal.settle();
    return moved(context, name, move, left);
  },
});

function planMove({ places }: Context, record: InstanceRecord, to: string, all: boolean): Move {
  const paths = instancePaths(places, record.name);
  const from = homeOf(places, paths);
  const back = (realPath(to) ?? to) === places.instances;
  const folder = back ? paths.folder : join(realPath(to) ?? to, record.name);
  const tablespaces = (all ? tablespacesOf(from.data) : []).map((tablespace) => ({
    ...tablespace,
    to: join(folder, 'tablespaces', tablespace.oid),
  }));
  const sizes = [from.data, ...tablespaces.map((tablespace) => tablespace.folder)].map(folderBytes);
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  return { record, from, folder, data: back ? paths.data : join(folder, 'data'), back, tablespaces, sizeBytes };
}

/** @throws USAGE, INSTANCE_EXISTS, DISK_SPACE */
async function assertPossible(context: Context, { record, from, data, folder, back, tablespaces, sizeBytes }: Move) {
  if (record.adopted?.cluster !== undefined) {
    throw new AppError('USAGE', `the data of ${record.name} is where Debian's tools know it`, {
      hint: `give it back (./manage.ts release ${record.name}), move it with those, and adopt it again`,
    });
  }
  if (`${folder}/`.startsWith(`${from.data}/`)) throw new AppError('USAGE', `${folder} is in the data itself`);
  const taken = [...(back ? [] : [data]), ...tablespaces.map(({ to }) => to)].find(exists);
  if (taken !== undefined) {
    throw new AppError('INSTANCE_EXISTS', `there is something in ${taken} already`, {
      hint: 'name another folder, or look what it is and take it away',
    });
  }
  const there = nearest(folder);
  const free = freeBytes(there);
  if (free < sizeBytes * 1.05) {
    throw new AppError(
      'DISK_SPACE',
      `${humanBytes(sizeBytes)} are to be copied, ${humanBytes(free)} are free in ${there}`,
      { hint: 'free some space there, or name a folder on a larger disk' },
    );
  }
  if (exists(folder)) await assertWritable(context, folder);
}

function nearest(path: string): string {
  return exists(path) ? path : nearest(dirname(path));
}

async function assertWritable({ task }: Context, folder: string): Promise<void> {
  const writable = mayEnter(folder) && (await unwritableFolders([folder], task.signal)).length === 0;
  if (writable) return;
  throw new AppError('FILE_ACCESS', `${dataOwner().name} cannot write to ${folder}`, {
    hint: `let it into every folder above, and own it: ls -ld ${folder}`,
  });
}

async function prepareFolder(context: Context, { folder }: Move): Promise<void> {
  if (!exists(folder)) {
    context.journal.intend({ kind: 'folder', path: folder });
    ensureFolder(folder);
  }
  await assertWritable(context, folder);
}

/**
 * Copies, then lets the copy take the data's place.
 * @returns where the old data waits
 */
async function bringOver(context: Context, move: Move): Promise<string> {
  const { journal, task, places } = context;
  const { record, from, data, folder, tablespaces } = move;
  const paths = instancePaths(places, record.name);
  const copy = join(folder, `.data-${journal.id.slice(0, 8)}`);
  await task.step('copy', async (step) => {
    let before = 0;
    const one = async (source: string, target: string): Promise<void> => {
      journal.intend({ kind: 'folder', path: target });
      const progress = (bytes: number): void => {
        step.progress(`${humanBytes(before + bytes)} of ${humanBytes(move.sizeBytes)}`);
      };
      before += await copyTree(source, target, { signal: task.signal, progress });
    };
    await one(from.data, copy);
    for (const { folder: source, to } of tablespaces) {
      ensureFolder(dirname(to));
      await one(source, to);
    }
    step.result(`${humanBytes(before)}, each file compared`);
  });
  if (systemIdentifierOf(copy) !== record.systemIdentifier) {
    throw new AppError('WRONG_SERVER', `the copy in ${copy} is not the database system of ${record.name}`);
  }
  for (const { oid, to } of tablespaces) leadLink(journal, join(copy, 'pg_tblspc', oid), to);
  const left = await putAside(context, move);
  if (move.back) {
    journal.intend({ kind: 'link', path: paths.data, target: linkTarget(paths.data) ?? null });
    removeLink(paths.data);
  }
  journal.intend({ kind: 'move', from: copy, to: data });
  moveForGood(copy, data);
  if (!move.back) leadLink(journal, paths.data, data);
  return left;
}

/** The old data goes to quarantine, unless it is in a folder where the account may rename nothing. */
async function putAside({ journal, task }: Context, { from, record }: Move): Promise<string> {
  if ((await unwritableFolders([dirname(from.data)], task.signal)).length > 0) return from.data;
  const left = quarantineFor(from, record.name, journal.id);
  ensureFolder(from.quarantine);
  journal.intend({ kind: 'move', from: from.data, to: left });
  moveForGood(from.data, left);
  return left;
}

function planned({ record, from, data, tablespaces, sizeBytes, folder }: Move, runs: boolean): Outcome {
  const free = freeBytes(nearest(folder));
  const lines = [
    `would copy ${humanBytes(sizeBytes)} (${humanBytes(free)} are free there)${runs ? ' while the server stands still' : ''}:`,
    `  ${from.data} to ${data}`,
    ...tablespaces.map((tablespace) => `  ${tablespace.folder} to ${tablespace.to}`),
    ...staying(from, tablespaces).map((place) => `  ${place} stays`),
  ];
  return {
    data: { name: record.name, from: from.data, to: data, sizeBytes, freeBytes: free, runs },
    text: lines.map((line) => ({ line })),
  };
}

/** What the data has links to, which are copied as links. */
function staying({ data }: Home, moved: readonly Tablespace[]): string[] {
  const left = tablespacesOf(data).filter(({ oid }) => !moved.some((other) => other.oid === oid));
  const wal = linkTarget(join(data, 'pg_wal'));
  return [...left.map(({ folder }) => `tablespace ${folder}`), ...(wal === undefined ? [] : [`WAL ${wal}`])];
}

function moved(context: Context, name: InstanceName, { data, tablespaces }: Move, left: string): Outcome {
  const lines = [
    `its data is in ${data}; what it was copied from waits in ${left} until you remove it`,
    ...tablespaces.map(({ folder, to }) => `tablespace ${folder} is in ${to}; the old folder is left to you`),
  ];
  const { data: fields, text } = summaryOutcome(context, name, ...lines.map((line) => ({ line })));
  return { data: { ...fields, movedTo: data, quarantine: left }, text };
}
