import { instanceAction } from './action.ts';
import { injectionOptions, readInjection } from './injection-source.ts';

export const validateInjection = instanceAction({
  name: 'validate-injection',
  summary: 'check such a file',
  details: 'Reads the configuration and every file it names, and touches no server. Every fault is named.',
  examples: [['./manage.ts --action validate-injection --injection-config shop.json', 'a file of it']],
  options: injectionOptions,
  target: 'new',
  lock: 'none',
  changes: false,
  async run(context, _name, given) {
    const { databases, users, steps } = readInjection(context, given['injection-config']);
    const files = steps.flatMap(({ folder }) => folder.repeatable.map(({ file }) => file));
    const counts = [
      `${databases.length} databases`,
      `${users.length} users`,
      `${files.length} file${files.length === 1 ? '' : 's'} of SQL`,
    ];
    return {
      data: { databases: databases.map(({ name }) => name), users: users.map(({ name }) => name), files },
      text: [{ line: `valid: ${counts.join(', ')}` }],
    };
  },
});
