import { describeChange, type FleetPlan, type Step } from '../fleet/steps.ts';
import type { Text } from './action.ts';

/** The differences, a line each. */
export function planText({ steps, later }: FleetPlan): Text[] {
  const rows = steps.flatMap((step) =>
    step.changes.map((change) => [step.sign, step.instance ?? '-', change.what, describeChange(change)]),
  );
  return [
    ...(rows.length === 0 ? [] : [{ head: ['', 'instance', 'what', 'change'], rows }]),
    ...later.map((name) => ({ line: `${name} does not run: what is in it is compared when it does` })),
  ];
}

export function extraLine(extra: readonly string[]): Text[] {
  return extra.length === 0 ? [] : [{ line: `not in the file, left alone (see --prune): ${extra.join(', ')}` }];
}

/** A step for scripts; the address of a service is nobody's business. */
export function stepData({ sign, instance, action, options, changes, asks }: Step): Record<string, unknown> {
  const { ping: _secret, ...open } = options;
  return { sign, instance: instance ?? null, action, options: open, changes, asks: asks ?? null };
}
