import { join } from 'node:path';
import * as z from 'zod';
import { readJson } from '../host/files.ts';
import { writeJson } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';

const proofSchema = z.object({
  schema: z.literal(1),
  instanceId: z.string(),
  backupId: z.string(),
  at: z.string(),
  /** Whether a server got from the backup to the end of the archive. */
  ok: z.boolean(),
  /** What was found, in a sentence. */
  detail: z.string(),
  /** The position the server reached; null where it reached none. */
  recoveredToLsn: z.string().nullable(),
  /** WAL replayed from the archive, and how long that took. */
  replayedBytes: z.number(),
  replaySeconds: z.number(),
});

/** What came of the last time that the newest backup and the archive were restored together. */
export type Proof = z.output<typeof proofSchema>;

function fileOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'proof.json');
}

export function readProof(places: Places, name: InstanceName): Proof | undefined {
  return readJson(fileOf(places, name), proofSchema);
}

export function writeProof(places: Places, name: InstanceName, proof: Proof): void {
  writeJson(fileOf(places, name), proof);
}
