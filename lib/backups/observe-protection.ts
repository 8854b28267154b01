import { nowMs } from '../host/clock.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { readAlarm } from './alarm.ts';
import { archivedAt } from './archived.ts';
import { listBackups } from './catalogue.ts';
import { readProof } from './proof.ts';
import { defaultMaxAgeSeconds, judgeProtection, type Protection } from './protection.ts';
import { archiveFolderOf } from './repository.ts';
import { noTimelines, observeTimelines } from './timelines.ts';

/** @param record absent where it cannot be read: then all backups of the name count */
export function observeProtection(
  places: Places,
  name: InstanceName,
  record: InstanceRecord | undefined,
  maxAgeSeconds = defaultMaxAgeSeconds,
): Protection {
  const backups = listBackups(places, name).filter(({ instance }) => instance.id === (record?.id ?? instance.id));
  const newest = backups.at(-1);
  const instance = record ?? newest?.instance;
  const segmentBytes = newest?.segmentBytes ?? defaultSegmentBytes;
  const proof = readProof(places, name);
  return judgeProtection({
    backups,
    timelines: instance ? observeTimelines(places, instance, segmentBytes) : noTimelines,
    archivedAt: (segment) => archivedAt(archiveFolderOf(places, name), segment),
    restoredAt: record?.restored?.at,
    alarm: readAlarm(places, name),
    proof: proof?.instanceId === (record?.id ?? proof?.instanceId) ? proof : undefined,
    nowMs: nowMs(),
    maxAgeSeconds,
  });
}
