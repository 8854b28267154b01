import type { Action, Options, Values } from '../actions/action.ts';
import { ping } from '../host/ping.ts';
import type { ProgressView } from './reporter.ts';

/** Tells a dead-man service how the work goes; that the service is not there is a warning and no more. */
export interface Pinger {
  tell(word: 'start' | 'success' | 'fail'): Promise<void>;
}

/** A schedule gives the address in the environment, away from the arguments. */
export function openPinger(
  { pings }: Action,
  given: Values<Options>,
  environment: Readonly<Record<string, string | undefined>>,
  view: ProgressView,
): Pinger {
  const address = pings === true ? (given['ping'] ?? environment['PG_MANAGE_PING']) : undefined;
  return {
    async tell(word) {
      if (typeof address !== 'string' || address === '') return;
      const problem = await ping(address, word);
      if (problem === undefined) return;
      view.show(
        { type: 'warning', message: `the service of --ping was not told of the ${word}: ${problem}` },
        undefined,
      );
    },
  };
}
