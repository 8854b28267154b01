import { join } from 'node:path';
import { longestGapMinutes, type Times } from './cron.ts';

/** What is to be done regularly. */
export interface ScheduleWish {
  /** Which instances, as a selector: those that will be there then. */
  selector: string;
  backup: Times | undefined;
  prove: Times | undefined;
  keep: number | undefined;
  retentionDays: number | undefined;
  jitterSeconds: number;
  /** A dead-man service to be told of backups. */
  ping: string | undefined;
}

/** Where and as whom it runs. Paths are absolute. */
export interface Surroundings {
  /** The program and the words before its options: node, launcher, manage.ts. */
  command: readonly string[];
  /** The options and the environment that every call needs to find the same instances. */
  options: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Holds scripts, stamps and locks. */
  folder: string;
}

export interface Job {
  name: 'backup' | 'prove';
  times: Times;
  /** Its script, and what is in it. */
  file: string;
  text: string;
}

/** A job that meets another one waits for it: nobody sits there to give the command again. */
const patience = ['--lock-timeout', '7200'];

/** Pure: the jobs with the text of their scripts. @param template templates/schedule-job.sh */
export function planJobs(wish: ScheduleWish, around: Surroundings, template: string): Job[] {
  const { backup, prove, keep, retentionDays, selector, ping } = wish;
  const call = (action: string, ...more: string[]): string =>
    [...around.command, '--action', action, '--instance', selector, '--quiet', ...patience, ...more, ...around.options]
      .map(shellWord)
      .join(' ');
  const pinging = ping === undefined ? '' : `PG_MANAGE_PING=${shellWord(ping)} `;
  const rules = [
    ...(keep === undefined ? [] : ['--keep', String(keep)]),
    ...(retentionDays === undefined ? [] : ['--retention-days', String(retentionDays)]),
  ];
  // Old backups go only when a new one is proven.
  const backupCommands = [
    `${pinging}${call('backup')}`,
    ...(rules.length === 0 ? [] : [call('cleanup-backups', ...rules, '--yes')]),
  ].join(' &&\n  ');
  const job = (name: Job['name'], times: Times, commands: string): Job => ({
    name,
    times,
    file: join(around.folder, name),
    text: render(template, wish, around, { name, times, commands }),
  });
  return [
    ...(backup === undefined ? [] : [job('backup', backup, backupCommands)]),
    ...(prove === undefined ? [] : [job('prove', prove, call('prove'))]),
  ];
}

/** An hour later than the longest time between two runs, one was missed. */
const graceMinutes = 60;

function render(
  template: string,
  { jitterSeconds }: ScheduleWish,
  { folder, environment }: Surroundings,
  { name, times, commands }: { name: string; times: Times; commands: string },
): string {
  const exports = Object.entries(environment).map(([key, value]) => `export ${key}=${shellWord(value)}\n`);
  return fill(template, {
    STAMP: shellWord(join(folder, `${name}.begun`)),
    LOCK: shellWord(join(folder, `${name}.lock`)),
    MISSED_AFTER: String(longestGapMinutes(times) + graceMinutes),
    JITTER: String(jitterSeconds),
    COMMANDS: `${exports.join('')}${commands}`,
  });
}

/** Puts values into the places of a template, `@NAME@`. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/@([A-Z_]+)@/g, (place, name: string) => values[name] ?? place);
}

/** A word that the shell takes as it is. */
export function shellWord(word: string): string {
  return /^[\w./:=@+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
