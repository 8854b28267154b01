import { join } from 'node:path';
import { exists, modifiedMs, readText } from '../host/files.ts';
import { type InstanceName, select } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { autostartFolder } from './autostart.ts';
import { scheduleFolder } from './install.ts';

/** What is done to an instance by itself. */
export interface Scheduled {
  jobs: { name: string; lastBegunAt: string | null }[];
  /** Whether it comes back with the machine. */
  autostart: boolean;
}

/** Reads the scripts of this root that cron or systemd call; whether they do call them, `schedule --show` says. */
export function scheduledFor(places: Places, name: InstanceName): Scheduled {
  const folder = scheduleFolder(places);
  const jobs = ['backup', 'prove'].flatMap((job) => {
    const [, selector] = /--instance ('[^']*'|\S+)/.exec(readText(join(folder, job)) ?? '') ?? [];
    if (selector === undefined || !covers(selector.replaceAll("'", ''), name)) return [];
    const begunMs = modifiedMs(join(folder, `${job}.begun`));
    return [{ name: job, lastBegunAt: begunMs === undefined ? null : new Date(begunMs).toISOString() }];
  });
  return { jobs, autostart: exists(join(autostartFolder(places), 'with-machine')) };
}

/** A selector may have parts that are for others. */
function covers(selector: string, name: InstanceName): boolean {
  return selector.split(',').some((part) => {
    try {
      return select(part, [name]).length > 0;
    } catch {
      return false;
    }
  });
}
