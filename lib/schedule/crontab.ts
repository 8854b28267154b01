import { type Job, shellWord } from './plan.ts';

/** The lines of one root in a crontab, between two marks, so that they can be found again and nothing else is touched. */
export function crontabBlock(jobs: readonly Job[], root: string): string[] {
  const lines = jobs.flatMap(({ times, file }, index) => [
    `${times.expression} ${cronWord(file)}`,
    // What was missed while the machine was down is made up for within the hour.
    `${(17 + index * 10) % 60} * * * * ${cronWord(file)} --if-missed`,
  ]);
  return [begin(root), ...lines, end(root)];
}

/** The text of a crontab with the block of this root replaced, added, or (without one) taken out. Pure. */
export function withBlock(crontab: string, root: string, block: readonly string[]): string {
  const lines = crontab === '' ? [] : crontab.replace(/\n$/, '').split('\n');
  const first = lines.indexOf(begin(root));
  const last = lines.indexOf(end(root), first);
  const others = first < 0 || last < 0 ? lines : [...lines.slice(0, first), ...lines.slice(last + 1)];
  const all = first < 0 ? [...others, ...block] : [...others.slice(0, first), ...block, ...others.slice(first)];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}

/** The block of this root, as it stands there. */
export function findBlock(crontab: string, root: string): string[] {
  const lines = crontab.split('\n');
  const first = lines.indexOf(begin(root));
  const last = lines.indexOf(end(root), first);
  return first < 0 || last < 0 ? [] : lines.slice(first, last + 1);
}

function begin(root: string): string {
  return `# pg-manage ${root}: begin (changed by ./manage.ts --action schedule)`;
}

function end(root: string): string {
  return `# pg-manage ${root}: end`;
}

/** cron makes a new line of every bare %. */
function cronWord(path: string): string {
  return shellWord(path).replaceAll('%', String.raw`\%`);
}
