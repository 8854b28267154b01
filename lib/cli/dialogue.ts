import type { Dialogue } from '../actions/action.ts';
import type { Style } from './parse.ts';
import type { Output, ProgressView } from './reporter.ts';
import { type Paint, renderText } from './table.ts';

interface Parts {
  style: Style;
  /** --yes was given. */
  yes: boolean | undefined;
  output: Output;
  view: ProgressView;
  paint: Paint;
  /** Absent for actions that change nothing: they have nothing to ask. */
  prompt: ((question: string, name: string) => Promise<void>) | undefined;
}

/** Shows on stderr, as stdout is for the answer; several that ask at the same moment are heard one after the other. */
export function openDialogue({ style, yes, output, view, paint, prompt }: Parts): Dialogue {
  let asked: Promise<unknown> = Promise.resolve();
  return {
    show(text) {
      if (style.json || style.quiet) return;
      view.clear();
      const screen = process.stderr.isTTY ? process.stderr.columns : undefined;
      for (const part of text) for (const line of renderText(part, paint, screen)) output.err(line);
    },
    async confirm(question, name) {
      if (yes) return;
      const answer = asked.then(async () => {
        view.clear();
        await prompt?.(question, name);
      });
      asked = answer.catch(() => undefined);
      await answer;
    },
  };
}
