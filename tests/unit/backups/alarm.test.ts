import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { raiseAlarm, readAlarm } from '../../../lib/backups/alarm.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { placesOf } from '../../../lib/instances/places.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-alarm-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

it('damage that is seen again counts from then, so that no backup from before is taken for its cure', () => {
  const places = placesOf(folder, folder, folder);
  const name = parseName('shop');
  const [first, second] = ['2026-11-01T00:00:00.000Z', '2026-11-02T00:00:00.000Z'];
  const damage = [
    { at: first, where: 'the live data', what: 'orders' },
    { at: second, where: 'backup b1', what: 'base.tar' },
  ];
  mkdirSync(join(folder, 'shop'));
  writeFileSync(join(folder, 'shop', 'alarm.json'), JSON.stringify({ schema: 1, raisedAt: first, damage }));
  raiseAlarm(places, name, 'the live data', 'orders');
  const alarm = readAlarm(places, name);
  expect(alarm).toMatchObject({ raisedAt: first, damage: [{ where: 'backup b1' }, { where: 'the live data' }] });
  expect(Date.parse(alarm?.damage[1]?.at ?? '')).toBeGreaterThan(Date.parse(second));
});
