import type { Result, RunEvent } from '../runner.ts';
import { monotonicMs } from '../host/clock.ts';
import { clip, overwrite, type Size } from './live.ts';
import type { ProgressView } from './reporter.ts';
import type { Paint } from './table.ts';

/** One of several instances, as it stands. */
export interface Row {
  name: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  /** The step it is at; at the end, what came of it. */
  words: string;
  beganMs: number;
  endedMs: number;
}

const redrawMs = 100;

interface Screen {
  write(text: string): void;
  size(): Size;
}

/**
 * Several instances at once on a terminal: a row each with its step and time, written over the rows before, without a wipe in
 * between. The cursor rests below them, visible and at the line's start: whatever kills us leaves the terminal as it should be.
 */
export function stepTable(
  names: readonly string[],
  paint: Paint,
  spinner: readonly string[],
  screen: Screen,
): ProgressView {
  const rows = new Map<string, Row>(
    names.map((name) => [name, { name, state: 'waiting', words: '', beganMs: 0, endedMs: 0 }]),
  );
  const begunMs = monotonicMs();
  let drawn: string[] = [];
  const draw = (above = ''): void => {
    const size = screen.size();
    const nowMs = monotonicMs();
    const mark = spinner[Math.floor((nowMs - begunMs) / redrawMs) % spinner.length] ?? '-';
    const lines = tableLines([...rows.values()], size, { nowMs, begunMs, mark, paint });
    screen.write(overwrite(drawn, lines, size, above));
    drawn = lines;
  };
  // What is over at once is never drawn.
  let timer: NodeJS.Timeout | undefined;
  const wake = (): void => {
    timer ??= setInterval(draw, redrawMs).unref();
  };
  const view: ProgressView = {
    show(event, instance) {
      wake();
      const row = rows.get(instance ?? '');
      const line = row === undefined ? plainWords(event, paint) : change(row, event, paint);
      if (line !== undefined) draw(`${instance === undefined ? '' : `${paint.dim(instance)} `}${line}\n`);
    },
    clear() {
      clearInterval(timer);
      timer = undefined;
      if (drawn.length > 0) screen.write(overwrite(drawn, [], screen.size()));
      drawn = [];
    },
  };
  return view;
}

/** Takes an event into its row; what is to stay on the screen beyond the row is returned. */
function change(row: Row, event: RunEvent, paint: Paint): string | undefined {
  switch (event.type) {
    case 'turn':
      Object.assign(row, { state: 'running', beganMs: monotonicMs() } satisfies Partial<Row>);
      return undefined;
    case 'over':
      Object.assign(row, { ...wordsOf(event.result), endedMs: monotonicMs() } satisfies Partial<Row>);
      return undefined;
    case 'begin':
      row.words = event.title;
      return undefined;
    case 'progress':
      row.words = `${event.title}: ${event.detail}`;
      return undefined;
    case 'notice':
      row.words = event.message;
      return undefined;
    case 'warning':
      return plainWords(event, paint);
    case 'end':
    case 'fail':
    case 'selected':
      return undefined;
  }
}

function plainWords(event: RunEvent, paint: Paint): string | undefined {
  if (event.type === 'warning') return `${paint.yellow('warning')} ${event.message}`;
  return event.type === 'notice' ? event.message : undefined;
}

/** The first words of what came of it, without the name that stands before them anyway. */
function wordsOf({ instance = '', outcome, error }: Result): Pick<Row, 'state' | 'words'> {
  if (error !== undefined) return { state: 'failed', words: `${error.message} [${error.code}]` };
  const [first] = outcome?.text.flatMap((part) => ('line' in part ? [part.line] : [])) ?? [];
  const words = first?.startsWith(instance) ? first.slice(instance.length).replace(/^[: ]+/, '') : first;
  return { state: 'done', words: words?.split('\n')[0] ?? 'done' };
}

interface Look {
  nowMs: number;
  begunMs: number;
  /** The spinner as it is now. */
  mark: string;
  paint: Paint;
}

/** All of them where there is room for all; else those that run, then those that failed. The counts come last. */
export function tableLines(rows: readonly Row[], { columns, rows: height }: Size, look: Look): string[] {
  const room = Math.max(1, height - 2);
  const telling = [...inState(rows, 'running'), ...inState(rows, 'failed')];
  const shown = rows.length <= room ? rows : telling.slice(0, room);
  const width = Math.min(Math.max(...rows.map(({ name }) => name.length)), Math.floor(columns / 3));
  return [...shown.map((row) => rowLine(row, width, look)), countsLine(rows, look)].map((line) =>
    clip(line, columns - 1),
  );
}

function inState(rows: readonly Row[], wanted: Row['state']): Row[] {
  return rows.filter(({ state }) => state === wanted);
}

function rowLine({ name, state, words, beganMs, endedMs }: Row, width: number, { nowMs, mark, paint }: Look): string {
  const called = name.length > width ? `${name.slice(0, width - 1)}…` : name.padEnd(width);
  if (state === 'waiting') return paint.dim(`  ${called}          waiting`);
  const marks = { running: mark, done: paint.green('✔'), failed: paint.red('✖') };
  const time = seconds((state === 'running' ? nowMs : endedMs) - beganMs).padStart(7);
  return `${marks[state]} ${called} ${time}  ${words}`;
}

function countsLine(rows: readonly Row[], { nowMs, begunMs, paint }: Look): string {
  const counts = (['done', 'running', 'waiting', 'failed'] as const)
    .map((state) => [inState(rows, state).length, state] as const)
    .filter(([count]) => count > 0)
    .map(([count, state]) => (state === 'failed' ? paint.red(`${count} failed`) : `${count} ${state}`));
  return `${paint.bold(`${rows.length} instances`)}: ${counts.join(', ')}, ${seconds(nowMs - begunMs)}`;
}

function seconds(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return whole < 60
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, '0')}s`;
}
