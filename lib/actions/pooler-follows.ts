import { AppError } from '../errors.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { startPooler } from '../pooler/pooler.ts';
import type { Context } from './action.ts';

/** Has an instance's pooler, where it has one, learn of databases that came or went. What was done stays done if it cannot. */
export async function poolerFollows(context: Context, record: InstanceRecord): Promise<void> {
  try {
    await startPooler(context, record);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    context.task.warn(`the pooler does not know of it yet: ${error.message}`);
  }
}
