import { AppError } from '../errors.ts';
import type { Port } from '../host/ports.ts';
import { orphanLeases } from '../instances/ports.ts';
import { type Recovered, recover as recoverInstance, unfinishedOf } from '../recovery.ts';
import { hostAction } from './action.ts';

export const recover = hostAction({
  name: 'recover',
  summary: 'finish or undo what killed operations left',
  details:
    'The next action on an instance does this for that instance by itself. Ports that are held for an instance of this root that is not there are given back.',
  examples: [['./manage.ts --action recover', 'after a power loss, or a kill -9']],
  options: {},
  target: 'none',
  lock: 'none',
  changes: true,
  async run(context) {
    const { places, task } = context;
    const names = [...new Set(unfinishedOf(places).map(({ instance }) => instance))].sort();
    if (context.dryRun) {
      const text = names.map((name) => ({ line: `would clear up after an unfinished operation on ${name}` }));
      return { data: { unfinished: names }, text: text.length === 0 ? [{ line: 'nothing is unfinished' }] : text };
    }
    const recovered: Recovered[] = [...context.recovered];
    for (const name of names) {
      try {
        recovered.push(
          ...(await context.withInstanceLock(name, 'exclusive', async () => await recoverInstance(context, name))),
        );
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'LOCKED') throw error;
        task.warn(`${name} is left for now: ${error.message}`);
      }
    }
    const released = await context.withHostLock(async () => {
      const orphans = orphanLeases(places, context.leases);
      for (const { port, instanceId } of orphans) context.leases.release(port as Port, instanceId);
      return orphans.map(({ port, instance }) => ({ port, instance }));
    });
    const text = [
      ...recovered.map(({ action, instance, outcome }) => ({ line: `${action} of ${instance}: ${outcome}` })),
      ...released.map(({ port, instance }) => ({ line: `port ${port}, held for ${instance}, is given back` })),
    ];
    return {
      data: { recovered, released },
      text: text.length === 0 ? [{ line: 'nothing was left unfinished' }] : text,
    };
  },
});
