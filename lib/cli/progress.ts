import type { Ora } from 'ora';
import { monotonicMs } from '../host/clock.ts';
import type { ProgressEvent } from '../task.ts';
import type { Size } from './live.ts';
import type { Output, ProgressView } from './reporter.ts';
import { stepTable } from './step-table.ts';
import type { Paint } from './table.ts';

/** A step that takes longer than this is told of where there is no terminal, and then again and again. */
const firstWordMs = 1000;
const heartbeatMs = 10_000;

function ended(event: Extract<ProgressEvent, { type: 'end' }>): string {
  return `${event.title} ${event.seconds.toFixed(1)} s${event.detail === undefined ? '' : ` (${event.detail})`}`;
}

/** One plain line a finished step; a step that takes long says where it is. For pipes, files and cron. */
export function plainProgress(output: Output, paint: Paint): ProgressView {
  const steps = new Map<string, LongStep>();
  const stop = (key: string): void => {
    steps.get(key)?.end();
    steps.delete(key);
  };
  return {
    show(event, instance) {
      const about = instance === undefined ? '' : `${instance}: `;
      const key = 'title' in event ? `${about}${event.title}` : '';
      switch (event.type) {
        case 'begin':
          stop(key);
          steps.set(key, new LongStep((words) => output.err(`${key}: ${words}`)));
          return;
        case 'progress':
          return steps.get(key)?.note(event.detail);
        case 'end':
          stop(key);
          return output.err(`${about}${ended(event)}`);
        case 'fail':
          stop(key);
          return output.err(`${key} failed after ${event.seconds.toFixed(1)} s`);
        case 'warning':
          return output.err(`${paint.yellow('warning')} ${about}${event.message}`);
        case 'notice':
          return output.err(`${about}${event.message}`);
        case 'selected':
        case 'turn':
        case 'over':
          return undefined;
      }
    },
    clear: () => {
      for (const key of steps.keys()) stop(key);
    },
  };
}

/** Tells of a step by the clock, so that it is never silent for long, even when it does not say anything itself. */
class LongStep {
  private readonly begunMs = monotonicMs();
  private readonly timer: NodeJS.Timeout;
  private nextMs = this.begunMs + firstWordMs;
  private detail = 'going on';

  constructor(tell: (words: string) => void) {
    this.timer = setInterval(() => {
      const now = monotonicMs();
      if (now < this.nextMs) return;
      this.nextMs = now + heartbeatMs;
      tell(`${this.detail} (${Math.round((now - this.begunMs) / 1000)} s)`);
    }, firstWordMs / 2);
    this.timer.unref();
  }

  note(detail: string): void {
    this.detail = detail;
  }

  end(): void {
    clearInterval(this.timer);
  }
}

/** For terminals: of one instance a spinner for the step that runs and a line for each that has ended; of several a table. */
export function liveProgress(spinner: Ora, paint: Paint): ProgressView {
  let view = spinnerProgress(spinner, paint);
  return {
    show(event, instance) {
      if (event.type === 'selected') {
        const { stderr } = process;
        const size = (): Size => ({ columns: stderr.columns, rows: stderr.rows });
        const write = (text: string): void => void stderr.write(text);
        view = stepTable(event.names, paint, spinner.spinner.frames, { write, size });
      } else view.show(event, instance);
    },
    clear: () => view.clear(),
  };
}

function spinnerProgress(spinner: Ora, paint: Paint): ProgressView {
  const say = (line: string): void => {
    const spinning = spinner.isSpinning;
    spinner.stop();
    process.stderr.write(`${line}\n`);
    if (spinning) spinner.start();
  };
  return {
    show(event, instance) {
      const about = instance === undefined ? '' : `${paint.dim(instance)} `;
      switch (event.type) {
        case 'begin':
          spinner.start(`${about}${event.title}`);
          return;
        case 'progress':
          spinner.text = `${about}${event.title}: ${event.detail}`;
          return;
        case 'end':
          spinner.stop();
          return say(`${paint.green('✔')} ${about}${ended(event)}`);
        case 'fail':
          spinner.stop();
          return say(`${paint.red('✖')} ${about}${event.title} ${event.seconds.toFixed(1)} s`);
        case 'warning':
          return say(`${paint.yellow('warning')} ${about}${event.message}`);
        case 'notice':
          return say(`${about}${event.message}`);
        case 'selected':
        case 'turn':
        case 'over':
          return undefined;
      }
    },
    clear: () => void spinner.stop(),
  };
}

/** Nothing but warnings: for --quiet and --json. */
export function silentProgress(): ProgressView {
  return { show: () => undefined, clear: () => undefined };
}
