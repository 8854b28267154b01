import { describe, expect, it } from '@jest/globals';
import { MB } from '../../../lib/tuning/sizes.ts';
import { one, plan, type Seen, seen, told } from './situation.ts';

describe('settings', () => {
  it.each<[string, string, Seen, string[]]>([
    ['by another wish', 'set: { work_mem: 8MB }', { values: { work_mem: '4MB' } }, ['~ tune work_mem: 4MB → 8MB']],
    [
      'by a line of their own',
      'set: { work_mem: 8MB }',
      { own: { work_mem: '4MB' } },
      ['~ tune work_mem: 4MB → 8MB: a.conf, line 1'],
    ],
    ['not named in the file, in a line of their own', '', { own: { log_min_duration_statement: '0' } }, []],
    [
      'wished for once, and no more',
      '',
      { record: { wishes: { settings: { jit: 'off' } } } },
      ['~ tune jit: off → as planned'],
    ],
    ['memory', 'memory: 1GB', {}, ["~ tune memory: the template's → 1GB"]],
    ['archive', 'archive: streaming', {}, ['~ tune archive: command → streaming']],
    ['template', '', { record: { template: 'saas' } }, ['~ tune template: saas → minimal']],
    [
      'waiting for a restart',
      'set: { jit: off }',
      { values: { jit: 'off' }, settings: { jit: { setting: 'on', isPending: true } } },
      ['~ restart restart: for jit'],
    ],
  ])('%s', (_, body, facts, expected) => {
    expect(told(plan(one(body), { 'client-a': seen('client-a', facts) }))).toEqual(expected);
  });

  it('that are written, and not read by the server', () => {
    const facts = { values: { work_mem: '8MB' }, settings: { work_mem: { setting: '4MB' } } };
    const found = plan(one('set: { work_mem: 8MB }'), { 'client-a': seen('client-a', facts) });
    expect(told(found)[0]).toBe('~ tune work_mem: 4MB → 8MB');
  });

  it('that take a restart are asked about', () => {
    const settings = { shared_buffers: { setting: '1', takes: 'restart' as const } };
    const { steps } = plan(one('memory: 1GB'), { 'client-a': seen('client-a', { settings }) });
    expect(steps.map(({ action, asks }) => [action, asks])).toEqual([
      ['tune', undefined],
      ['restart', 'restarts client-a'],
    ]);
  });

  it('are written as --set reads them, and what is wished no more is forgotten', () => {
    const wishes = { maxConnections: 30, memoryBytes: 300 * MB, settings: { jit: 'off' } };
    const facts = { record: { wishes }, own: { search_path: 'x' } };
    const [step] = plan(one("set: { search_path: 'a, b' }"), { 'client-a': seen('client-a', facts) }).steps;
    expect(step?.options).toEqual({
      apply: true,
      template: 'minimal',
      memory: 'default',
      set: "search_path='a, b',jit=default,max_connections=default",
      'replace-own': true,
    });
  });
});
