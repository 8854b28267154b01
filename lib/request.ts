import type { Action, Common, Context, Options, Outcome, Values } from './actions/action.ts';
import type { Places } from './instances/places.ts';

/** One command, understood: what is to be done, to whom, and how. */
export interface Request {
  action: Action;
  selector: string | undefined;
  options: Values<Options>;
  common: Common;
  places: Places;
}

/** What an action does with its context; which instance it is for is bound already. */
export type Work = (context: Context) => Promise<Outcome>;
