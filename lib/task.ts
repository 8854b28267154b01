import { monotonicMs } from './host/clock.ts';

/** What work says while it goes on; only the reporter turns it into words on a screen. */
export type ProgressEvent =
  | { type: 'begin'; title: string }
  | { type: 'progress'; title: string; detail: string }
  | { type: 'end'; title: string; seconds: number; detail?: string }
  | { type: 'fail'; title: string; seconds: number }
  | { type: 'warning'; message: string }
  | { type: 'notice'; message: string };

export interface Step {
  /** Says how far the step is: bytes, an LSN, a phase of the server. */
  progress(detail: string): void;
  /** Said beside the time when the step has ended. */
  result(detail: string): void;
}

/** What every piece of long work is given: when to end early, and where to say what it does. */
export class Task {
  readonly signal: AbortSignal;
  readonly emit: (event: ProgressEvent) => void;

  constructor(signal: AbortSignal, emit: (event: ProgressEvent) => void) {
    this.signal = signal;
    this.emit = emit;
  }

  warn(message: string): void {
    this.emit({ type: 'warning', message });
  }

  /** Runs one named step and tells its beginning, its progress, its end and its time. */
  async step<T>(title: string, work: (step: Step) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const startedMs = monotonicMs();
    const seconds = (): number => (monotonicMs() - startedMs) / 1000;
    let detail: string | undefined;
    this.emit({ type: 'begin', title });
    try {
      const value = await work({
        progress: (text) => this.emit({ type: 'progress', title, detail: text }),
        result: (text) => (detail = text),
      });
      this.emit({ type: 'end', title, seconds: seconds(), ...(detail === undefined ? {} : { detail }) });
      return value;
    } catch (error) {
      this.emit({ type: 'fail', title, seconds: seconds() });
      throw error;
    }
  }
}
