import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PackedWal, unpackedWal } from '../../../lib/backups/unpacked-wal.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { Task } from '../../../lib/task.ts';

const task = new Task(new AbortController().signal, () => undefined);
let wal: PackedWal;

beforeAll(() => {
  const archive = mkdtempSync(join(tmpdir(), 'pgm-unpacked-'));
  // The fourth is missing.
  for (const number of [2, 3, 5]) writeFileSync(join(archive, `00000001000000000000000${number}`), '');
  wal = { archive, segmentBytes: 16 * 1024 * 1024, restoreScript: '', folder: join(archive, 'unpacked') };
});
afterAll(() => rmSync(wal.archive, { recursive: true }));

it.each([
  ['the end of the last one before a gap', undefined, '0/4000000'],
  ['where it is to end, before that', '0/3000028', '0/3000028'],
  ['the end of the last one, where more was wanted', '0/5000100', '0/4000000'],
])('WAL that is stored plainly is read where it is, to %s', async (_, to, end) => {
  const reach = { timeline: 1, from: parseLsn('0/2000028'), ...(to === undefined ? {} : { to: parseLsn(to) }) };
  const lots = [];
  for await (const lot of unpackedWal(wal, reach, task)) lots.push(lot);
  expect(lots).toEqual([{ timeline: 1, from: '0/2000028', to: end, folder: wal.archive }]);
});

it('nothing is read where the first segment is missing', async () => {
  const { done } = await unpackedWal(wal, { timeline: 1, from: parseLsn('0/4000000') }, task).next();
  expect(done).toBe(true);
});
