import { join } from 'node:path';
import * as z from 'zod';
import { readJson, readText } from '../host/files.ts';
import type { Places } from '../instances/places.ts';
import { parseTimes } from './cron.ts';
import { installedJobs, type Planned, planScheduler, scheduleFolder } from './install.ts';
import { type Job, planJobs, type ScheduleWish, type Surroundings } from './plan.ts';
import { type Scheduler, schedulers } from './system.ts';

/** What is to be installed, whole. */
export interface Composed {
  scheduler: Scheduler;
  jobs: Job[];
  planned: Planned;
  wish: ScheduleWish;
}

/** Everything that a schedule comes to. Pure. */
export function compose(
  places: Places,
  around: Surroundings,
  wish: ScheduleWish,
  scheduler: Scheduler,
  templates: Record<'job' | 'service' | 'timer', string>,
): Composed {
  const jobs = planJobs(wish, around, templates.job);
  return { scheduler, jobs, planned: planScheduler(scheduler, jobs, places, templates), wish };
}

const optionalText = z.string().optional();
const storedSchema = z.object({
  schema: z.literal(1),
  scheduler: z.enum(schedulers),
  selector: z.string(),
  backup: optionalText,
  prove: optionalText,
  keep: z.number().optional(),
  retentionDays: z.number().optional(),
  jitterSeconds: z.number(),
  ping: optionalText,
});

/** What was wished for, as it is kept beside the jobs: what they call cannot be read back from them. */
export type StoredWish = z.infer<typeof storedSchema>;

export function storedText({ scheduler, wish }: Composed): string {
  const { backup, prove, ...others } = wish;
  const stored = { schema: 1, scheduler, ...others, backup: backup?.expression, prove: prove?.expression };
  return `${JSON.stringify(stored)}\n`;
}

export const storedName = 'schedule.json';

/** The schedule of this root as it is now. */
export interface ObservedSchedule {
  /** Undefined where there is none, or it was installed before it was written down. */
  stored: StoredWish | undefined;
  installed: Planned;
}

export async function observeSchedule(places: Places, signal: AbortSignal): Promise<ObservedSchedule> {
  const stored = readJson(join(scheduleFolder(places), storedName), storedSchema as z.ZodType<StoredWish>);
  return { stored, installed: await installedJobs(places, signal) };
}

/** Which of its parts are not there as they should be, in words; none where all is as it was composed. */
export function faultsOf({ jobs, planned }: Composed, { installed }: ObservedSchedule): string[] {
  const sameLines = planned.crontab.join('\n') === installed.crontab.join('\n');
  const wanted = new Map(planned.units.map(({ name, text }) => [name, text]));
  const there = new Map(installed.units.map(({ name, text }) => [name, text]));
  return [
    ...(sameLines ? [] : [installed.crontab.length === 0 ? 'not in the crontab' : 'other lines in the crontab']),
    ...[...wanted].filter(([name, text]) => there.get(name) !== text).map(([name]) => `unit ${name}`),
    ...[...there.keys()].filter((name) => !wanted.has(name)).map((name) => `unit ${name}`),
    ...jobs.filter(({ file, text }) => readText(file) !== text).map(({ name }) => `the script of ${name}`),
  ];
}

/** The wish that was stored, as a schedule is composed from. */
export function wishOf({ backup, prove, ...stored }: StoredWish): ScheduleWish {
  return {
    selector: stored.selector,
    backup: backup === undefined ? undefined : parseTimes(backup),
    prove: prove === undefined ? undefined : parseTimes(prove),
    keep: stored.keep,
    retentionDays: stored.retentionDays,
    jitterSeconds: stored.jitterSeconds,
    ping: stored.ping,
  };
}
