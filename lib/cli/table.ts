import type { Text } from '../actions/action.ts';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const states: Record<string, keyof Paint> = {
  '✔': 'green',
  running: 'green',
  verified: 'green',
  applied: 'green',
  low: 'yellow',
  starting: 'yellow',
  creating: 'yellow',
  complete: 'yellow',
  pending: 'yellow',
  crashed: 'red',
  broken: 'red',
  failed: 'red',
  changed: 'red',
  missing: 'red',
};

/** The last column is folded to fit the screen where that leaves it at least this much. */
const narrowest = 24;

/**
 * The lines of a text, in columns. Colour is added after the widths are known.
 * @param screen how wide the terminal is; tables are not folded where there is none
 */
export function renderText(text: Text, paint: Paint, screen = Infinity): string[] {
  if ('line' in text) return text.line.split('\n');
  if ('fields' in text) {
    const width = Math.max(...text.fields.map(([name]) => name.length));
    return text.fields.flatMap(([name, value]) => {
      const room = Math.max(narrowest, screen - width - 2);
      const [first = '', ...rest] = value.split('\n').flatMap((line) => wrap(line, room));
      return [
        `${paint.dim(name.padEnd(width))}  ${state(first, paint)}`,
        ...rest.map((line) => `${' '.repeat(width)}  ${line}`),
      ];
    });
  }
  return renderTable(text.head, text.rows, paint, screen);
}

/** The last column is folded to the screen's edge; where that leaves it no room, it goes below its row. */
function renderTable(head: string[], rows: string[][], paint: Paint, screen: number): string[] {
  const last = head.length - 1;
  const widths = widthsOf(head, rows);
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const room = screen - before;
  if (before + (widths[last] ?? 0) <= screen) return plainTable(head, rows, paint);
  if (room >= narrowest) return plainTable(head, folded(rows, room), paint);
  const [first = '', ...lines] = plainTable(
    head.slice(0, last),
    rows.map((row) => row.slice(0, last)),
    paint,
  );
  const below = rows.map((row) => wrap(row[last] ?? '', screen - indent.length).filter((line) => line !== ''));
  return [first, ...lines.flatMap((line, row) => [line, ...(below[row] ?? []).map((words) => indent + words)])];
}

/** Before what goes below its row. */
const indent = '    ';

function widthsOf(head: string[], rows: string[][]): number[] {
  return head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
}

function plainTable(head: string[], rows: string[][], paint: Paint): string[] {
  const widths = widthsOf(head, rows);
  const numeric = head.map(
    (_, column) =>
      rows.some((row) => /\d/.test(row[column] ?? '')) &&
      rows.every((row) => /^[\d.,]*( ?[kMGT]?B| s)?$|^-$/.test(row[column] ?? '')),
  );
  const line = (cells: string[], dress: (cell: string, plain: string) => string): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const last = column === cells.length - 1;
        const padded = numeric[column] ? cell.padStart(width) : last ? cell : cell.padEnd(width);
        return dress(padded, cell);
      })
      .join('  ')
      .trimEnd();
  return [
    line(head, (cell) => paint.bold(cell)),
    ...rows.map((row) => line(row, (cell, plain) => cell.replace(plain, () => state(plain, paint)))),
  ];
}

/** The rows with long last cells going on below themselves. */
function folded(rows: string[][], room: number): string[][] {
  return rows.flatMap((row) => {
    const [first = '', ...rest] = wrap(row.at(-1) ?? '', room);
    const others = row.slice(0, -1);
    return [[...others, first], ...rest.map((line) => [...others.map(() => ''), line])];
  });
}

/** Breaks text between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function state(word: string, paint: Paint): string {
  const colour = states[word];
  return colour === undefined ? word : paint[colour](word);
}
