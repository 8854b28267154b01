import { describe, expect, it } from '@jest/globals';
import { nearest } from '../../../lib/nearest.ts';

const names = ['development', 'production', 'testing', 'minimal', 'real-estate', 'ecommerce', 'saas'];

describe('nearest', () => {
  it.each([
    ['prodution', 'production'],
    ['Production', 'production'],
    ['prod', 'production'],
    ['tesitng', 'testing'],
    ['sass', 'saas'],
    ['real_estate', 'real-estate'],
  ])('takes %s for %s', (word, meant) => {
    expect(nearest(word, names)).toBe(meant);
  });

  it.each(['', 'x', 'banana', 'mysql'])('suggests nothing for "%s"', (word) => {
    expect(nearest(word, names)).toBeUndefined();
  });
});
