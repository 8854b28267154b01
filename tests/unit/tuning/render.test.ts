import { expect, it } from '@jest/globals';
import type { Plan } from '../../../lib/tuning/plan.ts';
import { quote, renderMainConfiguration, renderPlan } from '../../../lib/tuning/render.ts';

function planOf(settings: Plan['settings']): Plan {
  return {
    settings,
    maxConnections: 1,
    memoryBytes: 1,
    sharedMemoryBytes: 1,
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

it('puts the reason above each setting', () => {
  const text = renderPlan(planOf([{ name: 'work_mem', value: '4MB', reason: 'because' }]), {
    template: 'production',
    instance: 'client-a',
  });
  expect(text).toContain('\n# because\nwork_mem = 4MB\n');
  expect(text).toContain('instance client-a');
  expect(text.endsWith('\n')).toBe(true);
});

it("leaves a setting of the operator's own to their line", () => {
  const own = { name: 'work_mem', value: '4MB', reason: 'your own line wins', ownPlace: 'postgresql.conf, line 7' };
  const text = renderPlan(planOf([own]), { template: 't', instance: 'i' });
  expect(text).toContain('# work_mem: your own line wins');
  expect(text).not.toMatch(/^work_mem/m);
});

it("includes the plan first and what the tool decides last, so that the operator's lines win over the one alone", () => {
  const lines = renderMainConfiguration('client-a').trimEnd().split('\n');
  const includes = lines.filter((line) => line.startsWith('include'));
  expect(includes).toEqual(["include 'pg-manage.tuning.conf'", "include 'pg-manage.conf'"]);
  expect(lines.at(-1)).toBe(includes[1]);
});

it('keeps line breaks out of comments', () => {
  const text = renderPlan(planOf([{ name: 'jit', value: 'off', reason: 'a\nport = 1' }]), {
    template: 't\nx',
    instance: 'i',
  });
  expect(text).not.toMatch(/^(port|x)/m);
});
