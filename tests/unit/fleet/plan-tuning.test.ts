import { describe, expect, it } from '@jest/globals';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDirectory } from '../../../lib/host/project.ts';
import type { FleetPlan } from '../../../lib/fleet/steps.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { one, plan, type Seen, seen, told } from './situation.ts';

/** What is tuned, without the restarts it takes: those are planned in plan-server.ts. */
const tunings = (plan: FleetPlan): string[] => told(plan).filter((line) => !line.startsWith('~ restart'));

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
  ])('%s', (_, body, facts, expected) => {
    expect(tunings(plan(one(body), { 'client-a': seen('client-a', facts) }))).toStrictEqual(expected);
  });

  it('that are written, and not read by the server', () => {
    const facts = { values: { work_mem: '8MB' }, settings: { work_mem: { setting: '4MB' } } };
    const found = plan(one('set: { work_mem: 8MB }'), { 'client-a': seen('client-a', facts) });
    expect(tunings(found)[0]).toBe('~ tune work_mem: 4MB → 8MB');
  });

  it('that take a restart are asked about', () => {
    const settings = { shared_buffers: { setting: '1', takes: 'restart' as const } };
    const { steps } = plan(one('memory: 1GB'), { 'client-a': seen('client-a', { settings }) });
    expect(steps.map(({ action, asks }) => [action, asks])).toStrictEqual([
      ['tune', undefined],
      ['restart', 'restarts client-a'],
    ]);
  });

  it('are written as --set reads them, and what is wished no more is forgotten', () => {
    const wishes = { maxConnections: 30, memoryBytes: 300 * MB, settings: { jit: 'off' } };
    const facts = { record: { wishes }, own: { search_path: 'x' } };
    const [step] = plan(one("set: { search_path: 'a, b' }"), { 'client-a': seen('client-a', facts) }).steps;
    expect(step?.options).toStrictEqual({
      apply: true,
      template: 'minimal',
      memory: 'default',
      set: "search_path='a, b',jit=default,max_connections=default",
      'replace-own': true,
    });
  });
});

