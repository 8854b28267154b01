import { type Job, shellWord } from './plan.ts';

/** Whose lines they are: those that an action has written for a root. */
export interface BlockOwner {
  root: string;
  action: 'schedule' | 'autostart';
}

/** Lines in a crontab, between two marks, so that they can be found again and nothing else is touched. */
export function crontabBlock(owner: BlockOwner, lines: readonly string[]): string[] {
  return [begin(owner), ...lines, end(owner)];
}

/** The lines that call the jobs of a schedule. */
export function jobLines(jobs: readonly Job[]): string[] {
  return jobs.flatMap(({ times, file }, index) => [
    `${times.expression} ${cronWord(file)}`,
    // What was missed while the machine was down is made up for within the hour.
    `${(17 + index * 10) % 60} * * * * ${cronWord(file)} --if-missed`,
  ]);
}

/** The text of a crontab with a block replaced, added, or (without lines) taken out. Pure. */
export function withBlock(crontab: string, owner: BlockOwner, block: readonly string[]): string {
  const lines = crontab === '' ? [] : crontab.replace(/\n$/, '').split('\n');
  const first = lines.indexOf(begin(owner));
  const last = lines.indexOf(end(owner), first);
  const others = first < 0 || last < 0 ? lines : [...lines.slice(0, first), ...lines.slice(last + 1)];
  const all = first < 0 ? [...others, ...block] : [...others.slice(0, first), ...block, ...others.slice(first)];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}

/** The block as it stands there. */
export function findBlock(crontab: string, owner: BlockOwner): string[] {
  const lines = crontab.split('\n');
  const first = lines.indexOf(begin(owner));
  const last = lines.indexOf(end(owner), first);
  return first < 0 || last < 0 ? [] : lines.slice(first, last + 1);
}

function begin(owner: BlockOwner): string {
  return `# pg-manage ${label(owner)}: begin (changed by ./manage.ts --action ${owner.action})`;
}

function end(owner: BlockOwner): string {
  return `# pg-manage ${label(owner)}: end`;
}

function label({ root, action }: BlockOwner): string {
  return action === 'schedule' ? root : `${root} ${action}`;
}

/** cron makes a new line of every bare %. */
export function cronWord(path: string): string {
  return shellWord(path).replaceAll('%', String.raw`\%`);
}
