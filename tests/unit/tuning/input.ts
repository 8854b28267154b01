import { AppError } from '../../../lib/errors.ts';
import { bytes, GB } from '../../../lib/tuning/sizes.ts';
import { planInstance, type Plan, type PlanInput } from '../../../lib/tuning/plan.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

/** Production alone on a host of 24 GB and 2 cores, PostgreSQL 15, but for what is given. */
export function input(changes: Partial<PlanInput> & { template?: PlanInput['template'] } = {}): PlanInput {
  return {
    host: { memoryBytes: bytes(24 * GB), cores: 2 },
    template: loadTemplate('production'),
    major: 15,
    others: [],
    wishes: {},
    budgetShare: 0.8,
    overcommit: false,
    ...changes,
  };
}

export function valueIn(plan: Plan, name: string): string | undefined {
  return plan.settings.find((setting) => setting.name === name)?.value;
}

export function reasonIn(plan: Plan, name: string): string | undefined {
  return plan.settings.find((setting) => setting.name === name)?.reason;
}

export function refusal(wrong: PlanInput): AppError {
  try {
    planInstance(wrong);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('planned');
}
