import { loginOf } from '../instances/login.ts';
import { type LoginFormat, loginFormats } from '../instances/login-formats.ts';
import { instanceAction } from './action.ts';
import { openInstance } from './shared.ts';

const formats = ['default', 'table', ...(Object.keys(loginFormats) as LoginFormat[])] as const;

export const connect = instanceAction({
  name: 'connect',
  summary: 'how clients connect',
  details: 'Shows the password: that is what it is for.',
  examples: [
    ['psql "$(./manage.ts --action connect --instance client-a --format url)"', 'a shell on its database'],
    ['eval "$(./manage.ts connect client-a --format env)"', 'DATABASE_URL and PGHOST … into this shell'],
    ['./manage.ts connect client-a --username report --format pgpass >> ~/.pgpass', 'another of its roles'],
  ],
  options: {
    format: { type: 'string', choices: formats, describe: 'what to print' },
    username: { type: 'string', alias: 'u', describe: "a role made with create-user (default: the instance's)" },
    database: { type: 'string', alias: 'd', describe: "instead of the instance's own" },
  },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, { format = 'default', username, database }) {
    const { record, paths } = openInstance(context, name);
    const login = loginOf(paths, record, { username, database });
    const data = { ...login };
    if (isFormat(format)) return { data, text: [{ line: loginFormats[format](login, record.name) }] };
    return { data, text: [{ fields: Object.entries(login).map(([key, value]) => [key, String(value)]) }] };
  },
});

function isFormat(format: string): format is LoginFormat {
  return Object.hasOwn(loginFormats, format);
}