describe('what is compared', () => {
  const planned = (body: string, facts: Seen = {}) => plan(one(body), { 'client-a': seen('client-a', facts) });
  const kilobytes = (setting: string, more: object = {}) => ({ setting, unit: 'kB', vartype: 'integer', ...more });

  it('wishes that are as declared are nothing to do', () => {
    const wishes = { memoryBytes: bytes(GB), maxConnections: 30, settings: { jit: 'off' } };
    const facts = { record: { wishes, archive: 'streaming' as const }, values: { jit: 'off', max_connections: '30' } };
    expect(
      planned('memory: 1GB, max-connections: 30, archive: streaming, set: { jit: off }', facts).steps,
    ).toStrictEqual([]);
  });

  it('the action is called with all that is declared', () => {
    const body = 'memory: 1GB, max-connections: 30, archive: streaming, overcommit: true, set: { jit: off }';
    const [step] = planned(body).steps;
    expect(step).toStrictEqual({
      sign: '~',
      instance: 'client-a',
      action: 'tune',
      options: {
        apply: true,
        template: 'minimal',
        memory: '1GB',
        'max-connections': 30,
        set: 'jit=off',
        overcommit: true,
        archive: 'streaming',
      },
      changes: [
        { what: 'memory', before: "the template's", after: '1GB' },
        { what: 'archive', before: 'command', after: 'streaming' },
        { what: 'max-connections', before: "the template's", after: '30' },
        { what: 'jit', before: 'unset', after: 'off' },
      ],
    });
    const streaming = { record: { archive: 'streaming' as const } };
    expect(planned('archive: command', streaming).steps[0]?.options).toStrictEqual({
      apply: true,
      template: 'minimal',
      archive: 'command',
    });
  });

  it('a number of connections that was wished for is told once', () => {
    const facts = (maxConnections: number) => ({
      record: { wishes: { maxConnections } },
      values: { max_connections: '30' },
    });
    expect(tunings(planned('max-connections: 20', facts(30)))).toStrictEqual(['~ tune max-connections: 30 → 20']);
    expect(tunings(planned('max-connections: 20', facts(20)))).toStrictEqual(['~ tune max_connections: 30 → 20']);
    expect(planned('max-connections: 20', facts(30)).steps[0]?.options).not.toHaveProperty('set');
    expect(tunings(planned('', facts(30)))).toStrictEqual(["~ tune max-connections: 30 → the template's"]);
  });

  it('a template of a file is told by its path', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgm-fleet-'));
    try {
      const path = join(folder, 'small.yaml');
      copyFileSync(join(projectDirectory, 'templates', 'tuning', 'minimal.yaml'), path);
      const yaml = `instances:\n  client-a: { template: ${path} }\n`;
      const file = { record: { template: 'small', templateFile: path } };
      expect(tunings(plan(yaml, { 'client-a': seen('client-a') }))[0]).toBe(`~ tune template: minimal → ${path}`);
      expect(plan(yaml, { 'client-a': seen('client-a', file) }).steps).toStrictEqual([]);
      expect(tunings(planned('', file))[0]).toBe(`~ tune template: ${path} → minimal`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a value is the same in another unit, in the files and in the server', () => {
    const body = 'set: { work_mem: 8MB }';
    expect(planned(body, { values: { work_mem: '8MB' } }).steps).toStrictEqual([]);
    const facts = (written: string, running: object) => ({
      values: { work_mem: written },
      settings: { work_mem: running as { setting: string } },
    });
    expect(planned(body, facts('8192kB', kilobytes('8192'))).steps).toStrictEqual([]);
    expect(tunings(planned(body, facts('8MB', kilobytes('4096'))))[0]).toBe('~ tune work_mem: 4096kB → 8MB');
    expect(tunings(planned(body, facts('4MB', kilobytes('8192'))))[0]).toBe('~ tune work_mem: 4MB → 8MB');
    expect(tunings(planned(body, facts('8192kB', kilobytes('4096'))))[0]).toBe('~ tune work_mem: 8192kB → 8MB');
    // What is written and waits for a restart is not written again.
    expect(tunings(planned(body, facts('8MB', kilobytes('4096', { isPending: true }))))).toStrictEqual([]);
  });

  it('one that does not run is tuned all the same', () => {
    expect(tunings(planned('set: { work_mem: 8MB }', { state: 'stopped', values: { work_mem: '4MB' } }))[0]).toBe(
      '~ tune work_mem: 4MB → 8MB',
    );
  });

  it('a name that no list of ours knows is for the server to judge', () => {
    expect(tunings(planned('set: { from_the_future: 1 }'))).toStrictEqual(['~ tune from_the_future: unset → 1']);
  });

  it('what is no value is the same as no other one: the budget says what is wrong with it', () => {
    const facts = { values: { work_mem: 'more' }, settings: { work_mem: kilobytes('4096') } };
    expect(() => planned('set: { work_mem: lots }', facts)).toThrow(
      expect.objectContaining({ code: 'BAD_SETTING', message: expect.stringContaining('client-a: work_mem = "lots"') }),
    );
  });

  it('one that was adopted keeps its configuration until it is tuned, but for what the file names', () => {
    const adopted = { record: { adopted: {} as never }, values: { log_min_duration_statement: '0' } };
    const untouched = { ...adopted, planned: [] };
    expect(planned('', untouched).steps).toStrictEqual([]);
    expect(tunings(planned('set: { work_mem: 8MB }', untouched))).toStrictEqual(['~ tune work_mem: unset → 8MB']);
    expect(tunings(planned('', adopted))).toStrictEqual(['~ tune log_min_duration_statement: 0 → 1s']);
    expect(tunings(planned('', { values: adopted.values, planned: [] }))).toHaveLength(1);
  });

  it('lines of their own go where the file names the setting, and the place is told without what it quotes', () => {
    const found = planned('set: { work_mem: 8MB }', { own: { work_mem: '4MB', jit: 'off' } });
    expect(found.steps[0]?.options).toMatchObject({ 'replace-own': true });
    expect(planned('set: { work_mem: 8MB }', { own: { jit: 'off' } }).steps[0]?.options).not.toHaveProperty(
      'replace-own',
    );
  });
});
