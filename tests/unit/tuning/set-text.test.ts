import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseSettings, spellSettings } from '../../../lib/tuning/set-text.ts';

describe('parseSettings', () => {
  it('takes values in quotes, with commas and doubled quotes', () => {
    expect(parseSettings(`work_mem=8MB, search_path='"$user", public',x.y='it''s'`)).toEqual({
      work_mem: '8MB',
      search_path: '"$user", public',
      'x.y': "it's",
    });
  });

  it.each(['work_mem', '=8MB', 'a=1,,b=2', "a='1"])('%j is refused', (text) => {
    expect(() => parseSettings(text)).toThrow('is no setting');
  });

  it('reads what spellSettings writes', () => {
    const name = fc.stringMatching(/^[a-z_]{1,9}$/);
    const value = fc.string({ minLength: 1 }).filter((text) => text.trim() === text && text !== "''");
    fc.assert(
      fc.property(fc.dictionary(name, value, { minKeys: 1, noNullPrototype: true }), (settings) => {
        expect(parseSettings(spellSettings(settings))).toEqual(settings);
      }),
    );
  });
});
