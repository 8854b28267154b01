import { describe, expect, it } from '@jest/globals';
import { changedLines, compareSchemas } from '../../../lib/schema/compare.ts';

function sibling(instance: string, tables: Record<string, string>) {
  return {
    instance,
    objects: Object.entries(tables).map(([name, definition]) => ({ kind: 'table', name, definition })),
  };
}

describe('compareSchemas', () => {
  it('finds nothing between equals, and nothing for one alone or none', () => {
    expect(compareSchemas([sibling('a', { t: 'x' }), sibling('b', { t: 'x' })])).toEqual([]);
    expect(compareSchemas([sibling('a', { t: 'x' })])).toEqual([]);
    expect(compareSchemas([])).toEqual([]);
  });

  it('tells the others by what most have, and lists who lacks it', () => {
    const siblings = [sibling('a', { t: 'new' }), sibling('b', { t: 'x' }), sibling('c', { t: 'x' }), sibling('d', {})];
    expect(compareSchemas(siblings)).toEqual([
      {
        kind: 'table',
        name: 't',
        variants: [
          { definition: 'x', instances: ['b', 'c'] },
          { definition: 'new', instances: ['a'] },
          { definition: null, instances: ['d'] },
        ],
      },
    ]);
  });

  it('takes the first instance for the usual one where as many have it so as otherwise', () => {
    const [difference] = compareSchemas([sibling('a', {}), sibling('b', { t: 'x' })]);
    expect(difference?.variants.map(({ instances }) => instances)).toEqual([['a'], ['b']]);
  });

  it('orders by kind and name', () => {
    const siblings = [sibling('a', { z: '1', b: '1' }), sibling('b', { a: '1' })];
    expect(compareSchemas(siblings).map(({ name }) => name)).toEqual(['a', 'b', 'z']);
  });
});

describe('changedLines', () => {
  it('says what has gone and what has come, repeated lines counted', () => {
    expect(changedLines('a\nb\nb', 'b\nc')).toEqual({ gone: ['a', 'b'], come: ['c'] });
    expect(changedLines('a\nb', 'b\na')).toEqual({ gone: [], come: [] });
  });
});
