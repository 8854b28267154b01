import { describe, expect, it } from '@jest/globals';
import { type Counted, differences, settleCensus } from '../../../lib/backups/census.ts';

const counts = { relations: 400, columns: 3000, functions: 3200, types: 600, constraints: 110 };

function counted(more: Partial<Counted> = {}): Counted {
  return { counts, changes: 7, extensions: [{ name: 'plpgsql', version: '1.0' }], ...more };
}

describe('what is known of the catalogue at the end of a backup', () => {
  const cases: [string, Map<string, Counted>, Map<string, Counted>, unknown][] = [
    ['the same before and after', new Map([['a', counted()]]), new Map([['a', counted()]]), [{ counts }]],
    [
      'one more table',
      new Map([['a', counted()]]),
      new Map([['a', counted({ counts: { ...counts, relations: 401 }, changes: 30 })]]),
      [{ counts: null }],
    ],
    [
      'one made and one dropped: as many, and yet not the same',
      new Map([['a', counted()]]),
      new Map([['a', counted({ changes: 9 })]]),
      [{ counts: null }],
    ],
    ['a database made meanwhile', new Map(), new Map([['a', counted()]]), [{ counts: null }]],
    ['a database dropped meanwhile', new Map([['a', counted()]]), new Map(), []],
  ];

  it.each(cases)('%s', (_, before, after, expected) => {
    expect(settleCensus(before, after)).toMatchObject(expected as object);
  });

  it('tells what has come back otherwise', () => {
    expect(differences(counts, counts)).toEqual([]);
    expect(differences(counts, { ...counts, functions: 3199 })).toEqual(['3199 functions instead of 3200']);
  });
});
