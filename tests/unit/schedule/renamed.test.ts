import { expect, it } from '@jest/globals';
import { renamedInScript } from '../../../lib/schedule/renamed.ts';

it.each([
  ['client-a', 'shop'],
  ['client-a,client-b', 'shop,client-b'],
  ['CLIENT-A', 'shop'],
  ['client-ab', 'client-ab'],
  ["'client-*'", "'client-*'"],
  ["'client-a,x-*'", "'shop,x-*'"],
  ['all', 'all'],
])('a job of %s is one of %s then', (before, after) => {
  const script = (selector: string): string =>
    `node manage.ts --action backup --instance ${selector} --quiet --root /srv/client-a &&\n  x --instance ${selector}\n`;
  expect(renamedInScript(script(before), 'client-a', 'shop')).toBe(script(after));
});
