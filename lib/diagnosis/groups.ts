import { readSystemFile } from '../host/inspect.ts';
import { limitFiles } from '../tuning/cgroups.ts';
import { limitBytes } from '../tuning/host.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Finding, host, quoted } from './finding.ts';

/** A control group with a limit on memory, in which servers run. */
export interface GroupFacts {
  folder: string;
  limitBytes: number;
  /** Without what the kernel can take back at once: pages of files that were not used of late. */
  usedBytes: number;
  /** The instances whose servers count in it. */
  instances: readonly string[];
}

/** The groups of running servers, which need not be ours: systemd gives a unit one of its own. */
export function observeGroups(servers: readonly { name: string; pid: number }[]): GroupFacts[] {
  const instancesOf = new Map<string, string[]>();
  for (const { name, pid } of servers) {
    const [group, mounts] = ['cgroup', 'mountinfo'].map((file) => readSystemFile(`/proc/${pid}/${file}`) ?? '');
    for (const file of limitFiles(group ?? '', mounts ?? ''))
      instancesOf.set(file, [...(instancesOf.get(file) ?? []), name]);
  }
  return [...instancesOf].flatMap(([file, instances]) => {
    const limit = limitBytes(readSystemFile(file));
    const folder = file.slice(0, file.lastIndexOf('/'));
    const used = usedBytes((name) => readSystemFile(`${folder}/${name}`));
    return limit === undefined || used === undefined ? [] : [{ folder, limitBytes: limit, usedBytes: used, instances }];
  });
}

/** Version 2 or 1 (cgroups(7) names the kernel's documents): memory.current or memory.usage_in_bytes, less what memory.stat says. */
export function usedBytes(read: (name: string) => string | undefined): number | undefined {
  const current = read('memory.current') ?? read('memory.usage_in_bytes');
  if (current === undefined) return undefined;
  const stat = read('memory.stat') ?? '';
  // Version 1 counts the groups below only in the totals.
  const idle = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat);
  return Number(current) - Number(idle?.[1] ?? 0);
}

export function judgeGroups(groups: readonly GroupFacts[]): Finding[] {
  return groups
    .filter((group) => group.usedBytes > group.limitBytes * 0.9)
    .map((group) => ({
      code: 'GROUP_MEMORY_HIGH',
      severity: group.usedBytes > group.limitBytes * 0.97 ? 'critical' : 'warning',
      subject: host,
      cause: `control group ${group.folder} uses ${humanBytes(group.usedBytes)} of its ${humanBytes(group.limitBytes)}: at its limit the kernel ends processes in it, servers of ${group.instances.join(', ')} among them.`,
      remedy: `systemd-cgtop; cat ${quoted(`${group.folder}/memory.stat`)}`,
    }));
}
