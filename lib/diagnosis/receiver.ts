import type { ObservedReceiver } from '../receiver/observe.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Finding, manage } from './finding.ts';

/** Where nobody receives, a loss of the disk costs what no whole segment has brought into the archive yet. */
const withoutIt = 'a loss of the disk would cost up to a minute of work, as with --archive command';

export function judgeReceiver(name: string, receiver: ObservedReceiver | null): Finding[] {
  if (receiver === null || receiver.state === 'stopped') return [];
  const { state, pid, lagBytes, keptBytes, capBytes, slotLost, lastReceivedAt } = receiver;
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, 'subject'>): void => void findings.push({ ...finding, subject: name });
  const kept = keptBytes === null ? '' : `; the server keeps ${humanBytes(keptBytes)} of WAL for it`;
  if (state !== 'streaming') {
    const lost = 'it was away for so long that the server has dropped its slot';
    const why = slotLost ? lost : state === 'crashed' ? 'it does not run' : 'it runs and does not receive';
    const since = lastReceivedAt === null ? '' : ` since ${lastReceivedAt.slice(0, 19)}Z`;
    const cause = `the receiver streams no WAL${since} (${why}): ${withoutIt}${slotLost ? '' : kept}.`;
    add({ code: 'RECEIVER_DOWN', severity: 'critical', cause, remedy: manage('start', name) });
  } else if (pid === null) {
    const cause = 'pg_receivewal streams, but the script that starts it again when it ends is gone.';
    add({ code: 'RECEIVER_ALONE', severity: 'warning', cause, remedy: manage('start', name) });
  }
  if (state === 'streaming' && (lagBytes ?? 0) >= defaultSegmentBytes) {
    const cause = `the receiver is ${humanBytes(lagBytes ?? 0)} behind the server, which would be lost with its disk${kept}.`;
    add({ code: 'RECEIVER_LAG', severity: 'warning', cause, remedy: manage('status', name) });
  }
  if (keptBytes !== null && capBytes === null) {
    const cause = 'max_slot_wal_keep_size is not set: a receiver that is dead would let WAL fill the disk.';
    add({ code: 'SLOT_UNLIMITED', severity: 'warning', cause, remedy: manage('tune', name, '--apply') });
  }
  return findings;
}
