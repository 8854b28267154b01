/** A place in a text, as people and editors count: lines and columns from 1, columns in characters. */
export interface Place {
  line: number;
  column: number;
  /** The whole line, without its end. */
  text: string;
}

/** How many characters of a long line are shown before and after the place. */
const around = 60;

/** The place of an offset in UTF-16 units, as JavaScript counts. */
export function locate(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const lineEnd = text.indexOf('\n', lineStart);
  return {
    line: before.split('\n').length,
    column: characters(before.slice(lineStart)).length + 1,
    text: text.slice(lineStart, lineEnd === -1 ? undefined : lineEnd).replace(/\r$/, ''),
  };
}

/** The offset in UTF-16 units of the server's `position`, which counts characters from 1. */
export function offsetOf(text: string, position: number): number {
  return characters(text)
    .slice(0, position - 1)
    .join('').length;
}

/** The line with its number and a caret under the column, as psql shows it. */
export function quoteLine({ line, column, text }: Place): string {
  const all = characters(text);
  const from = Math.max(0, column - 1 - around);
  const to = Math.min(all.length, column - 1 + around);
  const head = `LINE ${line}: ${from > 0 ? '…' : ''}`;
  const shown = all.slice(from, to).join('');
  // Tabs stay tabs, so that the caret stands under its character in any terminal.
  const indent = `${' '.repeat(head.length)}${all
    .slice(from, column - 1)
    .join('')
    .replaceAll(/[^\t]/gu, ' ')}`;
  return `${head}${shown}${to < all.length ? '…' : ''}\n${indent}^`;
}

function characters(text: string): string[] {
  return Array.from(text);
}
