import { describe, expect, it } from '@jest/globals';
import { type GroupFacts, judgeGroups, observeGroups, usedBytes } from '../../../lib/diagnosis/groups.ts';
import { GB } from '../../../lib/tuning/sizes.ts';
import { told } from './findings.ts';

describe('control groups of servers', () => {
  const group = (used: number): GroupFacts => ({
    folder: '/sys/fs/cgroup/db.slice',
    limitBytes: 10 * GB,
    usedBytes: used * GB,
    instances: ['shop', 'blog'],
  });

  it.each([
    [9, []],
    [9.1, ['warning GROUP_MEMORY_HIGH']],
    [9.8, ['critical GROUP_MEMORY_HIGH']],
  ])('%s GB of 10: %j', (used, findings) => {
    expect(told(judgeGroups([group(used)]))).toEqual(findings);
  });

  it('are told with who is in them', () => {
    expect(judgeGroups([group(9.5)])[0]?.cause).toMatch(
      /db\.slice uses 9\.5 GB of its 10 GB: .* servers of shop, blog/,
    );
  });

  it.each([
    ['version 2', { 'memory.current': '1000\n', 'memory.stat': 'anon 300\ninactive_file 600\n' }, 400],
    [
      'version 1, whose own share counts its groups only by the total',
      { 'memory.usage_in_bytes': '1000\n', 'memory.stat': 'inactive_file 1\ntotal_inactive_file 600\n' },
      400,
    ],
    ['a kernel that hides it', {}, undefined],
  ])('%s', (_what, files, expected) => {
    const texts = new Map<string, string | undefined>(Object.entries(files));
    expect(usedBytes((name) => texts.get(name))).toBe(expected);
  });

  it('of a process that is gone are none', () => {
    expect(observeGroups([{ name: 'shop', pid: 2 ** 30 }])).toEqual([]);
  });
});
