import { inspectPorts } from '../instances/ports.ts';
import { Leases } from '../ports/leases.ts';
import { hostAction } from './action.ts';

const meaning = {
  ok: '',
  stranger: 'another program listens here: start the instance with --port auto, or end that program',
  orphan: 'held for an instance that is not there: ./manage.ts --action recover gives it back',
  unleased: 'not held for its instance: starting the instance holds it again',
} as const;

export const ports = hostAction({
  name: 'ports',
  summary: 'which ports are held, and who listens',
  details:
    'Held ports of all users and roots of this host. Exit status 1 when something is wrong with one of this root.',
  examples: [['./manage.ts --action ports', 'as a table']],
  options: {},
  target: 'none',
  lock: 'none',
  changes: false,
  async run({ places }) {
    const rows = await inspectPorts(places, new Leases(places.host));
    const wrong = rows.filter(({ finding }) => finding !== 'ok');
    const table = {
      head: ['port', 'for', 'user', 'listens', 'root'],
      rows: rows.map(({ port, purpose, instance, user, listening, listener, root }) => [
        String(port),
        purpose === 'postgres' ? instance : `${instance} (${purpose})`,
        user,
        listening ? (listener ? `${listener.pid} ${listener.command.split(' ')[0]?.split('/').at(-1)}` : 'yes') : 'no',
        root,
      ]),
    };
    const said = wrong.map(({ port, instance, finding }) => ({
      line: `${port} (${instance}): ${finding}, ${meaning[finding]}`,
    }));
    return {
      data: { ports: rows },
      text: rows.length === 0 ? [{ line: 'no port is held' }] : [table, ...said],
      ...(wrong.some(({ root }) => root === places.root) ? { exitCode: 1 } : {}),
    };
  },
});
