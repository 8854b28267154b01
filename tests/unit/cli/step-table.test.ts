import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Row, stepTable, tableLines } from '../../../lib/cli/step-table.ts';
import { AppError } from '../../../lib/errors.ts';

const same = (text: string): string => text;
const paint = { bold: same, dim: same, red: same, green: same, yellow: same };
const look = { nowMs: 65_000, begunMs: 0, mark: '*', paint };

function row(name: string, state: Row['state'], words = ''): Row {
  return { name, state, words, beganMs: 1000, endedMs: 2500 };
}

describe('the table of steps', () => {
  it('has a row for each, in their order, and counts last', () => {
    const rows = [row('a', 'done', 'is running'), row('client-b', 'running', 'initdb'), row('c', 'waiting')];
    expect(tableLines(rows, { columns: 80, rows: 24 }, look)).toEqual([
      '✔ a          1.5 s  is running',
      '* client-b  1m 04s  initdb',
      '  c                 waiting',
      '3 instances: 1 done, 1 running, 1 waiting, 1m 05s',
    ]);
  });

  it('leaves out who waits or is done where there is no room for all', () => {
    const rows = [row('a', 'done'), row('b', 'failed', 'no'), row('c', 'running', 'x'), row('d', 'waiting')];
    const lines = tableLines(rows, { columns: 80, rows: 5 }, look);
    expect(lines.map((line) => line.slice(0, 3))).toEqual(['* c', '✖ b', '4 i']);
    expect(tableLines(rows, { columns: 80, rows: 2 }, look)).toHaveLength(2);
  });

  it('never fills a line to the edge, however long names and words are', () => {
    const rows = [row('a'.repeat(60), 'running', 'b'.repeat(300))];
    for (const columns of [20, 80, 200])
      for (const line of tableLines(rows, { columns, rows: 24 }, look)) expect(line.length).toBeLessThan(columns);
    expect(tableLines(rows, { columns: 80, rows: 24 }, look)[0]).toMatch(/^\* a{25}… +1m 04s {2}b+$/);
  });
});

describe('on a screen', () => {
  let screen: string;
  const size = { columns: 80, rows: 24 };
  const open = (): ReturnType<typeof stepTable> =>
    stepTable(['a', 'b'], paint, ['*'], { write: (text) => (screen += text), size: () => size });
  beforeEach(() => {
    screen = '';
    jest.useFakeTimers();
  });
  afterEach(() => void jest.useRealTimers());

  it('writes over its own lines, keeps warnings above them, and takes all of them away', () => {
    const view = open();
    view.show({ type: 'turn' }, 'a');
    view.show({ type: 'begin', title: 'initdb' }, 'a');
    expect(screen).toBe('');
    jest.advanceTimersByTime(100);
    expect(screen).toMatch(/^\r\* a .* initdb\S*\n {2}b .*waiting\S*\n2 instances: .*\n\u001b\[J$/);

    screen = '';
    const error = new AppError('PORT_IN_USE', 'port 5433 is taken');
    view.show({ type: 'over', result: { instance: 'a', error, warnings: [] } }, 'a');
    view.show({ type: 'warning', message: 'careful' }, 'b');
    expect(screen).toMatch(/^\r\u001b\[3Ab warning careful\S*\n✖ a .* port 5433 is taken \[PORT_IN_USE]/);

    screen = '';
    view.clear();
    expect(screen).toBe('\r\u001b[3A\u001b[J');
  });

  it('shows nothing of what is over at once', () => {
    const view = open();
    view.show({ type: 'turn' }, 'a');
    view.clear();
    expect(screen).toBe('');
  });
});
