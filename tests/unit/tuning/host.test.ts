import { describe, expect, it } from '@jest/globals';
import { effectiveMemory, readHostFacts } from '../../../lib/tuning/host.ts';
import { limitFiles } from '../../../lib/tuning/cgroups.ts';

const gib = 1024 ** 3;
const meminfo = `MemTotal:       ${(16 * gib) / 1024} kB\nMemFree:         123 kB\n`;
const v2 = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate';
const v1 = '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory';

function memoryOf(files: Record<string, string>): number {
  return effectiveMemory((path) => files[path], 64 * gib);
}

function underV2(path: string, limits: Record<string, string>, mountinfo = v2): number {
  return memoryOf({
    '/proc/meminfo': meminfo,
    '/proc/self/cgroup': `0::${path}\n`,
    '/proc/self/mountinfo': mountinfo,
    ...limits,
  });
}

describe('effectiveMemory', () => {
  it('is the machine’s where nothing limits it', () => {
    expect(memoryOf({ '/proc/meminfo': meminfo })).toBe(16 * gib);
    expect(underV2('/a', { '/sys/fs/cgroup/a/memory.max': 'max\n' })).toBe(16 * gib);
    expect(memoryOf({})).toBe(64 * gib);
  });

  it('takes the least of all ancestors, version 2', () => {
    const limits = {
      '/sys/fs/cgroup/user.slice/app.service/memory.max': `${8 * gib}\n`,
      '/sys/fs/cgroup/user.slice/memory.max': `${2 * gib}\n`,
    };
    expect(underV2('/user.slice/app.service', limits)).toBe(2 * gib);
  });

  it('finds the limit in a container with a namespace of its own', () => {
    expect(underV2('/', { '/sys/fs/cgroup/memory.max': `${gib}` })).toBe(gib);
    expect(underV2('/../..', { '/sys/fs/cgroup/memory.max': `${gib}` })).toBe(gib);
  });

  it('finds it where only the container’s own group is mounted', () => {
    const mount = '30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw';
    const limits = { '/sys/fs/cgroup/memory.max': `${3 * gib}`, '/sys/fs/cgroup/inner/memory.max': `${2 * gib}` };
    expect(underV2('/docker/abc', limits, mount)).toBe(3 * gib);
    expect(underV2('/docker/abc/inner', limits, mount)).toBe(2 * gib);
    expect(underV2('/elsewhere', limits, mount)).toBe(3 * gib);
  });

  it('reads version 1, whose largest number means no limit', () => {
    const files = {
      '/proc/meminfo': meminfo,
      '/proc/self/cgroup': '4:memory,hugetlb:/a/b\n1:cpu:/\n0::/\n',
      '/proc/self/mountinfo': `${v1}\n${v2}\n`,
      '/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': '9223372036854771712\n',
    };
    expect(memoryOf(files)).toBe(16 * gib);
    expect(memoryOf({ ...files, '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': `${4 * gib}\n` })).toBe(4 * gib);
  });

  it('never exceeds the machine, and ignores nonsense', () => {
    expect(underV2('/a', { '/sys/fs/cgroup/a/memory.max': `${99 * gib}` })).toBe(16 * gib);
    expect(underV2('/a', { '/sys/fs/cgroup/a/memory.max': '' })).toBe(16 * gib);
  });
});

it('limitFiles reads escaped mount points and optional fields', () => {
  expect(limitFiles('0::/x', '30 24 0:26 / /mnt/my\\040groups rw a:1 b:2 - cgroup2 none rw')).toEqual([
    '/mnt/my groups/x/memory.max',
    '/mnt/my groups/memory.max',
  ]);
  expect(limitFiles('', '')).toEqual([]);
});

it('readHostFacts sees this host', () => {
  const { memoryBytes, cores } = readHostFacts();
  expect(memoryBytes).toBeGreaterThan(64 * 1024 ** 2);
  expect(cores).toBeGreaterThanOrEqual(1);
});
