import { expect, it } from '@jest/globals';
import type { Plan } from '../../../lib/tuning/plan.ts';
import { quote, renderConfiguration } from '../../../lib/tuning/render.ts';

function planOf(settings: Plan['settings']): Plan {
  return {
    settings,
    maxConnections: 1,
    memoryBytes: 1,
    committedBytes: 1,
    stressBytes: 1,
    budgetBytes: 1,
    othersBytes: 0,
    warnings: [],
  };
}

it.each([
  ['128MB', '128MB'],
  ['0.9', '0.9'],
  ['-1', '-1'],
  ['off', 'off'],
  ['1.5GB', "'1.5GB'"],
  ['', "''"],
  ['%m [%p] ', "'%m [%p] '"],
  ["it's", "'it''s'"],
  ['back\\slash', "'back\\\\slash'"],
  ['pg_stat_statements, auto_explain', "'pg_stat_statements, auto_explain'"],
  ['x # y', "'x # y'"],
])('quote(%j) is %s', (value, quoted) => {
  expect(quote(value)).toBe(quoted);
});

it('puts the reason above each setting and the include last', () => {
  const text = renderConfiguration(planOf([{ name: 'work_mem', value: '4MB', reason: 'because' }]), {
    template: 'production',
    instance: 'client-a',
  });
  expect(text).toContain('\n# because\nwork_mem = 4MB\n');
  expect(text).toContain('instance client-a');
  expect(text.trimEnd().split('\n').at(-1)).toBe("include 'pg-manage.conf'");
  expect(text.endsWith('\n')).toBe(true);
});

it('keeps line breaks out of comments', () => {
  const text = renderConfiguration(planOf([{ name: 'jit', value: 'off', reason: 'a\nport = 1' }]), {
    template: 't\nx',
    instance: 'i',
  });
  expect(text).not.toMatch(/^(port|x)/m);
});
