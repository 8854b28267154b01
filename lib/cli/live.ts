import type { Live } from '../actions/action.ts';
import type { Style } from './parse.ts';
import type { Output } from './reporter.ts';
import { type Paint, renderText } from './table.ts';

/** What a terminal understands (xterm's "Control Sequences", ECMA-48): none of it clears the screen, so nothing flickers. */
const control = {
  enter: '\u001b[?1049h\u001b[?25l',
  leave: '\u001b[?25h\u001b[?1049l',
  home: '\u001b[H',
  clearLineEnd: '\u001b[K',
  clearBelow: '\u001b[J',
};

/** How large a terminal is. */
export interface Size {
  columns: number;
  rows: number;
}

interface Parts {
  style: Style;
  output: Output;
  paint: Paint;
}

/** Lines for a pipe, a screen of its own for a terminal. `close` gives the terminal back as it was. */
export function openLive({ style, output, paint }: Parts): Live & { close(): void } {
  const watched = !style.json && !style.quiet;
  const { stdout } = process;
  const drawable = watched && stdout.isTTY && process.env['TERM'] !== 'dumb';
  let entered = false;
  let redraw: () => void = () => undefined;
  const onResize = (): void => redraw();
  const live: Live = {
    watched,
    print: (line) => {
      if (watched) output.out(line);
    },
  };
  if (drawable) {
    live.draw = (page) => {
      redraw = () => {
        const size = { columns: stdout.columns, rows: stdout.rows };
        const lines = page(size).flatMap((part) => renderText(part, paint, size.columns));
        stdout.write(frame(lines, size));
      };
      if (!entered) {
        stdout.write(control.enter);
        stdout.on('resize', onResize);
      }
      entered = true;
      redraw();
    };
  }
  return {
    ...live,
    close() {
      if (!entered) return;
      entered = false;
      stdout.off('resize', onResize);
      stdout.write(control.leave);
    },
  };
}

/** One write for the whole screen: each line over the old one, what is left of that wiped, and nothing below. */
export function frame(lines: readonly string[], { columns, rows }: Size): string {
  const shown = lines.slice(0, rows).map((line) => {
    const clipped = clip(line, columns);
    // At the screen's edge there is nothing left to wipe, and terminals would wipe the last character.
    return visibleLength(clipped) < columns ? clipped + control.clearLineEnd : clipped;
  });
  const below = shown.length < rows ? `\r\n${control.clearBelow}` : '';
  return `${control.home}${shown.join('\r\n')}${below}`;
}

/**
 * One write that puts lines in the place of those before, which end above the cursor, and leaves the cursor below them.
 * @param above what is to stay on the screen, before the lines; ends with a line's end
 */
export function overwrite(before: readonly string[], lines: readonly string[], { columns }: Size, above = ''): string {
  // A terminal that was made narrower has folded them.
  const height = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleLength(line) / columns)), 0);
  const up = height === 0 ? '' : `\u001b[${height}A`;
  // Lines over lines, each wiped behind its end; only what was higher is wiped as a whole.
  const over = `${above}${lines.map((line) => `${line}\n`).join('')}`.replaceAll('\n', `${control.clearLineEnd}\n`);
  return `\r${up}${over}${control.clearBelow}`;
}

const colour = /\u001b\[[\d;]*m/g;

function visibleLength(line: string): number {
  return line.replaceAll(colour, '').length;
}

/** Cuts a line at the screen's edge, where a terminal would fold it; colours take no room and are kept. */
export function clip(line: string, columns: number): string {
  if (visibleLength(line) <= columns) return line;
  let room = columns;
  return line.replaceAll(/\u001b\[[\d;]*m|[^\u001b]+/g, (part) => {
    if (part.startsWith('\u001b')) return part;
    const kept = part.slice(0, Math.max(0, room));
    room -= part.length;
    return kept;
  });
}
