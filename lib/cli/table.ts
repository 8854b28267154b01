import type { Text } from '../actions/action.ts';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const states: Record<string, keyof Paint> = {
  running: 'green',
  verified: 'green',
  applied: 'green',
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
  return renderTable(text.head, folded(text.head, text.rows, screen), paint);
}

function renderTable(head: string[], rows: string[][], paint: Paint): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
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
function folded(head: string[], rows: string[][], screen: number): string[][] {
  const last = head.length - 1;
  const before = head.slice(0, last).map((title, column) => {
    return Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)) + 2;
  });
  const room = screen - before.reduce((sum, width) => sum + width, 0);
  if (room < narrowest) return rows;
  return rows.flatMap((row) => {
    const [first = '', ...rest] = wrap(row[last] ?? '', room);
    return [[...row.slice(0, last), first], ...rest.map((line) => [...head.slice(0, last).map(() => ''), line])];
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
