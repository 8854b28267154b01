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
export function frame(lines: readonly string[], { columns, rows }: { columns: number; rows: number }): string {
  const shown = lines.slice(0, rows).map((line) => {
    const clipped = clip(line, columns);
    // At the screen's edge there is nothing left to wipe, and terminals would wipe the last character.
    return visibleLength(clipped) < columns ? clipped + control.clearLineEnd : clipped;
  });
  const below = shown.length < rows ? `\r\n${control.clearBelow}` : '';
  return `${control.home}${shown.join('\r\n')}${below}`;
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
