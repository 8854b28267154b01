import type { InstanceName } from '../instances/names.ts';
import type { ObservedSchedule } from '../schedule/compose.ts';
import type { Neighbour } from '../tuning/plan.ts';
import type { Template } from '../tuning/templates.ts';
import type { HostFacts } from '../tuning/types.ts';
import type { DeclaredInstance, Fleet } from './declared.ts';
import type { ObservedInstance, Pending } from './observe.ts';

/** One declared instance with all that is known of it. */
export interface Compared {
  declared: DeclaredInstance;
  /** Undefined where there is none of this name. */
  observed: ObservedInstance | undefined;
  template: Template;
  /** The major version that it runs, or is to be made by. */
  major: number;
  /** By database: what its folders hold and it has not had. */
  pending: ReadonlyMap<string, Pending>;
}

/** An instance that is there. */
export type Known = Compared & { observed: ObservedInstance };

/** Everything a plan is made of. */
export interface Situation {
  compared: Compared[];
  /** Instances that are there and not declared. */
  others: InstanceName[];
  /** Undefined where a selector leaves the schedule out. */
  schedule: ScheduleSituation | undefined;
  autostart: { declared: boolean | undefined; isThere: boolean } | undefined;
  host: HostSituation;
  prune: boolean;
}

export interface ScheduleSituation {
  declared: Fleet['schedule'];
  observed: ObservedSchedule;
  /** What is not as declared in what is installed; empty where all of it is. */
  faults: readonly string[];
}

export interface HostSituation {
  facts: HostFacts;
  budgetShare: number;
  /** What all instances of this host claim, of other roots too. */
  claims: readonly (Neighbour & { id: string; root: string })[];
  root: string;
}
