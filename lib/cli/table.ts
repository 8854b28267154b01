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

/** The lines of a text, in columns. Colour is added after the widths are known. */
export function renderText(text: Text, paint: Paint): string[] {
  if ('line' in text) return text.line.split('\n');
  if ('fields' in text) {
    const width = Math.max(...text.fields.map(([name]) => name.length));
    return text.fields.flatMap(([name, value]) => {
      const [first = '', ...rest] = value.split('\n');
      return [
        `${paint.dim(name.padEnd(width))}  ${state(first, paint)}`,
        ...rest.map((line) => `${' '.repeat(width)}  ${line}`),
      ];
    });
  }
  return renderTable(text.head, text.rows, paint);
}

function renderTable(head: string[], rows: string[][], paint: Paint): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const numeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d.,]*( ?[kMGT]?B| s)?$|^-$/.test(row[column] ?? '')),
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

function state(word: string, paint: Paint): string {
  const colour = states[word];
  return colour === undefined ? word : paint[colour](word);
}
