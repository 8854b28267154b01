import { expect, it } from '@jest/globals';
import { type EarlierArchive, planEarlier } from '../../../lib/backups/earlier.ts';
import { backup, nameOf } from './retention-facts.ts';

function archive(instanceId: string, more: Partial<EarlierArchive> = {}): EarlierArchive {
  const files = [1, 2, 3, 4].map((number) => `${nameOf(number)}.zst`);
  return { folder: `wal-${instanceId}`, instanceId, files: ['.instance', ...files], held: undefined, ...more };
}

const of = (id: string, instanceId: string, segment: number, more = {}) =>
  backup(id, 9, segment, { instance: { id: instanceId }, ...more });

const gone = 'its instance is gone, and no backup needs it';

it.each([
  ['no backup of it', archive('a'), [of('b1', 'b', 1)], {}, [false, gone, 0]],
  [
    'a backup of it: from there on',
    archive('a'),
    [of('b1', 'a', 3), of('b2', 'a', 4)],
    {},
    [true, 'needed by b1, b2', 2],
  ],
  [
    'one that failed is there to be looked at',
    archive('a'),
    [of('b1', 'a', 2, { state: 'failed' })],
    {},
    [true, 'needed by b1', 1],
  ],
  [
    'pinned: all of it',
    archive('a'),
    [of('b1', 'a', 3, { pinned: true }), of('b2', 'a', 4)],
    {},
    [true, 'needed by b1, pinned', 0],
  ],
  [
    'more than are told',
    archive('a'),
    [3, 4, 5, 6].map((n) => of(`b${n}`, 'a', n)),
    {},
    [true, 'needed by b3, b4 and 2 more backups', 2],
  ],
  ['held', archive('a', { held: 'its instance lives' }), [], {}, [true, 'its instance lives', 0]],
  ['an alarm', archive('a'), [], { frozen: 'the alarm stands' }, [true, 'the alarm stands', 0]],
] as const)('an archive with %s', (_, one, backups, more, wanted) => {
  const [verdict] = planEarlier({ archives: [one], backups, frozen: undefined, ...more });
  expect([verdict?.kept, verdict?.reasons.join('; '), verdict?.wal.length]).toEqual(wanted);
});
