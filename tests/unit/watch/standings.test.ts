import { expect, it } from '@jest/globals';
import { parseName } from '../../../lib/instances/names.ts';
import { type SchemaSample, standings } from '../../../lib/watch/schema-sample.ts';

function sample(migrations: string, fingerprint: string | null = 'same'): SchemaSample {
  return { invalidIndexes: 0, migrations: migrations.split(''), fingerprint };
}

function standingOf(samples: Record<string, SchemaSample>) {
  const found = standings(new Map(Object.entries(samples).map(([name, one]) => [parseName(name), one])));
  return Object.fromEntries(found);
}

it('siblings are those that began with the same migration; who has fewer is behind', () => {
  const found = standingOf({
    a: sample('123'),
    b: sample('12'),
    c: sample('132', 'x'),
    other: sample('9'),
    d: sample(''),
  });
  expect(found).toMatchObject({ a: { behind: 0 }, b: { behind: 1 }, c: { behind: 0 }, other: { behind: 0 } });
  expect(found).not.toHaveProperty('d');
});

it('a schema differs where most siblings with the same migrations have another one', () => {
  const three = { a: sample('12'), b: sample('12', 'mine'), c: sample('12'), d: sample('1', 'older') };
  expect(standingOf(three)).toMatchObject({
    a: { differs: false },
    b: { differs: true },
    c: { differs: false },
    d: { differs: false },
  });
  const two = standingOf({ a: sample('1', 'x'), b: sample('1', 'y') });
  expect([two['a']?.differs, two['b']?.differs]).toEqual([false, true]);
});
