import { humanAge } from '../diagnosis/finding.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Figures } from '../watch/figures.ts';
import type { Text } from './action.ts';

/** What all instances share, as the screen's head says it. */
export interface HostFigures {
  /** ISO-8601 UTC. */
  at: string;
  committedBytes: number;
  budgetBytes: number;
  disk: { freeBytes: number; sizeBytes: number } | null;
}

interface Column {
  title: string;
  cell: (figures: Figures) => string;
  /** Only where there is room for more than what must be seen. */
  wide?: true;
}

const columns: readonly Column[] = [
  { title: 'state', cell: ({ state }) => state },
  { title: 'port', cell: ({ port }) => String(port ?? '-'), wide: true },
  { title: 'conn', cell: ({ connections: { used, max } }) => `${used ?? '-'}/${max ?? '-'}` },
  { title: 'tps', cell: ({ transactionsPerSecond: tps }) => (tps === null ? '-' : tps.toFixed(tps < 10 ? 1 : 0)) },
  { title: 'hits', cell: ({ cacheHitRatio }) => percent(cacheHitRatio) },
  { title: 'wait', cell: ({ waiting }) => String(waiting ?? '-') },
  { title: 'deadlocks', cell: ({ deadlocks }) => String(deadlocks ?? '-'), wide: true },
  { title: 'longest tx', cell: ({ transactionSeconds }) => age(transactionSeconds), wide: true },
  { title: 'lag', cell: ({ archiveLagSeconds }) => age(archiveLagSeconds) },
  { title: 'memory', cell: ({ committedBytes }) => bytes(committedBytes) },
  { title: 'disk', cell: ({ sizeBytes }) => bytes(sizeBytes) },
  {
    title: 'verified',
    cell: ({ verifiedAgeSeconds }) => (verifiedAgeSeconds === null ? 'never' : age(verifiedAgeSeconds)),
  },
];

/** From how many columns on there is room for the wide ones. */
const wideFrom = 120;
/** No name is cut shorter than this. */
const shortestName = 8;

/** A screen of so many columns and rows: the head, the table with the unwell first, and why they are unwell. */
export function monitorPage(
  host: HostFigures,
  all: readonly Figures[],
  { columns: width, rows: height }: { columns: number; rows: number },
): Text[] {
  const sorted = all.toSorted((a, b) => Number(isUnwell(b)) - Number(isUnwell(a)));
  const room = Math.max(1, height - headRows - 1);
  const shown = sorted.slice(0, sorted.length > room ? room - 1 : room);
  const hidden = sorted.length - shown.length;
  const why = sorted.filter(isUnwell).flatMap(({ name, message }) => (message === null ? [] : [`${name}: ${message}`]));
  return [
    ...headOf(host, all, width),
    { line: '' },
    monitorTable(shown, width),
    ...(hidden > 0 ? [{ line: `and ${hidden} more, for which this screen is not high enough` }] : []),
    ...(why.length === 0 ? [] : ['', ...why])
      .slice(0, Math.max(0, room - shown.length - Math.sign(hidden)))
      .map((line) => ({ line })),
  ];
}

/** The head's lines and the empty one below. */
const headRows = 3;

function headOf(
  { at, committedBytes, budgetBytes, disk }: HostFigures,
  all: readonly Figures[],
  width: number,
): Text[] {
  const running = all.filter(({ state }) => state === 'running').length;
  const left = `${all.length === 1 ? '1 instance' : `${all.length} instances`}, ${running} running`;
  const right = `${at.slice(0, 19).replace('T', ' ')} UTC, Ctrl-C ends`;
  const free = disk && `; disk ${humanBytes(disk.freeBytes)} free of ${humanBytes(disk.sizeBytes)}`;
  return [
    { line: `${left}${right.padStart(Math.max(right.length + 2, width - left.length))}` },
    { line: `memory ${humanBytes(committedBytes)} committed of ${humanBytes(budgetBytes)}${free ?? ''}` },
  ];
}

/** The table alone, in so many columns. */
export function monitorTable(shown: readonly Figures[], width: number): Text {
  const kept = columns.filter(({ wide }) => !wide || width >= wideFrom);
  const cells = kept.map(({ title, cell }) => alignRight(title, shown.map(cell)));
  const others = cells.reduce((sum, column) => sum + 2 + Math.max(...column.map((cell) => cell.length)), 0);
  const longest = Math.max(shortestName, width - others);
  return {
    head: ['instance', ...cells.map(([title = '']) => title)],
    rows: shown.map(({ name }, row) => [cut(name, longest), ...cells.map((column) => column[row + 1] ?? '')]),
  };
}

/** Figures stand below each other; words, like the state, on the left. */
function alignRight(title: string, cells: string[]): string[] {
  if (title === 'state') return [title, ...cells];
  const width = Math.max(title.length, ...cells.map((cell) => cell.length));
  return [title, ...cells].map((cell) => cell.padStart(width));
}

function cut(name: string, longest: number): string {
  return name.length <= longest ? name : `${name.slice(0, longest - 1)}…`;
}

function isUnwell({ state, message }: Figures): boolean {
  return message !== null || ['crashed', 'broken'].includes(state);
}

/** One line an instance, for pipes and files: words that a script can cut at blanks and at `=`. */
export function monitorLine(at: string, figures: Figures): string {
  const words = columns
    .filter(({ title }) => title !== 'state')
    .map(({ title, cell }) => `${title.replace(' ', '-')}=${cell(figures).replace(' ', '')}`);
  return `${at.slice(0, 19)}Z ${figures.name} ${figures.state} ${words.join(' ')}`;
}

function percent(ratio: number | null): string {
  return ratio === null ? '-' : `${Math.floor(ratio * 100)}%`;
}

function age(seconds: number | null): string {
  return seconds === null ? '-' : humanAge(seconds * 1000);
}

/** Short, as there are many of them: `369M`, `7.3G`. */
function bytes(count: number | null): string {
  return count === null
    ? '-'
    : humanBytes(count)
        .replace(/ (\w)B$/, '$1')
        .replace(' ', '');
}
