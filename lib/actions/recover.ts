import { recover as recoverAll } from '../recovery.ts';
import { hostAction } from './action.ts';

export const recover = hostAction({
  name: 'recover',
  summary: 'finish or undo what killed operations left',
  details: 'The next action on an instance does this for that instance by itself.',
  examples: [['./manage.ts --action recover', 'after a power loss, or a kill -9']],
  options: {},
  target: 'none',
  lock: 'none',
  changes: false,
  async run(context) {
    const recovered = await recoverAll(context);
    const text = recovered.map(({ action, instance, outcome }) => ({ line: `${action} of ${instance}: ${outcome}` }));
    return { data: { recovered }, text: text.length === 0 ? [{ line: 'nothing was left unfinished' }] : text };
  },
});
