import { archiveFolderOf } from '../backups/repository.ts';
import { pruneTail } from '../backups/tail.ts';
import { stopCompanions } from './companions.ts';
import { AppError } from '../errors.ts';
import { markEnded } from '../backups/ended.ts';
import { exists, folderBytes } from '../host/files.ts';
import { ensureFolder } from '../host/folders.ts';
import { moveForGood } from '../host/for-good.ts';
import { homeOf, quarantineFor } from '../instances/home.ts';
import { notFound } from '../instances/names.ts';
import { stopInstance } from '../instances/stop.ts';
import { instancePaths } from '../instances/places.ts';
import { instanceNames, readRecord } from '../instances/record.ts';
import { leadLink } from '../instances/tablespaces.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { instanceAction } from './action.ts';
import { hadFinished } from './shared.ts';

export const destroy = instanceAction({
  name: 'destroy',
  summary: 'stop, and move the data to quarantine',
  details:
    'The data waits in the quarantine folder until you remove it there; backups stay in the repository. The port is free again.',
  examples: [
    ['./manage.ts --action destroy --instance client-a', 'asks for the name to be typed; with --yes it does not ask'],
  ],
  options: {},
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  confirm: (name) => `This stops ${name} and moves its data to quarantine`,
  async run(context, name) {
    const { places, journal, task, leases } = context;
    const paths = instancePaths(places, name);
    if (hadFinished(context, 'destroy') && !exists(paths.folder)) {
      return { data: { name }, text: [{ line: `${name} is destroyed; its data waits in ${places.quarantine}` }] };
    }
    if (!exists(paths.folder)) throw notFound(name, instanceNames(places));
    const record = readRecord(places, name);
    const target = quarantineFor(places, name, journal.id);
    const home = homeOf(places, paths);
    if (record?.adopted !== undefined) {
      throw new AppError('USAGE', `${name} was adopted: its data in ${home.data} is its own manager's to remove`, {
        hint: `give it back first: ./manage.ts release ${name}`,
      });
    }
    const sizeBytes = folderBytes(paths.folder) + (home.elsewhere ? folderBytes(home.data) : 0);
    if (context.dryRun) {
      return {
        data: { name, sizeBytes },
        text: [{ line: `would stop ${name} and move ${humanBytes(sizeBytes)} to ${places.quarantine}` }],
      };
    }
    if (record !== undefined) {
      journal.intend({ kind: 'stopped', instance: name });
      await stopCompanions(context, record, { orderly: true, timeoutMs: context.timeoutMs });
      const ran = await stopInstance(task, paths, record, { way: 'orderly', timeoutMs: context.timeoutMs ?? 60_000 });
      if (!ran) journal.settle();
      pruneTail(archiveFolderOf(places, name), defaultSegmentBytes);
    }
    const aside = home.elsewhere && exists(home.data) ? quarantineFor(home, name, journal.id) : undefined;
    if (aside !== undefined) {
      // Nobody can make an instance anew where it lay, and what the folder's link leads to goes on being its data.
      ensureFolder(home.quarantine);
      journal.intend({ kind: 'move', from: home.data, to: aside });
      moveForGood(home.data, aside);
      leadLink(journal, paths.data, aside);
    }
    ensureFolder(places.quarantine);
    journal.intend({ kind: 'move', from: paths.folder, to: target });
    moveForGood(paths.folder, target);
    // From here on it is gone, and only its ports are left to be given back.
    if (record !== undefined) {
      const ports = [record.port, ...(record.pooler === undefined ? [] : [record.pooler.port])];
      journal.settle(...ports.map((port) => ({ kind: 'lease' as const, port, instanceId: record.id })));
      for (const port of ports) leases.release(port, record.id);
      markEnded(places, record.name, record.id);
    }
    return {
      data: { name, quarantine: target, sizeBytes },
      text: [
        { line: `${name} is destroyed; its data (${humanBytes(sizeBytes)}) waits in ${aside ?? target}` },
        { line: 'its backups are kept' },
      ],
    };
  },
});
