import { describe, expect, it } from '@jest/globals';
import { columnsOf, firstToMigrate, type FleetMember, planFleet } from '../../../lib/migrations/fleet.ts';
import type { MigrationState } from '../../../lib/migrations/plan.ts';

function member(instance: string, states: Record<string, MigrationState>): FleetMember {
  const migrations = Object.entries(states).map(([key, state]) => {
    const version = key.slice(1); // a key that is a number would be moved to the front
    return { version, state, name: 'x', file: `${version}_x.sql`, appliedAt: null, checksum: '' };
  });
  return { instance, migrations };
}

const fleet = [
  member('a', { v1: 'applied', v2: 'applied', v3: 'applied', v4: 'pending', v5: 'pending' }),
  { instance: 'b', problem: 'instance b is stopped' },
  member('c', { v1: 'applied', v2: 'applied', v3: 'pending', v4: 'pending', v5: 'pending' }),
];

describe('planFleet', () => {
  it('says of each instance where each version stands', () => {
    expect(planFleet(fleet)).toEqual({
      versions: ['1', '2', '3', '4', '5'],
      rows: [
        { instance: 'a', states: ['applied', 'applied', 'applied', 'pending', 'pending'], pending: 2, problem: null },
        { instance: 'b', states: ['-', '-', '-', '-', '-'], pending: 0, problem: 'instance b is stopped' },
        { instance: 'c', states: ['applied', 'applied', 'pending', 'pending', 'pending'], pending: 3, problem: null },
      ],
    });
  });

  it('counts nothing beyond the last version that is wanted', () => {
    expect(planFleet(fleet, '3').rows.map(({ states, pending }) => [states[4], pending])).toEqual([
      ['later', 0],
      ['-', 0],
      ['later', 1],
    ]);
  });

  it('names what contradicts the folder, and puts a version that one alone knows where that one has it', () => {
    const odd = member('d', { v1: 'applied', v2: 'missing', v3: 'pending' });
    const { versions, rows } = planFleet([member('a', { v1: 'applied', v3: 'pending' }), odd]);
    expect(versions).toEqual(['1', '2', '3']);
    expect(rows.map(({ states, problem }) => [states[1], problem])).toEqual([
      ['-', null],
      ['missing', '2_x.sql: missing'],
    ]);
  });
});

describe('the columns of the matrix', () => {
  it('put neighbours together that stand alike everywhere', () => {
    expect(columnsOf(planFleet(fleet)).map(({ title }) => title)).toEqual(['1 to 2', '3', '4 to 5']);
    expect(columnsOf(planFleet([]))).toEqual([]);
  });
});

describe('the canary', () => {
  it('is the first that has something to apply, else the first', () => {
    expect(firstToMigrate(planFleet(fleet))).toBe('a');
    expect(firstToMigrate(planFleet(fleet, '3'))).toBe('c');
    expect(firstToMigrate(planFleet(fleet.slice(1, 2)))).toBe('b');
  });
});
