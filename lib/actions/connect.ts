import { AppError } from '../errors.ts';
import { clientHost, readPassword } from '../instances/connection.ts';
import { instanceAction } from './action.ts';
import { openInstance } from './shared.ts';

const formats = ['default', 'url', 'env', 'json'] as const;

export const connect = instanceAction({
  name: 'connect',
  summary: 'how clients connect',
  details: 'Shows the password: that is what it is for.',
  examples: [
    ['psql "$(./manage.ts --action connect --instance client-a --format url)"', 'a shell on its database'],
    ['eval "$(./manage.ts connect client-a --format env)"', 'DATABASE_URL and PGHOST … into this shell'],
  ],
  options: { format: { type: 'string', choices: formats, describe: 'what to print' } },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, { format }) {
    const { record, paths } = openInstance(context, name);
    const { port, database, role: username } = record;
    const password = readPassword(paths);
    const part = encodeURIComponent;
    const url = `postgresql://${part(username)}:${part(password)}@${clientHost}:${port}/${part(database)}`;
    const data = { host: clientHost, port, database, username, password, url };
    switch (format) {
      case 'url':
        return { data, text: [{ line: url }] };
      case 'env':
        return { data, text: [{ line: environment(data) }] };
      case 'json':
        return { data, text: [{ line: JSON.stringify(data) }] };
      case 'default':
      case undefined:
        return { data, text: [{ fields: Object.entries(data).map(([key, value]) => [key, String(value)]) }] };
      default:
        throw new AppError('USAGE', `connect cannot write "${format}"`, {
          hint: `choose one of: ${formats.join(', ')}`,
        });
    }
  },
});

/** Lines that a shell and a .env file read alike. */
function environment({ host, port, database, username, password, url }: Record<string, string | number>): string {
  const lines = {
    DATABASE_URL: url,
    PGHOST: host,
    PGPORT: port,
    PGDATABASE: database,
    PGUSER: username,
    PGPASSWORD: password,
  };
  return Object.entries(lines)
    .map(
      ([key, value]) =>
        `${key}=${/^[\w@%+=:,./-]+$/.test(String(value)) ? value : `'${String(value).replaceAll("'", String.raw`'\''`)}'`}`,
    )
    .join('\n');
}
