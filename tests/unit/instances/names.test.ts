import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defaultDatabase, meansSeveral, parseName, sameName, select } from '../../../lib/instances/names.ts';

const names = ['client-a', 'client-b', 'client-ab', 'Shop', 'web_1'].map(parseName);

/** What `toThrow` is to find in one of our errors. */
function coded(code: string, rest: { message?: string; hint?: string } = {}) {
  const parts = Object.entries(rest).map(([key, text]) => [key, expect.stringContaining(text)]);
  return expect.objectContaining({ code, ...Object.fromEntries(parts) });
}

describe('parseName', () => {
  it.each(['a', 'client-a', 'Z9_-', 'allow', 'x'.repeat(63)])('takes %s', (name) => expect(parseName(name)).toBe(name));

  it.each(['', '1a', '-a', '_a', 'a b', 'a.b', 'a/b', '../a', 'ä', 'a\n', 'all', 'ALL', 'All', 'x'.repeat(64), 'a*'])(
    'refuses %j',
    (name) => expect(() => parseName(name)).toThrow(coded('BAD_NAME', { hint: 'begins with a letter' })),
  );

  it("takes what the contract's pattern takes, and nothing else", () => {
    const pattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 70 }), fc.stringMatching(/^[A-Za-z][\w.-]{0,70}$/)), (text) => {
        const fits = pattern.test(text) && text.toLowerCase() !== 'all';
        if (fits) expect(parseName(text)).toBe(text);
        else expect(() => parseName(text)).toThrow(coded('BAD_NAME'));
      }),
    );
  });
});

it('two names that differ only in case are one', () => {
  expect(sameName('Client-A', 'client-a')).toBe(true);
  expect(sameName('client-a', 'client_a')).toBe(false);
});

it('the database carries the name with hyphens as underscores', () => {
  expect(defaultDatabase(parseName('client-a-2'))).toBe('client_a_2');
});

describe('select', () => {
  it('takes an exact name, in any case, as the instance writes it', () => {
    expect(select('client-a', names)).toEqual(['client-a']);
    expect(select('CLIENT-A', names)).toEqual(['client-a']);
    expect(select('shop', names)).toEqual(['Shop']);
  });

  it('never takes a bare name for a prefix', () => {
    expect(() => select('client', names)).toThrow(
      coded('INSTANCE_NOT_FOUND', { message: '"client"', hint: 'client-a' }),
    );
    expect(select('client-a', names)).not.toContain('client-ab');
  });

  it('takes a comma list in its own order, each name once', () => {
    expect(select('Shop, client-b,client-a,shop', names)).toEqual(['Shop', 'client-b', 'client-a']);
  });

  it('names a dozen of those there are', () => {
    const many = Array.from({ length: 13 }, (_, index) => parseName(`i${index}`));
    const hint = `there are: ${many.slice(0, 12).join(', ')}`;
    expect(() => select('x', many)).toThrow(expect.objectContaining({ hint }));
  });

  it('refuses a list of which one part is nobody, or empty', () => {
    expect(() => select('client-a, nobody', names)).toThrow(coded('INSTANCE_NOT_FOUND', { message: '"nobody"' }));
    expect(() => select('client-a,,Shop', names)).toThrow(coded('BAD_NAME'));
    expect(() => select('', names)).toThrow(coded('BAD_NAME'));
  });

  it.each([
    ['client-*', ['client-a', 'client-b', 'client-ab']],
    ['client-?', ['client-a', 'client-b']],
    ['CLIENT-[ab]', ['client-a', 'client-b']],
    ['client-[!a]*', ['client-b']],
    ['client-[b-z]', ['client-b']],
    ['*', ['client-a', 'client-b', 'client-ab', 'Shop', 'web_1']],
    ['*b,Shop', ['client-b', 'client-ab', 'Shop']],
  ])('takes the glob %s', (glob, expected) => expect(select(glob, names)).toEqual(expected));

  it('matches a glob against the whole name', () => {
    expect(() => select('lient-?', names)).toThrow(coded('INSTANCE_NOT_FOUND'));
    expect(() => select('x*', names)).toThrow(coded('INSTANCE_NOT_FOUND'));
  });

  it.each(['client.*', '(a)*', 'a|*', 'a b*', '../*'])('refuses %s, which could select no name', (glob) => {
    expect(() => select(glob, names)).toThrow(coded('BAD_SELECTOR', { hint: "a quoted glob like 'client-*'" }));
  });

  it.each(['client-[a', 'client-[z-a]'])('refuses %s, which is no glob', (glob) => {
    expect(() => select(glob, names)).toThrow(coded('BAD_SELECTOR', { hint: 'a [ needs its ]' }));
  });

  it('takes `all`, also of nobody; any other selector of nobody is an error', () => {
    expect(select('all', names)).toEqual(names);
    expect(select('all', [])).toEqual([]);
    expect(() => select('*', [])).toThrow(
      coded('INSTANCE_NOT_FOUND', { hint: 'there are none yet; make one with: ./manage.ts create NAME' }),
    );
    expect(() => select('client-a', [])).toThrow(coded('INSTANCE_NOT_FOUND'));
  });
});

it('meansSeveral: all, lists and globs, not a name', () => {
  for (const selector of ['all', 'a,b', 'a*', 'a?', '[ab]']) expect(meansSeveral(selector)).toBe(true);
  for (const selector of ['a', 'allow', 'client-a']) expect(meansSeveral(selector)).toBe(false);
});
