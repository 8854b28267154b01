import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { observeTimelines } from '../../../lib/backups/timelines.ts';
import { parseName } from '../../../lib/instances/names.ts';
import type { Places } from '../../../lib/instances/places.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';

const client = { name: parseName('client-a'), id: 'its-id', systemIdentifier: '7' };
let folder: string;
let data: string;
let wal: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-timelines-'));
  data = join(folder, 'instances', client.name, 'data');
  wal = join(folder, 'backups', client.name, 'wal');
  for (const path of [join(data, 'global'), join(data, 'pg_wal'), wal]) mkdirSync(path, { recursive: true });
  // pg_control begins with the system identifier.
  writeFileSync(join(data, 'global', 'pg_control'), Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]));
});
afterEach(() => rmSync(folder, { recursive: true }));

function observe(who = client) {
  const places = { instances: join(folder, 'instances'), repository: join(folder, 'backups') } as Places;
  const { archive, present } = observeTimelines(places, who, defaultSegmentBytes);
  return { present, known: archive.map(({ timeline, ancestors }) => [timeline, ancestors.length]) };
}

describe('observeTimelines', () => {
  it('finds the present one in the data, whatever newer one the archive has', () => {
    writeFileSync(join(data, 'pg_wal', '000000010000000000000005'), '');
    writeFileSync(join(wal, '000000010000000000000004'), '');
    writeFileSync(join(wal, '00000002.history'), '1\t0/3000000\tno recovery target specified\n');
    expect(observe()).toEqual({
      present: 1,
      known: [
        [1, 0],
        [2, 1],
      ],
    });
  });

  it('knows the present one before the archive does, with its history', () => {
    writeFileSync(join(wal, '000000010000000000000004'), '');
    writeFileSync(join(data, 'pg_wal', '00000002.history'), '1\t0/4000100\tno recovery target specified\n');
    expect(observe()).toEqual({
      present: 2,
      known: [
        [1, 0],
        [2, 1],
      ],
    });
  });

  it('knows none while the data is recovering, of another system, or gone', () => {
    writeFileSync(join(data, 'pg_wal', '000000010000000000000005'), '');
    expect(observe({ ...client, systemIdentifier: '8' }).present).toBeUndefined();
    writeFileSync(join(data, 'recovery.signal'), '');
    expect(observe().present).toBeUndefined();
    rmSync(data, { recursive: true });
    expect(observe().present).toBeUndefined();
  });
});
