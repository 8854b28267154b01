import type { Ora } from 'ora';
import { monotonicMs } from '../host/clock.ts';
import type { ProgressEvent } from '../task.ts';
import type { Output, ProgressView } from './reporter.ts';
import type { Paint } from './table.ts';

/** How often a step that takes long is told of where there is no terminal. */
const heartbeatMs = 10_000;
const firstWordMs = 1000;

function ended(event: Extract<ProgressEvent, { type: 'end' }>): string {
  return `${event.title} ${event.seconds.toFixed(1)} s${event.detail === undefined ? '' : ` (${event.detail})`}`;
}

/** One plain line a finished step; a step that takes long says where it is. For pipes, files and cron. */
export function plainProgress(output: Output, paint: Paint): ProgressView {
  const lastTold = new Map<string, number>();
  return {
    show(event, instance) {
      const about = instance === undefined ? '' : `${instance}: `;
      switch (event.type) {
        case 'begin':
          lastTold.set(`${instance} ${event.title}`, monotonicMs() - heartbeatMs + firstWordMs);
          return;
        case 'progress': {
          const key = `${instance} ${event.title}`;
          if (monotonicMs() - (lastTold.get(key) ?? 0) < heartbeatMs) return;
          lastTold.set(key, monotonicMs());
          return output.err(`${about}${event.title}: ${event.detail}`);
        }
        case 'end':
          return output.err(`${about}${ended(event)}`);
        case 'fail':
          return output.err(`${about}${event.title} failed after ${event.seconds.toFixed(1)} s`);
        case 'warning':
          return output.err(`${paint.yellow('warning')} ${about}${event.message}`);
        case 'notice':
          return output.err(`${about}${event.message}`);
      }
    },
    clear: () => undefined,
  };
}

/** A spinner for the step that runs, a line for each that has ended. For terminals. */
export function liveProgress(spinner: Ora, paint: Paint): ProgressView {
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
      }
    },
    clear: () => void spinner.stop(),
  };
}

/** Nothing but warnings: for --quiet and --json. */
export function silentProgress(): ProgressView {
  return { show: () => undefined, clear: () => undefined };
}
