import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { type ArchiverFacts, judgeArchive } from './archive.ts';
import { observeArchive } from './archive-facts.ts';
import { type Finding, manage } from './finding.ts';
import { observeReceiver } from '../receiver/observe.ts';
import { judgeReceiver } from './receiver.ts';
import { askServer } from './server-facts.ts';

/** How the archive of one instance is, by its files and, where it runs, by its server. */
export async function checkArchive(places: Places, record: InstanceRecord, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  let archiver: ArchiverFacts | undefined;
  if (livePostmaster(instancePaths(places, record.name).data)?.status === 'ready') {
    try {
      archiver = (await askServer(places, record, signal)).archiver;
    } catch (error) {
      signal.throwIfAborted();
      const cause = `its server was not asked how archiving goes: ${(error as Error).message}`;
      const remedy = manage('status', record.name);
      findings.push({ code: 'CHECK_FAILED', severity: 'warning', subject: record.name, cause, remedy });
    }
  }
  const receiver = archiver && observeReceiver(places, record, 'running', archiver.stream);
  return [
    ...findings,
    ...judgeArchive(await observeArchive(places, record, archiver, signal)),
    ...judgeReceiver(record.name, receiver ?? null),
  ];
}
